/**
 * The block map: which device block holds block `i` of a file.
 *
 * An inode points to the first 12 blocks itself; its next three pointers lead
 * to an indirect block (pointers to blocks), a double (pointers to indirect
 * blocks) and a triple indirect block. A pointer of 0 is a hole, at any level.
 * (Linux kernel, "ext4 Data Structures and Algorithms", 3.1.2, "Direct/
 * Indirect Block Addressing".)
 *
 * @module
 */

import { allocateBlocks, type BlockRun } from "./block_allocator.ts";
import { FsError } from "./errors.ts";
import { DIRECT_POINTERS } from "./geometry.ts";
import type { Inode } from "./inode.ts";
import { readU32, writeU32 } from "./layout.ts";
import type { Volume } from "./volume.ts";

/** A run of a file's blocks: in a row on the device, or a hole. */
export interface MappedRun {
  /** First device block, or 0 for a hole. */
  readonly start: number;
  /** Number of blocks, at least 1. */
  readonly count: number;
}

/** A run that is certainly on the device. */
export interface AllocatedRun extends BlockRun {
  /** Whether the blocks were taken just now: they hold nothing yet. */
  readonly fresh: boolean;
}

/** The run that block `index` of the file starts, of at most `count` blocks. */
export function mapRun(inode: Inode, index: number, count: number): MappedRun {
  const { holder, slot, room } = findPointer(inode, index, count);
  const most = Math.min(count, room);
  return holder < 0
    ? { start: 0, count: most }
    : runOfPointers(inode, holder, slot, most);
}

/** Where the pointer to a block of a file is. */
export interface PointerPlace {
  /** The indirect block that holds it; 0 for the inode, -1 if there is none. */
  readonly holder: number;
  /** Which pointer of the holder it is. */
  readonly slot: number;
  /** Blocks from it on whose pointers follow it, or that have none either. */
  readonly room: number;
}

/**
 * Where the pointer to block `index` of the file is. If there is none, so far
 * as `count` blocks it is told how many others have none either.
 */
export function findPointer(
  inode: Inode,
  index: number,
  count: number,
): PointerPlace {
  const { volume } = inode;
  const { level, inner } = locate(volume, index);
  if (level === 0) {
    return { holder: 0, slot: index, room: DIRECT_POINTERS - index };
  }
  const n = volume.geometry.pointersPerBlock;
  let holder = inode.pointer(DIRECT_POINTERS + level - 1);
  let span = n ** level;
  if (holder === 0) return { holder: -1, slot: 0, room: span - inner };
  for (;;) {
    volume.checkDataBlocks(holder, 1, inode.number);
    span /= n;
    let slot = Math.floor(inner / span) % n;
    if (span === 1) return { holder, slot, room: n - slot };
    const next = readPointer(inode, holder, slot);
    if (next === 0) {
      let room = span - inner % span;
      while (
        room < count && ++slot < n && readPointer(inode, holder, slot) === 0
      ) room += span;
      return { holder: -1, slot: 0, room };
    }
    holder = next;
  }
}

/**
 * The run that block `index` of the file starts, of at most `count` blocks;
 * where there is a hole, blocks are taken for it, and indirect blocks for
 * their pointers. The contents of a fresh run are for the caller to write.
 */
export function allocateRun(
  inode: Inode,
  index: number,
  count: number,
): AllocatedRun {
  const { volume } = inode;
  const present = mapRun(inode, index, count);
  if (present.start !== 0) return { ...present, fresh: false };
  const { level, inner } = locate(volume, index);
  const n = volume.geometry.pointersPerBlock;
  let goal = goalFor(inode, index);
  let holder = 0;
  let slot = level === 0 ? index : DIRECT_POINTERS + level - 1;
  for (let span = n ** level; span > 1;) {
    let next = readPointer(inode, holder, slot);
    if (next === 0) {
      next = allocateIndirectBlock(inode, goal);
      writePointer(inode, holder, slot, next);
      goal = next + 1;
    }
    holder = next;
    span /= n;
    slot = Math.floor(inner / span) % n;
  }
  const room = level === 0 ? DIRECT_POINTERS - slot : n - slot;
  const run = allocateBlocks(volume, goal, Math.min(present.count, room));
  for (let i = 0; i < run.count; i++) {
    writePointer(inode, holder, slot + i, run.start + i);
  }
  inode.addBlocks(run.count);
  return { ...run, fresh: true };
}

/** Which of the four trees holds block `index`, and where in it. */
function locate(
  volume: Volume,
  index: number,
): { level: number; inner: number } {
  const n = volume.geometry.pointersPerBlock;
  let level = 0;
  while (level < 3 && index >= firstOfLevel(n, level + 1)) level++;
  const inner = index - firstOfLevel(n, level);
  if (level === 3 && inner >= n ** 3) throw new FsError("EFBIG");
  return { level, inner };
}

/** The first block of a file that needs `level` levels of indirection. */
export function firstOfLevel(n: number, level: number): number {
  if (level === 0) return 0;
  if (level === 1) return DIRECT_POINTERS;
  if (level === 2) return DIRECT_POINTERS + n;
  return DIRECT_POINTERS + n + n * n;
}

/** The run that starts with pointer `slot` of `holder` (0: the inode). */
function runOfPointers(
  inode: Inode,
  holder: number,
  slot: number,
  most: number,
): MappedRun {
  const start = readPointer(inode, holder, slot);
  const step = start === 0 ? 0 : 1;
  let count = 1;
  while (
    count < most &&
    readPointer(inode, holder, slot + count) === start + step * count
  ) count++;
  if (start !== 0) inode.volume.checkDataBlocks(start, count, inode.number);
  return { start, count };
}

function readPointer(inode: Inode, holder: number, slot: number): number {
  if (holder === 0) return inode.pointer(slot);
  return readU32(inode.volume.cache.read(holder), 4 * slot);
}

function writePointer(
  inode: Inode,
  holder: number,
  slot: number,
  value: number,
): void {
  if (holder === 0) inode.setPointer(slot, value);
  else writeU32(inode.volume.cache.modify(holder), 4 * slot, value);
}

/** Behind the file's previous block, or at the start of its inode's group. */
function goalFor(inode: Inode, index: number): number {
  if (index > 0) {
    const previous = mapRun(inode, index - 1, 1);
    if (previous.start !== 0) return previous.start + 1;
  }
  const { geometry } = inode.volume;
  return geometry.groupStart(geometry.groupOfInode(inode.number));
}

function allocateIndirectBlock(inode: Inode, goal: number): number {
  const { start } = allocateBlocks(inode.volume, goal, 1);
  inode.volume.cache.replace(start).fill(0);
  inode.addBlocks(1);
  return start;
}
