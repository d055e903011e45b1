/**
 * The block group descriptor: 32 bytes for each group, in a table that starts
 * in the block behind the superblock.
 *
 * After the Linux kernel's "ext4 Data Structures and Algorithms", section 2.2
 * (Block Group Descriptors).
 *
 * @module
 */

import { u16, u32 } from "./layout.ts";

/** Size of a group descriptor, in bytes. */
export const GROUP_DESCRIPTOR_SIZE = 32;

/** The fields of a group descriptor. */
export const GROUP_DESCRIPTOR = {
  /** Block that holds the bitmap of the group's blocks. */
  bg_block_bitmap: u32(0),
  /** Block that holds the bitmap of the group's inodes. */
  bg_inode_bitmap: u32(4),
  /** First block of the group's inode table. */
  bg_inode_table: u32(8),
  /** Free blocks in the group. */
  bg_free_blocks_count: u16(12),
  /** Free inodes in the group. */
  bg_free_inodes_count: u16(14),
  /** Directories in the group. */
  bg_used_dirs_count: u16(16),
  /** ext4: whether bitmaps and table are initialised. */
  bg_flags: u16(18),
  /** Bitmap of blocks that snapshots exclude; not used. */
  bg_exclude_bitmap: u32(20),
  /** ext4: checksum of the block bitmap. */
  bg_block_bitmap_csum: u16(24),
  /** ext4: checksum of the inode bitmap. */
  bg_inode_bitmap_csum: u16(26),
  /** ext4: inodes at the end of the table never used so far. */
  bg_itable_unused: u16(28),
  /** ext4: checksum of the descriptor. */
  bg_checksum: u16(30),
} as const;
