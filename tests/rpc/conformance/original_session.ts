/**
 * Cases: the original's operations on devices, mounts and tables.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type -- the type of the table gives it

import assert from "node:assert/strict";
import { O_RDWR } from "../../../rpc/mod.ts";
import { type Case, type Condition, fails, succeeds } from "./case.ts";
import { at, openPath, scene } from "./original_files.ts";
import { bytesOf, textOf, type Trial } from "./trial.ts";
import { STRICT } from "./world.ts";

const ALONE = { alone: true } as const;

/** Most names of the volume, and most mounts, of a connection. */
const MOUNTS_MAX = 16;

const mounted = (name = "mounted") => async (t: Trial) => {
  const mountPoint = at(t, name);
  await t.caller.succeed("mount", { device: "nextfs", mountPoint });
  return { mountPoint };
};

const MOUNTS: Case[] = [
  succeeds("device_register", "a name, which can be mounted", {
    ...{ ...ALONE, quiet: true, args: () => ({ device: "other" }) },
    async check(t, _, args) {
      const mountPoint = bytesOf("/elsewhere");
      await t.caller.succeed("mount", { ...args, mountPoint });
      const { mode } = await t.caller.succeed("mode_get", {
        path: bytesOf(`/elsewhere${t.path}`),
      });
      assert.equal(mode & 0o777, 0o755);
    },
  }),
  fails("device_register", "EINVAL", "an empty name", {
    ...{ ...ALONE, args: () => ({ device: "" }) },
  }),
  fails("device_register", "EEXIST", "a name that is known", {
    ...{ ...ALONE, args: () => ({ device: "nextfs" }) },
  }),
  fails("device_register", "ENFILE", "more names than there may be", {
    ...ALONE,
    async args(t) {
      for (let i = 1; i < MOUNTS_MAX; i++) {
        await t.caller.succeed("device_register", { device: `${i}` });
      }
      return { device: "one more" };
    },
  }),
  succeeds("mount", "the volume within the volume", {
    ...{ ...ALONE, quiet: true },
    args(t) {
      scene(t);
      return { device: "nextfs", mountPoint: at(t, "below") };
    },
    async check(t) {
      const { descriptor } = await t.caller.succeed("file_open", {
        ...{ path: at(t, `below${t.path}/file`), mode: "r" },
      });
      const { size } = await t.caller.succeed("file_size", { descriptor });
      assert.equal(size, 10);
    },
  }),
  fails("mount", "ENXIO", "no such device", {
    ...ALONE,
    args: (t) => ({ device: "other", mountPoint: at(t, "below") }),
  }),
  fails("mount", "EBUSY", "where something is mounted", {
    ...{
      ...ALONE,
      args: () => ({ device: "nextfs", mountPoint: bytesOf("/") }),
    },
  }),
  fails("mount", "ENFILE", "more mounts than there may be", {
    ...ALONE,
    async args(t) {
      for (let i = 1; i < MOUNTS_MAX; i++) await mounted(`${i}`)(t);
      return { device: "nextfs", mountPoint: at(t, "one more") };
    },
  }),
  ...([["empty", ""], ["with ..", "/a/../b"], [
    "deep",
    "/a".repeat(17),
  ]] as const)
    .map(([what, path]) =>
      fails("mount", "EINVAL", `a mount point that is ${what}`, {
        ...ALONE,
        args: () => ({ device: "nextfs", mountPoint: bytesOf(path) }),
      })
    ),
  succeeds("umount", "what was mounted", {
    ...{ ...ALONE, quiet: true, args: mounted() },
    async check(t, _, { mountPoint }) {
      const path = bytesOf(`${textOf(mountPoint)}${t.path}`);
      const { outcome } = await t.caller.call("mode_get", { path });
      assert.equal(outcome, "ENOENT");
    },
  }),
  succeeds("umount", "the volume at the root", {
    ...{ ...ALONE, quiet: true, args: () => ({ mountPoint: bytesOf("/") }) },
    async check(t) {
      const path = bytesOf(t.path);
      const { outcome } = await t.caller.call("mode_get", { path });
      assert.equal(outcome, "ENOENT");
      // Files by node are where they were.
      await t.caller.succeed("getattr", { node: t.dir });
    },
  }),
  fails("umount", "EBUSY", "where a file was opened", {
    ...ALONE,
    async args(t) {
      scene(t);
      await openPath(t, "file");
      return { mountPoint: bytesOf("/") };
    },
  }),
  ...(["umount", "mount_point_stats"] as const).map((operation) =>
    fails(operation, "EINVAL", "where nothing is mounted", {
      ...{ ...ALONE, args: (t) => ({ mountPoint: at(t, "no") }) },
    })
  ),
  fails("cache_write_back", "EINVAL", "where nothing is mounted", {
    ...{ ...ALONE, args: (t) => ({ mountPoint: at(t, "no"), on: true }) },
  }),
  succeeds("mount_point_stats", "as the engine has it", {
    args: () => ({ mountPoint: bytesOf("/") }),
    check(t, { statistics }) {
      assert.deepEqual(statistics, { ...t.fs.statfs(), readOnly: false });
    },
  }),
];

