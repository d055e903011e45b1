/**
 * Cases: the original's operations on links, special files and attributes.
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
  S_IFSOCK,
} from "../../../fs/mod.ts";
import { type Case, fails, succeeds } from "./case.ts";
import { about, at, scene } from "./original_files.ts";
import {
  bytesOf,
  IMMUTABLE_FL,
  LONG_NAME,
  textOf,
  type Trial,
} from "./trial.ts";

const RDEV = { major: 300, minor: 70_000 };
const NO_RDEV = { major: 0, minor: 0 };
const SAME_ID = 0xffffffff;
const TIME = { sec: 1_234_567_890, nsec: 123_456_789 };

type Special = "path_symlink" | "path_mknod";

/** A case of both operations that make something that is no file. */
function special(
  gives: Parameters<typeof fails>[1],
  what: string,
  name: string,
  options: Pick<Case, "as" | "when"> & { prepare?: (t: Trial) => void } = {},
): Case[] {
  const { prepare, ...rest } = options;
  return (["path_symlink", "path_mknod"] as Special[]).map((operation) =>
    fails(operation, gives, what, {
      ...{ ...rest, args: about(operation, name, prepare) },
    })
  );
}

const MADE: Case[] = [
  ...[1, 100, 4095].map((length) =>
    succeeds("path_symlink", `a target of ${length} bytes`, {
      args: (t) => ({
        ...{ path: at(t, "new"), target: bytesOf("x".repeat(length)) },
      }),
      check(t) {
        const target = t.fs.readlink(t.get("new").ino);
        assert.equal(textOf(target), "x".repeat(length));
      },
    })
  ),
  ...([
    ["a named pipe", S_IFIFO, NO_RDEV],
    ["a socket", S_IFSOCK, NO_RDEV],
    ["a block device", S_IFBLK, RDEV],
    ["a character device", S_IFCHR, RDEV],
  ] as const).map(([what, kind, rdev]) =>
    succeeds("path_mknod", what, {
      args: (t) => ({ path: at(t, "new"), mode: kind | 0o640, rdev }),
      check(t) {
        const found = t.stat(t.get("new"));
        assert.deepEqual([found.mode, found.rdev], [kind | 0o640, rdev]);
      },
    })
  ),
  ...special("EEXIST", "a name that is taken", "file"),
  ...special("EEXIST", "the directory .", "."),
  ...special("ENOENT", "a name with a slash behind it", "new/"),
  ...special("EPERM", "in a directory that is immutable", "below/new", {
    prepare(t) {
      scene(t);
      t.fs.setattr(t.get("below").ino, { flags: IMMUTABLE_FL });
    },
  }),
  ...special("EACCES", "in a directory that may not be written", "new", {
    as: "user",
  }),
  ...special("ENOSPC", "and no free inode", "new", { when: "crowded" }),
  ...special("ENOSPC", "in a full directory", `packed/${LONG_NAME}`, {
    when: "full",
    prepare: (t) => t.packed(),
  }),
  fails("path_symlink", "ENOENT", "an empty target", {
    args: (t) => ({ path: at(t, "new"), target: bytesOf("") }),
  }),
  fails("path_mknod", "EINVAL", "a directory", {
    args: (t) => ({ path: at(t, "new"), mode: S_IFDIR | 0o755, rdev: NO_RDEV }),
  }),
  fails("path_mknod", "EPERM", "a device, by who is not the superuser", {
    as: "user",
    args(t) {
      t.directory("own", { uid: 1000, gid: 1000 });
      return { path: at(t, "own/new"), mode: S_IFBLK | 0o600, rdev: RDEV };
    },
  }),
];

const READ: Case[] = [
  succeeds("path_readlink", "a link", {
    args: about("path_readlink", "link"),
    check: (_, { target }) => assert.equal(textOf(target), "file"),
  }),
  fails("path_readlink", "EINVAL", "a file", {
    args: about("path_readlink", "file"),
  }),
  succeeds("raw_inode", "as the volume has it", {
    args: about("raw_inode", "file"),
    check(t, { ino, bytes }) {
      assert.equal(ino, t.get("file").ino);
      assert.equal(bytes.length, 256);
      assert.equal(INODE.i_size.get(bytes, 0), 10);
    },
  }),
  fails("raw_inode", "EPERM", "by who is not the superuser", {
    ...{ as: "user", args: about("raw_inode", "file") },
  }),
];

