/**
 * Cases: advisory locks.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type -- the type of the table gives it

import assert from "node:assert/strict";
import {
  type Arguments,
  LOCK_EXCLUSIVE,
  LOCK_NONE,
  LOCK_SHARED,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from "../../../rpc/mod.ts";
import { type Answer, type Caller, stepAnswers } from "./caller.ts";
import { type Case, fails, succeeds } from "./case.ts";
import type { Trial } from "./trial.ts";
import { STRICT } from "./world.ts";

type Setting = Arguments<"setLock">;

const WHOLE = { start: 0, length: 0, wait: false };
const BEYOND = { start: 2 ** 53 - 1, length: 5 };

/** Asks for a lock of all of a file. */
function lock(
  descriptor: number,
  owner: number,
  options: Partial<Setting> = {},
): Setting {
  return { descriptor, owner, kind: LOCK_EXCLUSIVE, ...WHOLE, ...options };
}

const opened = (t: Trial, flags = O_RDWR): Promise<number> =>
  t.open(t.file("file"), flags);

/** A file that another owner of the connection has locked. */
async function held(t: Trial, options: Partial<Setting> = {}): Promise<number> {
  const descriptor = await opened(t);
  await t.caller.succeed("setLock", lock(descriptor, 1, options));
  return descriptor;
}

/** A file that another connection has locked. */
async function heldElsewhere(t: Trial): Promise<number> {
  const descriptor = await opened(t);
  const other = await t.connect();
  const theirs = await t.open(t.get("file"), O_RDWR, other);
  await other.succeed("setLock", lock(theirs, 1));
  return descriptor;
}

/** The lock that keeps a third from having one of all of the file. */
async function blocker(
  caller: Caller,
  descriptor: number,
): Promise<unknown> {
  const asked = { descriptor, owner: 999, exclusive: true, ...WHOLE };
  const { wait: _, ...query } = asked;
  return (await caller.succeed("getLock", query)).lock;
}

const asking = (descriptor: number): Arguments<"getLock"> => ({
  ...{ descriptor, owner: 2, exclusive: true, start: 0, length: 0 },
});

const ASKED: Case[] = [
  succeeds("getLock", "nothing is in the way", {
    args: async (t) => asking(await opened(t)),
    check: (_, { lock }) => assert.equal(lock, null),
  }),
  succeeds("getLock", "a lock of another owner of the connection", {
    args: async (t) => asking(await held(t, { start: 5, length: 10 })),
    check(_, { lock }) {
      const expected = { exclusive: true, start: 5, length: 10, owner: 1 };
      assert.deepEqual(lock, expected);
    },
  }),
  succeeds("getLock", "a lock of another connection", {
    args: async (t) => asking(await heldElsewhere(t)),
    check(_, { lock }) {
      const expected = { exclusive: true, start: 0, length: 0, owner: 0 };
      assert.deepEqual(lock, expected);
    },
  }),
  succeeds("getLock", "a shared lock is not in the way of one", {
    args: async (t) => ({
      ...asking(await held(t, { kind: LOCK_SHARED })),
      exclusive: false,
    }),
    check: (_, { lock }) => assert.equal(lock, null),
  }),
  fails("getLock", "EINVAL", "a range beyond 2^53", {
    args: async (t) => ({ ...asking(await opened(t)), ...BEYOND }),
  }),
];

