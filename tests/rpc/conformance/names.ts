/**
 * Cases: names in directories.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type -- the type of the table gives it

import assert from "node:assert/strict";
import { INODE } from "../../../fs/inode.ts";
import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFSOCK,
} from "../../../fs/mod.ts";
import type { Arguments } from "../../../rpc/mod.ts";
import { type Case, fails, succeeds } from "./case.ts";
import {
  APPEND_FL,
  bytesOf,
  IMMUTABLE_FL,
  isLike,
  isSame,
  LONG_NAME,
  textOf,
  type Trial,
} from "./trial.ts";

const RDEV = { major: 300, minor: 70_000 };
const NO_RDEV = { major: 0, minor: 0 };
/** 32,000 as an inode's link count: no more names. */
const LINKS_FULL = [32_000 & 255, 32_000 >> 8];

type Making = "mkdir" | "mknod" | "symlink" | "link" | "create";
type Place = Pick<Arguments<"mkdir">, "dir" | "name">;

/** The rest of a request that makes a name. */
const MAKE: {
  [K in Making]: (t: Trial, place: Place) => Arguments<K>;
} = {
  mkdir: (_, place) => ({ ...place, mode: 0o755 }),
  mknod: (_, place) => ({ ...place, mode: S_IFIFO | 0o644, rdev: NO_RDEV }),
  symlink: (_, place) => ({ ...place, target: bytesOf("target") }),
  link: (t, place) => ({ ...place, node: t.file("first name") }),
  create: (_, place) => ({ ...place, mode: 0o644, flags: 0o200 }),
};

/** A case of each operation that makes a name. */
function making(
  gives: Parameters<typeof fails>[1],
  what: string,
  place: (t: Trial) => Place | Promise<Place>,
  options: Pick<Case, "when" | "as"> = {},
): Case[] {
  return (Object.keys(MAKE) as Making[]).map((operation) =>
    fails(operation, gives, what, {
      ...options,
      async args(t) {
        const found = await place(t);
        return MAKE[operation](t, found) as Arguments<typeof operation>;
      },
    })
  );
}

const inDir = (name: string) => (t: Trial): Place => ({
  ...{ dir: t.dir, name: bytesOf(name) },
});

const MADE: Case[] = [
  ...making("EEXIST", "a name that is taken", (t) => {
    t.file("taken");
    return inDir("taken")(t);
  }),
  ...making("EEXIST", "the name .", inDir(".")),
  ...making("EEXIST", "the name ..", inDir("..")),
  ...making("EINVAL", "a name with a slash", inDir("a/b")),
  ...making("EINVAL", "a name with a NUL", inDir("a\0b")),
  ...making(
    "ENOENT",
    "a directory that was removed, but is open",
    async (t) => {
      const dir = t.directory("gone");
      await t.open(dir, 0);
      t.fs.rmdir(t.dir.ino, "gone");
      return { dir, name: bytesOf("new") };
    },
  ),
  ...making("EPERM", "a directory that is immutable", (t) => {
    const dir = t.directory("frozen");
    t.fs.setattr(dir.ino, { flags: IMMUTABLE_FL });
    return { dir, name: bytesOf("new") };
  }),
  ...making("ENOSPC", "a directory that would need a block", (t) => ({
    ...{ dir: t.packed(), name: bytesOf(LONG_NAME) },
  }), { when: "full" }),
  ...making("EACCES", "a directory that the user may not write", (t) => {
    return { dir: t.dir, name: bytesOf("new") };
  }, { as: "user" }),
  ...making("EACCES", "a directory that the user may not search", (t) => ({
    dir: t.directory("closed", { mode: 0o600, uid: 1000, gid: 1000 }),
    name: bytesOf("new"),
  }), { as: "user" }),
  ...(["mkdir", "mknod", "symlink", "create"] as const).map((operation) =>
    fails(operation, "ENOSPC", "a volume without a free inode", {
      when: "crowded",
      args: (t) =>
        MAKE[operation](t, inDir("new")(t)) as Arguments<typeof operation>,
    })
  ),
  fails("mkdir", "ENOSPC", "a volume without a free block", {
    when: "full",
    args: (t) => MAKE.mkdir(t, inDir("new")(t)),
  }),
  fails("symlink", "ENOSPC", "a long target, and no free block", {
    when: "full",
    args: (t) => ({ ...inDir("new")(t), target: bytesOf("x".repeat(100)) }),
  }),
  fails("mkdir", "EMLINK", "a directory with 32,000 links", {
    when: "damaged",
    args(t) {
      const dir = t.directory("full");
      t.harm(dir, INODE.i_links_count.offset, ...LINKS_FULL);
      return { dir, name: bytesOf("new"), mode: 0o755 };
    },
  }),
  fails("link", "EMLINK", "a file with 32,000 names", {
    when: "damaged",
    args(t) {
      const node = t.file("file");
      t.harm(node, INODE.i_links_count.offset, ...LINKS_FULL);
      return { node, dir: t.dir, name: bytesOf("new") };
    },
  }),
  fails("link", "EPERM", "a directory", {
    args: (t) => ({
      ...{ node: t.directory("below"), dir: t.dir, name: bytesOf("new") },
    }),
  }),
  fails("link", "EPERM", "a file that is immutable", {
    args(t) {
      const node = t.file("file");
      t.fs.setattr(node.ino, { flags: IMMUTABLE_FL });
      return { node, dir: t.dir, name: bytesOf("new") };
    },
  }),
  fails("link", "ENOENT", "a file that was removed, but is open", {
    async args(t) {
      const node = t.file("gone");
      await t.open(node);
      t.fs.unlink(t.dir.ino, "gone");
      return { node, dir: t.dir, name: bytesOf("new") };
    },
  }),
  fails("symlink", "ENOENT", "an empty target", {
    args: (t) => ({ ...inDir("new")(t), target: bytesOf("") }),
  }),
  fails("mknod", "EINVAL", "a kind that is no special file", {
    args: (t) => ({ ...inDir("new")(t), mode: S_IFDIR | 0o755, rdev: RDEV }),
  }),
  fails("mknod", "EPERM", "a device, by who is not the superuser", {
    as: "user",
    args: (t) => ({
      dir: t.directory("own", { uid: 1000, gid: 1000 }),
      name: bytesOf("new"),
      mode: S_IFBLK | 0o600,
      rdev: RDEV,
    }),
  }),
];

