/**
 * Cases: the original's operations on directories.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type -- the type of the table gives it

import assert from "node:assert/strict";
import { INODE } from "../../../fs/inode.ts";
import { S_IFDIR, S_IFLNK, S_IFREG } from "../../../fs/mod.ts";
import { O_RDONLY } from "../../../rpc/mod.ts";
import { type Case, fails, succeeds } from "./case.ts";
import { exhaust } from "./files.ts";
import { about, at, openPath, scene } from "./original_files.ts";
import {
  bytesOf,
  IMMUTABLE_FL,
  isSame,
  LONG_NAME,
  textOf,
  type Trial,
} from "./trial.ts";

/** 32,000 as an inode's link count: no more names. */
const LINKS_FULL = [32_000 & 255, 32_000 >> 8];

/** A directory with directories and files. */
function deep(t: Trial): void {
  scene(t);
  const below = t.get("below");
  const inner = t.directory("inner", { in: below });
  for (let i = 0; i < 20; i++) t.file(`file ${i}`, { in: inner });
  t.symlink("out", t.path, { in: inner });
}

const moving = (path: string, newPath: string) => (t: Trial) => {
  scene(t);
  t.directory("empty");
  return { path: at(t, path), newPath: at(t, newPath) };
};

function freeze(t: Trial, name: string): void {
  t.fs.setattr(t.get(name).ino, { flags: IMMUTABLE_FL });
}

const REMOVED: Case[] = [
  succeeds("dir_rm", "with all that is in it", {
    args: about("dir_rm", "below", deep),
    check(t) {
      assert.equal(t.find("below"), null);
      // A link in it was removed, not followed.
      assert.equal(t.text(t.get("file")), "0123456789");
    },
  }),
  fails("dir_rm", "ENOENT", "no such name", { args: about("dir_rm", "no") }),
  fails("dir_rm", "ENOTDIR", "a file", { args: about("dir_rm", "file") }),
  fails("dir_rm", "ENOTDIR", "a link to a directory", {
    args: about("dir_rm", "to below", (t) => {
      scene(t);
      t.symlink("to below", "below");
    }),
  }),
  fails("dir_rm", "EBUSY", "the volume's root", {
    args: () => ({ path: bytesOf("/") }),
  }),
  fails("dir_rm", "EPERM", "a directory that is immutable", {
    args: about("dir_rm", "below", (t) => {
      scene(t);
      freeze(t, "below");
    }),
  }),
  fails("dir_rm", "EACCES", "in a directory that may not be written", {
    ...{
      as: "user",
      args: about("dir_rm", "empty", (t) => {
        t.directory("empty", { uid: 1000, gid: 1000 });
      }),
    },
  }),
  fails("dir_rm", "ECANCELED", "that is cancelled", {
    // What was removed by then stays removed.
    changes: true,
    args: about("dir_rm", "below", (t) => {
      // Enough to take several turns.
      const { ino } = t.file("file");
      const below = t.directory("below");
      for (let i = 0; i < 4000; i++) t.fs.link(ino, below.ino, `${i}`);
    }),
    async send({ caller }, args) {
      const removing = caller.call("dir_rm", args);
      await caller.succeed("cancel", { id: caller.lastId });
      return await removing;
    },
    check: (t) => assert.notEqual(t.find("below"), null),
  }),
];

