/**
 * Damage to the ways that lead to files: names that are gone, loops, a root
 * and a lost+found that are missing.
 *
 * @module
 */

import { type DamageCase, lost } from "./case.ts";
import type { Damage } from "./damage.ts";

const DIRECTORY = 2;

/** See the module. */
export const CONNECTIVITY_CASES: readonly DamageCase[] = [
  {
    code: "connect.file",
    name: "a file has no name",
    hits: ["/direct", "/"],
    moved: (image) => ({ [lost(image.number("/direct"))]: "/direct" }),
    damage: (image) => image.unlink("/", "direct"),
  },
  {
    code: "connect.file",
    name: "a symbolic link has no name",
    hits: ["/slow", "/"],
    moved: (image) => ({ [lost(image.number("/slow"))]: "/slow" }),
    damage: (image) => image.unlink("/", "slow"),
  },
  {
    code: "connect.empty_file",
    name: "an empty file has no name",
    hits: ["/empty", "/"],
    damage: (image) => image.unlink("/", "empty"),
  },
  {
    code: "connect.directory",
    name: "a directory has no name",
    hits: ["/dir/sub", "/dir/sub/", "/dir"],
    moved: (image) => ({
      [`${lost(image.number("/dir/sub"))}/deep/file`]: "/dir/sub/deep/file",
      [`${lost(image.number("/dir/sub"))}/deep`]: "/dir/sub/deep",
    }),
    damage: (image) => image.unlink("/dir", "sub"),
  },
  {
    code: "connect.loop",
    name: "directories form a loop that the root does not lead to",
    hits: ["/dir/sub", "/dir/sub/", "/dir"],
    damage: (image) => {
      image.unlink("/dir", "sub");
      image.setEntry(
        image.entry("/dir/sub", ".."),
        "inode",
        image.number("/dir/sub/deep"),
      );
      image.link("/dir/sub/deep", "loop", image.number("/dir/sub"), DIRECTORY);
    },
  },
  {
    code: "connect.lost_found",
    name: "lost+found has lost its name when it is needed",
    hits: ["/direct", "/"],
    moved: (image) => ({
      // The old one, with all of its blocks.
      "/lost+found": "/lost+found",
      [lost(image.number("/direct"))]: "/direct",
    }),
    damage: (image) => {
      image.unlink("/", "lost+found");
      image.unlink("/", "direct");
    },
  },
  {
    code: "connect.lost_found",
    name: "lost+found is gone when it is needed",
    hits: ["/direct", "/"],
    moved: (image) => ({ [lost(image.number("/direct"))]: "/direct" }),
    damage: (image) => {
      image.unlink("/", "lost+found");
      image.inodeBytes("/lost+found", (bytes) => bytes.fill(0));
      image.unlink("/", "direct");
    },
  },
  {
    code: "connect.lost_found",
    name: "what is in the inode of lost+found is somebody's directory",
    hits: ["/direct", "/"],
    moved: (image) => ({ [lost(image.number("/direct"))]: "/direct" }),
    damage: (image) => {
      image.unlink("/", "lost+found");
      image.inode("/lost+found", "i_mode", 0o040755);
      image.unlink("/", "direct");
    },
  },
  {
    code: "connect.lost_found",
    name: "lost+found is a file",
    hits: ["/direct", "/", "/lost+found~", "/lost+found~/"],
    damage: (image) => {
      image.inode("/lost+found", "i_mode", 0o100644);
      image.unlink("/", "direct");
    },
  },
  {
    code: "inode.root",
    name: "the root is zeros",
    hits: ["*"],
    moved: topLevel,
    damage: (image) => image.inodeBytes(2, (bytes) => bytes.fill(0)),
  },
  {
    code: "inode.root",
    name: "the root is a file",
    hits: ["*"],
    moved: topLevel,
    damage: (image) => image.inode(2, "i_mode", 0o100644),
  },
  {
    code: "directory.hole",
    name: "the root has no blocks",
    hits: ["*"],
    moved: topLevel,
    damage: (image) => {
      image.setPointer(2, 0, 0);
      image.inode(2, "i_size", 0);
    },
  },
];

/** Where a root that has lost its names leaves what was below it. */
function topLevel(image: Damage): Record<string, string> {
  return {
    [lost(image.number("/direct"))]: "/direct",
    [`${lost(image.number("/dir"))}/sub/deep/file`]: "/dir/sub/deep/file",
  };
}
