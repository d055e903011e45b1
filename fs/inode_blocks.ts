/**
 * Every block that belongs to an inode, in the order of the file: data,
 * indirect blocks, and the block of extended attributes.
 *
 * Unlike the block map, which serves reading and writing and stops at the
 * first broken rule, this goes around what is damaged and finds the rest.
 *
 * @module
 */

import { DeviceError } from "../bd/block_device.ts";
import { S_IFDIR, S_IFLNK, S_IFREG } from "./attributes.ts";
import type { BlockRun } from "./block_allocator.ts";
import { CorruptError, FsError } from "./errors.ts";
import { DIRECT_POINTERS } from "./geometry.ts";
import { INODE, type Inode } from "./inode.ts";
import { readU32 } from "./layout.ts";
import { isFastSymlink } from "./symlink.ts";

/** What an inode has a block for. */
export type BlockRole = "data" | "indirect" | "attributes";

/** Blocks of an inode that lie in a row on the device. */
export interface InodeBlocks extends BlockRun {
  /** What they are for. */
  readonly role: BlockRole;
  /** Of data, the place in the file: its blocks counted from 0. */
  readonly index: number;
}

/** Takes an error of one part of an inode; the rest goes on. */
export type DamageSink = (error: DeviceError | FsError) => void;

/**
 * The blocks of `inode`. A pointer that leads nowhere, and an indirect block
 * that cannot be read, go to `damaged`. Between two steps at most one indirect
 * block is read, and none of the cache's views is kept.
 */
export function* inodeBlocks(
  inode: Inode,
  damaged: DamageSink,
): Generator<InodeBlocks> {
  if (hasBlockMap(inode)) {
    const map = INODE.i_block.get(inode.bytes(), 0).slice();
    yield* dataRuns(inode, map.subarray(0, 4 * DIRECT_POINTERS), 0, damaged);
    let index = DIRECT_POINTERS;
    for (let level = 1; level <= 3; level++) {
      const block = readU32(map, 4 * (DIRECT_POINTERS + level - 1));
      yield* subtree(inode, { block, level, index }, damaged);
      index += inode.volume.geometry.pointersPerBlock ** level;
    }
  }
  const start = inode.get(INODE.i_file_acl);
  if (start !== 0 && isPlausible(inode, start, 1, damaged)) {
    yield { role: "attributes", start, count: 1, index: 0 };
  }
}

/** Whether `i_block` holds pointers to blocks. */
function hasBlockMap(inode: Inode): boolean {
  const { kind } = inode;
  // Inodes of the format itself may have no kind.
  return kind === S_IFREG || kind === S_IFDIR || kind === 0 ||
    kind === S_IFLNK && !isFastSymlink(inode);
}

/** An indirect block, and which block of the file it starts with. */
interface Subtree {
  readonly block: number;
  readonly level: number;
  readonly index: number;
}

/** The indirect block and all that it leads to. */
function* subtree(
  inode: Inode,
  { block, level, index }: Subtree,
  damaged: DamageSink,
): Generator<InodeBlocks> {
  if (block === 0 || !isPlausible(inode, block, 1, damaged)) return;
  yield { role: "indirect", start: block, count: 1, index };
  const { cache, geometry: { pointersPerBlock } } = inode.volume;
  let pointers: Uint8Array;
  try {
    pointers = cache.read(block).slice();
  } catch (error) {
    damaged(expected(error));
    return;
  }
  if (level === 1) {
    yield* dataRuns(inode, pointers, index, damaged);
    return;
  }
  const span = pointersPerBlock ** (level - 1);
  for (let i = 0; i < pointersPerBlock; i++) {
    const below = readU32(pointers, 4 * i);
    if (below === 0) continue;
    const at = { block: below, level: level - 1, index: index + i * span };
    yield* subtree(inode, at, damaged);
  }
}

/** The runs of data blocks that `pointers` lead to, the first at `index`. */
function* dataRuns(
  inode: Inode,
  pointers: Uint8Array,
  index: number,
  damaged: DamageSink,
): Generator<InodeBlocks> {
  const end = pointers.length / 4;
  for (let i = 0, count = 1; i < end; i += count, count = 1) {
    const start = readU32(pointers, 4 * i);
    if (start === 0) continue;
    while (
      i + count < end && readU32(pointers, 4 * (i + count)) === start + count
    ) count++;
    if (!isPlausible(inode, start, count, damaged)) continue;
    yield { role: "data", start, count, index: index + i };
  }
}

/**
 * Whether the blocks can be an inode's: inside the volume and, as far as that
 * can be told, outside of its own structures.
 */
function isPlausible(
  { volume, number }: Inode,
  start: number,
  count: number,
  damaged: DamageSink,
): boolean {
  try {
    volume.checkDataBlocks(start, count, number);
    return true;
  } catch (error) {
    const known = expected(error);
    damaged(known);
    return !(known instanceof CorruptError);
  }
}

/** `error` if damage explains it; else it is thrown on. */
export function expected(error: unknown): DeviceError | FsError {
  if (error instanceof DeviceError || error instanceof FsError) return error;
  throw error;
}