type Setting =
  | "mode_set"
  | "owner_set"
  | "atime_set"
  | "mtime_set"
  | "ctime_set";
type Getting =
  | "mode_get"
  | "owner_get"
  | "atime_get"
  | "mtime_get"
  | "ctime_get";

const SETTING: Setting[] = [
  ...["mode_set", "owner_set", "atime_set", "mtime_set", "ctime_set"] as const,
];
const GETTING: Getting[] = [
  ...["mode_get", "owner_get", "atime_get", "mtime_get", "ctime_get"] as const,
];

/** A case of each operation that looks at attributes, or changes them. */
const REFUSED: Case[] = [
  ...[...SETTING, ...GETTING].map((operation) =>
    fails(operation, "ENOENT", "a link that leads nowhere", {
      args: about(operation, "dangling"),
    })
  ),
  ...SETTING.flatMap((operation) => [
    fails(operation, "EPERM", "of a file that is immutable", {
      args: about(operation, "file", (t) => {
        scene(t);
        t.fs.setattr(t.get("file").ino, { flags: IMMUTABLE_FL });
      }),
    }),
    fails(operation, "EPERM", "of another's file", {
      ...{ as: "user", args: about(operation, "file") },
    }),
  ]),
];

const TIMES = ["atime", "mtime", "ctime"] as const;

const ATTRIBUTES: Case[] = [
  succeeds("mode_set", "of what a link leads to", {
    args(t) {
      scene(t);
      return { path: at(t, "link"), mode: 0o104751 };
    },
    check: (t) => assert.equal(t.stat(t.get("file")).mode, 0o104751),
  }),
  succeeds("mode_get", "of a directory", {
    args: about("mode_get", "below"),
    check: (_, { mode }) => assert.equal(mode, S_IFDIR | 0o755),
  }),
  succeeds("owner_set", "both", {
    args(t) {
      scene(t);
      return { path: at(t, "file"), uid: 70_000, gid: 80_000 };
    },
    check(t) {
      const { uid, gid } = t.stat(t.get("file"));
      assert.deepEqual([uid, gid], [70_000, 80_000]);
    },
  }),
  succeeds("owner_set", "the group alone", {
    args(t) {
      t.file("file", { uid: 5, gid: 6 });
      return { path: at(t, "file"), uid: SAME_ID, gid: 7 };
    },
    check(t) {
      const { uid, gid } = t.stat(t.get("file"));
      assert.deepEqual([uid, gid], [5, 7]);
    },
  }),
  succeeds("owner_get", "of a file", {
    args: about("owner_get", "file", (t) => t.file("file", { uid: 5, gid: 6 })),
    check: (_, results) => assert.deepEqual(results, { uid: 5, gid: 6 }),
  }),
  ...TIMES.flatMap((name) => [
    succeeds(`${name}_set`, "and no other", {
      args(t) {
        scene(t);
        const before = t.stat(t.get("file"));
        return { path: at(t, "file"), time: TIME, before };
      },
      check(t, _, { before }) {
        const found = t.stat(t.get("file"));
        assert.deepEqual(found[name], TIME);
        for (const other of TIMES) {
          // That of the last change of any kind shows that there was one.
          if (other === name || other === "ctime") continue;
          assert.deepEqual(found[other], before[other]);
        }
      },
    }),
    succeeds(`${name}_get`, "of a file", {
      args: about(`${name}_get`, "file", (t) => {
        scene(t);
        t.fs.setattr(t.get("file").ino, { [name]: TIME });
      }),
      check: (_, { time }) => assert.deepEqual(time, TIME),
    }),
  ]) as Case[],
];

/** See the module. */
export const ORIGINAL_ATTRIBUTE_CASES: readonly Case[] = [
  ...[...MADE, ...READ, ...REFUSED, ...ATTRIBUTES],
];
