/**
 * Damage to the structures of the volume itself: superblock, descriptors,
 * bitmaps, counters, and the list of orphans.
 *
 * @module
 */

import { type DamageCase, withFeatures } from "./case.ts";

const ONE_MORE = (old: number): number => old + 1;

/** See the module. */
export const VOLUME_CASES: readonly DamageCase[] = [
  {
    code: "superblock",
    name: "the superblock is zeros",
    damage: (image) => image.edit(image.firstDataBlock, (b) => b.fill(0)),
  },
  {
    code: "superblock",
    name: "the superblock has another magic number",
    damage: (image) => image.superblock("s_magic", 0x1234),
  },
  {
    code: "superblock",
    name: "s_inodes_per_group is off",
    damage: (image) => image.superblock("s_inodes_per_group", ONE_MORE),
  },
  {
    code: "superblock",
    name: "s_blocks_per_group is off",
    damage: (image) => image.superblock("s_blocks_per_group", 8),
  },
  {
    code: "superblock",
    name: "s_first_data_block is off",
    damage: (image) => image.superblock("s_first_data_block", 2),
  },
  {
    code: "superblock",
    name: "s_blocks_count is more than the device has",
    damage: (image) => image.superblock("s_blocks_count", image.end + 100),
  },
  {
    code: "superblock",
    name: "s_inodes_count is off",
    damage: (image) => image.superblock("s_inodes_count", ONE_MORE),
  },
  {
    code: "superblock",
    name: "s_inode_size is no power of two",
    on: withFeatures,
    damage: (image) => image.superblock("s_inode_size", 200),
  },
  {
    code: "superblock",
    name: "s_first_ino is behind the last inode",
    on: withFeatures,
    damage: (image) => image.superblock("s_first_ino", 5000),
  },
  {
    code: "superblock",
    name: "s_r_blocks_count is more than half",
    damage: (image) => image.superblock("s_r_blocks_count", image.end - 1),
  },
  {
    code: "not-clean",
    name: "the volume was not closed",
    damage: (image) => image.superblock("s_state", 0),
  },
  {
    code: "errors-seen",
    name: "errors were seen on the volume",
    damage: (image) => image.superblock("s_state", 3),
  },
  {
    code: "free-blocks",
    name: "the superblock counts a free block too many",
    damage: (image) => image.superblock("s_free_blocks_count", ONE_MORE),
  },
  {
    code: "free-inodes",
    name: "the superblock counts a free inode too many",
    damage: (image) => image.superblock("s_free_inodes_count", ONE_MORE),
  },
  {
    code: "backup",
    name: "a backup of the superblock is zeros",
    damage: (image) =>
      image.edit(image.geometry.groupStart(1), (b) => b.fill(0)),
  },
  {
    code: "backup",
    name: "a backup of the superblock has other features",
    damage: (image) => image.superblock("s_feature_incompat", 0x4000, 1),
  },
  {
    code: "backup",
    name: "a backup of the descriptors is another",
    damage: (image) => image.descriptor(0, "bg_inode_table", 700, 1),
  },
  {
    code: "group-free-blocks",
    name: "a descriptor counts a free block too many",
    damage: (image) => image.descriptor(0, "bg_free_blocks_count", ONE_MORE),
  },
  {
    code: "group-free-inodes",
    name: "a descriptor counts a free inode too few",
    damage: (image) =>
      image.descriptor(1, "bg_free_inodes_count", (old) => old - 1),
  },
  {
    code: "group-dirs",
    name: "a descriptor counts a directory too many",
    damage: (image) => image.descriptor(1, "bg_used_dirs_count", ONE_MORE),
  },
  ...(["bg_block_bitmap", "bg_inode_bitmap", "bg_inode_table"] as const)
    .flatMap((field): DamageCase[] => [
      {
        code: "group-place",
        name: `${field} is zero`,
        damage: (image) => image.descriptor(1, field, 0),
      },
      {
        code: "group-place",
        name: `${field} is outside of the volume`,
        damage: (image) => image.descriptor(0, field, 0x7000_0000),
      },
      {
        code: "group-place",
        name: `${field} is in another group`,
        damage: (image) =>
          image.descriptor(0, field, image.geometry.groupStart(1) + 100),
      },
    ]),
  {
    code: "group-place",
    name: "both bitmaps of a group are one block",
    damage: (image) =>
      image.descriptor(
        1,
        "bg_block_bitmap",
        image.descriptorField(1, "bg_inode_bitmap"),
      ),
  },
  {
    code: "group-place",
    name: "the table of descriptors is zeros",
    damage: (image) =>
      image.edit(image.firstDataBlock + 1, (bytes) => bytes.fill(0)),
  },
  {
    code: "block-bitmap",
    name: "a block in use is marked free",
    damage: (image) => image.markBlock(image.blockOf("/direct", 2), false),
  },
  {
    code: "block-bitmap",
    name: "a free block is marked as in use",
    damage: (image) => image.markBlock(image.freeBlock(1), true),
  },
  {
    code: "block-bitmap",
    name: "a bitmap of blocks is zeros",
    damage: (image) =>
      image.edit(
        image.descriptorField(0, "bg_block_bitmap"),
        (bytes) => bytes.fill(0),
      ),
  },
  {
    code: "inode-bitmap",
    name: "an inode in use is marked free",
    damage: (image) => image.markInode("/direct", false),
  },
  {
    code: "inode-bitmap",
    name: "a free inode is marked as in use",
    damage: (image) => image.markInode(image.freeInode, true),
  },
  {
    code: "inode-bitmap",
    name: "a bitmap of inodes is all ones",
    damage: (image) =>
      image.edit(
        image.descriptorField(1, "bg_inode_bitmap"),
        (bytes) => bytes.fill(255),
      ),
  },
  {
    code: "padding",
    name: "a bit behind the last block is clear",
    damage: (image) => {
      const group = image.geometry.groupCount - 1;
      const bitmap = image.descriptorField(group, "bg_block_bitmap");
      image.setBit(bitmap, 8 * image.blockSize - 1, false);
    },
  },
  {
    code: "padding",
    name: "a bit behind the last inode is clear",
    damage: (image) => {
      const bitmap = image.descriptorField(0, "bg_inode_bitmap");
      image.setBit(bitmap, 8 * image.blockSize - 1, false);
    },
  },
  {
    code: "orphan",
    name: "files without names are to be freed",
    isLeftOpen: true,
    damage: () => {},
  },
  {
    code: "orphan",
    name: "a file that was being cut is on the list of orphans",
    damage: (image) => {
      image.superblock("s_last_orphan", image.number("/direct"));
      image.inode("/direct", "i_dtime", 0);
    },
  },
  {
    code: "orphan-list",
    name: "the list of orphans starts outside of the table",
    damage: (image) => image.superblock("s_last_orphan", 0x7000_0000),
  },
  {
    code: "orphan-list",
    name: "the list of orphans starts at an inode of the format",
    damage: (image) => image.superblock("s_last_orphan", 5),
  },
  {
    code: "orphan-list",
    name: "the list of orphans is a loop",
    isLeftOpen: true,
    damage: (image) =>
      image.inode("/orphan1", "i_dtime", image.number("/orphan2")),
  },
  {
    code: "orphan-list",
    name: "the list of orphans goes on outside of the table",
    isLeftOpen: true,
    damage: (image) => image.inode("/orphan2", "i_dtime", 0x7000_0000),
  },
  {
    code: "orphan-list",
    name: "the list of orphans starts at a free inode",
    damage: (image) => image.superblock("s_last_orphan", image.freeInode),
  },
];
