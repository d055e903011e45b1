/**
 * The geometry of a volume: what follows from the unchanging fields of its
 * superblock. Computing it is the check that the superblock makes sense.
 *
 * Invariants, once made: every group lies inside the volume, every descriptor
 * inside the descriptor table, and the table inside the first group. It never
 * changes while the volume is open, so it may outlive an operation.
 *
 * @module
 */

import { GROUP_DESCRIPTOR_SIZE } from "./block_group.ts";
import { CorruptError } from "./errors.ts";
import { COMPAT, RO_COMPAT } from "./features.ts";
import { REVISION_ORIGINAL, SUPERBLOCK } from "./superblock.ts";

/** The largest link count ext2 gives a file (`EXT2_LINK_MAX`). */
export const LINK_MAX = 32000;
/** The longest name, in bytes. */
export const NAME_MAX = 255;
/** Inode of the root directory. */
export const ROOT_INODE = 2;
/** Inode size and first usable inode of revision 0. */
const ORIGINAL_INODE_SIZE = 128;
const ORIGINAL_FIRST_INODE = 11;
/** Block pointers in an inode that point to data. */
export const DIRECT_POINTERS = 12;

/** See the module. */
export class Geometry {
  /** Size of a block, in bytes. */
  readonly blockSize: number;
  /** Blocks in the volume. */
  readonly blocksCount: number;
  /** First block of group 0. */
  readonly firstDataBlock: number;
  /** Blocks in each group but the last. */
  readonly blocksPerGroup: number;
  /** Inodes in the volume. */
  readonly inodesCount: number;
  /** Inodes in each group. */
  readonly inodesPerGroup: number;
  /** Number of groups. */
  readonly groupCount: number;
  /** Size of an inode, in bytes. */
  readonly inodeSize: number;
  /** First inode that is not reserved. */
  readonly firstInode: number;
  /** Inodes in a block of an inode table. */
  readonly inodesPerBlock: number;
  /** Blocks in each group's inode table. */
  readonly inodeTableBlocks: number;
  /** Blocks in the descriptor table. */
  readonly descriptorBlocks: number;
  /** Blocks behind each descriptor table kept for its growth. */
  readonly reservedDescriptorBlocks: number;
  /** Block pointers in an indirect block. */
  readonly pointersPerBlock: number;
  /** Size of the largest file, in bytes. */
  readonly fileSizeMax: number;
  /** Whether only some groups hold copies of superblock and table. */
  readonly sparseSuper: boolean;
  /** With sparse_super2: the groups but the first that hold copies. */
  readonly #backupGroups: readonly number[] | null;
  /** `s_rev_level`. */
  readonly revision: number;

  /** Reads and checks the superblock at `at` in `block`. */
  constructor(block: Uint8Array, at: number) {
    const get = (field: { get(b: Uint8Array, at: number): number }): number =>
      field.get(block, at);
    const s = SUPERBLOCK;
    this.revision = get(s.s_rev_level);
    const original = this.revision === REVISION_ORIGINAL;
    this.blockSize = 1024 << get(s.s_log_block_size);
    this.blocksCount = get(s.s_blocks_count);
    this.firstDataBlock = get(s.s_first_data_block);
    this.blocksPerGroup = get(s.s_blocks_per_group);
    this.inodesCount = get(s.s_inodes_count);
    this.inodesPerGroup = get(s.s_inodes_per_group);
    this.inodeSize = original ? ORIGINAL_INODE_SIZE : get(s.s_inode_size);
    this.firstInode = original ? ORIGINAL_FIRST_INODE : get(s.s_first_ino);
    this.reservedDescriptorBlocks = get(s.s_reserved_gdt_blocks);
    this.sparseSuper =
      (get(s.s_feature_ro_compat) & RO_COMPAT.sparse_super) !== 0;
    const isSparse2 = (get(s.s_feature_compat) & COMPAT.sparse_super2) !== 0;
    this.#backupGroups = isSparse2
      ? [get(s.s_backup_bg_first), get(s.s_backup_bg_second)]
      : null;
    this.#checkFields();

    this.groupCount = Math.ceil(
      (this.blocksCount - this.firstDataBlock) / this.blocksPerGroup,
    );
    this.inodesPerBlock = this.blockSize / this.inodeSize;
    this.inodeTableBlocks = Math.ceil(
      this.inodesPerGroup / this.inodesPerBlock,
    );
    this.descriptorBlocks = Math.ceil(
      this.groupCount * GROUP_DESCRIPTOR_SIZE / this.blockSize,
    );
    this.pointersPerBlock = this.blockSize / 4;
    this.fileSizeMax = fileSizeMax(this.blockSize);
    this.#checkDerived();
  }

