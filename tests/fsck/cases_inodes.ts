/**
 * Damage to the fields of inodes, and to the inodes of the format.
 *
 * @module
 */

import {
  type DamageCase,
  withFeatures,
  withIndex,
  withLargeInodes,
} from "./case.ts";

const INODE_FIELDS: readonly DamageCase[] = [
  {
    code: "inode.disguise",
    name: "a directory says that it is a device",
    damage: (image) => image.inode("/dir", "i_mode", 0o020755),
  },
  {
    code: "inode.mode",
    name: "an inode has no kind",
    hits: ["/direct", "/"],
    damage: (image) => image.inode("/direct", "i_mode", 0o644),
  },
  {
    code: "inode.mode",
    name: "an inode has a kind that there is not",
    hits: ["/direct", "/"],
    damage: (image) => image.inode("/direct", "i_mode", 0o170644),
  },
  {
    code: "inode.mode",
    name: "an inode is of random bytes",
    hits: ["/direct", "/"],
    damage: (image) =>
      image.inodeBytes("/direct", (bytes) => {
        for (let i = 0; i < bytes.length; i++) bytes[i] = i * 91 + 0x9f;
      }),
  },
  {
    code: "inode.dtime",
    name: "a file in use has a time of deletion",
    hits: ["/direct"],
    damage: (image) => image.inode("/direct", "i_dtime", 1_600_000_000),
  },
  {
    code: "inode.dtime",
    name: "the list of bad blocks has an inode's number as time of deletion",
    damage: (image) => image.inode(1, "i_dtime", 5),
  },
  {
    code: "inode.zero_links",
    name: "a removed inode has no time of deletion",
    damage: (image) => image.inode(image.freeInode, "i_mode", 0o100644),
  },
  {
    code: "inode.size",
    name: "a file is smaller than its blocks",
    hits: ["/direct"],
    damage: (image) => image.inode("/direct", "i_size", 1),
  },
  {
    code: "inode.size",
    name: "a file is larger than a map can be",
    hits: ["/direct"],
    on: withFeatures,
    damage: (image) => image.inode("/direct", "i_size_high", 0x7000_0000),
  },
  {
    code: "inode.size",
    name: "a directory is smaller than its blocks",
    hits: ["/dir"],
    damage: (image) => image.inode("/dir", "i_size", 0),
  },
  {
    code: "inode.size",
    name: "a directory is larger than its blocks",
    hits: ["/dir"],
    damage: (image) =>
      image.inode("/dir", "i_size", (old) => old + 3 * image.blockSize),
  },
  {
    code: "inode.size",
    name: "the size of a directory is no whole number of blocks",
    hits: ["/dir"],
    damage: (image) => image.inode("/dir", "i_size", (old) => old - 3),
  },
  {
    code: "inode.dir_size_high",
    name: "the size of a directory has a high half",
    hits: ["/dir"],
    damage: (image) => image.inode("/dir", "i_size_high", 1),
  },
  {
    code: "inode.block_count",
    name: "i_blocks is too high",
    hits: ["/direct"],
    damage: (image) => image.inode("/direct", "i_blocks", (old) => old + 8),
  },
  {
    code: "inode.block_count",
    name: "i_blocks of a fast symlink is not zero",
    hits: ["/fast"],
    damage: (image) => image.inode("/fast", "i_blocks", 8),
  },
  {
    code: "inode.block_count",
    name: "i_blocks of a directory is zero",
    hits: ["/dir"],
    damage: (image) => image.inode("/dir", "i_blocks", 0),
  },
  {
    code: "inode.fragment",
    name: "i_faddr is not zero",
    hits: ["/direct"],
    damage: (image) => image.inode("/direct", "i_faddr", 7),
  },
  {
    code: "inode.high_parts",
    name: "i_file_acl_high is not zero",
    hits: ["/direct"],
    damage: (image) => image.inode("/direct", "i_file_acl_high", 7),
  },
  {
    code: "inode.extents",
    name: "a file has extents where there are none",
    hits: ["/direct"],
    damage: (image) => image.inode("/direct", "i_flags", 0x80000),
  },
  {
    code: "inode.inline_data",
    name: "a file has inline data where there are none",
    hits: ["/direct"],
    damage: (image) => image.inode("/direct", "i_flags", 0x10000000),
  },
  {
    code: "inode.foreign_flags",
    name: "a file is marked as imagic",
    hits: ["/direct"],
    damage: (image) => image.inode("/direct", "i_flags", 0x2000),
  },
  {
    code: "inode.foreign_flags",
    name: "a directory takes small letters for capitals",
    hits: ["/dir"],
    damage: (image) => image.inode("/dir", "i_flags", 0x4000_0000),
  },
  {
    code: "inode.index_flag",
    name: "a file has a hash tree",
    hits: ["/direct"],
    damage: (image) => image.inode("/direct", "i_flags", 0x1000),
  },
  {
    code: "directory.hash_tree",
    name: "a directory without a hash tree says that it has one",
    on: ({ name, hasFeatures }) => hasFeatures && !/resize/.test(name),
    hits: ["/dir"],
    damage: (image) => image.inode("/dir", "i_flags", 0x1000),
  },
  {
    code: "directory.hash_tree",
    name: "the root of a hash tree is broken",
    on: withIndex,
    hits: ["/large"],
    damage: (image) =>
      image.edit(image.blockOf("/large", 0), (bytes) => bytes.fill(7, 24, 60)),
  },
  {
    code: "inode.extra_size",
    name: "i_extra_isize is larger than the inode",
    on: withLargeInodes,
    hits: ["/direct"],
    damage: (image) => image.inode("/direct", "i_extra_isize", 200),
  },
  {
    code: "inode.extra_size",
    name: "i_extra_isize is odd",
    on: withLargeInodes,
    hits: ["/direct"],
    damage: (image) => image.inode("/direct", "i_extra_isize", 31),
  },
  {
    code: "inode.symlink",
    name: "a fast symlink has a NUL in its target",
    hits: ["/fast", "/"],
    damage: (image) => image.setPointer("/fast", 0, 0x006c),
  },
  {
    code: "inode.symlink",
    name: "a symlink has no target",
    hits: ["/fast", "/"],
    damage: (image) => {
      image.inode("/fast", "i_size", 0);
      image.setPointer("/fast", 0, 0);
      image.setPointer("/fast", 1, 0);
    },
  },
  {
    code: "inode.symlink",
    name: "a slow symlink is longer than a block",
    hits: ["/slow", "/"],
    damage: (image) => image.inode("/slow", "i_size", 9000),
  },
  {
    code: "inode.symlink",
    name: "the block of a slow symlink is zeros",
    hits: ["/slow", "/"],
    damage: (image) =>
      image.edit(image.pointer("/slow", 0), (bytes) => bytes.fill(0)),
  },
  {
    code: "inode.special_size",
    name: "a fifo has a size",
    hits: ["/fifo", "/"],
    damage: (image) => image.inode("/fifo", "i_size", 5000),
  },
  {
    code: "inode.special",
    name: "a device is immutable, and has a pointer behind its number",
    hits: ["/null", "/"],
    damage: (image) => {
      image.setPointer("/null", 5, 500);
      image.inode("/null", "i_flags", 0x10);
    },
  },
  {
    code: "inode.special_flags",
    name: "a fifo is immutable",
    hits: ["/fifo"],
    damage: (image) => image.inode("/fifo", "i_flags", 0x10),
  },
];

