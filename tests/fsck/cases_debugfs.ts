/**
 * Damage that debugfs does: somebody else's idea of what is where.
 *
 * @module
 */

import type { DamageCase } from "./case.ts";

/** See the module. */
export const DEBUGFS_CASES: readonly DamageCase[] = [
  {
    code: "directory.inode_unused",
    name: "clri",
    hits: ["/direct", "/"],
    debugfs: () => ["clri /direct"],
  },
  {
    code: "bitmap.inode_unmarked",
    name: "freei",
    debugfs: () => ["freei /direct"],
  },
  {
    code: "bitmap.inode_unused",
    name: "seti",
    debugfs: (image) => [`seti <${image.freeInode}>`],
  },
  {
    code: "bitmap.block_unmarked",
    name: "freeb",
    debugfs: (image) => [`freeb ${image.blockOf("/direct", 1)} 3`],
  },
  {
    code: "bitmap.block_unused",
    name: "setb",
    debugfs: (image) => [`setb ${image.freeBlock()}`],
  },
  {
    code: "connect.file",
    name: "unlink",
    hits: ["/direct", "/"],
    moved: (image) => ({
      [`/lost+found/#${image.number("/direct")}`]: "/direct",
    }),
    debugfs: () => ["unlink /direct"],
  },
  {
    code: "links.count",
    name: "link",
    hits: ["/direct", "/other/extra", "/other"],
    debugfs: () => ["link /direct /other/extra"],
  },
  {
    code: "map.indirect",
    name: "set_inode_field block[IND]",
    hits: ["/dir/indirect"],
    debugfs: () => ["sif /dir/indirect block[IND] 999999"],
  },
  {
    code: "map.duplicate",
    name: "set_inode_field block[2]",
    hits: ["/direct", "/hard", "/dir/hard"],
    debugfs: (image) => [
      `sif /direct block[2] ${image.pointer("/hard", 1)}`,
    ],
  },
  {
    code: "inode.mode",
    name: "set_inode_field mode",
    hits: ["/direct", "/"],
    debugfs: () => ["sif /direct mode 0170644"],
  },
  {
    code: "inode.size",
    name: "set_inode_field size",
    hits: ["/direct"],
    debugfs: () => ["sif /direct size 3"],
  },
  {
    code: "group.free_inodes",
    name: "set_block_group free_inodes_count",
    debugfs: () => ["set_bg 1 free_inodes_count 3"],
  },
  {
    code: "superblock.free_blocks",
    name: "set_super_value free_blocks_count",
    debugfs: () => ["ssv free_blocks_count 3"],
  },
  {
    code: "inode.root",
    name: "clri of the root",
    hits: ["*"],
    debugfs: () => ["clri <2>"],
  },
];
