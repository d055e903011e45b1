/**
 * Cases: blocks of open files, and making changes durable.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type -- the type of the table gives it

import assert from "node:assert/strict";
import {
  type Arguments,
  O_DSYNC,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  type OperationName,
} from "../../../rpc/mod.ts";
import { type Case, type Condition, fails, succeeds } from "./case.ts";
import { bytesOf, IMMUTABLE_FL, type Trial } from "./trial.ts";

const BLOCK = 4096;
/** Three blocks, none of them zeros. */
const DATA = new Uint8Array(3 * BLOCK).fill(7);
const KEEP_SIZE = 1;
const PUNCH_HOLE = 3;
const ZERO_RANGE = 16;
const BEYOND = 2 ** 52;

const allocating = (
  mode: number,
  { offset, length, flags }: { offset: number; length: number; flags?: number },
) =>
async (t: Trial): Promise<Arguments<"allocate">> => {
  const node = t.file("file", { data: DATA });
  return { descriptor: await t.open(node, flags), mode, offset, length };
};

/** Asks for the rest until all is done. */
async function goOn(
  t: Trial,
  { count }: { count: number },
  args: Arguments<"allocate">,
): Promise<void> {
  for (let done = count; done < args.length; done += count) {
    const rest = { offset: args.offset + done, length: args.length - done };
    ({ count } = await t.caller.succeed("allocate", { ...args, ...rest }));
    assert.ok(count > 0);
  }
}

const ALLOCATED: Case[] = [
  ...([
    ["blocks behind the end, and a new size", 0, 5 * BLOCK, 40],
    ["blocks within the size that there will be", ZERO_RANGE, 5 * BLOCK, 40],
  ] as const).map(([what, mode, size, blocks]) =>
    succeeds("allocate", what, {
      args: allocating(mode, { offset: 3 * BLOCK, length: 2 * BLOCK }),
      async check(t, results, args) {
        await goOn(t, results, args);
        const found = t.stat(t.get("file"));
        assert.deepEqual([found.size, found.blocks], [size, blocks]);
        assert.deepEqual(t.contents(found).subarray(0, 3 * BLOCK), DATA);
      },
    })
  ),
  succeeds("allocate", "a hole is punched, and the size kept", {
    args: allocating(PUNCH_HOLE, { offset: 100, length: 2 * BLOCK }),
    async check(t, results, args) {
      await goOn(t, results, args);
      const found = t.stat(t.get("file"));
      assert.deepEqual([found.size, found.blocks], [3 * BLOCK, 16]);
      const contents = t.contents(found);
      const expected = DATA.slice().fill(0, 100, 100 + 2 * BLOCK);
      assert.deepEqual(contents, expected);
    },
  }),
  succeeds("allocate", "a range becomes zeros", {
    args: allocating(ZERO_RANGE | KEEP_SIZE, { offset: 10, length: BLOCK }),
    async check(t, results, args) {
      await goOn(t, results, args);
      const expected = DATA.slice().fill(0, 10, 10 + BLOCK);
      assert.deepEqual(t.contents(t.get("file")), expected);
    },
  }),
  ...([
    ["to take a range out", 8],
    ["a hole that changes the size", 2],
    ["to unshare", 0x40],
  ] as const).map(([what, mode]) =>
    fails("allocate", "EOPNOTSUPP", what, {
      args: allocating(mode, { offset: 0, length: BLOCK }),
    })
  ),
  fails("allocate", "EBADF", "a file that is open for reading only", {
    args: allocating(0, { offset: 0, length: 1, flags: O_RDONLY }),
  }),
  fails("allocate", "EFBIG", "beyond the format's limit", {
    args: allocating(0, { offset: BEYOND, length: 1 }),
  }),
  fails("allocate", "ENOSPC", "a volume without a free block", {
    when: "full",
    args: allocating(0, { offset: 10 * BLOCK, length: BLOCK }),
  }),
  fails("allocate", "EPERM", "a file that has become immutable", {
    async args(t) {
      const args = await allocating(0, { offset: 0, length: 9 })(t);
      t.fs.setattr(t.get("file").ino, { flags: IMMUTABLE_FL });
      return args;
    },
  }),
];

/** A hole of a block, three blocks of data, and a hole of a block. */
function holed(t: Trial): ReturnType<Trial["file"]> {
  const node = t.file("file");
  t.fs.write(node.ino, BLOCK, DATA);
  t.fs.setattr(node.ino, { size: 5 * BLOCK });
  return node;
}

const SOUGHT: Case[] = [
  ...([
    [0, false, BLOCK],
    [2 * BLOCK + 5, false, 2 * BLOCK + 5],
    [5, true, 5],
    [BLOCK, true, 4 * BLOCK],
  ] as const).map(([offset, hole, expected]) =>
    succeeds("seekData", `${hole ? "a hole" : "data"} from ${offset} on`, {
      args: async (t) => ({
        ...{ descriptor: await t.open(holed(t)), offset, hole },
      }),
      check: (_, { offset }) => assert.equal(offset, expected),
    })
  ),
  succeeds("seekData", "the end counts as a hole", {
    async args(t) {
      const node = t.file("file", { data: DATA });
      return { descriptor: await t.open(node), offset: 5, hole: true };
    },
    check: (_, { offset }) => assert.equal(offset, 3 * BLOCK),
  }),
  ...([[4 * BLOCK, false], [5 * BLOCK, false], [5 * BLOCK, true]] as const)
    .map(([offset, hole]) =>
      fails("seekData", "ENXIO", `no ${hole ? "hole" : "data"} at ${offset}`, {
        args: async (t) => ({
          ...{ descriptor: await t.open(holed(t)), offset, hole },
        }),
      })
    ),
  fails("seekData", "EISDIR", "a directory", {
    args: async (t) => ({
      ...{ descriptor: await t.open(t.dir, O_RDONLY), offset: 0, hole: false },
    }),
  }),
];

