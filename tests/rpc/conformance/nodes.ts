/**
 * Cases: finding files, and their attributes.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type -- the type of the table gives it

import assert from "node:assert/strict";
import { INODE } from "../../../fs/inode.ts";
import { S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT } from "../../../fs/mod.ts";
import type { Node } from "../../../rpc/mod.ts";
import { type Case, fails, succeeds } from "./case.ts";
import {
  bytesOf,
  IMMUTABLE_FL,
  isLike,
  isSame,
  textOf,
  TOO_LONG,
  type Trial,
} from "./trial.ts";

const TIME = { sec: -5, nsec: 123_456_789 };

/** A directory in a directory with a file, and links to them. */
function tree(t: Trial): void {
  const inner = t.directory("inner", { in: t.directory("outer") });
  t.file("leaf", { in: inner, data: "leaf" });
  t.symlink("short", "outer/inner");
  t.symlink("absolute", `${t.path}/outer`);
  t.symlink("dangling", "nowhere");
  t.symlink("loop", "loop");
  t.file("file");
}

const resolving = (path: string, follow = true) => (t: Trial) => {
  tree(t);
  return { dir: t.dir, path: bytesOf(path), follow };
};

const RESOLVE: Case[] = [
  ...([
    ["a relative path", "outer/inner/leaf"],
    ["a path over a link", "short/leaf"],
    ["a path over an absolute link", "absolute/inner/leaf"],
    ["dots and needless slashes", ".//outer/./inner/..//inner/leaf"],
  ] as const).map(([what, path]) =>
    succeeds("resolve", what, {
      args: resolving(path),
      check(t, { attributes }) {
        assert.equal(t.text(attributes), "leaf");
      },
    })
  ),
  succeeds("resolve", "an absolute path, whatever the directory", {
    args(t) {
      tree(t);
      const path = bytesOf(`${t.path}/outer`);
      return { dir: t.get("outer"), path, follow: true };
    },
    check: (t, { attributes }) => isSame(attributes, t.get("outer")),
  }),
  succeeds("resolve", "a link that is not to be followed", {
    args: resolving("short", false),
    check(_, { attributes }) {
      assert.equal(attributes.mode & S_IFMT, S_IFLNK);
    },
  }),
  succeeds("resolve", "`..` of the volume's root is the root", {
    args: (t) => ({ dir: t.dir, path: bytesOf("../../.."), follow: true }),
    check: (t, { attributes }) => isSame(attributes, t.node(2)),
  }),
  fails("resolve", "ENOENT", "no such name", { args: resolving("outer/no") }),
  fails("resolve", "ENOENT", "an empty path", { args: resolving("") }),
  fails("resolve", "ENOENT", "a link to nothing", {
    args: resolving("dangling"),
  }),
  fails("resolve", "ENOENT", "a name that the user may search for", {
    ...{ as: "user", args: resolving("outer/no") },
  }),
  fails("resolve", "ENOTDIR", "a file on the way", {
    args: resolving("file/leaf"),
  }),
  fails("resolve", "ENOTDIR", "a file with a slash behind it", {
    args: resolving("file/"),
  }),
  fails("resolve", "ELOOP", "a link to itself", { args: resolving("loop") }),
  fails("resolve", "ELOOP", "more links than are followed", {
    args(t) {
      for (let i = 0; i < 41; i++) t.symlink(`l${i}`, `l${i + 1}`);
      t.file("l41");
      return { dir: t.dir, path: bytesOf("l0"), follow: true };
    },
  }),
  succeeds("resolve", "as many links as are followed", {
    args(t) {
      for (let i = 0; i < 40; i++) t.symlink(`l${i}`, `l${i + 1}`);
      t.file("l40");
      return { dir: t.dir, path: bytesOf("l0"), follow: true };
    },
    check: (t, { attributes }) => isSame(attributes, t.get("l40")),
  }),
  fails("resolve", "ENAMETOOLONG", "a name of 256 bytes on the way", {
    args: (t) => ({ dir: t.dir, path: TOO_LONG, follow: true }),
  }),
];