/** Inodes of the format. */
const RESERVED: readonly DamageCase[] = [
  {
    code: "inode.reserved",
    name: "a reserved inode has a mode",
    unknownToE2fsck: "it looks at the mode only where there are other faults",
    damage: (image) => image.inode(5, "i_mode", 0o040755),
  },
  {
    code: "inode.reserved",
    name: "a reserved inode has blocks",
    damage: (image) => {
      image.setPointer(4, 0, image.freeBlock());
      image.inode(4, "i_blocks", 2);
    },
  },
  {
    code: "inode.reserved",
    name: "a reserved inode has attributes",
    on: withFeatures,
    damage: (image) => image.inode(9, "i_file_acl", image.freeBlock()),
  },
  {
    code: "superblock.resize_inode",
    name: "the inode for resizing is of zeros",
    on: ({ name }) => /resize_inode/.test(name),
    damage: (image) => image.inodeBytes(7, (bytes) => bytes.fill(0)),
  },
  {
    code: "superblock.resize_inode",
    name: "the inode for resizing has no double indirect block",
    on: ({ name }) => /resize_inode/.test(name),
    damage: (image) => image.setPointer(7, 13, 0),
  },
];

/** See the module. */
export const INODE_CASES: readonly DamageCase[] = [
  ...INODE_FIELDS,
  ...RESERVED,
];
