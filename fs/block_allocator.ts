/**
 * The block allocator: which blocks are free, and which to take.
 *
 * A caller names a goal, the block it would like best: the one behind a
 * file's last. The allocator takes a run that starts at the goal if it is
 * free; else the next free place in the goal's group that has room for what is
 * wanted, or for eight blocks, so that a file's blocks stay together and small
 * files fill small gaps; else the same in the other groups, nearest above
 * first.
 *
 * Every change keeps bitmap, group counter and superblock counter exact.
 *
 * @module
 */

import {
  allSet,
  clearBits,
  countClear,
  findClear,
  findClearByte,
  setBits,
} from "./bitmap.ts";
import { GROUP_DESCRIPTOR } from "./block_group.ts";
import { CorruptError, FsError } from "./errors.ts";
import { SUPERBLOCK } from "./superblock.ts";
import type { Volume } from "./volume.ts";

/** Blocks in a row. */
export interface BlockRun {
  /** First block. */
  readonly start: number;
  /** Number of blocks, at least 1. */
  readonly count: number;
}

/**
 * Takes up to `count` free blocks in a row, near `goal`; at least one.
 * Throws {@link FsError} `ENOSPC` if the caller may have none.
 */
export function allocateBlocks(
  volume: Volume,
  goal: number,
  count: number,
): BlockRun {
  const { geometry } = volume;
  const want = Math.min(count, availableBlocks(volume));
  if (want <= 0) throw new FsError("ENOSPC");
  const inside = goal > geometry.firstDataBlock && goal < geometry.blocksCount;
  const start = inside ? goal : geometry.firstDataBlock + 1;
  const first = geometry.groupOfBlock(start);
  for (let i = 0; i < geometry.groupCount; i++) {
    const group = (first + i) % geometry.groupCount;
    const from = i === 0 ? start - geometry.groupStart(group) : 0;
    const run = takeFromGroup(volume, group, from, want);
    if (run !== null) return run;
  }
  // The goal's group was searched only behind the goal.
  const run = takeFromGroup(volume, first, 0, want);
  if (run !== null) return run;
  throw new CorruptError("free blocks are counted that no bitmap shows");
}

/** Gives back `count` blocks from `start` on; their contents are forgotten. */
export function freeBlocks(volume: Volume, start: number, count: number): void {
  const { geometry } = volume;
  while (count > 0) {
    const group = geometry.groupOfBlock(start);
    const index = start - geometry.groupStart(group);
    const here = Math.min(count, geometry.groupSize(group) - index);
    const bitmapBlock = volume.groupMetadata(group).blockBitmap;
    if (!allSet(volume.cache.read(bitmapBlock), index, here)) {
      throw new CorruptError("a block in use is marked free", { block: start });
    }
    clearBits(volume.cache.modify(bitmapBlock), index, here);
    adjustFree(volume, group, here);
    for (let i = 0; i < here; i++) volume.cache.discard(start + i);
    start += here;
    count -= here;
  }
}

/** Blocks that the running operation may take. */
export function availableBlocks(volume: Volume): number {
  const free = volume.superblock(SUPERBLOCK.s_free_blocks_count);
  if (volume.mayUseReserve) return free;
  return free - volume.superblock(SUPERBLOCK.s_r_blocks_count);
}

function takeFromGroup(
  volume: Volume,
  group: number,
  from: number,
  want: number,
): BlockRun | null {
  const { geometry } = volume;
  const free = volume.descriptor(group, GROUP_DESCRIPTOR.bg_free_blocks_count);
  if (free === 0) return null;
  const bitmapBlock = volume.groupMetadata(group).blockBitmap;
  const bitmap = volume.cache.read(bitmapBlock);
  const size = geometry.groupSize(group);
  let index = findClear(bitmap, from, size);
  if (index < 0) return null;
  let run = countClear(bitmap, index, Math.min(size, index + want));
  if (index !== from && run < Math.min(want, 8)) {
    const roomy = findClearByte(bitmap, index, size);
    if (roomy >= 0) index = roomy;
    run = countClear(bitmap, index, Math.min(size, index + want));
  }
  const start = geometry.groupStart(group) + index;
  volume.checkDataBlocks(start, run, 0);
  setBits(volume.cache.modify(bitmapBlock), index, run);
  adjustFree(volume, group, -run);
  return { start, count: run };
}

/** Adds `delta` to the free blocks of `group` and of the volume. */
function adjustFree(volume: Volume, group: number, delta: number): void {
  const counter = GROUP_DESCRIPTOR.bg_free_blocks_count;
  volume.addToDescriptor(group, counter, delta);
  volume.addToSuperblock(SUPERBLOCK.s_free_blocks_count, delta);
}
