/**
 * Damage to directories, to what leads to files, and to the count of names.
 *
 * @module
 */

import { DIRECTORY_ENTRY } from "../../fs/directory_entry.ts";
import { type DamageCase, lost, withFeatures, withoutIndex } from "./case.ts";

const REGULAR = 1;
const DIRECTORY = 2;

const ENTRIES: readonly DamageCase[] = [
  {
    code: "directory.inode_range",
    name: "an entry names an inode outside of the table",
    hits: ["/direct", "/"],
    moved: (image) => ({ [lost(image.number("/direct"))]: "/direct" }),
    damage: (image) =>
      image.setEntry(image.entry("/", "direct"), "inode", 0x7000_0000),
  },
  {
    code: "directory.inode_range",
    name: "an entry names an inode of the format",
    hits: ["/direct", "/"],
    moved: (image) => ({ [lost(image.number("/direct"))]: "/direct" }),
    damage: (image) => image.setEntry(image.entry("/", "direct"), "inode", 5),
  },
  {
    code: "directory.inode_unused",
    name: "an entry names a free inode",
    hits: ["/direct", "/"],
    moved: (image) => ({ [lost(image.number("/direct"))]: "/direct" }),
    damage: (image) =>
      image.setEntry(image.entry("/", "direct"), "inode", image.freeInode),
  },
  {
    code: "directory.inode_unused",
    name: "an inode with a name is zeros",
    hits: ["/direct", "/"],
    damage: (image) => image.inodeBytes("/direct", (bytes) => bytes.fill(0)),
  },
  {
    code: "directory.file_type",
    name: "an entry says that a file is a directory",
    on: withFeatures,
    damage: (image) =>
      image.setEntry(image.entry("/", "direct"), "file_type", DIRECTORY),
  },
  {
    code: "directory.file_type",
    name: "an entry does not say what a file is",
    unknownToE2fsck: "it sets the type, and does not call that a problem",
    on: withFeatures,
    damage: (image) =>
      image.setEntry(image.entry("/", "direct"), "file_type", 0),
  },
  {
    code: "directory.file_type",
    name: "an entry says what a file is where none does",
    on: (kind) => !withFeatures(kind),
    damage: (image) =>
      image.setEntry(image.entry("/", "direct"), "file_type", REGULAR),
  },
  {
    code: "directory.name",
    name: "a name has a slash",
    hits: ["/direct", "/", "/di_ect"],
    damage: (image) => image.setName(image.entry("/", "direct"), "di/ect"),
  },
  {
    code: "directory.name",
    name: "a name has a NUL",
    hits: ["/direct", "/", "/di_ect"],
    damage: (image) => image.setName(image.entry("/", "direct"), "di\0ect"),
  },
  {
    code: "directory.duplicate",
    name: "a directory has a name twice",
    hits: ["/empty", "/small", "/", "/sma~0"],
    damage: (image) => image.setName(image.entry("/", "empty"), "small"),
  },
  {
    code: "directory.chain",
    name: "an entry is longer than its block",
    hits: ["/other", "/other/file"],
    moved: (image) => ({ [lost(image.number("/other/file"))]: "/other/file" }),
    damage: (image) =>
      image.setEntry(
        image.entry("/other", "file"),
        "rec_len",
        (old) => old + 64,
      ),
  },
  {
    code: "directory.chain",
    name: "an entry has no length",
    hits: ["/other", "/other/file"],
    damage: (image) =>
      image.setEntry(image.entry("/other", "file"), "rec_len", 0),
  },
  {
    code: "directory.chain",
    name: "the length of an entry is no multiple of 4",
    hits: ["/other", "/other/file"],
    damage: (image) =>
      image.setEntry(image.entry("/other", "file"), "rec_len", 18),
  },
  {
    code: "directory.chain",
    name: "a name is longer than its entry",
    hits: [
      "/dir",
      "/dir/sub",
      "/dir/sub/",
      "/dir/indirect",
      "/dir/hard",
      "/hard",
    ],
    damage: (image) =>
      image.setEntry(image.entry("/dir", "sub"), "name_len", 200),
  },
  {
    code: "directory.name",
    name: "a name has no characters",
    hits: ["/direct", "/"],
    damage: (image) =>
      image.setEntry(image.entry("/", "direct"), "name_len", 0),
  },
  {
    code: "directory.chain",
    name: "a block of a directory is of text",
    on: withoutIndex,
    hits: ["/large/", "/large", "/small"],
    damage: (image) =>
      image.edit(image.blockOf("/large", 2), (bytes) => bytes.fill(0x61)),
  },
  {
    code: "directory.chain",
    name: "a block of a directory is zeros",
    on: withoutIndex,
    hits: ["/large/", "/large", "/small"],
    damage: (image) =>
      image.edit(image.blockOf("/large", 2), (bytes) => bytes.fill(0)),
  },
  {
    code: "directory.hole",
    name: "a directory has a hole",
    on: withoutIndex,
    hits: ["/large/", "/large", "/small"],
    damage: (image) => {
      image.markBlock(image.pointer("/large", 3), false);
      image.setPointer("/large", 3, 0);
    },
  },
];

