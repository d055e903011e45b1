/**
 * Blocks that cannot be read: what a verified device gives for one that was
 * tampered with, or a disk for a bad sector.
 *
 * @module
 */

import type { DamageCase } from "./case.ts";
import type { Damage } from "./damage.ts";

type Unreadable = Omit<DamageCase, "unknownToE2fsck" | "unreadable">;

/** A case in which `block`, or what it is called, cannot be read. */
function cannotRead(
  unreadable: (image: Damage) => number | readonly number[],
  rest: Unreadable,
): DamageCase {
  return {
    ...rest,
    unreadable: (image) => [unreadable(image)].flat(),
    unknownToE2fsck: "an image in a file has no block that cannot be read",
  };
}

/** See the module. */
export const UNREADABLE_CASES: readonly DamageCase[] = [
  cannotRead((image) => image.firstDataBlock, {
    code: "superblock.primary",
    name: "the block of the superblock cannot be read",
  }),
  cannotRead((image) => image.geometry.groupStart(1), {
    code: "group.copy_unreadable",
    name: "a copy of the superblock cannot be read",
  }),
  cannotRead((image) => image.geometry.groupStart(1) + 1, {
    code: "group.copy_unreadable",
    name: "a copy of the descriptors cannot be read",
  }),
  cannotRead((image) => image.firstDataBlock + 1, {
    code: "group.descriptors",
    name: "the descriptors cannot be read",
  }),
  cannotRead(
    (image) => [image.firstDataBlock + 1, image.geometry.groupStart(1) + 1],
    {
      code: "group.descriptors",
      name: "neither the descriptors nor their copy can be read",
    },
  ),
  cannotRead((image) => image.descriptorField(0, "bg_block_bitmap"), {
    code: "bitmap.block_unreadable",
    name: "a bitmap of blocks cannot be read",
  }),
  cannotRead((image) => image.descriptorField(0, "bg_inode_bitmap"), {
    code: "bitmap.inode_unreadable",
    name: "a bitmap of inodes cannot be read",
  }),
  cannotRead((image) => image.inodePlace("/direct").block, {
    code: "inode.unreadable",
    name: "a block of the inode table cannot be read",
    hits: ["*"],
  }),
  cannotRead((image) => image.inodePlace("/").block, {
    code: "inode.unreadable",
    also: ["inode.root"],
    name: "the block of the root's inode cannot be read",
    hits: ["*"],
  }),
  cannotRead((image) => image.blockOf("/direct", 2), {
    code: "data.unreadable",
    name: "a block of a file cannot be read",
    hits: ["/direct"],
  }),
  cannotRead((image) => image.pointer("/dir/indirect", 12), {
    code: "map.unreadable",
    name: "an indirect block cannot be read",
    hits: ["/dir/indirect"],
  }),
  cannotRead((image) => image.pointer("/double", 13), {
    code: "map.unreadable",
    name: "a double indirect block cannot be read",
    hits: ["/double"],
  }),
  cannotRead((image) => image.blockOf("/large", 3), {
    code: "directory.unreadable",
    name: "a block of a large directory cannot be read",
    hits: ["/large", "/large/", "/small"],
  }),
  cannotRead((image) => image.blockOf("/dir", 0), {
    code: "directory.unreadable",
    name: "the only block of a directory cannot be read",
    hits: ["/dir", "/dir/", "/hard"],
    moved: (image) => ({
      [`/lost+found/#${image.number("/dir/indirect")}`]: "/dir/indirect",
      [`/lost+found/#${image.number("/dir/sub")}/deep/file`]:
        "/dir/sub/deep/file",
    }),
  }),
  cannotRead((image) => image.blockOf("/", 0), {
    code: "directory.unreadable",
    name: "the block of the root cannot be read",
    hits: ["*"],
    moved: (image) => ({
      [`/lost+found/#${image.number("/direct")}`]: "/direct",
      [`/lost+found/#${image.number("/dir")}/sub/deep/file`]:
        "/dir/sub/deep/file",
    }),
  }),
  cannotRead((image) => image.inodeField("/private", "i_file_acl"), {
    code: "xattr.block_unreadable",
    name: "a block of attributes cannot be read",
    on: ({ hasFeatures }) => hasFeatures,
    hits: ["/private"],
  }),
  cannotRead((image) => image.inodeField("/shared1", "i_file_acl"), {
    code: "xattr.block_unreadable",
    name: "a shared block of attributes cannot be read",
    on: ({ hasFeatures }) => hasFeatures,
    hits: ["/shared1", "/shared2"],
  }),
  cannotRead((image) => image.freeBlock(), {
    code: "block.unreadable",
    name: "a free block cannot be read",
  }),
  cannotRead((image) => image.pointer("/slow", 0), {
    code: "data.unreadable",
    name: "the block of a symbolic link cannot be read",
    hits: ["/slow", "/"],
  }),
];
