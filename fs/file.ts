/**
 * The contents of a file: reading, writing, and changing the size.
 *
 * Invariant: the bytes of a file's last block behind its end are zeros, so
 * that a file which grows shows zeros where nothing was written.
 *
 * @module
 */

import { cutBlocks } from "./block_cut.ts";
import { allocateRun, mapRun } from "./block_map.ts";
import { FsError } from "./errors.ts";
import { RO_COMPAT } from "./features.ts";
import { REVISION_ORIGINAL, SUPERBLOCK } from "./superblock.ts";
import type { Inode } from "./inode.ts";
import type { Volume } from "./volume.ts";

/** Blocks that one operation frees at most; more is done in steps. */
export const CUT_BLOCKS_MAX = 1 << 16;

/** Files of this size and more need the large_file feature, in bytes. */
const LARGE_FILE_SIZE = 2 ** 31;

/**
 * Reads up to `into.length` bytes from byte `offset` on. Returns how many
 * there were; holes read as zeros.
 */
export function readContents(
  inode: Inode,
  offset: number,
  into: Uint8Array,
): number {
  const length = Math.min(into.length, Math.max(inode.size - offset, 0));
  const { cache, geometry: { blockSize } } = inode.volume;
  for (let done = 0; done < length;) {
    const position = offset + done;
    const index = Math.floor(position / blockSize);
    const last = Math.floor((offset + length - 1) / blockSize);
    const run = mapRun(inode, index, last - index + 1);
    if (run.start !== 0 && run.count > 1) cache.prefetch(run.start, run.count);
    for (let i = 0; i < run.count; i++) {
      const from = i === 0 ? position % blockSize : 0;
      const count = Math.min(blockSize - from, length - done);
      if (run.start === 0) into.fill(0, done, done + count);
      else {
        const block = cache.read(run.start + i);
        into.set(
          count === blockSize ? block : block.subarray(from, from + count),
          done,
        );
      }
      done += count;
    }
  }
  return length;
}

/**
 * Writes `from`, at most {@link Volume.transferMax} bytes, at byte `offset`; the
 * file grows as needed.
 */
export function writeContents(
  inode: Inode,
  offset: number,
  from: Uint8Array,
): void {
  const { cache, geometry: { blockSize } } = inode.volume;
  const end = offset + from.length;
  const size = inode.size;
  if (end > size) grow(inode, size, Math.max(offset, size));
  for (let done = 0; done < from.length;) {
    const position = offset + done;
    const index = Math.floor(position / blockSize);
    const last = Math.floor((end - 1) / blockSize);
    const run = allocateRun(inode, index, last - index + 1);
    for (let i = 0; i < run.count; i++) {
      const at = i === 0 ? position % blockSize : 0;
      const count = Math.min(blockSize - at, from.length - done);
      const whole = count === blockSize;
      const block = run.fresh || whole
        ? cache.replace(run.start + i)
        : cache.modify(run.start + i);
      if (run.fresh && !whole) block.fill(0);
      block.set(from.subarray(done, done + count), at);
      done += count;
    }
  }
  if (end > size) setSize(inode, end);
}

/**
 * Makes the file `size` bytes long: cuts it, or adds a hole. Returns false if
 * blocks behind the new end are still to be freed, by {@link cutContents}.
 */
export function resizeContents(inode: Inode, size: number): boolean {
  const old = inode.size;
  if (size > old) grow(inode, old, size);
  setSize(inode, size);
  if (size >= old) return true;
  zeroTail(inode, size);
  return cutContents(inode);
}

/**
 * Frees blocks behind the file's end, at most {@link CUT_BLOCKS_MAX} of them.
 * Returns true if none is left.
 */
export function cutContents(inode: Inode): boolean {
  const { blockSize } = inode.volume.geometry;
  const keep = Math.ceil(inode.size / blockSize);
  return cutBlocks(inode, keep, CUT_BLOCKS_MAX);
}

/** Checks that the file may reach `size`, and zeros behind its old end. */
function grow(inode: Inode, old: number, size: number): void {
  checkSize(inode.volume, size);
  if (size > old) zeroTail(inode, old);
}

/** Zeros what lies behind byte `size` in the block that holds it. */
function zeroTail(inode: Inode, size: number): void {
  const { cache, geometry: { blockSize } } = inode.volume;
  const from = size % blockSize;
  if (from === 0) return;
  const { start } = mapRun(inode, Math.floor(size / blockSize), 1);
  if (start !== 0) cache.modify(start).fill(0, from);
}

function setSize(inode: Inode, size: number): void {
  const { volume } = inode;
  checkSize(volume, size);
  inode.size = size;
  if (size < LARGE_FILE_SIZE) return;
  const features = volume.superblock(SUPERBLOCK.s_feature_ro_compat);
  if ((features & RO_COMPAT.large_file) !== 0) return;
  volume.setSuperblock(
    SUPERBLOCK.s_feature_ro_compat,
    features | RO_COMPAT.large_file,
  );
}

/** Throws {@link FsError} `EINVAL` if `offset` is no place in any file. */
export function checkOffset(offset: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw new FsError("EINVAL", `${offset} is no byte offset`);
  }
}

/** Throws {@link FsError} `EFBIG` if no file can be `size` bytes long. */
export function checkSize({ geometry }: Volume, size: number): void {
  const most = geometry.revision === REVISION_ORIGINAL
    ? LARGE_FILE_SIZE - 1
    : geometry.fileSizeMax;
  if (!(size <= most)) {
    throw new FsError("EFBIG", `a file has at most ${most} bytes here`);
  }
}