const SUCCESSES: Case[] = [
  succeeds("mkdir", "with set-id and sticky bits", {
    args: (t) => ({ ...inDir("new")(t), mode: 0o7751 }),
    check(t, { attributes }) {
      assert.equal(attributes.mode, S_IFDIR | 0o7751);
      isLike(attributes, t.stat(t.get("new")));
      assert.deepEqual([attributes.nlink, t.stat(t.dir).nlink], [2, 3]);
      assert.deepEqual(t.names(attributes), []);
    },
  }),
  succeeds("mkdir", "with the longest name, of any bytes", {
    args: (t) => ({
      ...{ dir: t.dir, name: new Uint8Array(255).fill(0xff), mode: 0o700 },
    }),
    check: (t, { attributes }) => isSame(attributes, t.get(LONG_BYTES)),
  }),
  succeeds("mkdir", "in a directory with a set-gid bit", {
    args: (t) => ({
      dir: t.directory("shared", { mode: 0o2777, gid: 1234 }),
      name: bytesOf("new"),
      mode: 0o755,
    }),
    check(_, { attributes }) {
      assert.deepEqual([attributes.gid, attributes.mode & 0o7777], [
        ...[1234, 0o2755],
      ]);
    },
  }),
  succeeds("mkdir", "the user's own", {
    as: "user",
    args: (t) => ({
      dir: t.directory("own", { uid: 1000, gid: 1000 }),
      name: bytesOf("new"),
      mode: 0o755,
    }),
    check(_, { attributes }) {
      assert.deepEqual([attributes.uid, attributes.gid], [1000, 1000]);
    },
  }),
  ...([
    ["a named pipe", S_IFIFO, NO_RDEV],
    ["a socket", S_IFSOCK, NO_RDEV],
    ["a block device", S_IFBLK, RDEV],
    ["a character device", S_IFCHR, RDEV],
  ] as const).map(([what, kind, rdev]) =>
    succeeds("mknod", what, {
      args: (t) => ({ ...inDir("new")(t), mode: kind | 0o640, rdev }),
      check(t, { attributes }) {
        assert.equal(attributes.mode, kind | 0o640);
        assert.deepEqual(attributes.rdev, rdev);
        isLike(attributes, t.stat(t.get("new")));
      },
    })
  ),
  ...[1, 59, 60, 4095].map((length) =>
    succeeds("symlink", `a target of ${length} bytes`, {
      args: (t) => ({
        ...inDir("new")(t),
        target: bytesOf("x".repeat(length)),
      }),
      check(t, { attributes }) {
        assert.equal(attributes.mode & S_IFMT, S_IFLNK);
        assert.equal(attributes.size, length);
        const { ino } = t.get("new");
        assert.equal(textOf(t.fs.readlink(ino)), "x".repeat(length));
      },
    })
  ),
  succeeds("link", "a file", {
    args: (t) => ({ node: t.file("file"), ...inDir("new")(t) }),
    check(t, _, { node }) {
      isSame(t.get("new"), node);
      assert.equal(t.stat(node).nlink, 2);
    },
  }),
  succeeds("link", "a symbolic link itself", {
    args: (t) => ({ node: t.symlink("link", "x"), ...inDir("new")(t) }),
    check: (t, _, { node }) => isSame(t.get("new"), node),
  }),
];

