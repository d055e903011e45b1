/**
 * Extended attributes in a block of their own, which `i_file_acl` names.
 * Several inodes may share one; it is copied before it changes.
 *
 * The hashes are those of the Linux kernel's `fs/ext4/xattr.c`, which finds
 * blocks to share by them; e2fsck compares them.
 *
 * @module
 */

import { allocateBlocks, freeBlocks } from "./block_allocator.ts";
import { CorruptError } from "./errors.ts";
import { INODE } from "./inode.ts";
import type { Inode } from "./inode.ts";
import { readU32 } from "./layout.ts";
import {
  readXattrs,
  writeXattrs,
  type Xattr,
  XATTR_ENTRY,
  XATTR_HEADER,
  XATTR_HEADER_SIZE,
  XATTR_MAGIC,
} from "./xattr_entries.ts";
import { compareXattrs } from "./xattr_names.ts";

/** Bytes that the entries and values in a block can take. */
export function xattrBlockRoom(inode: Inode): number {
  return inode.volume.geometry.blockSize - XATTR_HEADER_SIZE;
}

/**
 * The attributes in the inode's block, as views of it; none if it has no
 * block. Throws {@link CorruptError} if they break a rule.
 */
export function readBlockXattrs(inode: Inode): Xattr[] {
  const block = inode.get(INODE.i_file_acl);
  if (block === 0) return [];
  const bytes = readBlock(inode, block);
  return readXattrs(bytes, XATTR_HEADER_SIZE, { block, inode: inode.number });
}

/**
 * Replaces the attributes in the inode's block; they must fit. The inode gets
 * a block or loses it as needed. Throws {@link FsError} `ENOSPC` if there is
 * no free block.
 */
export function writeBlockXattrs(inode: Inode, xattrs: readonly Xattr[]): void {
  if (xattrs.length === 0) {
    releaseXattrBlock(inode);
    return;
  }
  const { volume } = inode;
  const block = ownBlock(inode);
  const bytes = volume.cache.replace(block);
  bytes.fill(0);
  XATTR_HEADER.h_magic.set(bytes, 0, XATTR_MAGIC);
  XATTR_HEADER.h_refcount.set(bytes, 0, 1);
  XATTR_HEADER.h_blocks.set(bytes, 0, 1);
  const sorted = [...xattrs].sort(compareXattrs);
  let blockHash = 0;
  let canShare = true;
  writeXattrs(bytes, XATTR_HEADER_SIZE, sorted).forEach((at, i) => {
    const hash = xattrHash(sorted[i]);
    XATTR_ENTRY.e_hash.set(bytes, at, hash);
    blockHash = rotate(blockHash, 16) ^ hash;
    if (hash === 0) canShare = false;
  });
  XATTR_HEADER.h_hash.set(bytes, 0, canShare ? blockHash : 0);
}

/**
 * Takes the inode's block of attributes away from it, if it has one: the
 * block is freed, unless another inode shares it. For the end of an inode.
 */
export function releaseXattrBlock(inode: Inode): void {
  const block = inode.get(INODE.i_file_acl);
  if (block === 0) return;
  if (!leaveShared(inode, block)) freeBlocks(inode.volume, block, 1);
  inode.set(INODE.i_file_acl, 0);
  inode.addBlocks(-1);
}

/** The block that is the inode's alone, new if need be. */
function ownBlock(inode: Inode): number {
  const { volume } = inode;
  const { geometry } = volume;
  const old = inode.get(INODE.i_file_acl);
  if (old !== 0 && !leaveShared(inode, old)) return old;
  const goal = geometry.groupStart(geometry.groupOfInode(inode.number));
  const { start } = allocateBlocks(volume, goal, 1);
  inode.set(INODE.i_file_acl, start);
  // Each inode that shares a block counts it, so a copy is not one more.
  if (old === 0) inode.addBlocks(1);
  return start;
}

/** Drops one reference if `block` is shared; says whether it is. */
function leaveShared(inode: Inode, block: number): boolean {
  const count = XATTR_HEADER.h_refcount.get(readBlock(inode, block), 0);
  if (count === 1) return false;
  const bytes = inode.volume.cache.modify(block);
  XATTR_HEADER.h_refcount.set(bytes, 0, count - 1);
  return true;
}

/** The block, its head checked. */
function readBlock(inode: Inode, block: number): Uint8Array {
  const { volume } = inode;
  volume.checkDataBlocks(block, 1, inode.number);
  const bytes = volume.cache.read(block);
  const check = (holds: boolean, rule: string): void => {
    if (holds) return;
    const place = { block, inode: inode.number };
    throw new CorruptError(`extended attribute block: ${rule}`, place);
  };
  check(XATTR_HEADER.h_magic.get(bytes, 0) === XATTR_MAGIC, "h_magic is off");
  check(XATTR_HEADER.h_blocks.get(bytes, 0) === 1, "h_blocks is not 1");
  check(XATTR_HEADER.h_refcount.get(bytes, 0) > 0, "h_refcount is 0");
  return bytes;
}

/**
 * Hash of one attribute: its name by bytes, its value, filled up with zeros,
 * by numbers of 32 bits.
 */
function xattrHash({ name, value }: Xattr): number {
  let hash = 0;
  for (const byte of name) hash = rotate(hash, 5) ^ byte;
  const padded = new Uint8Array(value.length + 3 & ~3);
  padded.set(value);
  for (let i = 0; i < padded.length; i += 4) {
    hash = rotate(hash, 16) ^ readU32(padded, i);
  }
  return hash >>> 0;
}

/** `hash` with its 32 bits rotated to the left. */
function rotate(hash: number, count: number): number {
  return hash << count ^ hash >>> 32 - count;
}