const HOST_ERRORS = ["EIO", "ENOSPC", "EROFS"] as const;

const WRITE_BACK: Case[] = [
  ...[true, false].map((on) =>
    succeeds("cache_write_back", on ? "to wait" : "at once", {
      ...{ ...ALONE, quiet: true },
      args: () => ({ mountPoint: bytesOf("/"), on }),
      async check(t) {
        const path = at(t, "new");
        await t.caller.succeed("dir_mk", { path });
        assert.notEqual(t.find("new"), null);
      },
    })
  ),
  ...HOST_ERRORS.flatMap((code) => [
    fails("cache_write_back", code, "a host that cannot store it", {
      ...{ ...ALONE, when: `unflushable: ${code}` as Condition, changes: true },
      args(t) {
        scene(t);
        return { mountPoint: bytesOf("/"), on: false };
      },
    }),
  ]),
];

/** A table with one file, forked. */
async function forked(t: Trial): Promise<{
  id: Uint8Array;
  descriptor: number;
}> {
  const parent = await t.connect();
  scene(t);
  const { descriptor } = await parent.succeed("file_open2", {
    ...{ path: at(t, "file"), flags: O_RDWR },
  });
  const { id } = await parent.succeed("fork", {});
  return { id, descriptor };
}

const TABLES: Case[] = [
  succeeds("fork", "a table, whose positions are shared", {
    ...{ ...ALONE, quiet: true },
    async args(t) {
      scene(t);
      return { descriptor: await openPath(t, "file") };
    },
    send: (t) => t.caller.call("fork", {}),
    async check(t, { id }, { descriptor }) {
      assert.equal(id.length, 32);
      const child = await t.connect();
      await child.succeed("child_attach", { id });
      await child.succeed("file_read", { descriptor, length: 4 });
      const { position } = await t.caller.succeed("file_tell", { descriptor });
      assert.equal(position, 4);
    },
  }),
  fails("fork", "ENFILE", "more tables than may wait", {
    ...{ as: "strict", alone: true },
    async args({ caller }) {
      for (let i = 0; i < STRICT.tables; i++) await caller.succeed("fork", {});
      return {};
    },
  }),
  succeeds("child_attach", "a table, once", {
    ...{ ...ALONE, quiet: true, args: forked },
    send: ({ caller }, { id }) => caller.call("child_attach", { id }),
    async check(t, _, { id, descriptor }) {
      await t.caller.succeed("file_size", { descriptor });
      const other = await t.connect();
      const { outcome } = await other.call("child_attach", { id });
      assert.equal(outcome, "ENOENT");
    },
  }),
  fails("child_attach", "ENOENT", "a table that nobody has forked", {
    ...{ ...ALONE, args: () => ({ id: new Uint8Array(32).fill(7) }) },
  }),
  fails("child_attach", "ENOENT", "another user's table", {
    alone: true,
    async args(t) {
      const other = await t.connect("root");
      return await other.succeed("fork", {});
    },
    send: async (t, args) => {
      const user = await t.connect("user");
      return await user.call("child_attach", args);
    },
  }),
  fails("child_attach", "EBUSY", "on a connection that has opened a file", {
    ...ALONE,
    async args(t) {
      const { id } = await forked(t);
      await openPath(t, "other");
      return { id };
    },
  }),
  succeeds("new_fdtable", "closes what is open", {
    ...{ ...ALONE, quiet: true },
    async args(t) {
      scene(t);
      return { descriptor: await openPath(t, "file") };
    },
    send: ({ caller }) => caller.call("new_fdtable", {}),
    async check(t, _, { descriptor }) {
      const { outcome } = await t.caller.call("file_size", { descriptor });
      assert.equal(outcome, "EBADF");
      assert.ok(await openPath(t, "file") > descriptor);
    },
  }),
];

/** See the module. */
export const ORIGINAL_SESSION_CASES: readonly Case[] = [
  ...[...MOUNTS, ...WRITE_BACK, ...TABLES],
];
