/**
 * Extended attributes: those inside inodes, and the blocks that inodes share.
 *
 * @module
 */

import { decodeDiskAcl } from "../acl.ts";
import { CorruptError } from "../errors.ts";
import { COMPAT } from "../features.ts";
import { INODE, INODE_BASE_SIZE } from "../inode.ts";
import { readU32 } from "../layout.ts";
import { SUPERBLOCK } from "../superblock.ts";
import {
  readXattrs,
  type Xattr,
  XATTR_ENTRY,
  XATTR_ENTRY_SIZE,
  XATTR_HEADER,
  XATTR_HEADER_SIZE,
  XATTR_MAGIC,
} from "../xattr_entries.ts";
import { XATTR_INDEX } from "../xattr_names.ts";
import type { Check } from "./_check.ts";

/** Inside an inode the head is the magic number alone. */
const INODE_HEADER_SIZE = 4;

/**
 * Checks the attributes of inode `ino` and claims their block. Returns the
 * number of blocks they take: 0 or 1.
 */
export function checkAttributes(check: Check, ino: number): number {
  checkInside(check, ino);
  const block = check.inode(ino, INODE.i_file_acl);
  if (block === 0) return 0;
  if (claimBlock(check, ino, block)) return 1;
  check.setInode(ino, INODE.i_file_acl, 0);
  return 0;
}

/** Checks the attributes inside inode `ino`. */
function checkInside(check: Check, ino: number): void {
  const { inodeSize } = check.geometry;
  if (inodeSize === INODE_BASE_SIZE) return;
  const extra = check.inode(ino, INODE.i_extra_isize);
  const head = INODE_BASE_SIZE + extra;
  if (extra === 0 || head + INODE_HEADER_SIZE >= inodeSize) return;
  const bytes = check.inodeBytes(ino);
  if (readU32(bytes, head) !== XATTR_MAGIC) return;
  const region = bytes.subarray(head + INODE_HEADER_SIZE);
  const reason = entriesProblem(region, 0);
  if (reason === null) {
    if (!hasPadding(region, 0)) return;
    check.findings.add("xattr.padding", { inode: ino });
    const own = check.modifyInode(ino).subarray(head + INODE_HEADER_SIZE);
    return clearPadding(own, 0);
  }
  check.findings.add("xattr.inode", { inode: ino }, { reason });
  check.modifyInode(ino).fill(0, head);
}

/** Claims the block of attributes of `ino`; false if it is of no use. */
function claimBlock(check: Check, ino: number, block: number): boolean {
  const { store, findings } = check;
  const place = { inode: ino };
  if (!check.isDataBlock(block)) {
    findings.add("xattr.block_place", place, { pointer: block });
    return false;
  }
  if (check.attributes.has(block)) {
    const left = check.attributeCounts.get(block) ?? 0;
    check.attributeCounts.set(block, left - 1);
    return true;
  }
  const bytes = store.tryView(block);
  if (bytes === null) {
    findings.add("xattr.block_unreadable", { ...place, block }, {
      pointer: block,
    });
    return false;
  }
  const reason = blockProblem(bytes);
  if (reason !== null) {
    findings.add("xattr.block", { ...place, block }, {
      pointer: block,
      reason,
    });
    return false;
  }
  if (hasPadding(bytes, XATTR_HEADER_SIZE)) {
    findings.add("xattr.padding", { ...place, block });
    clearPadding(store.modify(block), XATTR_HEADER_SIZE);
  }
  check.attributes.add(block);
  if (!check.used.add(block)) check.shared.add(block);
  const left = XATTR_HEADER.h_refcount.get(bytes, 0) - 1;
  if (left !== 0) check.attributeCounts.set(block, left);
  return true;
}

/** Compares how often each block of attributes is named to what it says. */
export function finishAttributes(check: Check): void {
  const { h_refcount } = XATTR_HEADER;
  if (check.attributes.size > 0 && !check.hasCompat(COMPAT.ext_attr)) {
    check.findings.add("superblock.ext_attr");
    const { s_feature_compat } = SUPERBLOCK;
    const features = check.superblock(s_feature_compat);
    check.setSuperblock(s_feature_compat, features | COMPAT.ext_attr);
  }
  for (const [block, left] of check.attributeCounts) {
    if (left === 0) continue;
    const stored = h_refcount.get(check.store.view(block), 0);
    const found = stored - left;
    check.findings.add("xattr.reference_count", { block }, { stored, found });
    h_refcount.set(check.store.modify(block), 0, found);
  }
  check.attributeCounts.clear();
}