const SET: Case[] = [
  ...[LOCK_SHARED, LOCK_EXCLUSIVE].map((kind) =>
    succeeds("setLock", `of kind ${kind}`, {
      quiet: true,
      args: async (t) => lock(await opened(t), 1, { kind }),
      async check(t, _, { descriptor }) {
        assert.deepEqual(await blocker(t.caller, descriptor), {
          ...{ exclusive: kind === LOCK_EXCLUSIVE, start: 0, length: 0 },
          owner: 1,
        });
      },
    })
  ),
  succeeds("setLock", "a part of a lock is given up", {
    quiet: true,
    args: async (t) =>
      lock(await held(t), 1, { kind: LOCK_NONE, start: 0, length: 10 }),
    async check(t, _, { descriptor }) {
      assert.deepEqual(await blocker(t.caller, descriptor), {
        ...{ exclusive: true, start: 10, length: 0, owner: 1 },
      });
    },
  }),
  succeeds("setLock", "what is waited for is given up", {
    quiet: true,
    args: async (t) => lock(await held(t), 2, { wait: true }),
    async send(t, args) {
      const waiting = t.caller.call("setLock", args);
      const { descriptor } = args;
      await t.caller.succeed("setLock", lock(descriptor, 1, { kind: 0 }));
      return await waiting;
    },
    check() {},
  }),
  succeeds("setLock", "what closing has given up", {
    quiet: true,
    args: async (t) => ({
      ...lock(await opened(t), 2),
      theirs: await t.open(t.get("file")),
    }),
    async send(t, { theirs: descriptor, ...args }) {
      await t.caller.succeed("setLock", lock(descriptor, 1));
      await t.caller.succeed("close", { descriptor });
      return await t.caller.call("setLock", args);
    },
    check() {},
  }),
  succeeds("setLock", "what a connection that ended has given up", {
    quiet: true,
    async args(t) {
      const descriptor = await opened(t);
      const other = await t.connect();
      const theirs = await t.open(t.get("file"), O_RDWR, other);
      await other.succeed("setLock", lock(theirs, 1));
      return { ...lock(descriptor, 2, { wait: true }), other };
    },
    async send(t, { other, ...args }) {
      const waiting = t.caller.call("setLock", args);
      await other.close();
      return await waiting;
    },
    check() {},
  }),
  fails("setLock", "EAGAIN", "another owner's lock is in the way", {
    args: async (t) => lock(await held(t), 2),
  }),
  fails("setLock", "EAGAIN", "another connection's lock is in the way", {
    args: async (t) => lock(await heldElsewhere(t), 1),
  }),
  fails("setLock", "EBADF", "exclusive, of what is open for reading only", {
    args: async (t) => lock(await opened(t, O_RDONLY), 1),
  }),
  fails("setLock", "EBADF", "shared, of what is open for writing only", {
    args: async (t) =>
      lock(await opened(t, O_WRONLY), 1, { kind: LOCK_SHARED }),
  }),
  fails("setLock", "EINVAL", "a range beyond 2^53", {
    args: async (t) => lock(await opened(t), 1, BEYOND),
  }),
  fails("setLock", "ECANCELED", "a wait that is cancelled", {
    args: async (t) => lock(await held(t), 2, { wait: true }),
    async send(t, args) {
      const waiting = t.caller.call("setLock", args);
      const { found } = await t.caller.succeed("cancel", {
        id: t.caller.lastId,
      });
      assert.equal(found, true);
      return await waiting;
    },
  }),
  fails("setLock", "ECANCELED", "a wait whose descriptor is closed", {
    async args(t) {
      await held(t);
      const descriptor = await t.open(t.get("file"));
      return lock(descriptor, 2, { wait: true });
    },
    async send(t, args) {
      const waiting = t.caller.call("setLock", args);
      const { descriptor } = args;
      await t.caller.succeed("close", { descriptor });
      return await waiting;
    },
  }),
  fails("setLock", "EDEADLK", "a wait that would never end", {
    alone: true,
    args: async (t) => ({
      first: await held(t),
      second: await t.open(t.file("second")),
    }),
    async send(t, { first, second }) {
      const { caller } = t;
      await caller.succeed("setLock", lock(second, 2));
      caller.call("setLock", lock(first, 2, { wait: true })).catch(() => {});
      return await caller.call("setLock", lock(second, 1, { wait: true }));
    },
  }),
  fails("setLock", "ENOLCK", "more ranges than a connection may lock", {
    ...{ as: "strict", alone: true },
    async args(t) {
      const descriptor = await opened(t);
      for (let i = 0; i < STRICT.locks; i++) {
        const range = { start: 10 * i, length: 5 };
        await t.caller.succeed("setLock", lock(descriptor, 1, range));
      }
      return lock(descriptor, 1, { start: 1000, length: 5 });
    },
  }),
  fails("setLock", "EOPNOTSUPP", "a wait within a compound", {
    args: async (t) => lock(await held(t), 2, { wait: true }),
    async send(t, args) {
      const answer = await t.caller.compound(["setLock", args]);
      return stepAnswers(answer)[0] as Answer<never>;
    },
  }),
];

/** See the module. */
export const LOCK_CASES: readonly Case[] = [...ASKED, ...SET];
