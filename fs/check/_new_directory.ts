/**
 * New directories and new entries, for what repairs have to make.
 *
 * @module
 */

import { S_IFDIR } from "../attributes.ts";
import {
  DIRECTORY_ENTRY,
  ENTRY_HEADER_SIZE,
  entrySize,
  fileTypeOf,
} from "../directory_entry.ts";
import { INCOMPAT } from "../features.ts";
import { INODE, INODE_BASE_SIZE, INODE_EXTRA_SIZE } from "../inode.ts";
import type { Check } from "./_check.ts";
import { addBlock, directoryBlocks, mappedBlock } from "./_directory_blocks.ts";

const { inode: INO, rec_len, name_len, file_type } = DIRECTORY_ENTRY;

/** A directory to make. */
export interface NewDirectory {
  /** Its inode, which is free. */
  readonly ino: number;
  /** The directory that has it. */
  readonly parent: number;
  /** Permissions. */
  readonly mode: number;
}

/** An entry to make. */
export interface NewName {
  /** The name. */
  readonly name: Uint8Array;
  /** What it leads to. */
  readonly ino: number;
  /** `file_type` of that. */
  readonly kind: number;
}

/**
 * Makes an empty directory; false if there is no block for it, and then its
 * inode is as it was. It does not mark the inode.
 */
export function makeDirectory(
  check: Check,
  { ino, parent, mode }: NewDirectory,
): boolean {
  const { blockSize, inodeSize } = check.geometry;
  const { sec } = check.now();
  const bytes = check.modifyInode(ino);
  const before = bytes.slice();
  bytes.fill(0);
  INODE.i_mode.set(bytes, 0, S_IFDIR | mode);
  INODE.i_links_count.set(bytes, 0, 2);
  INODE.i_size.set(bytes, 0, blockSize);
  for (const field of [INODE.i_atime, INODE.i_ctime, INODE.i_mtime]) {
    field.set(bytes, 0, sec);
  }
  if (inodeSize > INODE_BASE_SIZE) {
    INODE.i_extra_isize.set(bytes, 0, INODE_EXTRA_SIZE);
    INODE.i_crtime.set(bytes, 0, sec);
  }
  const block = addBlock(check, ino, 0);
  if (block === 0) {
    check.modifyInode(ino).set(before);
    return false;
  }
  const kind = fileTypeOf(S_IFDIR);
  check.setKind(ino, kind);
  check.directories.add(ino);
  check.directories.setParent(ino, parent);
  check.directories.setDotdot(ino, parent);
  check.addLinks(ino, 1);
  addName(check, block, { name: Uint8Array.of(0x2e), ino, kind });
  const dots = Uint8Array.of(0x2e, 0x2e);
  addName(check, block, { name: dots, ino: parent, kind });
  return true;
}

/**
 * Adds an entry to `directory`, from its block `from` on. Returns the block of
 * the directory that has it; -1 if there is no room for a new block.
 */
export function addEntry(
  check: Check,
  directory: number,
  entry: NewName & { readonly from?: number },
): number {
  const blocks = directoryBlocks(check, directory);
  for (let index = entry.from ?? 0; index < blocks; index++) {
    const block = mappedBlock(check, directory, index);
    if (block === 0 || !check.store.isWritable(block)) continue;
    if (addName(check, block, entry)) return index;
  }
  const block = addBlock(check, directory, blocks);
  if (block === 0) return -1;
  const size = (blocks + 1) * check.geometry.blockSize;
  check.setInode(directory, INODE.i_size, size);
  addName(check, block, entry);
  return blocks;
}

/** Adds an entry to a block of a directory; false if it does not fit. */
function addName(
  check: Check,
  block: number,
  { name, ino, kind }: NewName,
): boolean {
  const size = entrySize(name.length);
  const view = check.store.view(block);
  for (let at = 0; at < view.length; at += rec_len.get(view, at)) {
    const used = INO.get(view, at) === 0
      ? 0
      : entrySize(name_len.get(view, at));
    const length = rec_len.get(view, at);
    if (length - used < size) continue;
    const bytes = check.store.modify(block);
    if (used > 0) rec_len.set(bytes, at, used);
    const place = at + used;
    INO.set(bytes, place, ino);
    rec_len.set(bytes, place, length - used);
    name_len.set(bytes, place, name.length);
    const hasTypes = check.hasIncompat(INCOMPAT.filetype);
    file_type.set(bytes, place, hasTypes ? kind : 0);
    bytes.set(name, place + ENTRY_HEADER_SIZE);
    return true;
  }
  return false;
}