const LOOKUP: Case[] = [
  succeeds("lookup", "a name", {
    args(t) {
      tree(t);
      return { dir: t.dir, name: bytesOf("short") };
    },
    check(t, { attributes }) {
      isLike(attributes, t.stat(t.get("short")));
    },
  }),
  ...[".", ".."].map((name) =>
    succeeds("lookup", `the name ${name}`, {
      args: (t) => ({ dir: t.dir, name: bytesOf(name) }),
      check(t, { attributes }) {
        isSame(attributes, name === "." ? t.dir : t.node(2));
      },
    })
  ),
  fails("lookup", "ENOENT", "no such name", {
    args: (t) => ({ dir: t.dir, name: bytesOf("no") }),
  }),
  fails("lookup", "EINVAL", "a name with a slash", {
    args: (t) => ({ dir: t.dir, name: bytesOf("a/b") }),
  }),
  fails("lookup", "ENOENT", "a directory that was removed, but is open", {
    async args(t) {
      const dir = t.directory("gone");
      await t.open(dir, 0);
      t.fs.rmdir(t.dir.ino, "gone");
      return { dir, name: bytesOf(".") };
    },
  }),
  fails("lookup", "EUCLEAN", "an entry that names an inode not in use", {
    when: "damaged",
    args(t) {
      const node = t.file("file");
      t.harm(node, INODE.i_links_count.offset, 0, 0);
      return { dir: t.dir, name: bytesOf("file") };
    },
  }),
];

const walking = (...names: string[]) => (t: Trial) => {
  tree(t);
  return { dir: t.dir, names: names.map(bytesOf) };
};

const WALK: Case[] = [
  succeeds("walk", "several names", {
    args: walking("outer", "inner", "leaf"),
    check(t, { nodes }) {
      assert.equal(nodes.length, 3);
      isSame(nodes[0], t.get("outer"));
      assert.equal(t.text(nodes[2]), "leaf");
    },
  }),
  succeeds("walk", "no names", {
    args: walking(),
    check: (_, { nodes }) => assert.deepEqual(nodes, []),
  }),
  ...([
    ["a name that is not there", ["outer", "no", "leaf"], 1],
    ["a file on the way", ["file", "leaf"], 1],
    ["a link on the way", ["short", "leaf"], 1],
  ] as const).map(([what, names, count]) =>
    succeeds("walk", `stops at ${what}`, {
      args: walking(...names),
      check: (_, { nodes }) => assert.equal(nodes.length, count),
    })
  ),
  fails("walk", "ENOENT", "the first name is not there", {
    args: walking("no", "leaf"),
  }),
];

/** What may not be searched, or not be read. */
const CLOSED: Case[] = [
  fails("resolve", "EACCES", "over a directory that may not be searched", {
    as: "user",
    args(t) {
      t.file("x", { in: t.directory("closed", { mode: 0o700 }) });
      return { dir: t.dir, path: bytesOf("closed/x"), follow: true };
    },
  }),
  fails("lookup", "EACCES", "in a directory that may not be searched", {
    ...{ as: "user", args: (t) => ({ dir: closed(t), name: bytesOf("x") }) },
  }),
  fails("walk", "EACCES", "in a directory that may not be searched", {
    ...{ as: "user", args: (t) => ({ dir: closed(t), names: [bytesOf("x")] }) },
  }),
  succeeds("walk", "stops at a directory that may not be searched", {
    as: "user",
    args(t) {
      closed(t);
      return { dir: t.dir, names: ["closed", "x"].map(bytesOf) };
    },
    check: (_, { nodes }) => assert.equal(nodes.length, 1),
  }),
  fails("readdir", "EACCES", "a directory that may not be read", {
    ...{ as: "user", args: (t) => ({ node: closed(t), cookie: 0, count: 9 }) },
  }),
  succeeds("readdir", "names alone, of what may not be searched", {
    as: "user",
    args(t) {
      const node = t.directory("listed", { mode: 0o744 });
      t.file("x", { in: node });
      return { node, cookie: 0, count: 9 };
    },
    check(_, { entries }) {
      const found = entries.find(({ name }) => textOf(name) === "x");
      assert.equal(found?.attributes, null);
    },
  }),
  fails("walk", "ENAMETOOLONG", "a name of 256 bytes", {
    args: (t) => ({ dir: t.dir, names: [] }),
    send: ({ caller, dir: { ino, generation } }) =>
      caller.ask(99, [[ino, generation], [TOO_LONG]]) as Promise<never>,
  }),
];

/** A directory of the superuser's alone, with a file. */
function closed(t: Trial): Node {
  const dir = t.directory("closed", { mode: 0o700 });
  t.file("x", { in: dir });
  return dir;
}

