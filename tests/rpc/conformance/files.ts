/**
 * Cases: open files and their contents.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type -- the type of the table gives it

import assert from "node:assert/strict";
import { INODE } from "../../../fs/inode.ts";
import {
  type Arguments,
  O_APPEND,
  O_DIRECTORY,
  O_DSYNC,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
} from "../../../rpc/mod.ts";
import { type Case, fails, succeeds } from "./case.ts";
import {
  APPEND_FL,
  bytesOf,
  IMMUTABLE_FL,
  isLike,
  textOf,
  type Trial,
} from "./trial.ts";
import { STRICT } from "./world.ts";

const TEXT = "0123456789";
const BEYOND = 2 ** 52;

const opening =
  (flags: number, options: Parameters<Trial["file"]>[1] = {}) =>
  (t: Trial): Arguments<"open"> => ({
    ...{ node: t.file("file", { data: TEXT, ...options }), flags },
  });

/** Opens as many files as the strict server lets. */
export async function exhaust(t: Trial): Promise<void> {
  const node = t.file("exhausting");
  for (let i = 0; i < STRICT.descriptors; i++) await t.open(node, O_RDONLY);
}

const OPENED: Case[] = [
  ...[O_RDONLY, O_WRONLY, O_RDWR | O_APPEND, O_RDWR | O_DSYNC].map((flags) =>
    succeeds("open", `with flags 0o${flags.toString(8)}`, {
      quiet: true,
      args: opening(flags),
      check(t, { descriptor, attributes }) {
        t.opened(descriptor);
        assert.ok(descriptor > 0);
        isLike(attributes, t.stat(t.get("file")));
      },
    })
  ),
  succeeds("open", "with O_TRUNC", {
    args: opening(O_WRONLY | O_TRUNC),
    check(t, { descriptor, attributes }) {
      t.opened(descriptor);
      assert.deepEqual([attributes.size, t.text(attributes)], [0, ""]);
    },
  }),
  ...[0, O_DIRECTORY].map((flags) =>
    succeeds("open", `a directory with flags 0o${flags.toString(8)}`, {
      quiet: true,
      args: (t) => ({ node: t.dir, flags }),
      check: (t, { descriptor }) => t.opened(descriptor),
    })
  ),
  fails("open", "EISDIR", "a directory for writing", {
    args: (t) => ({ node: t.dir, flags: O_WRONLY }),
  }),
  fails("open", "ENOTDIR", "a file with O_DIRECTORY", {
    args: opening(O_DIRECTORY),
  }),
  fails("open", "ELOOP", "a symbolic link", {
    args: (t) => ({ node: t.symlink("link", "target"), flags: O_RDONLY }),
  }),
  fails("open", "EINVAL", "a named pipe", {
    args: (t) => ({ node: t.fifo("pipe"), flags: O_RDONLY }),
  }),
  ...([
    ["an unknown flag", 0o100000000],
    ["both accesses at once", 3],
    ["O_TRUNC without writing", O_TRUNC],
    ["O_EXCL", O_RDWR | O_EXCL],
    ["O_CREAT", O_RDWR | 0o100],
  ] as const).map(([what, flags]) =>
    fails("open", "EINVAL", what, { args: opening(flags) })
  ),
  fails("open", "EMFILE", "more files than may be open", {
    ...{ as: "strict", alone: true },
    async args(t) {
      await exhaust(t);
      return opening(O_RDONLY)(t);
    },
  }),
  fails("open", "EROFS", "for writing, of one who may only look", {
    ...{ as: "reader", args: opening(O_RDWR) },
  }),
  fails("open", "EROFS", "with O_TRUNC, on a host that has failed before", {
    ...{ when: "refusing", args: opening(O_RDWR | O_TRUNC) },
  }),
  fails("open", "EACCES", "what the user may not write", {
    ...{ as: "user", args: opening(O_WRONLY) },
  }),
  fails("open", "EACCES", "what the user may not read", {
    ...{ as: "user", args: opening(O_RDONLY, { mode: 0o600 }) },
  }),
  fails("open", "EPERM", "a file that only grows, to be cut", {
    args(t) {
      const args = opening(O_WRONLY | O_TRUNC)(t);
      t.fs.setattr(args.node.ino, { flags: APPEND_FL });
      return args;
    },
  }),
  succeeds("close", "a file", {
    quiet: true,
    args: async (t) => ({ descriptor: await t.open(t.file("file")) }),
    async check(t, _, { descriptor }) {
      const again = await t.caller.call("close", { descriptor });
      assert.equal(again.outcome, "EBADF");
      // The number does not come back.
      assert.ok(await t.open(t.get("file")) > descriptor);
    },
  }),
  succeeds("close", "a file without names, which goes with it", {
    async args(t) {
      const node = t.file("file");
      const descriptor = await t.open(node);
      t.fs.unlink(t.dir.ino, "file");
      return { descriptor, node };
    },
    check(t, _, { node }) {
      assert.throws(() => t.fs.getattr(node.ino), /Stale/);
    },
  }),
];

