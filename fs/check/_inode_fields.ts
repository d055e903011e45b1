/**
 * The fields of an inode that mean nothing here, or that must fit together.
 *
 * @module
 */

import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../attributes.ts";
import { DIRECTORY_ENTRY, entrySize } from "../directory_entry.ts";
import { COMPAT } from "../features.ts";
import {
  APPEND_FL,
  IMMUTABLE_FL,
  INDEX_FL,
  INODE,
  INODE_BASE_SIZE,
  INODE_EXTRA_SIZE,
} from "../inode.ts";
import { readU32 } from "../layout.ts";
import type { Check } from "./_check.ts";
import { isDots, nameAt } from "./_entry_names.ts";

/** `i_flags`: the inode's blocks are mapped by extents. */
const EXTENTS_FL = 0x80000;
/** `i_flags`: the inode holds its data itself. */
const INLINE_DATA_FL = 0x10000000;
/** `i_flags`: AFS, encryption and names without case, each a feature. */
const FOREIGN_FLAGS = 0x2000 | 0x800 | 0x40000000;
/** Fields that make up the least part behind the first 128 bytes. */
const EXTRA_SIZE_MIN = 4;

/** Checks the flags of an inode of `kind`. */
export function checkFlags(check: Check, ino: number, kind: number): void {
  const flags = check.inode(ino, INODE.i_flags);
  let wrong = 0;
  if ((flags & EXTENTS_FL) !== 0) {
    check.findings.add("inode.extents", { inode: ino });
    wrong |= EXTENTS_FL;
  }
  if ((flags & INLINE_DATA_FL) !== 0) {
    check.findings.add("inode.inline_data", { inode: ino });
    wrong |= INLINE_DATA_FL;
  }
  const foreign = flags & FOREIGN_FLAGS;
  if (foreign !== 0) {
    const stored = `0x${(foreign >>> 0).toString(16)}`;
    check.findings.add("inode.foreign_flags", { inode: ino }, { stored });
    wrong |= foreign;
  }
  const mayHaveIndex = kind === S_IFDIR && check.hasCompat(COMPAT.dir_index);
  if ((flags & INDEX_FL) !== 0 && !mayHaveIndex) {
    check.findings.add("inode.index_flag", { inode: ino });
    wrong |= INDEX_FL;
  }
  if (wrong === 0) return;
  check.setInode(ino, INODE.i_flags, (flags & ~wrong) >>> 0);
}

/** Checks fields that hold the high parts of others, which ext2 has not. */
export function checkHighParts(check: Check, ino: number, kind: number): void {
  if (
    check.inode(ino, INODE.i_blocks_high) !== 0 ||
    check.inode(ino, INODE.i_file_acl_high) !== 0
  ) {
    check.findings.add("inode.high_parts", { inode: ino });
    check.setInode(ino, INODE.i_blocks_high, 0);
    check.setInode(ino, INODE.i_file_acl_high, 0);
  }
  const high = check.inode(ino, INODE.i_size_high);
  if (kind === S_IFDIR && high !== 0) {
    check.findings.add("inode.dir_size_high", { inode: ino }, {
      stored: high,
    });
    check.setInode(ino, INODE.i_size_high, 0);
  }
  const fragment = check.inode(ino, INODE.i_faddr);
  if (fragment !== 0) {
    check.findings.add("inode.fragment", { inode: ino }, { stored: fragment });
    check.setInode(ino, INODE.i_faddr, 0);
  }
}

/** Checks how many bytes behind the first 128 are in use. */
export function checkExtraSize(check: Check, ino: number): void {
  const room = check.geometry.inodeSize - INODE_BASE_SIZE;
  if (room === 0) return;
  const stored = check.inode(ino, INODE.i_extra_isize);
  if (stored === 0) return;
  if (stored >= EXTRA_SIZE_MIN && stored <= room && stored % 4 === 0) return;
  const found = Math.min(INODE_EXTRA_SIZE, room);
  check.findings.add("inode.extra_size", { inode: ino }, { stored, found });
  check.setInode(ino, INODE.i_extra_isize, found);
}

/**
 * What is wrong with a symbolic link; null if nothing is. A link whose block
 * cannot be read is taken as it is.
 */
export function symlinkProblem(check: Check, ino: number): string | null {
  const size = check.inode(ino, INODE.i_size);
  if (size === 0) return "it has no length";
  if (check.inode(ino, INODE.i_size_high) !== 0) return "it is too long";
  const map = INODE.i_block.get(check.inodeBytes(ino), 0);
  if (size < INODE.i_block.size) return targetProblem(map, size);
  if (size >= check.geometry.blockSize) return "it is too long";
  const block = readU32(map, 0);
  if (!check.isDataBlock(block)) return "it has no block";
  if (map.subarray(4).some((byte) => byte !== 0)) {
    return "it has several blocks";
  }
  const bytes = check.store.tryView(block);
  return bytes && targetProblem(bytes, size);
}

/** Whether the target in `bytes`, which a NUL ends, has `size` bytes. */
function targetProblem(bytes: Uint8Array, size: number): string | null {
  const end = bytes.indexOf(0);
  return end === size ? null : `its target has not the ${size} bytes it claims`;
}

/**
 * Checks a device, pipe or socket. False if it was none, and is cleared.
 *
 * Linux leaves what was there in the pointers behind the device number, so
 * that they say nothing unless the flags are wrong as well.
 */
export function checkSpecial(check: Check, ino: number): boolean {
  const flags = check.inode(ino, INODE.i_flags);
  const frozen = IMMUTABLE_FL | APPEND_FL;
  if ((flags & frozen) !== 0) {
    const map = INODE.i_block.get(check.inodeBytes(ino), 0);
    if (map.subarray(16).some((byte) => byte !== 0)) {
      check.findings.add("inode.special", { inode: ino });
      check.clearInode(ino);
      return false;
    }
    check.findings.add("inode.special_flags", { inode: ino });
    check.setInode(ino, INODE.i_flags, (flags & ~frozen) >>> 0);
  }
  const size = check.inode(ino, INODE.i_size) +
    check.inode(ino, INODE.i_size_high) * 2 ** 32;
  if (size !== 0) {
    check.findings.add("inode.special_size", { inode: ino }, { stored: size });
    check.setInode(ino, INODE.i_size, 0);
    check.setInode(ino, INODE.i_size_high, 0);
  }
  return true;
}

/**
 * Checks whether an inode that says it is a device, pipe or socket, or of no
 * kind at all, is a directory by what it holds.
 */
export function checkDisguise(check: Check, ino: number): void {
  const mode = check.inode(ino, INODE.i_mode);
  const kind = mode & S_IFMT;
  if (kind === S_IFDIR || kind === S_IFREG || kind === S_IFLNK) return;
  const block = check.pointer(ino, 0);
  if (!check.isDataBlock(block)) return;
  const bytes = check.store.tryView(block);
  if (bytes === null) return;
  const { inode, rec_len } = DIRECTORY_ENTRY;
  const second = entrySize(1);
  const isDirectory = inode.get(bytes, 0) === ino &&
    rec_len.get(bytes, 0) === second && isDots(nameAt(bytes, 0)) &&
    check.isInode(inode.get(bytes, second)) && isDots(nameAt(bytes, second));
  if (!isDirectory) return;
  check.findings.add("inode.disguise", { inode: ino }, {
    stored: mode.toString(8).padStart(6, "0"),
  });
  check.setInode(ino, INODE.i_mode, S_IFDIR | mode & 0o7777);
}
