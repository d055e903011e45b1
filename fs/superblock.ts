/**
 * The superblock: 1024 bytes at byte 1024 of the volume.
 *
 * Field names, offsets and meanings follow the Linux kernel's documentation,
 * "ext4 Data Structures and Algorithms", section 2.1 (Super Block), of which
 * ext2 uses the part below.
 *
 * @module
 */

import { FsError } from "./errors.ts";
import { bytes, u16, u32, u8 } from "./layout.ts";

/** Where the superblock starts, in bytes from the start of the volume. */
export const SUPERBLOCK_OFFSET = 1024;
/** Size of the superblock, in bytes. */
export const SUPERBLOCK_SIZE = 1024;
/** `s_magic` of every ext2, ext3 and ext4 volume. */
export const EXT2_MAGIC = 0xef53;

/** `s_state`: unmounted cleanly. */
export const STATE_VALID = 1;
/** `s_state`: errors were found. */
export const STATE_ERROR = 2;
/** `s_rev_level`: fixed inode size and first inode, no features. */
export const REVISION_ORIGINAL = 0;
/** `s_rev_level`: the superblock holds inode size and features. */
export const REVISION_DYNAMIC = 1;

/** The fields of the superblock. */
export const SUPERBLOCK = {
  /** Inodes in the volume. */
  s_inodes_count: u32(0),
  /** Blocks in the volume. */
  s_blocks_count: u32(4),
  /** Blocks only the superuser may take. */
  s_r_blocks_count: u32(8),
  /** Free blocks, in all groups. */
  s_free_blocks_count: u32(12),
  /** Free inodes, in all groups. */
  s_free_inodes_count: u32(16),
  /** Block that holds the superblock: 1 at 1 KiB blocks, else 0. */
  s_first_data_block: u32(20),
  /** Block size is `1024 << s_log_block_size` bytes. */
  s_log_block_size: u32(24),
  /** Fragment size; as the block size. */
  s_log_frag_size: u32(28),
  /** Blocks in each group but the last. */
  s_blocks_per_group: u32(32),
  /** Fragments in each group; as the blocks. */
  s_frags_per_group: u32(36),
  /** Inodes in each group. */
  s_inodes_per_group: u32(40),
  /** Last mount, seconds. */
  s_mtime: u32(44),
  /** Last write, seconds. */
  s_wtime: u32(48),
  /** Mounts since the last check. */
  s_mnt_count: u16(52),
  /** Mounts after which a check is due; 0xffff for never. */
  s_max_mnt_count: u16(54),
  /** {@link EXT2_MAGIC}. */
  s_magic: u16(56),
  /** {@link STATE_VALID}, {@link STATE_ERROR}. */
  s_state: u16(58),
  /** What to do about errors: 1 go on, 2 read-only, 3 panic. */
  s_errors: u16(60),
  /** Minor revision. */
  s_minor_rev_level: u16(62),
  /** Last check, seconds. */
  s_lastcheck: u32(64),
  /** Seconds after which a check is due. */
  s_checkinterval: u32(68),
  /** Operating system that made it; 0 is Linux. */
  s_creator_os: u32(72),
  /** {@link REVISION_ORIGINAL} or {@link REVISION_DYNAMIC}. */
  s_rev_level: u32(76),
  /** User that may take reserved blocks. */
  s_def_resuid: u16(80),
  /** Group that may take reserved blocks. */
  s_def_resgid: u16(82),
  /** First inode that is not reserved. */
  s_first_ino: u32(84),
  /** Size of an inode, in bytes. */
  s_inode_size: u16(88),
  /** Group that holds this copy of the superblock. */
  s_block_group_nr: u16(90),
  /** Features that may be ignored. */
  s_feature_compat: u32(92),
  /** Features without which the volume must not be opened. */
  s_feature_incompat: u32(96),
  /** Features without which the volume must not be written. */
  s_feature_ro_compat: u32(100),
  /** The volume's UUID. */
  s_uuid: bytes(104, 16),
  /** The volume's label. */
  s_volume_name: bytes(120, 16),
  /** Directory on which it was last mounted. */
  s_last_mounted: bytes(136, 64),
  /** For compression; not used. */
  s_algorithm_usage_bitmap: u32(200),
  /** Blocks to take ahead for files; not used. */
  s_prealloc_blocks: u8(204),
  /** Blocks to take ahead for directories; not used. */
  s_prealloc_dir_blocks: u8(205),
  /** Blocks behind each descriptor table kept for its growth. */
  s_reserved_gdt_blocks: u16(206),
  /** UUID of an external journal. */
  s_journal_uuid: bytes(208, 16),
  /** Inode of the journal. */
  s_journal_inum: u32(224),
  /** Device of an external journal. */
  s_journal_dev: u32(228),
  /** Head of the list of unlinked open files. */
  s_last_orphan: u32(232),
  /** Seed of the directory hash. */
  s_hash_seed: bytes(236, 16),
  /** Directory hash: 0 legacy, 1 half MD4, 2 TEA. */
  s_def_hash_version: u8(252),
  /** Whether `s_jnl_blocks` holds the journal inode's map. */
  s_jnl_backup_type: u8(253),
  /** Size of a group descriptor on 64-bit volumes. */
  s_desc_size: u16(254),
  /** Default mount options. */
  s_default_mount_opts: u32(256),
  /** First group whose descriptors lie in the group itself. */
  s_first_meta_bg: u32(260),
  /** When the volume was made, seconds. */
  s_mkfs_time: u32(264),
  /** Copy of the journal inode's block map. */
  s_jnl_blocks: bytes(268, 68),
  /** High half of the block count on 64-bit volumes. */
  s_blocks_count_hi: u32(336),
  /** High half of the reserved block count on 64-bit volumes. */
  s_r_blocks_count_hi: u32(340),
  /** High half of the free block count on 64-bit volumes. */
  s_free_blocks_count_hi: u32(344),
  /** Bytes behind the first 128 that every inode must have. */
  s_min_extra_isize: u16(348),
  /** Bytes behind the first 128 that new inodes should have. */
  s_want_extra_isize: u16(350),
  /** Bit 0: directory hash is of signed characters; bit 1: unsigned. */
  s_flags: u32(352),
  /** What ext4 adds; kept as it is. */
  s_ext4_fields: bytes(356, 232),
  /** First group with a copy of the superblock, with sparse_super2, or 0. */
  s_backup_bg_first: u32(588),
  /** Second such group, or 0. */
  s_backup_bg_second: u32(592),
  /** What else ext4 adds; kept as it is. */
  s_ext4_fields_more: bytes(596, 428),
} as const;