/** What is wrong with a block of attributes; null if nothing is. */
function blockProblem(bytes: Uint8Array): string | null {
  if (XATTR_HEADER.h_magic.get(bytes, 0) !== XATTR_MAGIC) {
    return "it has not the number of such blocks";
  }
  if (XATTR_HEADER.h_blocks.get(bytes, 0) !== 1) return "h_blocks is not 1";
  return entriesProblem(bytes, XATTR_HEADER_SIZE);
}

/** Whether an attribute of kind `index` is an access control list. */
function isAcl(index: number): boolean {
  return index === XATTR_INDEX.aclAccess || index === XATTR_INDEX.aclDefault;
}

/** What is wrong with the entries of `region`; null if nothing is. */
function entriesProblem(region: Uint8Array, first: number): string | null {
  let xattrs: Xattr[];
  try {
    xattrs = readXattrs(region, first, {});
    for (const { index, value } of xattrs) {
      if (isAcl(index)) decodeDiskAcl(value, 0);
    }
  } catch (error) {
    if (error instanceof CorruptError) return error.message;
    throw error;
  }
  if (xattrs.some(({ index }) => index === 0)) return "a name has no kind";
  const values = xattrs.filter(({ value }) => value.length > 0)
    .map(({ value }) => {
      const start = value.byteOffset - region.byteOffset;
      return { start, end: start + (value.length + 3 & ~3) };
    })
    .sort((a, b) => a.start - b.start);
  for (const [i, { start, end }] of values.entries()) {
    if (end > region.length) return "a value lies outside its place";
    if (i > 0 && start < values[i - 1].end) return "values overlap";
  }
  return hashProblem(region, first);
}

function hashProblem(region: Uint8Array, first: number): string | null {
  for (const at of entries(region, first)) {
    const isRight = matchesHash(region, at, { first, isPadded: false }) ||
      matchesHash(region, at, { first, isPadded: true });
    if (!isRight) return "the hash of an entry is wrong";
  }
  return null;
}

/** Whether a hash is right but for what lies behind the value. */
function hasPadding(region: Uint8Array, first: number): boolean {
  return entries(region, first).some((at) =>
    !matchesHash(region, at, { first, isPadded: false })
  );
}

/** Fills what lies behind the values with zeros, up to the next word. */
function clearPadding(region: Uint8Array, first: number): void {
  const { e_value_offs, e_value_size } = XATTR_ENTRY;
  for (const at of entries(region, first)) {
    const size = e_value_size.get(region, at);
    if (size === 0) continue;
    const offset = e_value_offs.get(region, at);
    region.fill(0, offset + size, offset + (size + 3 & ~3));
  }
}

/** The places of the entries of `region`. */
function entries(region: Uint8Array, first: number): number[] {
  const places: number[] = [];
  for (let at = first; readU32(region, at) !== 0;) {
    places.push(at);
    const length = XATTR_ENTRY.e_name_len.get(region, at);
    at += XATTR_ENTRY_SIZE + (length + 3 & ~3);
  }
  return places;
}

/** What a hash is held against. */
interface HashWay {
  /** Where the entries start. */
  readonly first: number;
  /** Whether zeros are taken to be behind the value, whatever is there. */
  readonly isPadded: boolean;
}

/** Whether the entry at `at` has its hash; in an inode it may have none. */
function matchesHash(
  region: Uint8Array,
  at: number,
  { first, isPadded }: HashWay,
): boolean {
  const stored = XATTR_ENTRY.e_hash.get(region, at);
  if (stored === 0 && first === 0) return true;
  return [false, true].some((isSigned) =>
    stored === entryHash(region, at, { isSigned, isPadded })
  );
}

/**
 * The hash of the entry at `at`. Machines whose characters are signed once
 * wrote another one for names that are not ASCII. (Linux kernel,
 * `fs/ext4/xattr.c`.)
 */
function entryHash(
  region: Uint8Array,
  at: number,
  { isSigned, isPadded }: { isSigned: boolean; isPadded: boolean },
): number {
  const e = XATTR_ENTRY;
  let hash = 0;
  const name = at + XATTR_ENTRY_SIZE;
  for (let i = 0; i < e.e_name_len.get(region, at); i++) {
    const byte = region[name + i];
    hash = (hash << 5 | hash >>> 27) ^ (isSigned ? byte << 24 >> 24 : byte);
  }
  const size = e.e_value_size.get(region, at);
  const value = new Uint8Array(size + 3 & ~3);
  const offset = e.e_value_offs.get(region, at);
  const end = offset + (isPadded ? size : value.length);
  if (size > 0) value.set(region.subarray(offset, end));
  for (let i = 0; i < value.length; i += 4) {
    hash = (hash << 16 | hash >>> 16) ^ readU32(value, i);
  }
  return hash >>> 0;
}