const ACCESS: Case[] = [
  ...[0, 1, 2, 4, 7].map((mask) =>
    succeeds("access", `of a directory, for ${mask}`, {
      args: (t) => ({ node: t.dir, mask }),
      check() {},
    })
  ),
  fails("access", "EACCES", "a file that nobody may execute", {
    args: (t) => ({ node: t.file("file", { mode: 0o666 }), mask: 1 }),
  }),
  fails("access", "EPERM", "to write a file that is immutable", {
    args(t) {
      const node = t.file("file");
      t.fs.setattr(node.ino, { flags: IMMUTABLE_FL });
      return { node, mask: 2 };
    },
  }),
  fails("access", "EROFS", "to write, of one who may only look", {
    as: "reader",
    args: (t) => ({ node: t.file("file"), mask: 2 }),
  }),
  fails("access", "EACCES", "what the mode does not permit", {
    as: "user",
    args: (t) => ({ node: t.file("file", { mode: 0o644 }), mask: 2 }),
  }),
];

const READDIR: Case[] = [
  succeeds("readdir", "all entries, with attributes", {
    args(t) {
      tree(t);
      return { node: t.dir, cookie: 0, count: 100 };
    },
    check(t, { entries, end }) {
      assert.equal(end, true);
      const names = entries.map(({ name }) => textOf(name)).sort();
      assert.deepEqual(names, [".", "..", ...t.names()].sort());
      for (const { name, ino, attributes } of entries) {
        const node = t.fs.lookup(t.dir.ino, name);
        assert.equal(ino, node);
        if (attributes) isLike(attributes, t.fs.getattr(node));
      }
    },
  }),
  succeeds("readdir", "a few entries, and not the end", {
    args(t) {
      tree(t);
      return { node: t.dir, cookie: 0, count: 3 };
    },
    async check(t, { entries, end }) {
      assert.deepEqual([entries.length, end], [3, false]);
      const rest = await t.caller.succeed("readdir", {
        ...{ node: t.dir, cookie: entries[2].cookie, count: 100 },
      });
      assert.equal(rest.entries.length, t.names().length - 1);
      assert.equal(rest.end, true);
    },
  }),
  succeeds("readdir", "behind the end", {
    args: (t) => ({ node: t.dir, cookie: 4096, count: 1 }),
    check(_, results) {
      assert.deepEqual(results, { entries: [], end: true });
    },
  }),
  succeeds("readdir", "an entry whose inode cannot be read", {
    when: "damaged",
    args(t) {
      t.harm(t.file("file"), INODE.i_extra_isize.offset, 255, 255);
      return { node: t.dir, cookie: 0, count: 10 };
    },
    quiet: true,
    check(_, { entries, end }) {
      const found = entries.find(({ name }) => textOf(name) === "file");
      assert.deepEqual([found?.attributes, end], [null, true]);
    },
  }),
];

const setting =
  (changes: Parameters<Trial["fs"]["setattr"]>[1]) => (t: Trial) => ({
    node: t.file("file", { data: "0123456789" }),
    changes,
  });