const RENAMED: Case[] = [
  succeeds("dir_mv", "to a new name", {
    args: moving("below", "empty/new"),
    check(t) {
      assert.equal(t.find("below"), null);
      const moved = t.get("new", t.get("empty"));
      assert.deepEqual(t.names(moved), ["inside"]);
    },
  }),
  succeeds("dir_mv", "over an empty directory", {
    args: moving("below", "empty"),
    check: (t) => assert.deepEqual(t.names(t.get("empty")), ["inside"]),
  }),
  fails("dir_mv", "ENOTEMPTY", "over a filled one", {
    args: moving("empty", "below"),
  }),
  fails("dir_mv", "ENOTDIR", "a file", { args: moving("file", "new") }),
  fails("dir_mv", "ENOTDIR", "over a file", { args: moving("empty", "file") }),
  fails("dir_mv", "EINVAL", "into itself", {
    args: moving("below", "below/new"),
  }),
  fails("dir_mv", "EBUSY", "the volume's root", {
    args: (t) => ({ path: bytesOf("/"), newPath: at(t, "new") }),
  }),
  fails("dir_mv", "EPERM", "a directory that is immutable", {
    args(t) {
      const args = moving("below", "new")(t);
      freeze(t, "below");
      return args;
    },
  }),
  fails("dir_mv", "EMLINK", "into one with 32,000 links", {
    when: "damaged",
    args(t) {
      const args = moving("below", "empty/new")(t);
      t.harm(t.get("empty"), INODE.i_links_count.offset, ...LINKS_FULL);
      return args;
    },
  }),
];

const MADE: Case[] = [
  succeeds("dir_mk", "a new directory", {
    args: about("dir_mk", "new"),
    check: (t) => assert.equal(t.stat(t.get("new")).mode, S_IFDIR | 0o777),
  }),
  succeeds("dir_mk", "one that is there", {
    ...{ quiet: true, args: about("dir_mk", "below") },
    check() {},
  }),
  succeeds("dir_mkdir", "with a mode", {
    args: (t) => ({ path: at(t, "new/"), mode: 0o1751 }),
    check: (t) => assert.equal(t.stat(t.get("new")).mode, S_IFDIR | 0o1751),
  }),
  fails("dir_mk", "EEXIST", "a file", { args: about("dir_mk", "file") }),
  ...["file", "below", "dangling", "."].map((name) =>
    fails("dir_mkdir", "EEXIST", `the name ${name}`, {
      args: about("dir_mkdir", name),
    })
  ),
  ...(["dir_mk", "dir_mkdir"] as const).flatMap((operation) => [
    fails(operation, "ENOSPC", "a volume without a free block", {
      ...{ when: "full", args: about(operation, "new") },
    }),
    fails(operation, "ENOSPC", "a volume without a free inode", {
      ...{ when: "crowded", args: about(operation, "new") },
    }),
    fails(operation, "EMLINK", "in a directory with 32,000 links", {
      when: "damaged",
      args(t) {
        const args = about(operation, "below/new")(t);
        t.harm(t.get("below"), INODE.i_links_count.offset, ...LINKS_FULL);
        return args;
      },
    }),
    fails(operation, "EPERM", "in a directory that is immutable", {
      args: about(operation, "below/new", (t) => {
        scene(t);
        freeze(t, "below");
      }),
    }),
    fails(operation, "EACCES", "in a directory that may not be written", {
      ...{ as: "user", args: about(operation, "new") },
    }),
  ]),
];

const opened = async (t: Trial): Promise<{ descriptor: number }> => {
  scene(t);
  const { descriptor } = await t.caller.succeed("dir_open", {
    path: bytesOf(t.path),
  });
  t.opened(descriptor);
  return { descriptor };
};

const openedFile = async (t: Trial): Promise<{ descriptor: number }> => {
  scene(t);
  return { descriptor: await openPath(t, "file", O_RDONLY) };
};

/** The names of all entries that are still to come, sorted. */
async function rest(
  t: Trial,
  { descriptor }: { descriptor: number },
): Promise<string[]> {
  const names: string[] = [];
  for (;;) {
    const { entry } = await t.caller.succeed("dir_entry_next", { descriptor });
    if (entry === null) return names.sort();
    names.push(textOf(entry.name));
  }
}

const all = (t: Trial): string[] => [".", "..", ...t.names()].sort();