const LONG_BYTES = new Uint8Array(255).fill(0xff);

/** A case of each operation that takes a name away. */
function removing(
  gives: Parameters<typeof fails>[1],
  what: string,
  make: (t: Trial, kind: "file" | "directory") => Place,
  options: Pick<Case, "as"> = {},
): Case[] {
  return [
    fails("unlink", gives, what, {
      ...options,
      args: (t) => make(t, "file"),
    }),
    fails("rmdir", gives, what, {
      ...options,
      args: (t) => make(t, "directory"),
    }),
  ];
}

const REMOVED: Case[] = [
  ...removing("ENOENT", "no such name", inDir("no")),
  ...removing("EPERM", "a directory that only grows", (t, kind) => {
    const dir = t.directory("log");
    t[kind]("entry", { in: dir });
    t.fs.setattr(dir.ino, { flags: APPEND_FL });
    return { dir, name: bytesOf("entry") };
  }),
  ...removing("EPERM", "what is immutable", (t, kind) => {
    t.fs.setattr(t[kind]("entry").ino, { flags: IMMUTABLE_FL });
    return inDir("entry")(t);
  }),
  ...removing(
    "EACCES",
    "a directory that the user may not write",
    (t, kind) => {
      t[kind]("entry", { uid: 1000, gid: 1000 });
      return inDir("entry")(t);
    },
    { as: "user" },
  ),
  ...removing("EPERM", "another's, in a sticky directory", (t, kind) => {
    const dir = t.directory("tmp", { mode: 0o1777 });
    t[kind]("entry", { in: dir });
    return { dir, name: bytesOf("entry") };
  }, { as: "user" }),
  ...[".", "..", "below"].map((name) =>
    fails("unlink", "EISDIR", `the directory ${name}`, {
      args(t) {
        t.directory("below");
        return inDir(name)(t);
      },
    })
  ),
  fails("rmdir", "ENOTDIR", "a file", {
    args(t) {
      t.file("file");
      return inDir("file")(t);
    },
  }),
  fails("rmdir", "ENOTEMPTY", "a directory with an entry", {
    args(t) {
      t.file("file", { in: t.directory("below") });
      return inDir("below")(t);
    },
  }),
  fails("rmdir", "EINVAL", "the name .", { args: inDir(".") }),
  fails("rmdir", "ENOTEMPTY", "the name ..", { args: inDir("..") }),
  succeeds("unlink", "one of two names", {
    args(t) {
      const { ino } = t.file("file");
      t.fs.link(ino, t.dir.ino, "other");
      return inDir("file")(t);
    },
    check(t) {
      assert.deepEqual(t.names(), ["other"]);
      assert.equal(t.stat(t.get("other")).nlink, 1);
    },
  }),
  succeeds("unlink", "the last name of a file that is open", {
    async args(t) {
      const descriptor = await t.open(t.file("file", { data: "still" }));
      return { ...inDir("file")(t), descriptor };
    },
    async check(t, _, { descriptor }) {
      assert.deepEqual(t.names(), []);
      const read = { descriptor, offset: 0, length: 9 };
      const { data } = await t.caller.succeed("read", read);
      assert.equal(textOf(data), "still");
    },
  }),
  succeeds("unlink", "the last name of a file", {
    args(t) {
      const node = t.file("file");
      return { ...inDir("file")(t), node };
    },
    check(t, _, { node }) {
      assert.throws(() => t.fs.getattr(node.ino), /ESTALE|Stale/);
    },
  }),
  succeeds("rmdir", "an empty directory", {
    args(t) {
      t.directory("below");
      return inDir("below")(t);
    },
    check(t) {
      assert.deepEqual([t.names(), t.stat(t.dir).nlink], [[], 2]);
    },
  }),
];

/** A request that renames `from` to `to` in the case's directory. */
function renaming(
  from: string,
  to: string,
  prepare: (t: Trial) => void,
  noReplace = false,
): (t: Trial) => Arguments<"rename"> {
  return (t) => {
    prepare(t);
    return {
      ...{ fromDir: t.dir, fromName: bytesOf(from) },
      ...{ toDir: t.dir, toName: bytesOf(to), noReplace },
    };
  };
}

/** Two files and two directories, the second of which is not empty. */
function both(t: Trial): void {
  t.file("file", { data: "one" });
  t.file("other", { data: "two" });
  t.directory("empty");
  t.file("inside", { in: t.directory("filled") });
}