const DOTS: readonly DamageCase[] = [
  {
    code: "directory.dot",
    name: "'.' names another inode",
    hits: ["/other"],
    damage: (image) => image.setEntry(image.entry("/other", "."), "inode", 2),
  },
  {
    code: "directory.dot",
    name: "'.' has another name",
    hits: ["/other", "/other/x"],
    damage: (image) => image.setName(image.entry("/other", "."), "x"),
  },
  {
    code: "directory.dot",
    name: "'.' and '..' are missing",
    hits: ["/other", "/other/file"],
    damage: (image) =>
      image.edit(image.pointer("/other", 0), (bytes) => {
        bytes.fill(0);
        DIRECTORY_ENTRY.rec_len.set(bytes, 0, bytes.length);
      }),
  },
  {
    code: "directory.dot_padding",
    name: "there is something behind '.'",
    damage: (image) =>
      image.edit(image.pointer("/other", 0), (bytes) => bytes[9] = 1),
  },
  {
    code: "directory.parent",
    name: "'..' names another directory",
    hits: [],
    damage: (image) =>
      image.setEntry(
        image.entry("/dir/sub", ".."),
        "inode",
        image.number("/other"),
      ),
  },
  {
    code: "directory.parent",
    name: "'..' of the root is not the root",
    damage: (image) =>
      image.setEntry(image.entry("/", ".."), "inode", image.number("/dir")),
  },
  {
    code: "directory.parent",
    name: "'..' names an inode outside of the table",
    damage: (image) =>
      image.setEntry(image.entry("/dir/sub", ".."), "inode", 0x7000_0000),
  },
  {
    code: "directory.dotdot",
    name: "'..' has another name",
    hits: ["/other", "/other/xx"],
    damage: (image) => image.setName(image.entry("/other", ".."), "xx"),
  },
];

const LINKS: readonly DamageCase[] = [
  {
    code: "directory.second_parent",
    name: "a directory has two names",
    hits: ["/", "/again", "/again/"],
    damage: (image) =>
      image.link("/", "again", image.number("/dir/sub"), DIRECTORY),
  },
  {
    code: "directory.second_parent",
    name: "a directory is in itself",
    hits: ["/other", "/other/self", "/other/self/"],
    damage: (image) =>
      image.link("/other", "self", image.number("/other"), DIRECTORY),
  },
  {
    code: "directory.second_parent",
    name: "a directory holds the one that holds it",
    hits: ["/dir/sub/deep", "/dir/sub/deep/up", "/dir/sub/deep/up/"],
    damage: (image) =>
      image.link("/dir/sub/deep", "up", image.number("/dir"), DIRECTORY),
  },
  {
    code: "directory.inode_range",
    name: "a directory holds the root",
    hits: ["/other", "/other/root", "/other/root/"],
    damage: (image) => image.link("/other", "root", 2, DIRECTORY),
  },
  {
    code: "links.count",
    name: "a file counts a name too many",
    hits: ["/direct"],
    damage: (image) => image.inode("/direct", "i_links_count", 2),
  },
  {
    code: "links.count",
    name: "a file with two names counts one",
    hits: ["/hard", "/dir/hard"],
    damage: (image) => image.inode("/hard", "i_links_count", 1),
  },
  {
    code: "links.count",
    name: "a directory counts a name too many",
    hits: ["/dir"],
    damage: (image) => image.inode("/dir", "i_links_count", (old) => old + 1),
  },
  {
    code: "links.count",
    name: "the names of a file are gone but for one",
    damage: (image) => image.unlink("/dir", "hard"),
    hits: ["/hard", "/dir/hard", "/dir"],
  },
  {
    code: "inode.zero_links",
    name: "a file with a name counts none",
    hits: ["/direct", "/"],
    damage: (image) => image.inode("/direct", "i_links_count", 0),
  },
];

/** See the module. */
export const DIRECTORY_CASES: readonly DamageCase[] = [
  ...ENTRIES,
  ...DOTS,
  ...LINKS,
];