/** Byte offset of the superblock inside the block that holds it. */
export function superblockAt(blockSize: number): number {
  return blockSize > SUPERBLOCK_OFFSET ? SUPERBLOCK_OFFSET : 0;
}

/** The block that holds the superblock. */
export function superblockBlock(blockSize: number): number {
  return blockSize > SUPERBLOCK_OFFSET ? 0 : 1;
}

/**
 * Block size in bytes of the volume whose first 2048 bytes (or more) are
 * `head`. Throws {@link FsError} `EINVAL` if it is no ext2 volume, or one with
 * a block size that is not 1024, 2048 or 4096.
 */
export function probeBlockSize(head: Uint8Array): number {
  if (head.length < SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE) {
    throw new FsError("EINVAL", "too short to hold an ext2 superblock");
  }
  const magic = SUPERBLOCK.s_magic.get(head, SUPERBLOCK_OFFSET);
  if (magic !== EXT2_MAGIC) {
    throw new FsError(
      "EINVAL",
      "no ext2 superblock: not an image, or an encrypted one",
    );
  }
  const log = SUPERBLOCK.s_log_block_size.get(head, SUPERBLOCK_OFFSET);
  if (log > 2) {
    throw new FsError(
      "EINVAL",
      `the superblock claims blocks of 2^${10 + log} bytes; ` +
        `1024, 2048 and 4096 are supported`,
    );
  }
  return 1024 << log;
}