interface Copying {
  from?: number;
  to?: number;
  fromOffset?: number;
  toOffset?: number;
}

const copying =
  ({ from = O_RDONLY, to = O_WRONLY, ...offsets }: Copying = {}) =>
  async (t: Trial): Promise<Arguments<"copyRange">> => ({
    from: await t.open(t.file("from", { data: DATA }), from),
    fromOffset: offsets.fromOffset ?? 0,
    to: await t.open(t.file("to"), to),
    toOffset: offsets.toOffset ?? 0,
    length: 2 * BLOCK,
  });

const COPIED: Case[] = [
  succeeds("copyRange", "from file to file", {
    args: copying({ toOffset: 10 }),
    check(t, { count }) {
      assert.ok(count > 0 && count <= 2 * BLOCK);
      const copied = t.contents(t.get("to"));
      assert.equal(copied.length, 10 + count);
      assert.deepEqual(copied.subarray(10), DATA.subarray(0, count));
    },
  }),
  succeeds("copyRange", "from the end on there is nothing", {
    quiet: true,
    args: copying({ fromOffset: 3 * BLOCK }),
    check: (_, { count }) => assert.equal(count, 0),
  }),
  succeeds("copyRange", "within a file", {
    async args(t) {
      const both = await t.open(t.file("file", { data: DATA }));
      const places = { fromOffset: 0, toOffset: 3 * BLOCK, length: BLOCK };
      return { from: both, to: both, ...places };
    },
    check(t, { count }) {
      assert.equal(t.stat(t.get("file")).size, 3 * BLOCK + count);
    },
  }),
  fails("copyRange", "EINVAL", "ranges of one file that overlap", {
    async args(t) {
      const both = await t.open(t.file("file", { data: DATA }));
      const places = { fromOffset: 0, toOffset: 5, length: BLOCK };
      return { from: both, to: both, ...places };
    },
  }),
  fails("copyRange", "EBADF", "from what is open for writing only", {
    args: copying({ from: O_WRONLY }),
  }),
  fails("copyRange", "EBADF", "to what is open for reading only", {
    args: copying({ to: O_RDONLY }),
  }),
  fails("copyRange", "EISDIR", "from a directory", {
    args: async (t) => ({
      ...await copying()(t),
      from: await t.open(t.dir, O_RDONLY),
    }),
  }),
  fails("copyRange", "EFBIG", "beyond the format's limit", {
    args: copying({ toOffset: BEYOND }),
  }),
  fails("copyRange", "ENOSPC", "a volume without a free block", {
    ...{ when: "full", args: copying() },
  }),
  fails("copyRange", "EPERM", "to a file that has become immutable", {
    async args(t) {
      const args = await copying()(t);
      t.fs.setattr(t.get("to").ino, { flags: IMMUTABLE_FL });
      return args;
    },
  }),
];

type Storing = "sync" | "fsync" | "fdatasync";

/** Something that is not stored yet, and a request to store it. */
const storing = (operation: Storing) => async (t: Trial) => {
  const descriptor = await t.open(t.file("file"), O_RDWR);
  t.fs.write(t.get("file").ino, 0, bytesOf("new"));
  return operation === "sync" ? {} : { descriptor };
};

const HOST_ERRORS = ["EIO", "ENOSPC", "EROFS"] as const;

/** A case of a host that fails while a request is to be made durable. */
function unstored<K extends OperationName>(
  operation: K,
  args: (t: Trial) => Promise<Arguments<K>>,
): Case[] {
  return HOST_ERRORS.map((code) =>
    fails(operation, code, "a host that cannot store it", {
      // What is not durable is there all the same.
      ...{ changes: true, when: `unflushable: ${code}` as Condition },
      args,
    })
  );
}

const STORED: Case[] = [
  // First, for a host that has failed once refuses changes.
  ...unstored("write", async (t) => ({
    descriptor: await t.open(t.file("file"), O_WRONLY | O_DSYNC),
    offset: 0,
    data: bytesOf("new"),
  })),
  ...(["sync", "fsync", "fdatasync"] as const).flatMap((operation) => [
    succeeds(operation, "what was changed", {
      quiet: true,
      args: storing(operation) as (
        t: Trial,
      ) => Promise<Arguments<typeof operation>>,
      check() {},
    }),
    ...unstored(
      operation,
      storing(operation) as (
        t: Trial,
      ) => Promise<Arguments<typeof operation>>,
    ),
  ]),
  succeeds("fsync", "a directory", {
    quiet: true,
    args: async (t) => ({ descriptor: await t.open(t.dir, O_RDONLY) }),
    check() {},
  }),
];

/** See the module. */
export const RANGE_CASES: readonly Case[] = [
  ...[...ALLOCATED, ...SOUGHT, ...COPIED, ...STORED],
];
