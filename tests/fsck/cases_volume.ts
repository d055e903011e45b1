/**
 * Damage to the structures of the volume itself: superblock, descriptors,
 * bitmaps, counters, and the list of orphans.
 *
 * @module
 */

import { type DamageCase, withFeatures } from "./case.ts";

const ONE_MORE = (old: number): number => old + 1;

/** Why e2fsck does not see the list of orphans. */
const ORPHANS = "it does not look at the list when it must not change it";

/** Where a descriptor says that the structures of a group are. */
const PLACES = [
  { field: "bg_block_bitmap", code: "group.block_bitmap_place" },
  { field: "bg_inode_bitmap", code: "group.inode_bitmap_place" },
  { field: "bg_inode_table", code: "group.inode_table_place" },
] as const;

/** See the module. */
export const VOLUME_CASES: readonly DamageCase[] = [
  {
    code: "superblock.primary",
    name: "the superblock is zeros",
    damage: (image) => image.edit(image.firstDataBlock, (b) => b.fill(0)),
  },
  {
    code: "superblock.primary",
    name: "the superblock has another magic number",
    damage: (image) => image.superblock("s_magic", 0x1234),
  },
  {
    code: "superblock.primary",
    name: "s_inodes_per_group is off",
    damage: (image) => image.superblock("s_inodes_per_group", ONE_MORE),
  },
  {
    code: "superblock.primary",
    name: "s_blocks_per_group is off",
    damage: (image) => image.superblock("s_blocks_per_group", 8),
  },
  {
    code: "superblock.primary",
    name: "s_first_data_block is off",
    damage: (image) => image.superblock("s_first_data_block", 2),
  },
  {
    code: "superblock.blocks_count",
    name: "s_blocks_count is more than the device has",
    damage: (image) => image.superblock("s_blocks_count", image.end + 100),
  },
  {
    code: "superblock.inodes_count",
    name: "s_inodes_count is off",
    damage: (image) => image.superblock("s_inodes_count", ONE_MORE),
  },
  {
    code: "superblock.primary",
    name: "s_inode_size is no power of two",
    on: withFeatures,
    damage: (image) => image.superblock("s_inode_size", 200),
  },
  {
    code: "superblock.primary",
    name: "s_first_ino is behind the last inode",
    on: withFeatures,
    damage: (image) => image.superblock("s_first_ino", 5000),
  },
  {
    code: "superblock.reserved",
    name: "s_r_blocks_count is more than half",
    damage: (image) => image.superblock("s_r_blocks_count", image.end - 1),
  },
  {
    code: "superblock.state",
    name: "the volume was not closed",
    unknownToE2fsck: "it checks everything because of it, and says nothing",
    damage: (image) => image.superblock("s_state", 0),
  },
  {
    code: "superblock.state",
    name: "errors were seen on the volume",
    unknownToE2fsck: "it checks everything because of it, and says nothing",
    damage: (image) => image.superblock("s_state", 3),
  },
  {
    code: "superblock.free_blocks",
    name: "the superblock counts a free block too many",
    damage: (image) => image.superblock("s_free_blocks_count", ONE_MORE),
  },
  {
    code: "superblock.free_inodes",
    name: "the superblock counts a free inode too many",
    damage: (image) => image.superblock("s_free_inodes_count", ONE_MORE),
  },
  {
    code: "superblock.first_inode",
    name: "s_first_ino is behind inodes in use",
    on: withFeatures,
    damage: (image) => image.superblock("s_first_ino", 20),
  },
  {
    code: "superblock.descriptor_size",
    name: "descriptors are of a size that there is not",
    on: withFeatures,
    damage: (image) => image.superblock("s_desc_size", 7),
  },
  {
    code: "superblock.journal",
    name: "the inode of a journal is named where there is none",
    on: withFeatures,
    damage: (image) => image.superblock("s_journal_inum", 8),
  },
  {
    code: "superblock.journal",
    name: "a journal is said to be in an inode that is not in use",
    on: withFeatures,
    damage: (image) => {
      image.superblock("s_feature_compat", (old) => old | 4);
      image.superblock("s_journal_inum", 8);
    },
  },
  {
    code: "superblock.fragments",
    name: "fragments are not as large as blocks",
    damage: (image) => image.superblock("s_log_frag_size", ONE_MORE),
  },
  {
    code: "superblock.fragments",
    name: "a group has more fragments than blocks",
    damage: (image) => image.superblock("s_frags_per_group", ONE_MORE),
  },
  {
    code: "superblock.large_file",
    name: "the feature large_file is not set",
    on: (kind) => withFeatures(kind) && kind.blockSize === 4096,
    damage: (image) =>
      image.superblock("s_feature_ro_compat", (old) => old & ~2),
  },
  {
    code: "superblock.ext_attr",
    name: "the feature ext_attr is not set",
    on: withFeatures,
    damage: (image) => image.superblock("s_feature_compat", (old) => old & ~8),
  },
  {
    code: "superblock.reserved_descriptors",
    name: "blocks are kept for descriptors, but not by the feature",
    on: ({ name }) => /resize_inode/.test(name),
    damage: (image) =>
      image.superblock("s_feature_compat", (old) => old & ~0x10),
  },
  {
    code: "superblock.reserved_descriptors",
    name: "blocks are kept for descriptors where the bitmaps are",
    on: ({ name, hasFeatures }) => hasFeatures && !/resize/.test(name),
    damage: (image) => image.superblock("s_reserved_gdt_blocks", 5),
  },
  {
    code: "superblock.primary",
    name: "more blocks are kept for descriptors than there are",
    on: ({ name }) => /resize_inode/.test(name),
    damage: (image) => image.superblock("s_reserved_gdt_blocks", 200),
  },
  {
    code: "group.free_blocks",
    name: "a descriptor counts a free block too many",
    damage: (image) => image.descriptor(0, "bg_free_blocks_count", ONE_MORE),
  },
  {
    code: "group.free_inodes",
    name: "a descriptor counts a free inode too few",
    damage: (image) =>
      image.descriptor(1, "bg_free_inodes_count", (old) => old - 1),
  },
  {
    code: "group.used_dirs",
    name: "a descriptor counts a directory too many",
    damage: (image) => image.descriptor(1, "bg_used_dirs_count", ONE_MORE),
  },
  ...PLACES.flatMap(({ field, code }): DamageCase[] => [
    {
      code,
      name: `${field} is zero`,
      damage: (image) => image.descriptor(1, field, 0),
    },
    {
      code,
      name: `${field} is outside of the volume`,
      damage: (image) => image.descriptor(0, field, 0x7000_0000),
    },
    {
      code,
      name: `${field} is in another group`,
      damage: (image) =>
        image.descriptor(0, field, image.geometry.groupStart(1) + 100),
    },
  ]),
  {
    code: "group.block_bitmap_place",
    name: "both bitmaps of a group are one block",
    damage: (image) =>
      image.descriptor(
        1,
        "bg_block_bitmap",
        image.descriptorField(1, "bg_inode_bitmap"),
      ),
  },
  {
    code: "group.inode_table_place",
    name: "the table of descriptors is zeros",
    damage: (image) =>
      image.edit(image.firstDataBlock + 1, (bytes) => bytes.fill(0)),
  },
  {
    code: "bitmap.block_unmarked",
    name: "a block in use is marked free",
    damage: (image) => image.markBlock(image.blockOf("/direct", 2), false),
  },
  {
    code: "bitmap.block_unused",
    name: "a free block is marked as in use",
    damage: (image) => image.markBlock(image.freeBlock(1), true),
  },
  {
    code: "bitmap.block_unmarked",
    name: "a bitmap of blocks is zeros",
    damage: (image) =>
      image.edit(
        image.descriptorField(0, "bg_block_bitmap"),
        (bytes) => bytes.fill(0),
      ),
  },
  {
    code: "bitmap.inode_unmarked",
    name: "an inode in use is marked free",
    damage: (image) => image.markInode("/direct", false),
  },
  {
    code: "bitmap.inode_unused",
    name: "a free inode is marked as in use",
    damage: (image) => image.markInode(image.freeInode, true),
  },
  {
    code: "bitmap.inode_unused",
    name: "a bitmap of inodes is all ones",
    damage: (image) =>
      image.edit(
        image.descriptorField(1, "bg_inode_bitmap"),
        (bytes) => bytes.fill(255),
      ),
  },
  {
    code: "bitmap.block_padding",
    name: "a bit behind the last block is clear",
    damage: (image) => {
      const group = image.geometry.groupCount - 1;
      const bitmap = image.descriptorField(group, "bg_block_bitmap");
      image.setBit(bitmap, 8 * image.blockSize - 1, false);
    },
  },
  {
    code: "bitmap.inode_padding",
    name: "a bit behind the last inode is clear",
    damage: (image) => {
      const bitmap = image.descriptorField(0, "bg_inode_bitmap");
      image.setBit(bitmap, 8 * image.blockSize - 1, false);
    },
  },
  {
    code: "group.flags",
    name: "a descriptor says that a bitmap is to be made",
    damage: (image) => image.descriptor(1, "bg_flags", 3),
  },
  {
    code: "orphan.leftover",
    name: "the time of deletion of an inode is a number of one",
    damage: (image) => {
      image.inode(image.freeInode, "i_mode", 0o100644);
      image.inode(image.freeInode, "i_dtime", 5);
    },
  },
  {
    code: "orphan.unfinished",
    name: "files without names are to be freed",
    isLeftOpen: true,
  },
  {
    code: "orphan.unfinished",
    name: "a file that was being cut is on the list of orphans",
    unknownToE2fsck: ORPHANS,
    damage: (image) => {
      image.superblock("s_last_orphan", image.number("/direct"));
      image.inode("/direct", "i_dtime", 0);
    },
  },
  {
    code: "orphan.list",
    name: "the list of orphans starts outside of the table",
    unknownToE2fsck: ORPHANS,
    damage: (image) => image.superblock("s_last_orphan", 0x7000_0000),
  },
  {
    code: "orphan.list",
    name: "the list of orphans starts at an inode of the format",
    unknownToE2fsck: ORPHANS,
    damage: (image) => image.superblock("s_last_orphan", 5),
  },
  {
    code: "orphan.list",
    name: "the list of orphans is a loop",
    isLeftOpen: true,
    damage: (image) =>
      image.inode("/orphan1", "i_dtime", image.number("/orphan2")),
  },
  {
    code: "orphan.list",
    name: "the list of orphans goes on outside of the table",
    isLeftOpen: true,
    damage: (image) => image.inode("/orphan2", "i_dtime", 0x7000_0000),
  },
  {
    code: "orphan.list",
    name: "the list of orphans starts at a free inode",
    unknownToE2fsck: ORPHANS,
    damage: (image) => image.superblock("s_last_orphan", image.freeInode),
  },
];