const SETATTR: Case[] = [
  succeeds("setattr", "everything at once", {
    args: setting({
      ...{ mode: 0o4751, uid: 70_000, gid: 80_000, size: 4, flags: 0x40 },
      ...{ atime: TIME, mtime: TIME, ctime: TIME, birthtime: TIME },
    }),
    check(t, { attributes }) {
      const { mode, uid, gid, size, flags, ...rest } = attributes;
      assert.deepEqual([mode & 0o7777, uid, gid, size, flags & 0x40], [
        ...[0o4751, 70_000, 80_000, 4, 0x40],
      ]);
      for (const name of ["atime", "mtime", "ctime", "birthtime"] as const) {
        assert.deepEqual(rest[name], TIME);
      }
      isLike(attributes, t.stat(t.get("file")));
      assert.equal(t.text(attributes), "0123");
    },
  }),
  succeeds("setattr", "nothing", {
    args: setting({}),
    check: (t) => assert.equal(t.text(t.get("file")), "0123456789"),
  }),
  succeeds("setattr", "a size that grows the file by a hole", {
    args: setting({ size: 100_000 }),
    check(t, { attributes }) {
      assert.deepEqual([attributes.size, attributes.blocks], [100_000, 8]);
      assert.equal(t.contents(attributes)[99_999], 0);
    },
  }),
  succeeds("setattr", "both times to the present", {
    args: setting({ atime: "now", mtime: "now" }),
    check(_, { attributes }) {
      assert.deepEqual(attributes.atime, attributes.mtime);
      assert.ok(Math.abs(attributes.mtime.sec - Date.now() / 1000) < 60);
    },
  }),
  succeeds("setattr", "a time beyond what inodes hold", {
    args: setting({ mtime: { sec: 2 ** 52, nsec: 0 } }),
    check(_, { attributes }) {
      assert.equal(attributes.mtime.sec, 2 ** 34 - 2 ** 31 - 1);
    },
  }),
  fails("setattr", "EFBIG", "a size beyond the format's limit", {
    args: setting({ size: 2 ** 52 }),
  }),
  fails("setattr", "EISDIR", "the size of a directory", {
    args: (t) => ({ node: t.dir, changes: { size: 0 } }),
  }),
  fails("setattr", "EINVAL", "the size of a pipe", {
    args: (t) => ({ node: t.fifo("pipe"), changes: { size: 0 } }),
  }),
  fails("setattr", "EPERM", "a file that is immutable", {
    args(t) {
      const node = t.file("file");
      t.fs.setattr(node.ino, { flags: IMMUTABLE_FL });
      return { node, changes: { mode: 0o600 } };
    },
  }),
  fails("setattr", "EPERM", "another's mode", {
    ...{ as: "user", args: setting({ mode: 0o666 }) },
  }),
  fails("setattr", "EPERM", "a new owner, by who is not the superuser", {
    as: "user",
    args(t) {
      const node = t.file("file", { uid: 1000, gid: 1000 });
      return { node, changes: { uid: 1001 } };
    },
  }),
  fails("setattr", "EACCES", "a size without permission to write", {
    ...{ as: "user", args: setting({ size: 0 }) },
  }),
  succeeds("setattr", "the owner's mode and times", {
    as: "user",
    args(t) {
      const node = t.file("file", { uid: 1000, gid: 1000 });
      return { node, changes: { mode: 0o640, mtime: TIME } };
    },
    check(_, { attributes }) {
      assert.equal(attributes.mode & 0o7777, 0o640);
      assert.deepEqual(attributes.mtime, TIME);
    },
  }),
];

const OTHERS: Case[] = [
  ...([
    ["a directory", S_IFDIR, (t) => t.directory("made")],
    ["a named pipe", S_IFIFO, (t) => t.fifo("made")],
    ["a symbolic link", S_IFLNK, (t) => t.symlink("made", "target")],
  ] as [string, number, (t: Trial) => ReturnType<Trial["file"]>][]).map(
    ([what, kind, make]) =>
      succeeds("getattr", what, {
        args: (t) => ({ node: make(t) }),
        check(t, { attributes }) {
          assert.equal(attributes.mode & S_IFMT, kind);
          isLike(attributes, t.stat(t.get("made")));
        },
      }),
  ),
  succeeds("getattr", "a file without names that is open", {
    async args(t) {
      const node = t.file("gone", { data: "still" });
      await t.open(node);
      t.fs.unlink(t.dir.ino, "gone");
      return { node };
    },
    check: (_, { attributes }) => assert.equal(attributes.nlink, 0),
  }),
  ...[10, 100, 4000].map((length) =>
    succeeds("readlink", `a target of ${length} bytes`, {
      args: (t) => ({ node: t.symlink("link", "x".repeat(length)) }),
      check(_, { target }) {
        assert.equal(textOf(target), "x".repeat(length));
      },
    })
  ),
  fails("readlink", "EINVAL", "a file", {
    args: (t) => ({ node: t.file("file") }),
  }),
  succeeds("statfs", "as the engine has it", {
    args: () => ({}),
    check(t, { statistics }) {
      assert.deepEqual(statistics, { ...t.fs.statfs(), readOnly: false });
    },
  }),
  succeeds("statfs", "for one who may only look", {
    ...{ as: "reader", args: () => ({}) },
    check: (_, { statistics }) => assert.equal(statistics.readOnly, true),
  }),
];

/** See the module. */
export const NODE_CASES: readonly Case[] = [
  ...[
    ...RESOLVE,
    ...LOOKUP,
    ...WALK,
    ...CLOSED,
    ...ACCESS,
    ...READDIR,
    ...SETATTR,
  ],
  ...OTHERS,
];
