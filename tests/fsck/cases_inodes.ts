/**
 * Damage to inodes and to the maps of their blocks.
 *
 * @module
 */

import {
  type DamageCase,
  withFeatures,
  withIndex,
  withLargeInodes,
} from "./case.ts";
import type { Damage } from "./damage.ts";

const ONE_MORE = (old: number): number => old + 1;

const INODE_FIELDS: readonly DamageCase[] = [
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

/** A file, a directory and a table of reserved inodes. */
const RESERVED: readonly DamageCase[] = [
  {
    code: "inode.reserved",
    name: "a reserved inode has a mode",
    unknownToE2fsck: "it looks at the mode only where there are other faults",
    damage: (image) => image.inode(5, "i_mode", 0o040755),
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

const BLOCK_MAP: readonly DamageCase[] = [
  {
    code: "map.pointer",
    name: "a pointer leads outside of the volume",
    hits: ["/direct"],
    damage: (image) => image.setPointer("/direct", 2, 0x7000_0000),
  },
  {
    code: "map.indirect",
    name: "an indirect block is outside of the volume",
    hits: ["/dir/indirect"],
    damage: (image) => image.setPointer("/dir/indirect", 12, image.end),
  },
  {
    code: "map.pointer",
    name: "a pointer in an indirect block leads outside of the volume",
    hits: ["/dir/indirect"],
    damage: (image) =>
      image.setWord(
        { block: image.pointer("/dir/indirect", 12), at: 8 },
        0xffff_fff0,
      ),
  },
  {
    code: "map.indirect",
    name: "pointers in a double indirect block lead outside of the volume",
    hits: ["/double"],
    damage: (image) =>
      image.setWord(
        { block: image.pointer("/double", 13), at: 4 },
        image.end + 1,
      ),
  },
  {
    code: "map.pointer",
    name: "a pointer of a directory leads outside of the volume",
    hits: ["/large/", "/large", "/small"],
    damage: (image) => image.setPointer("/large", 3, image.end + 5),
  },
  {
    code: "map.indirect",
    name: "the triple indirect block is of text",
    hits: ["/triple"],
    damage: (image) =>
      image.edit(image.pointer("/triple", 14), (bytes) => bytes.fill(0x61)),
  },
  {
    code: "map.pointer",
    name: "a pointer leads to an inode table",
    hits: ["/direct"],
    damage: (image) =>
      image.setPointer(
        "/direct",
        1,
        image.descriptorField(0, "bg_inode_table") + 1,
      ),
  },
  {
    code: "map.pointer",
    name: "a pointer leads to the superblock's backup",
    hits: ["/direct"],
    damage: (image) =>
      image.setPointer("/direct", 1, image.geometry.groupStart(1)),
  },
  {
    code: "map.indirect",
    name: "an indirect block is a bitmap",
    hits: ["/dir/indirect"],
    damage: (image) =>
      image.setPointer(
        "/dir/indirect",
        12,
        image.descriptorField(0, "bg_block_bitmap"),
      ),
  },
  {
    code: "map.duplicate",
    name: "two files share a block",
    hits: ["/direct", "/hard", "/dir/hard"],
    damage: (image) =>
      image.setPointer("/direct", 1, image.pointer("/hard", 0)),
  },
  {
    code: "map.duplicate",
    name: "a file has a block of a directory",
    hits: ["/direct", "/other"],
    damage: (image) =>
      image.setPointer("/direct", 1, image.pointer("/other", 0)),
  },
  {
    code: "map.duplicate",
    name: "two directories share a block",
    hits: ["/other/", "/dir/sub/deep/", "/other", "/dir/sub/deep"],
    damage: (image) =>
      image.setPointer("/other", 0, image.pointer("/dir/sub/deep", 0)),
  },
  {
    code: "map.duplicate",
    name: "two files share an indirect block",
    hits: ["/dir/indirect", "/double"],
    damage: (image) =>
      image.setPointer("/double", 12, image.pointer("/dir/indirect", 12)),
  },
  {
    code: "map.duplicate",
    name: "a file's block is another's indirect block",
    hits: ["/direct", "/dir/indirect"],
    damage: (image) =>
      image.setPointer("/direct", 4, image.pointer("/dir/indirect", 12)),
  },
  {
    code: "map.duplicate",
    name: "a file has a block twice",
    hits: ["/direct"],
    damage: (image) =>
      image.setPointer("/direct", 1, image.pointer("/direct", 0)),
  },
  {
    code: "map.duplicate",
    name: "an indirect block leads to itself",
    hits: ["/dir/indirect"],
    damage: (image) => {
      const block = image.pointer("/dir/indirect", 12);
      image.setWord({ block, at: 12 }, block);
    },
  },
  {
    code: "map.indirect",
    name: "a double indirect block leads to itself",
    hits: ["/double"],
    damage: (image) => {
      const block = image.pointer("/double", 13);
      image.setWord({ block, at: 0 }, block);
    },
  },
  {
    code: "map.too_far",
    name: "a file has a block behind the largest size of files",
    on: ({ blockSize }) => blockSize === 4096,
    hits: ["/triple"],
    damage: (image) => {
      const [double, single, data] = [1, 2, 3].map(() => image.takeBlock());
      const block = image.pointer("/triple", 14);
      image.setWord({ block, at: image.blockSize - 4 }, double);
      image.setWord({ block: double, at: 0 }, single);
      image.setWord({ block: single, at: 0 }, data);
    },
  },
];

/** Blocks of attributes, and attributes in inodes. */
const ATTRIBUTES: readonly DamageCase[] = [
  {
    code: "xattr.block_place",
    name: "i_file_acl leads outside of the volume",
    on: withFeatures,
    hits: ["/private"],
    damage: (image) => image.inode("/private", "i_file_acl", 0x7000_0000),
  },
  {
    code: "xattr.block_place",
    name: "i_file_acl leads to the volume's own blocks",
    on: withFeatures,
    hits: ["/private"],
    damage: (image) =>
      image.inode(
        "/private",
        "i_file_acl",
        image.descriptorField(0, "bg_inode_table"),
      ),
  },
  {
    code: "xattr.block",
    name: "a block of attributes is a file's",
    on: withFeatures,
    hits: ["/private", "/direct"],
    damage: (image) =>
      image.inode("/private", "i_file_acl", image.pointer("/direct", 0)),
  },
  {
    code: "xattr.block",
    name: "a block of attributes has another magic number",
    on: withFeatures,
    hits: ["/private"],
    damage: (image) =>
      image.setWord({ block: attributesOf(image, "/private"), at: 0 }, 1),
  },
  {
    code: "xattr.block",
    name: "a block of attributes says that it is two",
    on: withFeatures,
    hits: ["/private"],
    damage: (image) =>
      image.setWord({ block: attributesOf(image, "/private"), at: 8 }, 2),
  },
  {
    code: "xattr.block",
    name: "an attribute's value is outside of its block",
    on: withFeatures,
    hits: ["/private"],
    damage: (image) =>
      image.setWord(
        { block: attributesOf(image, "/private"), at: 32 + 8 },
        5000,
      ),
  },
  {
    code: "xattr.block",
    name: "the values of two attributes overlap",
    on: withFeatures,
    hits: ["/private"],
    damage: (image) =>
      image.setWord(
        { block: attributesOf(image, "/private"), at: 32 + 0 },
        (old) => (old & 0xffff) | ((old >>> 16) - 8) << 16,
      ),
  },
  {
    code: "xattr.block",
    name: "the hash of an attribute is off",
    on: withFeatures,
    hits: ["/private"],
    damage: (image) =>
      image.setWord(
        { block: attributesOf(image, "/private"), at: 32 + 12 },
        ONE_MORE,
      ),
  },
  {
    code: "xattr.reference_count",
    name: "a block of attributes counts one inode too many",
    on: withFeatures,
    damage: (image) =>
      image.setWord({ block: attributesOf(image, "/shared1"), at: 4 }, 3),
  },
  {
    code: "xattr.reference_count",
    name: "a shared block of attributes counts one inode",
    on: withFeatures,
    damage: (image) =>
      image.setWord({ block: attributesOf(image, "/shared1"), at: 4 }, 1),
  },
  {
    code: "xattr.inode",
    name: "an attribute's value is outside of its inode",
    on: withLargeInodes,
    hits: ["/xattr"],
    damage: (image) =>
      image.inodeBytes("/xattr", (bytes) => bytes[128 + 32 + 4 + 2] = 0xf0),
  },
  {
    code: "xattr.inode",
    name: "an attribute in an inode is longer than the inode",
    on: withLargeInodes,
    hits: ["/xattr"],
    damage: (image) =>
      image.inodeBytes("/xattr", (bytes) => bytes[128 + 32 + 4 + 9] = 0x40),
  },
];

function attributesOf(image: Damage, file: string): number {
  return image.inodeField(file, "i_file_acl");
}

/** See the module. */
export const INODE_CASES: readonly DamageCase[] = [
  ...INODE_FIELDS,
  ...RESERVED,
  ...BLOCK_MAP,
  ...ATTRIBUTES,
];
