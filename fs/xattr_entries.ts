/**
 * The entries of extended attributes, which are the same in both places that
 * can hold them: behind the fields of a large inode, and in a block.
 *
 * A region holds the entries, each with its name, from some place on; four
 * zero bytes end them. The values lie at the region's end, at offsets that
 * count from its start. Everything is aligned to four bytes.
 *
 * After the Linux kernel's "ext4 Data Structures and Algorithms", section 3.5
 * (Extended Attributes).
 *
 * @module
 */

import { CorruptError, type CorruptPlace } from "./errors.ts";
import { bytes, readU32, u16, u32, u8 } from "./layout.ts";
import type { XattrKey } from "./xattr_names.ts";

/** The magic number at the start of both places. */
export const XATTR_MAGIC = 0xea020000;
/** Size of the head of a block of attributes, in bytes. */
export const XATTR_HEADER_SIZE = 32;
/** Size of an entry without its name, in bytes. */
export const XATTR_ENTRY_SIZE = 16;
/** Size of the zeros behind the last entry, in bytes. */
export const XATTR_END_SIZE = 4;

/** The head of a block of attributes; an inode has only `h_magic`. */
export const XATTR_HEADER = {
  /** {@link XATTR_MAGIC}. */
  h_magic: u32(0),
  /** Number of inodes that share the block. */
  h_refcount: u32(4),
  /** Number of blocks; always 1. */
  h_blocks: u32(8),
  /** Hash of all attributes, or 0. */
  h_hash: u32(12),
  /** Checksum, with metadata_csum. */
  h_checksum: u32(16),
  /** Reserved. */
  h_reserved: bytes(20, 12),
} as const;

/** An attribute's entry; its name follows. */
export const XATTR_ENTRY = {
  /** Length of the name in bytes. */
  e_name_len: u8(0),
  /** What stands before the name. */
  e_name_index: u8(1),
  /** Where the value is, in bytes from the region's start. */
  e_value_offs: u16(2),
  /** Inode that holds the value, with ea_inode. */
  e_value_inum: u32(4),
  /** Size of the value in bytes. */
  e_value_size: u32(8),
  /** Hash of name and value; 0 in inodes. */
  e_hash: u32(12),
} as const;

/** An attribute. */
export interface Xattr extends XattrKey {
  /** Its value, in the encoding of the volume. */
  readonly value: Uint8Array;
}

const align = (size: number): number => size + 3 & ~3;

/** Space that an attribute takes, in bytes. */
export function xattrSize({ name, value }: Xattr): number {
  return align(XATTR_ENTRY_SIZE + name.length) + align(value.length);
}

/** Space that all of `xattrs` and the end of the entries take, in bytes. */
export function xattrsSize(xattrs: readonly Xattr[]): number {
  return xattrs.reduce((sum, xattr) => sum + xattrSize(xattr), XATTR_END_SIZE);
}

/**
 * The attributes of `region`, whose entries start at byte `first`. Names and
 * values are views of it. Throws {@link CorruptError} with `place` if one of
 * them does not lie wholly inside, or a value touches the entries.
 */
export function readXattrs(
  region: Uint8Array,
  first: number,
  place: CorruptPlace,
): Xattr[] {
  const e = XATTR_ENTRY;
  const check = (holds: boolean, rule: string): void => {
    if (!holds) throw new CorruptError(`extended attributes: ${rule}`, place);
  };
  const inside = "the entries run past their end";
  const entries: number[] = [];
  let at = first;
  for (;;) {
    check(at + XATTR_END_SIZE <= region.length, inside);
    if (readU32(region, at) === 0) break;
    check(at + XATTR_ENTRY_SIZE <= region.length, inside);
    entries.push(at);
    at += align(XATTR_ENTRY_SIZE + e.e_name_len.get(region, at));
  }
  const valuesStart = at + XATTR_END_SIZE;
  return entries.map((at) => {
    const nameAt = at + XATTR_ENTRY_SIZE;
    const nameLength = e.e_name_len.get(region, at);
    const size = e.e_value_size.get(region, at);
    const offset = size === 0 ? valuesStart : e.e_value_offs.get(region, at);
    check(e.e_value_inum.get(region, at) === 0, "e_value_inum is set");
    check(
      offset >= valuesStart && offset + size <= region.length,
      "a value lies outside its place",
    );
    const name = region.subarray(nameAt, nameAt + nameLength);
    check(!name.includes(0), "a NUL in a name");
    return {
      index: e.e_name_index.get(region, at),
      name,
      value: region.subarray(offset, offset + size),
    };
  });
}

/**
 * Writes `xattrs` into `region`, which is all zeros from byte `first` on; they
 * must fit. Entries are in the order given; the hashes stay zero. Returns the
 * place of each entry.
 */
export function writeXattrs(
  region: Uint8Array,
  first: number,
  xattrs: readonly Xattr[],
): number[] {
  const e = XATTR_ENTRY;
  let at = first;
  let valueAt = region.length;
  return xattrs.map(({ index, name, value }) => {
    const entry = at;
    e.e_name_len.set(region, entry, name.length);
    e.e_name_index.set(region, entry, index);
    e.e_value_size.set(region, entry, value.length);
    region.set(name, entry + XATTR_ENTRY_SIZE);
    at += align(XATTR_ENTRY_SIZE + name.length);
    // As the kernel has it, an empty value is nowhere.
    if (value.length === 0) return entry;
    valueAt -= align(value.length);
    e.e_value_offs.set(region, entry, valueAt);
    region.set(value, valueAt);
    return entry;
  });
}
