/**
 * Damage to what leads to the blocks of files: the maps of their contents, and
 * their extended attributes.
 *
 * @module
 */

import {
  XATTR_ENTRY,
  XATTR_ENTRY_SIZE,
  XATTR_HEADER_SIZE,
} from "../../fs/xattr_entries.ts";
import { type DamageCase, withFeatures, withLargeInodes } from "./case.ts";
import type { Damage } from "./damage.ts";

const ONE_MORE = (old: number): number => old + 1;

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
    code: "xattr.padding",
    name: "there is something behind the value of an attribute",
    on: withFeatures,
    damage: (image) =>
      image.edit(attributesOf(image, "/private"), (bytes) => {
        const [at] = entriesOf(bytes).filter((at) => bytes[at + 8] % 4 !== 0);
        const offset = XATTR_ENTRY.e_value_offs.get(bytes, at);
        bytes[offset + XATTR_ENTRY.e_value_size.get(bytes, at)] = 1;
      }),
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
    name: "an attribute in an inode has a hash, and not its own",
    on: withLargeInodes,
    hits: ["/xattr"],
    damage: (image) =>
      image.inodeBytes("/xattr", (bytes) => bytes[128 + 32 + 4 + 12] = 7),
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

/** Where the entries of a block of attributes are. */
function entriesOf(bytes: Uint8Array): number[] {
  const places: number[] = [];
  for (let at = XATTR_HEADER_SIZE; bytes[at] !== 0;) {
    places.push(at);
    at += XATTR_ENTRY_SIZE + (bytes[at] + 3 & ~3);
  }
  return places;
}

function attributesOf(image: Damage, file: string): number {
  return image.inodeField(file, "i_file_acl");
}

/** See the module. */
export const BLOCK_CASES: readonly DamageCase[] = [
  ...BLOCK_MAP,
  ...ATTRIBUTES,
];
