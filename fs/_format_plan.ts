/**
 * The plan of a new volume: how many groups and inodes, written down as its
 * superblock.
 *
 * @module
 */

import type { Timestamp } from "./attributes.ts";
import { GROUP_DESCRIPTOR_SIZE } from "./block_group.ts";
import { FsError } from "./errors.ts";
import { COMPAT, INCOMPAT, RO_COMPAT } from "./features.ts";
import { DIRECT_POINTERS, Geometry } from "./geometry.ts";
import { INODE_BASE_SIZE, INODE_EXTRA_SIZE } from "./inode.ts";
import {
  EXT2_MAGIC,
  REVISION_DYNAMIC,
  STATE_VALID,
  SUPERBLOCK,
  SUPERBLOCK_SIZE,
} from "./superblock.ts";

/** Everything that decides what a new volume is like. */
export interface FormatSettings {
  /** Size of a block, in bytes. */
  readonly blockSize: number;
  /** `s_rev_level`. */
  readonly revision: number;
  /** Size of an inode, in bytes. */
  readonly inodeSize: number;
  /** Least number of inodes, if the size is not to decide. */
  readonly inodeCount: number | undefined;
  /** Blocks kept for the superuser, in percent. */
  readonly reservedPercent: number;
  /** Label, at most 16 bytes. */
  readonly label: Uint8Array;
  /** UUID, 16 bytes. */
  readonly uuid: Uint8Array;
  /** Seed of the directory hash, 16 bytes. */
  readonly hashSeed: Uint8Array;
  /** When the volume is made. */
  readonly now: Timestamp;
}

/** Block numbers are 32 bits wide. */
const BLOCKS_MAX = 2 ** 32 - 1;
/** Inode numbers are 32 bits wide. */
const INODES_MAX = 2 ** 32 - 1;
/** Inodes in a group at least: those of the first directories are in one. */
const INODES_PER_GROUP_MIN = 16;
/** A volume of this many bytes or more has fewer inodes for its size. */
const LARGE_VOLUME = 512 << 20;
/** Data blocks that make a last group worth its metadata, as mke2fs has it. */
const LAST_GROUP_DATA_MIN = 50;
/** Size of `lost+found`, as mke2fs makes it: 16 KiB, or the direct blocks. */
const LOST_AND_FOUND_SIZE = 16 << 10;
/** `s_first_ino`: inodes below are reserved. */
const FIRST_INODE = 11;
/** `s_max_mnt_count`: no check is due, however often it is mounted. */
const NEVER_CHECK = 0xffff;
/** `s_errors`: go on after an error. */
const ERRORS_CONTINUE = 1;
/** `s_def_hash_version`: half MD4. */
const HASH_HALF_MD4 = 1;
/** `s_flags`: the directory hash is of signed characters. */
const FLAG_SIGNED_HASH = 1;
/** `s_default_mount_opts`: user attributes, and access control lists. */
const MOUNT_XATTR_ACL = 0x4 | 0x8;

/** Blocks of a new `lost+found`. */
export function lostAndFoundBlocks(blockSize: number): number {
  return Math.min(LOST_AND_FOUND_SIZE / blockSize, DIRECT_POINTERS);
}

/**
 * The superblock of a volume of at most `blocks` blocks, its free counters
 * still zero. Throws {@link FsError} if there can be none.
 */
export function buildSuperblock(
  blocks: number,
  settings: FormatSettings,
): Uint8Array {
  // A device of exactly 16 TiB, say, loses only its last block.
  if (blocks > BLOCKS_MAX + 1) {
    throw new FsError(
      "EINVAL",
      `Cannot format: ext2 has at most ${BLOCKS_MAX} blocks, not ${blocks}`,
    );
  }
  let count = Math.min(blocks, BLOCKS_MAX);
  for (;;) {
    const inodesPerGroup = planInodes(count, settings);
    const superblock = fillSuperblock(count, inodesPerGroup, settings);
    const geometry = new Geometry(superblock, 0);
    const last = geometry.groupCount - 1;
    const least = geometry.groupOverhead(last) + LAST_GROUP_DATA_MIN;
    const size = geometry.groupSize(last);
    if (last === 0 || size === geometry.blocksPerGroup || size >= least) {
      return superblock;
    }
    // The last group goes; the next round's last group is a whole one.
    count = geometry.groupStart(last);
  }
}

/**
 * Inodes in each group of a volume of `blocks` blocks: as many as are wanted,
 * rounded up so that they fill the blocks of the inode table.
 */
