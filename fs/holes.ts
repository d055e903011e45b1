/**
 * Holes: where a file has blocks and where it has none, and how to make room
 * of the ones and holes of the others. A hole reads as zeros.
 *
 * @module
 */

import { cutRange } from "./block_cut.ts";
import { findPointer, mapRun } from "./block_map.ts";
import { FsError } from "./errors.ts";
import { CUT_BLOCKS_MAX } from "./file.ts";
import type { Inode } from "./inode.ts";
import { readU32 } from "./layout.ts";
import type { Volume } from "./volume.ts";

/**
 * Indirect blocks that one search looks through. With blocks of 4 KiB they
 * lead to 32 GiB, with blocks of 1 KiB to 2 GiB.
 */
const SEARCH_MAX = 8192;

/** Blocks of a file that one search looks through at least, if present. */
export function searchMax({ geometry }: Volume): number {
  return SEARCH_MAX * geometry.pointersPerBlock;
}

/** Where a search for a block ended. */
export interface FoundBlock {
  /** Block of the file: every one before it was looked at. */
  readonly index: number;
  /** Whether it is one of those that were looked for. */
  readonly isFound: boolean;
}

/** Which blocks of a file to look through, and for what. */
export interface SearchOptions {
  /** First block. */
  readonly from: number;
  /** Behind the last one. */
  readonly end: number;
  /** Whether a hole is looked for, or a block that is there. */
  readonly hole: boolean;
}

/**
 * Looks for the first block that is a hole, or that is none. What an indirect
 * block that is missing would lead to is passed over at once. Ends without
 * having found one at `end`, or earlier when it has looked long enough.
 */
export function findBlock(
  inode: Inode,
  { from, end, hole }: SearchOptions,
): FoundBlock {
  let index = from;
  for (let looked = 0; index < end && looked < SEARCH_MAX; looked++) {
    const { holder, slot, room } = findPointer(inode, index, end - index);
    const count = Math.min(room, end - index);
    if (holder < 0) {
      if (hole) return { index, isFound: true };
      index += count;
      continue;
    }
    const block = holder === 0 ? null : inode.volume.cache.read(holder);
    for (let i = slot; i < slot + count; i++, index++) {
      const pointer = block ? readU32(block, 4 * i) : inode.pointer(i);
      if ((pointer === 0) === hole) return { index, isFound: true };
    }
  }
  return { index, isFound: false };
}

/**
 * The first byte from byte `offset` on that is in a hole, or that is in none,
 * as lseek(2) has it: there is a hole behind the end of every file. Throws
 * {@link FsError} `ENXIO` if there is no such byte before the end, or if
 * `offset` is not before it.
 *
 * What would take too long to look through counts as data: of a file with many
 * gigabytes before its first hole, the end is told to be that hole.
 */
export function seekContents(
  inode: Inode,
  offset: number,
  { hole }: { hole: boolean },
): number {
  const { size, volume: { geometry: { blockSize } } } = inode;
  if (offset >= size) throw new FsError("ENXIO", "at or behind the file's end");
  const from = Math.floor(offset / blockSize);
  const end = Math.ceil(size / blockSize);
  const { index, isFound } = findBlock(inode, { from, end, hole });
  if (hole && !isFound) return size;
  if (index === end) throw new FsError("ENXIO", "a hole up to the file's end");
  return Math.max(offset, index * blockSize);
}

/**
 * Makes `length` bytes from byte `offset` on read as zeros, and frees the
 * blocks that are in the range as a whole. The file keeps its size. Returns
 * how many bytes are done: fewer if there are too many blocks for one
 * operation.
 */
export function punchContents(
  inode: Inode,
  offset: number,
  length: number,
): number {
  const { size, volume: { geometry: { blockSize } } } = inode;
  const stop = Math.min(offset + length, size);
  if (offset >= stop) return length;
  const from = Math.ceil(offset / blockSize);
  // Of the last block, what is behind the end does not count.
  const end = stop === size
    ? Math.ceil(size / blockSize)
    : Math.floor(stop / blockSize);
  zeroBytes(inode, offset, Math.min(from * blockSize, stop));
  if (end < from) return length;
  const cut = cutRange(inode, { from, end, budget: CUT_BLOCKS_MAX });
  if (cut < end) return cut * blockSize - offset;
  zeroBytes(inode, end * blockSize, stop);
  return length;
}

/** Zeros bytes `from` to `end - 1`, all of one block, unless in a hole. */
function zeroBytes(inode: Inode, from: number, end: number): void {
  if (from >= end) return;
  const { cache, geometry: { blockSize } } = inode.volume;
  const index = Math.floor(from / blockSize);
  const { start } = mapRun(inode, index, 1);
  if (start === 0) return;
  const base = index * blockSize;
  cache.modify(start).fill(0, from - base, end - base);
}
