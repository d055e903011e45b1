/**
 * Cases: the connection itself, and compounds.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type -- the type of the table gives it

import assert from "node:assert/strict";
import { type Arguments, O_EXCL, O_RDWR } from "../../../rpc/mod.ts";
import { operationNamed } from "../../../rpc/mod.ts";
import { type Answer, type Caller, type Step, stepAnswers } from "./caller.ts";
import { type Case, fails, succeeds } from "./case.ts";
import { bytesOf, type Trial } from "./trial.ts";
import { type Actor, STRICT } from "./world.ts";

const HELLO: Arguments<"hello"> = {
  magic: "nextfs",
  version: 1,
  maxFrame: 2 ** 20,
  maxInFlight: 64,
  extensions: [],
};

const greeting = (changes: Partial<Arguments<"hello">> = {}) => () => ({
  ...HELLO,
  ...changes,
});

/** Says hello on a new connection. */
async function greet(
  t: Trial,
  args: Arguments<"hello">,
  actor: Actor = t.actor,
): Promise<Answer<never>> {
  const caller = await t.connect(actor, { hello: false });
  return await lastAnswer(caller, caller.call("hello", args));
}

/** The answer, or what the server says before it ends the connection. */
async function lastAnswer(
  caller: Caller,
  answer: Promise<Answer>,
): Promise<Answer<never>> {
  try {
    return await answer as Answer<never>;
  } catch (error) {
    await caller.ended;
    if (caller.lastWord === null) throw error;
    return caller.lastWord as Answer<never>;
  }
}

/** Asserts that the server has ended the connection. */
async function isEnded(caller: Caller): Promise<void> {
  await caller.ended;
  await assert.rejects(caller.call("ping", {}));
}

const GREETED: Case[] = [
  succeeds("hello", "limits, and who one is", {
    ...{ quiet: true, args: greeting(), send: greet },
    check(t, limits) {
      assert.deepEqual([limits.version, limits.maxInFlight], [1, 64]);
      assert.ok(limits.maxFrame <= HELLO.maxFrame);
      assert.ok(limits.maxData <= limits.maxFrame);
      assert.ok(limits.maxDescriptors > 0 && limits.maxLocks > 0);
      assert.ok(limits.maxTables > 0 && limits.idleTimeout > 0);
      assert.deepEqual([limits.uid, limits.gid, limits.readOnly], [
        0,
        0,
        false,
      ]);
      assert.deepEqual(limits.root, t.node(2));
      assert.deepEqual(limits.extensions, []);
    },
  }),
  succeeds("hello", "of a later version, and with extensions", {
    ...{ quiet: true, send: greet },
    args: greeting({ version: 77 }),
    check: (_, { version }) => assert.equal(version, 1),
  }),
  succeeds("hello", "an ordinary user's", {
    ...{ quiet: true, as: "user", args: greeting(), send: greet },
    check: (_, { uid, gid }) => assert.deepEqual([uid, gid], [1000, 1000]),
  }),
  succeeds("hello", "of one who may only look", {
    ...{ quiet: true, as: "reader", args: greeting(), send: greet },
    check: (_, { readOnly }) => assert.equal(readOnly, true),
  }),
  succeeds("hello", "of one with few of everything", {
    ...{ quiet: true, as: "strict", args: greeting(), send: greet },
    check(_, limits) {
      assert.equal(limits.maxDescriptors, STRICT.descriptors);
      assert.equal(limits.maxLocks, STRICT.locks);
      assert.equal(limits.maxTables, STRICT.tables);
    },
  }),
  succeeds("hello", "with the shortest frames", {
    ...{ quiet: true, send: greet },
    args: greeting({ maxFrame: 16384, maxInFlight: 1 }),
    check(_, { maxFrame, maxInFlight, maxData }) {
      assert.deepEqual([maxFrame, maxInFlight], [16384, 1]);
      assert.ok(maxData < 16384);
    },
  }),
  fails("hello", "EINVAL", "frames that are too short", {
    ...{ args: greeting({ maxFrame: 16384 }), send: short },
  }),
  fails("hello", "EPROTO", "another protocol", {
    ...{ args: greeting({ magic: "other" }), send: greet },
  }),
  fails("hello", "EPROTO", "a version that never was", {
    ...{ args: greeting({ version: 0 }), send: greet },
  }),
  fails("hello", "EPROTO", "a second one", {
    args: greeting(),
    async send(t, args) {
      const caller = await t.connect();
      const answer = await caller.call("hello", args);
      await isEnded(caller);
      return answer as Answer<never>;
    },
  }),
  fails("hello", "EACCES", "of one whom the policy does not admit", {
    args: greeting(),
    send: (t, args) => greet(t, args, "nobody"),
  }),
  fails("hello", "EAGAIN", "more connections than there may be", {
    ...{ as: "strict", args: greeting() },
    async send(t, args) {
      for (let i = 0; i < STRICT.connections; i++) await greet(t, args);
      return await greet(t, args);
    },
  }),
];

const UNREAD = fails("hello", "EIO", "a root that cannot be read", {
  ...{ when: "unreadable", args: greeting(), send: greet },
});

/** A hello that a well-behaved client cannot say. */
async function short(t: Trial): Promise<Answer<never>> {
  const caller = await t.connect(t.actor, { hello: false });
  const items = ["nextfs", 1, 16383, 64, []];
  const answer = await caller.ask(operationNamed("hello").number, items);
  await caller.ended;
  return answer as Answer<never>;
}