const RENAMED: Case[] = [
  succeeds("rename", "in one directory", {
    args: renaming("file", "new", both),
    check(t) {
      assert.equal(t.find("file"), null);
      assert.equal(t.text(t.get("new")), "one");
    },
  }),
  succeeds("rename", "over a file", {
    args: renaming("file", "other", both),
    check(t) {
      assert.equal(t.find("file"), null);
      assert.equal(t.text(t.get("other")), "one");
    },
  }),
  succeeds("rename", "a directory over an empty one", {
    args: renaming("filled", "empty", both),
    check: (t) => assert.deepEqual(t.names(t.get("empty")), ["inside"]),
  }),
  succeeds("rename", "a directory into another", {
    args(t) {
      both(t);
      return {
        ...{ fromDir: t.dir, fromName: bytesOf("empty") },
        ...{ toDir: t.get("filled"), toName: bytesOf("new") },
        noReplace: true,
      };
    },
    check(t) {
      const filled = t.get("filled");
      isSame(t.get("..", t.get("new", filled)), filled);
      assert.deepEqual([t.stat(filled).nlink, t.stat(t.dir).nlink], [3, 3]);
    },
  }),
  succeeds("rename", "to another name of the same file", {
    args: renaming("file", "twin", (t) => {
      both(t);
      t.fs.link(t.get("file").ino, t.dir.ino, "twin");
    }),
    check(t) {
      isSame(t.get("file"), t.get("twin"));
      assert.equal(t.stat(t.get("file")).nlink, 2);
    },
  }),
  fails("rename", "ENOENT", "no such name", {
    args: renaming("no", "x", both),
  }),
  fails("rename", "EEXIST", "a name that is taken, without replacing", {
    args: renaming("file", "other", both, true),
  }),
  fails("rename", "EISDIR", "a file over a directory", {
    args: renaming("file", "empty", both),
  }),
  fails("rename", "ENOTDIR", "a directory over a file", {
    args: renaming("empty", "file", both),
  }),
  fails("rename", "ENOTEMPTY", "a directory over a filled one", {
    args: renaming("empty", "filled", both),
  }),
  fails("rename", "EINVAL", "the name .", { args: renaming(".", "x", both) }),
  fails("rename", "EINVAL", "to the name ..", {
    args: renaming("file", "..", both),
  }),
  fails("rename", "EINVAL", "a directory into itself", {
    args(t) {
      both(t);
      return {
        ...{ fromDir: t.dir, fromName: bytesOf("filled") },
        ...{ toDir: t.get("filled"), toName: bytesOf("x"), noReplace: false },
      };
    },
  }),
  fails("rename", "ENOENT", "into a directory that was removed", {
    async args(t) {
      const toDir = t.directory("gone");
      await t.open(toDir, 0);
      t.fs.rmdir(t.dir.ino, "gone");
      return { ...renaming("file", "x", both)(t), toDir };
    },
  }),
  fails("rename", "ENOSPC", "into a directory that would need a block", {
    when: "full",
    args(t) {
      const toDir = t.packed();
      return { ...renaming("file", LONG_NAME, both)(t), toDir };
    },
  }),
  fails("rename", "EMLINK", "a directory into one with 32,000 links", {
    when: "damaged",
    args(t) {
      const toDir = t.directory("full");
      t.harm(toDir, INODE.i_links_count.offset, ...LINKS_FULL);
      return { ...renaming("empty", "x", both)(t), toDir };
    },
  }),
  fails("rename", "EBUSY", "an entry that names the root", {
    when: "damaged",
    args(t) {
      const args = renaming("empty", "x", (t) => {
        t.directory("empty");
      })(t);
      // The third entry, behind those of . and ..
      t.harmBlock(t.dir, 24, 2, 0, 0, 0);
      return args;
    },
  }),
  fails("rename", "EPERM", "what is immutable", {
    args: renaming("file", "x", (t) => {
      both(t);
      t.fs.setattr(t.get("file").ino, { flags: IMMUTABLE_FL });
    }),
  }),
  fails("rename", "EACCES", "out of a directory that cannot be written", {
    ...{ as: "user", args: renaming("file", "x", both) },
  }),
  fails("rename", "EPERM", "another's, out of a sticky directory", {
    as: "user",
    args(t) {
      const fromDir = t.directory("tmp", { mode: 0o1777 });
      t.file("file", { in: fromDir });
      const toDir = t.directory("own", { uid: 1000, gid: 1000 });
      const toName = bytesOf("x");
      const fromName = bytesOf("file");
      return { fromDir, fromName, toDir, toName, noReplace: false };
    },
  }),
];

/** See the module. */
export const NAME_CASES: readonly Case[] = [
  ...[...MADE, ...SUCCESSES, ...REMOVED, ...RENAMED],
];
