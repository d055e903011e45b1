/**
 * Copying from file to file within the volume: copy_file_range(2).
 *
 * @module
 */

import { FsError } from "./errors.ts";
import { readContents, resizeContents, writeContents } from "./file.ts";
import { findBlock, punchContents } from "./holes.ts";
import { INODE, type Inode } from "./inode.ts";

/** Blocks that one piece may change besides those it writes. */
const PIECE_OVERHEAD = 3;

/** A part of a file, and where it is to be copied to. */
export interface CopyRange {
  /** File to copy from. */
  readonly from: Inode;
  /** First byte to copy. */
  readonly fromOffset: number;
  /** File to copy to; it may be the same. */
  readonly to: Inode;
  /** Where the first byte goes. */
  readonly toOffset: number;
  /** Number of bytes. */
  readonly length: number;
}

/**
 * How many bytes there are to copy, 0 at or behind the end of the source.
 * Throws {@link FsError} `EINVAL` if a file would be copied over itself.
 */
export function copyLength(range: CopyRange): number {
  const { from, fromOffset, to, toOffset, length } = range;
  const count = Math.max(Math.min(length, from.size - fromOffset), 0);
  const distance = Math.abs(fromOffset - toOffset);
  if (from.number === to.number && count > distance) {
    throw new FsError("EINVAL", "the two ranges of the file overlap");
  }
  return count;
}

/**
 * Copies the beginning of a range that is all within its file, as much as one
 * operation can. What is a hole becomes one. Returns the number of bytes.
 */
export function copyContents(range: CopyRange): number {
  const { from, fromOffset, to, toOffset, length } = range;
  const { transferMax, geometry: { blockSize } } = to.volume;
  let budget = transferMax;
  let done = 0;
  while (done < length && budget > 0) {
    const at = fromOffset + done;
    const piece = nextPiece(from, at, {
      length: length - done,
      dataMax: budget,
    });
    let count = piece.length;
    if (piece.isHole) {
      const blocks = to.get(INODE.i_blocks);
      count = punchContents(to, toOffset + done, count);
      const end = toOffset + done + count;
      if (end > to.size) resizeContents(to, end);
      // How many bitmaps that has changed is anyone's guess.
      if (to.get(INODE.i_blocks) !== blocks) return done + count;
    } else {
      const buffer = new Uint8Array(count);
      readContents(from, at, buffer);
      writeContents(to, toOffset + done, buffer);
      budget -= count;
    }
    done += count;
    budget -= PIECE_OVERHEAD * blockSize;
  }
  return done;
}

/**
 * The bytes from `at` on that are all data or all a hole: `length` at most,
 * and of data no more than `dataMax`.
 */
function nextPiece(
  inode: Inode,
  at: number,
  { length, dataMax }: { length: number; dataMax: number },
): { isHole: boolean; length: number } {
  const { blockSize } = inode.volume.geometry;
  const from = Math.floor(at / blockSize);
  let end = Math.ceil((at + length) / blockSize);
  const data = findBlock(inode, { from, end, hole: false });
  if (data.index > from) {
    const bytes = data.index * blockSize - at;
    return { isHole: true, length: Math.min(bytes, length) };
  }
  const most = Math.min(length, dataMax);
  end = Math.ceil((at + most) / blockSize);
  const { index } = findBlock(inode, { from, end, hole: true });
  const bytes = index * blockSize - at;
  return { isHole: false, length: Math.min(bytes, most) };
}
