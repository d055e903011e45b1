/**
 * Extended attributes inside an inode: behind the fields of an inode that is
 * larger than 128 bytes, where `i_extra_isize` says that these end.
 *
 * @module
 */

import { INODE_BASE_SIZE } from "./inode.ts";
import type { Inode } from "./inode.ts";
import {
  readXattrs,
  writeXattrs,
  type Xattr,
  XATTR_HEADER,
  XATTR_MAGIC,
} from "./xattr_entries.ts";

/** Inside an inode the head is the magic number alone. */
const HEADER_SIZE = 4;

/**
 * Bytes that the entries and values in the inode can take; 0 if it can have
 * none. An inode that does not say how long its fields are has no place for
 * attributes either: what lies behind them is undefined.
 */
export function xattrRoom(inode: Inode): number {
  const extra = inode.extraSize;
  if (extra === 0) return 0;
  const { inodeSize } = inode.volume.geometry;
  return Math.max(0, inodeSize - INODE_BASE_SIZE - extra - HEADER_SIZE);
}

/**
 * The attributes inside the inode, as views of it. Throws
 * {@link CorruptError} if they break a rule.
 */
export function readInodeXattrs(inode: Inode): Xattr[] {
  const room = xattrRoom(inode);
  if (room === 0) return [];
  const bytes = inode.bytes();
  const region = bytes.subarray(bytes.length - room);
  const head = bytes.length - room - HEADER_SIZE;
  if (XATTR_HEADER.h_magic.get(bytes, head) !== XATTR_MAGIC) return [];
  return readXattrs(region, 0, { inode: inode.number });
}

/** Replaces the attributes inside the inode; they must fit into its room. */
export function writeInodeXattrs(inode: Inode, xattrs: readonly Xattr[]): void {
  const room = xattrRoom(inode);
  if (room === 0) return;
  const bytes = inode.modify();
  const head = bytes.length - room - HEADER_SIZE;
  bytes.fill(0, head);
  if (xattrs.length === 0) return;
  XATTR_HEADER.h_magic.set(bytes, head, XATTR_MAGIC);
  writeXattrs(bytes.subarray(head + HEADER_SIZE), 0, xattrs);
}