const ENDED: Case[] = [
  succeeds("goodbye", "when all before it was answered", {
    ...{ quiet: true, alone: true, args: () => ({}) },
    async send({ caller }, args) {
      const order: string[] = [];
      const note = (name: string) => (): number => order.push(name);
      const sync = caller.call("sync", {}).then(note("sync"));
      const ping = caller.call("ping", {}).then(note("ping"));
      const answer = await caller.call("goodbye", args);
      order.push("goodbye");
      await Promise.all([sync, ping]);
      assert.equal(order.at(-1), "goodbye");
      await isEnded(caller);
      return answer;
    },
    check() {},
  }),
  succeeds("cancel", "what is not waiting", {
    ...{ quiet: true, args: () => ({ id: 12345 }) },
    check: (_, { found }) => assert.equal(found, false),
  }),
  succeeds("ping", "in its turn", {
    ...{ quiet: true, args: () => ({}) },
    check() {},
  }),
];

const NONE = { ino: 0, generation: 0 };
const NAME = bytesOf("made");

/** Makes, writes and reads a file at once. */
const chain = (t: Trial): Step[] => [
  ["create", { dir: t.dir, name: NAME, mode: 0o600, flags: O_RDWR | O_EXCL }],
  ["write", { descriptor: 0, offset: 0, data: bytesOf("contents") }],
  ["read", { descriptor: 0, offset: 3, length: 100 }],
  ["getattr", { node: NONE }],
  ["close", { descriptor: 0 }],
];

function stepsOf(steps: readonly Step[]): Arguments<"compound"> {
  return {
    steps: steps.map(([name, args]) => ({
      operation: operationNamed(name),
      args: args as unknown as Record<string, unknown>,
    })),
  };
}

/** Asks with steps as they are. */
const raw = (steps: unknown) => (t: Trial): Promise<Answer<never>> =>
  t.caller.ask(101, [steps]) as Promise<Answer<never>>;

const COMPOUND: Case[] = [
  succeeds("compound", "what a step has found and opened is used by others", {
    args: (t) => stepsOf(chain(t)),
    check(t, results) {
      const answers = stepAnswers({ outcome: "ok", results });
      assert.deepEqual(answers.map(({ outcome }) => outcome), [
        ...["ok", "ok", "ok", "ok", "ok"],
      ]);
      const [, , read] = answers;
      const data = read.outcome === "ok" ? read.results.data : null;
      assert.deepEqual(data, bytesOf("tents"));
      assert.equal(t.text(t.get("made")), "contents");
    },
  }),
  succeeds("compound", "stops at the first step that fails", {
    args(t) {
      const steps = chain(t);
      steps.splice(1, 0, ["lookup", { dir: t.dir, name: bytesOf("no") }]);
      return stepsOf(steps);
    },
    check(t, results) {
      const answers = stepAnswers({ outcome: "ok", results });
      assert.deepEqual(answers.map(({ outcome }) => outcome), ["ok", "ENOENT"]);
      // What was done before it stays done.
      assert.equal(t.text(t.get("made")), "");
    },
  }),
  succeeds("compound", "nothing is found before it was", {
    quiet: true,
    args: () => stepsOf([["read", { descriptor: 0, offset: 0, length: 1 }]]),
    check(_, results) {
      const [answer] = stepAnswers({ outcome: "ok", results });
      assert.equal(answer.outcome, "EBADF");
    },
  }),
  succeeds("compound", "no node is found before it was", {
    quiet: true,
    args: () => stepsOf([["getattr", { node: NONE }]]),
    check(_, results) {
      const [answer] = stepAnswers({ outcome: "ok", results });
      assert.equal(answer.outcome, "ESTALE");
    },
  }),
  fails("compound", "EINVAL", "no steps", {
    args: () => stepsOf([]),
    send: raw([]),
  }),
  fails("compound", "EINVAL", "seventeen steps", {
    args: () => stepsOf([]),
    send: raw(new Array(17).fill([91])),
  }),
  ...([
    ["a step that is no array", [91]],
    ["a step without an operation", [[]]],
    ["a step with an argument too many", [[91, 1]]],
    ["a hello", [[64, "nextfs", 1, 65536, 1, []]]],
    ["a goodbye", [[92]]],
    ["a compound", [[101, [[91]]]]],
  ] as const).map(([what, steps]) =>
    fails("compound", "EINVAL", what, {
      ...{ args: () => stepsOf([]), send: raw(steps) },
    })
  ),
  fails("compound", "EINVAL", "replies that might be longer than a frame", {
    async args(t) {
      const descriptor = await t.open(t.file("file"));
      const read: Step = ["read", { descriptor, offset: 0, length: 2 ** 19 }];
      return stepsOf([read, read, read]);
    },
  }),
  fails("compound", "ENOSYS", "a step that is no operation", {
    ...{ args: () => stepsOf([]), send: raw([[91], [63]]) },
  }),
  fails("compound", "ENAMETOOLONG", "a step with a name that is too long", {
    args: () => stepsOf([]),
    send: (t) =>
      raw([[91], [68, [t.dir.ino, t.dir.generation], new Uint8Array(256)]])(t),
  }),
];

/** See the module. */
export const SESSION_CASES: readonly Case[] = [
  ...[UNREAD, ...GREETED, ...ENDED, ...COMPOUND],
];
