/**
 * The symbolic link: its target lies in the inode's pointer array if it is
 * shorter than 60 bytes (a fast link), else in a block of its own (a slow one).
 *
 * @module
 */

import { S_IFLNK } from "./attributes.ts";
import { CorruptError, FsError } from "./errors.ts";
import { readContents, writeContents } from "./file.ts";
import { INODE, type Inode } from "./inode.ts";

/** Whether `inode` is a link whose target lies in the inode itself. */
export function isFastSymlink(inode: Inode): boolean {
  if (inode.kind !== S_IFLNK) return false;
  const { blockSize } = inode.volume.geometry;
  const attributes = inode.get(INODE.i_file_acl) === 0 ? 0 : blockSize / 512;
  return inode.get(INODE.i_blocks) === attributes;
}

/** The target of the link `inode`; a copy. */
export function readTarget(inode: Inode): Uint8Array {
  if (inode.kind !== S_IFLNK) throw new FsError("EINVAL", "not a link");
  const { size } = inode;
  const room = isFastSymlink(inode)
    ? INODE.i_block.size
    : inode.volume.geometry.blockSize;
  if (size === 0 || size >= room) {
    throw new CorruptError(`a symbolic link of ${size} bytes`, {
      inode: inode.number,
    });
  }
  if (isFastSymlink(inode)) {
    return INODE.i_block.get(inode.bytes(), 0).slice(0, size);
  }
  const target = new Uint8Array(size);
  readContents(inode, 0, target);
  return target;
}

/** Stores the target of the new link `inode`. */
export function writeTarget(inode: Inode, target: Uint8Array): void {
  const { blockSize } = inode.volume.geometry;
  if (target.length === 0) throw new FsError("ENOENT", "an empty link target");
  if (target.includes(0)) throw new FsError("EINVAL", "NUL in a link target");
  if (target.length >= blockSize) {
    throw new FsError(
      "ENAMETOOLONG",
      `a link target has at most ${blockSize - 1} bytes here`,
    );
  }
  if (target.length >= INODE.i_block.size) writeContents(inode, 0, target);
  else {
    INODE.i_block.set(inode.modify(), 0, target);
    inode.size = target.length;
  }
}