function planInodes(blocks: number, settings: FormatSettings): number {
  const { blockSize, inodeSize } = settings;
  const firstDataBlock = blockSize === 1024 ? 1 : 0;
  const bitsPerBlock = 8 * blockSize;
  const groups = Math.max(
    1,
    Math.ceil((blocks - firstDataBlock) / bitsPerBlock),
  );
  const wanted = settings.inodeCount ?? defaultInodes(blocks * blockSize);
  // Both are powers of two, so the larger is a multiple of the other.
  const unit = Math.max(8, blockSize / inodeSize);
  const inodesPerGroup = Math.max(
    INODES_PER_GROUP_MIN,
    Math.ceil(Math.ceil(wanted / groups) / unit) * unit,
  );
  if (inodesPerGroup > bitsPerBlock || inodesPerGroup * groups > INODES_MAX) {
    const most = Math.min(bitsPerBlock * groups, INODES_MAX);
    throw new FsError(
      "EINVAL",
      `Cannot format: ${wanted} inodes; a volume of this size has at ` +
        `most ${most}`,
    );
  }
  const descriptorBlocks = Math.ceil(
    groups * GROUP_DESCRIPTOR_SIZE / blockSize,
  );
  // Superblock, two bitmaps, the root directory and lost+found.
  const least = descriptorBlocks + inodesPerGroup * inodeSize / blockSize + 4 +
    lostAndFoundBlocks(blockSize);
  checkFirstGroup(blocks - firstDataBlock, least, settings);
  return inodesPerGroup;
}

/** Checks that the first `least` blocks of a volume fit into group 0. */
function checkFirstGroup(
  blocks: number,
  least: number,
  { blockSize }: FormatSettings,
): void {
  if (blocks < least) {
    const size = (least + (blockSize === 1024 ? 1 : 0)) * blockSize;
    throw new FsError(
      "ENOSPC",
      `Cannot format: the device is too small; it needs at least ` +
        `${size / 1024} KiB`,
    );
  }
  if (8 * blockSize < least) {
    throw new FsError(
      "EINVAL",
      `Cannot format: the group descriptors and inodes of ${blocks} blocks ` +
        `of ${blockSize} bytes do not fit into a group; use larger blocks`,
    );
  }
}

function defaultInodes(byteLength: number): number {
  return Math.ceil(byteLength / (byteLength < LARGE_VOLUME ? 8192 : 16384));
}

function fillSuperblock(
  blocks: number,
  inodesPerGroup: number,
  settings: FormatSettings,
): Uint8Array {
  const superblock = new Uint8Array(SUPERBLOCK_SIZE);
  const s = SUPERBLOCK;
  const { blockSize } = settings;
  const firstDataBlock = blockSize === 1024 ? 1 : 0;
  const blocksPerGroup = 8 * blockSize;
  const groups = Math.ceil((blocks - firstDataBlock) / blocksPerGroup);
  const logSize = Math.log2(blockSize / 1024);
  const values: [{ set: typeof s.s_magic.set }, number][] = [
    [s.s_inodes_count, inodesPerGroup * groups],
    [s.s_blocks_count, blocks],
    [
      s.s_r_blocks_count,
      Math.floor(blocks * settings.reservedPercent / 100),
    ],
    [s.s_first_data_block, firstDataBlock],
    [s.s_log_block_size, logSize],
    [s.s_log_frag_size, logSize],
    [s.s_blocks_per_group, blocksPerGroup],
    [s.s_frags_per_group, blocksPerGroup],
    [s.s_inodes_per_group, inodesPerGroup],
    [s.s_wtime, settings.now.sec],
    [s.s_max_mnt_count, NEVER_CHECK],
    [s.s_magic, EXT2_MAGIC],
    [s.s_state, STATE_VALID],
    [s.s_errors, ERRORS_CONTINUE],
    [s.s_lastcheck, settings.now.sec],
    [s.s_rev_level, settings.revision],
    [s.s_mkfs_time, settings.now.sec],
  ];
  for (const [field, value] of values) field.set(superblock, 0, value);
  s.s_uuid.set(superblock, 0, settings.uuid);
  s.s_volume_name.set(superblock, 0, settings.label);
  if (settings.revision === REVISION_DYNAMIC) {
    fillDynamic(superblock, settings);
  }
  return superblock;
}

/** Fills in what revision 1 adds. */
function fillDynamic(superblock: Uint8Array, settings: FormatSettings): void {
  const s = SUPERBLOCK;
  s.s_first_ino.set(superblock, 0, FIRST_INODE);
  s.s_inode_size.set(superblock, 0, settings.inodeSize);
  s.s_feature_compat.set(superblock, 0, COMPAT.ext_attr | COMPAT.dir_index);
  s.s_feature_incompat.set(superblock, 0, INCOMPAT.filetype);
  s.s_feature_ro_compat.set(
    superblock,
    0,
    RO_COMPAT.sparse_super | RO_COMPAT.large_file,
  );
  s.s_hash_seed.set(superblock, 0, settings.hashSeed);
  s.s_def_hash_version.set(superblock, 0, HASH_HALF_MD4);
  s.s_default_mount_opts.set(superblock, 0, MOUNT_XATTR_ACL);
  s.s_flags.set(superblock, 0, FLAG_SIGNED_HASH);
  if (settings.inodeSize === INODE_BASE_SIZE) return;
  s.s_min_extra_isize.set(superblock, 0, INODE_EXTRA_SIZE);
  s.s_want_extra_isize.set(superblock, 0, INODE_EXTRA_SIZE);
}