const LISTED: Case[] = [
  succeeds("dir_open", "a directory, by way of a link", {
    quiet: true,
    args: about("dir_open", "to below", (t) => {
      scene(t);
      t.symlink("to below", "below");
    }),
    async check(t, { descriptor }) {
      t.opened(descriptor);
      assert.deepEqual(await rest(t, { descriptor }), [".", "..", "inside"]);
    },
  }),
  fails("dir_open", "ENOTDIR", "a file", { args: about("dir_open", "file") }),
  fails("dir_open", "EMFILE", "more files than may be open", {
    ...{ as: "strict", alone: true },
    async args(t) {
      await exhaust(t);
      return about("dir_open", "below")(t);
    },
  }),
  fails("dir_open", "EACCES", "a directory that may not be read", {
    as: "user",
    args: about("dir_open", "closed", (t) => {
      t.directory("closed", { mode: 0o711 });
    }),
  }),
  succeeds("dir_entry_next", "one entry after another", {
    quiet: true,
    args: opened,
    async check(t, { entry }, args) {
      assert.notEqual(entry, null);
      const { name, ino, kind } = entry!;
      assert.equal(ino, t.fs.lookup(t.dir.ino, name));
      assert.ok([S_IFDIR, S_IFREG, S_IFLNK].includes(kind));
      const names = [textOf(name), ...await rest(t, args)].sort();
      assert.deepEqual(names, all(t));
    },
  }),
  succeeds("dir_entry_next", "at the end", {
    quiet: true,
    async args(t) {
      const directory = await opened(t);
      await rest(t, directory);
      return directory;
    },
    check: (_, { entry }) => assert.equal(entry, null),
  }),
  succeeds("dir_entry_rewind", "lists from the start", {
    quiet: true,
    async args(t) {
      const directory = await opened(t);
      await rest(t, directory);
      return directory;
    },
    async check(t, _, args) {
      assert.deepEqual(await rest(t, args), all(t));
    },
  }),
  succeeds("dir_close", "a directory", {
    ...{ quiet: true, args: opened },
    async check(t, _, args) {
      assert.equal((await t.caller.call("dir_close", args)).outcome, "EBADF");
    },
  }),
  ...(["dir_entry_next", "dir_entry_rewind", "dir_close"] as const).map(
    (operation) =>
      fails(operation, "ENOTDIR", "the descriptor of a file", {
        args: openedFile,
      }),
  ),
  fails("dir_entry_next", "EUCLEAN", "entries that have no length", {
    when: "damaged",
    async args(t) {
      const directory = await opened(t);
      t.harmBlock(t.dir, 4, 0, 0);
      return directory;
    },
  }),
  succeeds("dir_list", "all entries", {
    args(t) {
      scene(t);
      return { path: bytesOf(t.path) };
    },
    check(t, { entries, end }) {
      const names = entries.map(({ name }) => textOf(name)).sort();
      assert.deepEqual([names, end], [all(t), true]);
      for (const { name, ino } of entries) {
        isSame(t.node(ino), t.node(t.fs.lookup(t.dir.ino, name)));
      }
    },
  }),
  succeeds("dir_list", "more than a reply holds", {
    args(t) {
      const file = t.file("file");
      const many = t.directory("many");
      for (let i = 0; i < 250; i++) {
        const name = LONG_NAME.replace("xxnn", `${1000 + i}`);
        t.fs.link(file.ino, many.ino, name);
      }
      return { path: at(t, "many") };
    },
    check(_, { entries, end }) {
      assert.equal(end, false);
      assert.ok(entries.length > 100 && entries.length < 252);
    },
  }),
  fails("dir_list", "ENOTDIR", "a file", { args: about("dir_list", "file") }),
  fails("dir_list", "EACCES", "a directory that may not be read", {
    as: "user",
    args: about("dir_list", "closed", (t) => {
      t.directory("closed", { mode: 0o711 });
    }),
  }),
];

/** See the module. */
export const ORIGINAL_DIRECTORY_CASES: readonly Case[] = [
  ...[...REMOVED, ...RENAMED, ...MADE, ...LISTED],
];