  #checkFields(): void {
    const check = (holds: boolean, rule: string): void => {
      if (!holds) throw new CorruptError(`superblock: ${rule}`);
    };
    const bitsPerBlock = 8 * this.blockSize;
    check(this.revision <= 1, `s_rev_level is ${this.revision}`);
    check(
      this.firstDataBlock === (this.blockSize === 1024 ? 1 : 0),
      `s_first_data_block is ${this.firstDataBlock}`,
    );
    check(
      this.blocksCount > this.firstDataBlock,
      `s_blocks_count is ${this.blocksCount}`,
    );
    check(
      this.blocksPerGroup > 0 && this.blocksPerGroup % 8 === 0 &&
        this.blocksPerGroup <= bitsPerBlock,
      `s_blocks_per_group is ${this.blocksPerGroup}`,
    );
    check(
      this.inodesPerGroup > 0 && this.inodesPerGroup % 8 === 0 &&
        this.inodesPerGroup <= bitsPerBlock,
      `s_inodes_per_group is ${this.inodesPerGroup}`,
    );
    check(
      this.inodeSize >= 128 && this.inodeSize <= this.blockSize &&
        (this.inodeSize & (this.inodeSize - 1)) === 0,
      `s_inode_size is ${this.inodeSize}`,
    );
    check(
      this.firstInode >= ORIGINAL_FIRST_INODE &&
        this.firstInode <= this.inodesCount,
      `s_first_ino is ${this.firstInode}`,
    );
  }

  #checkDerived(): void {
    if (this.inodesCount !== this.inodesPerGroup * this.groupCount) {
      throw new CorruptError(
        `superblock: s_inodes_count is ${this.inodesCount}, ` +
          `not ${this.groupCount} groups of ${this.inodesPerGroup}`,
      );
    }
    const overhead = this.groupOverhead(0);
    if (overhead > Math.min(this.blocksPerGroup, this.blocksCount)) {
      throw new CorruptError(
        `superblock: the metadata of a group takes ${overhead} blocks, ` +
          `more than a group has`,
      );
    }
  }

  /** Group that holds `block`. */
  groupOfBlock(block: number): number {
    return Math.floor((block - this.firstDataBlock) / this.blocksPerGroup);
  }

  /** First block of `group`. */
  groupStart(group: number): number {
    return this.firstDataBlock + group * this.blocksPerGroup;
  }

  /** Number of blocks of `group`; the last one may be short. */
  groupSize(group: number): number {
    return Math.min(
      this.blocksPerGroup,
      this.blocksCount - this.groupStart(group),
    );
  }

  /** Group that holds inode `ino`. */
  groupOfInode(ino: number): number {
    return Math.floor((ino - 1) / this.inodesPerGroup);
  }

  /** Whether `group` holds a copy of superblock and descriptor table. */
  hasSuperblock(group: number): boolean {
    if (group === 0) return true;
    if (this.#backupGroups !== null) return this.#backupGroups.includes(group);
    if (group === 1 || !this.sparseSuper) return true;
    return isPowerOf(group, 3) || isPowerOf(group, 5) || isPowerOf(group, 7);
  }

  /** Blocks at the start of `group` for superblock and descriptor table. */
  superblockOverhead(group: number): number {
    if (!this.hasSuperblock(group)) return 0;
    return 1 + this.descriptorBlocks + this.reservedDescriptorBlocks;
  }

  /** Blocks of `group` that hold metadata of fixed place. */
  groupOverhead(group: number): number {
    return this.superblockOverhead(group) + 2 + this.inodeTableBlocks;
  }

  /** Blocks of metadata of fixed place in the whole volume. */
  overhead(): number {
    let copies = Math.min(this.groupCount, 2);
    if (this.#backupGroups !== null) {
      const copied = new Set([0, ...this.#backupGroups]);
      copies = [...copied].filter((group) => group < this.groupCount).length;
    } else if (!this.sparseSuper) copies = this.groupCount;
    else {
      for (const base of [3, 5, 7]) {
        for (let g = base; g < this.groupCount; g *= base) copies++;
      }
    }
    return this.firstDataBlock + copies * this.superblockOverhead(0) +
      this.groupCount * (2 + this.inodeTableBlocks);
  }
}

function isPowerOf(n: number, base: number): boolean {
  while (n % base === 0) n /= base;
  return n === 1;
}

/**
 * Size of the largest file at `blockSize`, in bytes: what three levels of
 * indirect blocks reach, or, at 4 KiB blocks, what `i_blocks` (32 bits, in
 * units of 512 bytes) can count with the indirect blocks counted in.
 */
function fileSizeMax(blockSize: number): number {
  const n = blockSize / 4;
  const reach = DIRECT_POINTERS + n + n ** 2 + n ** 3;
  const countable = Math.floor((2 ** 32 - 1) / (blockSize / 512));
  const leaves = Math.ceil(countable / n);
  const indirect = leaves + Math.ceil(leaves / n) + 2;
  return Math.min(reach, countable - indirect) * blockSize;
}
