/**
 * Who can own a block, and what a search for owners finds.
 *
 * @module
 */

import type { BlockRun } from "./block_allocator.ts";

/** A structure of the volume, and the block group in which it lies. */
export interface StructureOwner {
  /** Which structure; a copy of the first two in groups other than 0. */
  readonly kind:
    | "superblock"
    | "group descriptors"
    | "reserved group descriptors"
    | "block bitmap"
    | "inode bitmap";
  /** Number of the block group. */
  readonly group: number;
}

/** A part of an inode table. */
export interface InodeTableOwner {
  /** What it is. */
  readonly kind: "inode table";
  /** Number of the block group. */
  readonly group: number;
  /** First inode that the blocks hold. */
  readonly firstInode: number;
  /** Last inode that the blocks hold. */
  readonly lastInode: number;
}

/** A file, directory or other inode. */
export interface InodeOwner {
  /**
   * What the blocks hold: contents, a directory's names, pointers to blocks,
   * or extended attributes.
   */
  readonly kind:
    | "data"
    | "directory"
    | "indirect block"
    | "extended attributes";
  /** Inode number. */
  readonly ino: number;
  /** One of its paths; null if no directory that can be read leads to it. */
  readonly path: Uint8Array | null;
  /** Number of its names. */
  readonly names: number;
}

/** Nothing of the volume. */
export interface NoOwner {
  /**
   * `free`: the bitmap says so. `boot block`: in front of the volume.
   * `outside`: behind its end. `unknown`: in use, or it cannot be told
   * whether, but by nothing that could be found.
   */
  readonly kind: "free" | "boot block" | "outside" | "unknown";
}

/** What a block belongs to. */
export type BlockOwner =
  | StructureOwner
  | InodeTableOwner
  | InodeOwner
  | NoOwner;

/** Blocks in a row that belong to the same. */
export interface OwnedBlocks extends BlockRun {
  /** What they belong to. */
  readonly owner: BlockOwner;
}

/** A part of the volume that could not be searched, and why. */
export interface Unreadable {
  /** The file or directory whose part it is; null for what has no path. */
  readonly path: Uint8Array | null;
  /** The file's inode, or 0. */
  readonly ino: number;
  /** What was wrong. */
  readonly reason: string;
}

/** The outcome of a search. */
export interface BlockOwners {
  /** Every block that was asked for, in ascending order. */
  readonly blocks: OwnedBlocks[];
  /** The first parts that could not be searched, {@link UNREADABLE_MAX}. */
  readonly unreadable: Unreadable[];
  /** How many there were. */
  readonly unreadableCount: number;
}

/** Parts that could not be searched of which a search keeps the reason. */
export const UNREADABLE_MAX = 100;