const creating =
  (flags: number, prepare?: (t: Trial) => void) =>
  (t: Trial): Arguments<"create"> => {
    prepare?.(t);
    return { dir: t.dir, name: bytesOf("file"), mode: 0o6751, flags };
  };

const existing = (t: Trial): void => {
  t.file("file", { data: TEXT });
};

const CREATED: Case[] = [
  ...[O_RDWR, O_WRONLY | O_EXCL, O_RDONLY, O_RDWR | O_TRUNC].map((flags) =>
    succeeds("create", `a new file with flags 0o${flags.toString(8)}`, {
      args: creating(flags),
      check(t, { descriptor, attributes }) {
        t.opened(descriptor);
        assert.equal(attributes.mode, 0o106751);
        isLike(attributes, t.stat(t.get("file")));
      },
    })
  ),
  succeeds("create", "one that exists is opened", {
    args: creating(O_RDWR, existing),
    check(t, { descriptor, attributes }) {
      t.opened(descriptor);
      assert.equal(attributes.size, 10);
    },
  }),
  succeeds("create", "one that exists is cut", {
    args: creating(O_RDWR | O_TRUNC, existing),
    check(t, { descriptor }) {
      t.opened(descriptor);
      assert.equal(t.text(t.get("file")), "");
    },
  }),
  fails("create", "EISDIR", "a directory that exists", {
    args: creating(O_RDWR, (t) => t.directory("file")),
  }),
  fails("create", "ELOOP", "a symbolic link that exists", {
    args: creating(O_RDWR, (t) => t.symlink("file", "target")),
  }),
  fails("create", "EINVAL", "a directory, by O_DIRECTORY", {
    args: creating(O_DIRECTORY),
  }),
  fails("create", "EINVAL", "an unknown flag", { args: creating(0o100) }),
  fails("create", "EMFILE", "more files than may be open", {
    ...{ as: "strict", alone: true },
    async args(t) {
      await exhaust(t);
      return creating(O_RDWR)(t);
    },
  }),
  fails("create", "EACCES", "one that exists, which the user may not write", {
    ...{ as: "user", args: creating(O_RDWR, existing) },
  }),
];

