/**
 * Taking blocks for a part of a file, and giving them back: fallocate(2), as
 * far as ext2 can hold what it promises.
 *
 * ext2 has no blocks that are taken but not written: what is taken here is
 * filled with zeros. And it has none behind the end of a file: a checker takes
 * these for damage.
 *
 * @module
 */

import { availableBlocks } from "./block_allocator.ts";
import { allocateRun } from "./block_map.ts";
import { FsError } from "./errors.ts";
import { checkSize, resizeContents, writeContents } from "./file.ts";
import { findBlock, punchContents, searchMax } from "./holes.ts";
import { checkMutable, type Inode } from "./inode.ts";
import type { AllocateOptions } from "./options.ts";

/**
 * Blocks that a run of blocks may change besides its own: a bitmap, and the
 * indirect blocks that lead to it.
 */
const RUN_OVERHEAD = 3;

/**
 * Does one part of what `options` ask for. Returns the bytes that are done,
 * from `offset` on; the caller goes on behind them.
 */
export function allocateContents(
  inode: Inode,
  options: AllocateOptions,
): number {
  const { offset, length, punchHole = false, zeroRange = false } = options;
  checkRange(inode, options);
  checkMutable(inode, !punchHole && !zeroRange);
  if (punchHole) return punchContents(inode, offset, length);
  checkSpace(inode, offset, offset + length);
  if (zeroRange) return zeroContents(inode, options);
  return fillHoles(inode, options);
}

/** Whether `options` ask for something that changes nothing at all. */
export function isBehindEnd(inode: Inode, options: AllocateOptions): boolean {
  return (options.punchHole ?? false) && options.offset >= inode.size;
}

function checkRange(inode: Inode, options: AllocateOptions): void {
  const { offset, length, keepSize, punchHole, zeroRange } = options;
  if (!Number.isSafeInteger(length) || length <= 0) {
    throw new FsError("EINVAL", `${length} is no length of a range`);
  }
  if (punchHole && (zeroRange || !keepSize)) {
    throw new FsError(
      "EOPNOTSUPP",
      "a hole is punched with keepSize, and without zeroRange",
    );
  }
  const { volume, size } = inode;
  checkSize(volume, offset + length);
  if (!keepSize || punchHole) return;
  const { blockSize } = volume.geometry;
  if (offset + length > Math.ceil(size / blockSize) * blockSize) {
    throw new FsError(
      "EOPNOTSUPP",
      "ext2 keeps no blocks behind a file's end: allocate without keepSize",
    );
  }
}

/** Takes blocks, filled with zeros, for holes; the file grows as needed. */
function fillHoles(inode: Inode, options: AllocateOptions): number {
  const { offset, length, keepSize = false } = options;
  const { volume, volume: { geometry: { blockSize } } } = inode;
  let index = Math.floor(offset / blockSize);
  const end = Math.min(
    Math.ceil((offset + length) / blockSize),
    index + searchMax(volume),
  );
  let budget = Math.floor(volume.transferMax / blockSize);
  while (index < end && budget > 0) {
    const next = findBlock(inode, { from: index, end, hole: true });
    index = next.index;
    if (!next.isFound) break;
    const count = Math.min(end - index, budget);
    const run = allocateRun(inode, index, count);
    for (let i = 0; i < run.count; i++) {
      volume.cache.replace(run.start + i).fill(0);
    }
    index += run.count;
    budget -= run.count + RUN_OVERHEAD;
  }
  const done = Math.min(index * blockSize - offset, length);
  if (!keepSize && offset + done > inode.size) {
    resizeContents(inode, offset + done);
  }
  return done;
}

/**
 * Refuses at once what the volume certainly has no room for: the blocks
 * behind the end of the file are all still to be taken.
 */
function checkSpace(inode: Inode, offset: number, end: number): void {
  const { size, volume, volume: { geometry: { blockSize } } } = inode;
  const known = Math.ceil(Math.max(size, offset) / blockSize);
  const count = Math.ceil(end / blockSize) - known;
  if (count > availableBlocks(volume)) throw new FsError("ENOSPC");
}

/**
 * Writes zeros. A hole would read the same; but what fallocate(2) promises of
 * such a range is that it can be written to when the volume is full.
 */
function zeroContents(inode: Inode, options: AllocateOptions): number {
  const { offset, length, keepSize = false } = options;
  const { size, volume } = inode;
  const count = Math.min(length, volume.transferMax);
  const stop = keepSize ? Math.min(offset + count, size) : offset + count;
  if (stop > offset) {
    writeContents(inode, offset, new Uint8Array(stop - offset));
  }
  return count;
}
