/**
 * The directory entry: a name and an inode number. A directory block is a
 * chain of entries, each as long as it says, that fills the block exactly;
 * an unused stretch is an entry of inode 0, or slack behind a used one.
 *
 * After the Linux kernel's "ext4 Data Structures and Algorithms", section 3.3
 * (Directory Entries, Linear Directories).
 *
 * @module
 */

import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
} from "./attributes.ts";
import { u16, u32, u8 } from "./layout.ts";

/** Size of an entry without its name, in bytes. */
export const ENTRY_HEADER_SIZE = 8;

/** The fields of a directory entry; the name follows them. */
export const DIRECTORY_ENTRY = {
  /** Inode number, or 0 for an unused stretch. */
  inode: u32(0),
  /** Length of the entry in bytes, a multiple of 4, slack included. */
  rec_len: u16(4),
  /** Length of the name in bytes. */
  name_len: u8(6),
  /** Kind of file, with the filetype feature; else 0. */
  file_type: u8(7),
} as const;

/** Least length of an entry with a name of `nameLength` bytes. */
export function entrySize(nameLength: number): number {
  return ENTRY_HEADER_SIZE + (nameLength + 3 & ~3);
}

/** `file_type` of each kind of file, by its index; 0 is unknown. */
const KINDS = [
  0,
  S_IFREG,
  S_IFDIR,
  S_IFCHR,
  S_IFBLK,
  S_IFIFO,
  S_IFSOCK,
  S_IFLNK,
];

/** The `file_type` of a file of kind `S_IF…`. */
export function fileTypeOf(kind: number): number {
  return Math.max(KINDS.indexOf(kind), 0);
}

/** The kind `S_IF…` that `fileType` stands for, or 0 if it says nothing. */
export function kindOf(fileType: number): number {
  return KINDS[fileType] ?? 0;
}