const CONTENTS: Case[] = [
  ...([
    ["from the middle", 4, 3, "456"],
    ["over the end", 8, 100, "89"],
    ["behind the end", 100, 5, ""],
    ["nothing", 0, 0, ""],
  ] as const).map(([what, offset, length, text]) =>
    succeeds("read", what, {
      async args(t) {
        const descriptor = await t.open(t.file("file", { data: TEXT }));
        return { descriptor, offset, length };
      },
      check: (_, { data }) => assert.equal(textOf(data), text),
    })
  ),
  succeeds("read", "a hole", {
    async args(t) {
      const node = t.file("file");
      t.fs.setattr(node.ino, { size: 50_000 });
      return { descriptor: await t.open(node), offset: 100, length: 9_000 };
    },
    check: (_, { data }) => assert.deepEqual(data, new Uint8Array(9_000)),
  }),
  fails("read", "EBADF", "a file that is open for writing only", {
    async args(t) {
      const descriptor = await t.open(t.file("file"), O_WRONLY);
      return { descriptor, offset: 0, length: 5 };
    },
  }),
  fails("read", "EISDIR", "a directory", {
    args: async (t) => ({
      ...{ descriptor: await t.open(t.dir, O_RDONLY), offset: 0, length: 5 },
    }),
  }),
  fails("read", "EINVAL", "more than one reply may hold", {
    async args(t) {
      const { maxData } = await greeting(t);
      const descriptor = await t.open(t.file("file"));
      return { descriptor, offset: 0, length: maxData + 1 };
    },
  }),
  fails("read", "EUCLEAN", "a block pointer that leads out of the volume", {
    when: "damaged",
    async args(t) {
      const node = t.file("file", { data: TEXT });
      t.harm(node, INODE.i_block.offset, 255, 255, 255, 255);
      return { descriptor: await t.open(node), offset: 0, length: 5 };
    },
  }),
  ...([
    ["into the middle", O_RDWR, 4, "0123new789"],
    ["behind the end", O_RDWR, 12, "0123456789\0\0new"],
    ["with O_APPEND, to the end", O_WRONLY | O_APPEND, 0, "0123456789new"],
    ["with O_DSYNC", O_WRONLY | O_DSYNC, 7, "0123456new"],
  ] as const).map(([what, flags, offset, text]) =>
    succeeds("write", what, {
      async args(t) {
        const descriptor = await t.open(t.file("file", { data: TEXT }), flags);
        return { descriptor, offset, data: bytesOf("new") };
      },
      check(t, { count }) {
        assert.deepEqual([count, t.text(t.get("file"))], [3, text]);
      },
    })
  ),
  succeeds("write", "nothing", {
    async args(t) {
      const descriptor = await t.open(t.file("file", { data: TEXT }));
      return { descriptor, offset: 99, data: new Uint8Array() };
    },
    check(t, { count }) {
      assert.deepEqual([count, t.text(t.get("file"))], [0, TEXT]);
    },
  }),
  fails("write", "EBADF", "a file that is open for reading only", {
    async args(t) {
      const descriptor = await t.open(t.file("file"), O_RDONLY);
      return { descriptor, offset: 0, data: bytesOf("new") };
    },
  }),
  fails("write", "EFBIG", "beyond the format's limit", {
    async args(t) {
      const descriptor = await t.open(t.file("file"));
      return { descriptor, offset: BEYOND, data: bytesOf("new") };
    },
  }),
  fails("write", "ENOSPC", "a volume without a free block", {
    when: "full",
    async args(t) {
      const descriptor = await t.open(t.file("file"));
      return { descriptor, offset: 0, data: bytesOf("new") };
    },
  }),
  fails("write", "EPERM", "a file that has become immutable", {
    async args(t) {
      const node = t.file("file");
      const descriptor = await t.open(node);
      t.fs.setattr(node.ino, { flags: IMMUTABLE_FL });
      return { descriptor, offset: 0, data: bytesOf("new") };
    },
  }),
  fails("write", "EINVAL", "more than one request may hold", {
    async args(t) {
      const descriptor = await t.open(t.file("file"));
      // Within the frame, which also holds ids and the like.
      const data = new Uint8Array((await greeting(t)).maxData + 1);
      return { descriptor, offset: 0, data };
    },
  }),
];

/** What the server says in its hello to another connection. */
async function greeting(t: Trial): Promise<{ maxData: number }> {
  const caller = await t.connect(t.actor, { hello: false });
  return await caller.succeed("hello", {
    magic: "nextfs",
    version: 1,
    maxFrame: 2 ** 20,
    maxInFlight: 64,
    extensions: [],
  });
}

/** See the module. */
export const FILE_CASES: readonly Case[] = [
  ...[...OPENED, ...CREATED, ...CONTENTS],
];
