import assert from "node:assert/strict";
import type { FsError } from "../fs/errors.ts";
import { Asker } from "../tests/support/lock_asker.ts";
import { type LockRequest, LockTable } from "./locks.ts";

interface Case {
  readonly name: string;
  /** What one owner does: letter of the kind, start, end ("" for the end). */
  readonly does: string;
  /** What it holds then. */
  readonly holds: string;
}

const CASES: readonly Case[] = [
  { name: "locks apart stay apart", does: "s0-2 s4-6", holds: "s0-2 s4-6" },
  { name: "locks that touch are joined", does: "s0-2 s2-4", holds: "s0-4" },
  { name: "a gap is filled", does: "s0-2 s4-6 s2-4", holds: "s0-6" },
  { name: "locks that overlap are joined", does: "e0-5 e3-9", holds: "e0-9" },
  {
    name: "one inside another is nothing new",
    does: "s0-9 s3-4",
    holds: "s0-9",
  },
  {
    name: "one around others takes them in",
    does: "s1-2 s4-5 s0-9",
    holds: "s0-9",
  },
  { name: "kinds are not joined", does: "s0-2 e2-4", holds: "s0-2 e2-4" },
  { name: "an upgrade splits", does: "s0-9 e3-5", holds: "s0-3 e3-5 s5-9" },
  { name: "a downgrade splits", does: "e0-9 s3-5", holds: "e0-3 s3-5 e5-9" },
  {
    name: "an upgrade of a part is joined to what it touches",
    does: "e0-3 s3-9 e3-5",
    holds: "e0-5 s5-9",
  },
  {
    name: "an upgrade replaces several",
    does: "s0-2 e3-5 s6-8 e1-7",
    holds: "s0-1 e1-7 s7-8",
  },
  { name: "unlocking takes a hole", does: "s0-9 u3-5", holds: "s0-3 s5-9" },
  { name: "unlocking cuts the start", does: "s2-9 u0-5", holds: "s5-9" },
  { name: "unlocking cuts the end", does: "s2-9 u5-12", holds: "s2-5" },
  {
    name: "unlocking takes several",
    does: "s0-2 e3-5 s6-8 u1-7",
    holds: "s0-1 s7-8",
  },
  {
    name: "unlocking what is free is nothing",
    does: "s0-2 u2-9",
    holds: "s0-2",
  },
  { name: "a lock to the end", does: "e5-", holds: "e5-" },
  { name: "a lock to the end is cut", does: "e5- u7-9", holds: "e5-7 e9-" },
  { name: "all is unlocked", does: "s0-2 e4- u0-", holds: "" },
  {
    name: "a lock to the end takes in what touches",
    does: "s0-5 s5-",
    holds: "s0-",
  },
];

const KINDS = { s: "shared", e: "exclusive", u: "unlocked" } as const;

function parse(word: string): [LockRequest["kind"], number, number] {
  const [, kind, start, end] = /^([seu])(\d+)-(\d*)$/.exec(word)!;
  const length = end === "" ? 0 : Number(end) - Number(start);
  return [KINDS[kind as keyof typeof KINDS], Number(start), length];
}

for (const { name, does, holds } of CASES) {
  Deno.test(`locks of one owner: ${name}`, () => {
    const table = new LockTable(100);
    const owner = new Asker(table);
    for (const word of does.split(" ")) {
      assert.equal(owner.set(...parse(word)), "");
    }
    assert.equal(new Asker(table).seen(), holds);
    assert.equal(owner.seen(), "", "one's own locks are in nobody's way");
    const count = holds === "" ? 0 : holds.split(" ").length;
    assert.equal(table.countOf(owner.session), count);
    owner.set("unlocked", 0, 0);
    assert.ok(table.isUnused);
  });
}

Deno.test("locks of different owners conflict unless both are shared", () => {
  const cases = [
    ["s0-4", "s2-6", ""],
    ["s0-4", "e2-6", "EAGAIN"],
    ["e0-4", "s2-6", "EAGAIN"],
    ["e0-4", "e2-6", "EAGAIN"],
    ["e0-4", "e4-6", ""],
    ["e4-", "s0-4", ""],
    ["e4-", "s0-5", "EAGAIN"],
    ["s4-", "e9-", "EAGAIN"],
  ];
  for (const [first, second, outcome] of cases) {
    const table = new LockTable(100);
    assert.equal(new Asker(table).set(...parse(first)), "");
    const other = new Asker(table);
    assert.equal(other.set(...parse(second)), outcome, `${first} ${second}`);
  }
});

Deno.test("a refused change leaves what the owner had", () => {
  const table = new LockTable(100);
  const [a, b] = [new Asker(table), new Asker(table)];
  a.set("shared", 0, 10);
  b.set("shared", 8, 10);
  assert.equal(a.set("exclusive", 0, 10), "EAGAIN");
  assert.equal(b.test(0, 20)?.join(), "shared,0,10,0");
  assert.equal(a.set("exclusive", 0, 8), "");
});

Deno.test("owners of one session are told apart, and named to it", () => {
  const table = new LockTable(100);
  const session = {};
  const [a, b] = [new Asker(table, session, 5), new Asker(table, session, 6)];
  a.set("exclusive", 3, 4);
  assert.equal(b.set("shared", 0, 4), "EAGAIN");
  assert.deepEqual(b.test(0, 0, false), ["exclusive", 3, 4, 5]);
  assert.deepEqual(new Asker(table).test(0, 0), ["exclusive", 3, 4, 0]);
});

Deno.test("test() finds the conflicting lock that starts first", () => {
  const table = new LockTable(100);
  const [a, b, c] = [new Asker(table), new Asker(table), new Asker(table)];
  a.set("shared", 2, 10);
  b.set("shared", 1, 3);
  b.set("exclusive", 20, 0);
  assert.deepEqual(c.test(0, 0), ["shared", 1, 3, 0]);
  assert.deepEqual(c.test(4, 3), ["shared", 2, 10, 0]);
  assert.deepEqual(c.test(0, 0, false), ["exclusive", 20, 0, 0]);
  assert.deepEqual(a.test(0, 0), ["shared", 1, 3, 0]);
  assert.equal(c.test(12, 8), null);
  assert.equal(
    table.test({ ...c.request("shared", 0, 0), ino: 13, exclusive: true }),
    null,
  );
});

Deno.test("a range ends at byte 2^53 − 1 at most, and there at the end", () => {
  const table = new LockTable(100);
  const last = Number.MAX_SAFE_INTEGER;
  const [a, b] = [new Asker(table), new Asker(table)];
  assert.equal(a.set("exclusive", last, 2), "EINVAL");
  assert.equal(a.set("exclusive", 2, last), "EINVAL");
  assert.throws(() => a.test(2, last));
  assert.equal(a.set("exclusive", 1, last), "");
  assert.deepEqual(b.test(0, 0), ["exclusive", 1, 0, 0]);
  assert.deepEqual(b.test(last, 1), ["exclusive", 1, 0, 0]);
});

Deno.test("a descriptor takes with it what was locked through it", async () => {
  const table = new LockTable(100);
  const [a, b, c] = [new Asker(table), new Asker(table), new Asker(table)];
  a.set("exclusive", 0, 10, { descriptor: 1 });
  a.set("exclusive", 10, 10, { descriptor: 2 });
  c.set("shared", 30, 1);
  const gone = a.wait(["exclusive", 30, 1, { descriptor: 1 }]);
  const waiting = b.wait(["shared", 0, 5]);
  assert.equal(c.seen(), "e0-10 e10-20");
  table.releaseDescriptor(a.session, 1);
  assert.equal(await waiting.now(), "granted");
  assert.equal(await gone.now(), "ECANCELED");
  assert.equal(c.seen(), "s0-5 e10-20");
  table.releaseDescriptor(a.session, 9);
  table.releaseDescriptor({}, 2);
  assert.equal(c.seen(), "s0-5 e10-20");
});

Deno.test("a lock ends with the descriptor it was set through last", () => {
  const table = new LockTable(100);
  const [a, b] = [new Asker(table), new Asker(table)];
  a.set("exclusive", 0, 10, { descriptor: 1 });
  a.set("exclusive", 4, 2, { descriptor: 2 });
  table.releaseDescriptor(a.session, 1);
  assert.equal(b.seen(), "e4-6");
  table.releaseDescriptor(a.session, 2);
  assert.ok(table.isUnused);
});

Deno.test("a session takes all its locks and waits with it", async () => {
  const table = new LockTable(100);
  const session = {};
  const [a, b] = [new Asker(table, session, 1), new Asker(table, session, 2)];
  const c = new Asker(table);
  a.set("exclusive", 0, 10);
  a.set("exclusive", 0, 10, { ino: 40 });
  const within = b.wait(["shared", 0, 10]);
  const without = c.wait(["shared", 0, 20]);
  table.releaseSession(session);
  assert.equal(await within.now(), "ECANCELED");
  assert.equal(await without.now(), "granted");
  table.releaseSession(session);
  table.releaseSession(c.session);
  assert.ok(table.isUnused);
});

Deno.test("a session has so many locks and no more", async () => {
  const table = new LockTable(3);
  const session = {};
  const [a, b] = [new Asker(table, session, 1), new Asker(table, session, 2)];
  const c = new Asker(table);
  a.set("shared", 0, 10);
  b.set("shared", 20, 10);
  assert.equal(a.set("exclusive", 2, 2), "ENOLCK", "it would make three");
  assert.equal(c.test(0, 20)?.join(), "shared,0,10,0");
  assert.equal(a.set("unlocked", 2, 2), "");
  assert.equal(a.set("unlocked", 6, 2), "ENOLCK");
  assert.equal(a.set("shared", 2, 1), "");
  c.set("exclusive", 50, 1);
  assert.throws(
    () => a.wait(["shared", 50, 1]),
    (error: FsError) => error.code === "ENOLCK",
  );
  b.set("unlocked", 0, 0);
  const waiting = a.wait(["shared", 50, 1]);
  assert.equal(b.set("shared", 60, 1), "ENOLCK", "a wait counts as well");
  c.set("unlocked", 0, 0);
  assert.equal(await waiting.now(), "granted");
  assert.equal(table.countOf(session), 3);
});

Deno.test("a lock that splits others beyond the limit is refused when it could be granted", async () => {
  const table = new LockTable(2);
  const [a, b, c] = [new Asker(table), new Asker(table), new Asker(table)];
  a.set("shared", 0, 10);
  b.set("shared", 4, 2);
  const upgrade = a.wait(["exclusive", 4, 2]);
  const behind = c.wait(["shared", 4, 2]);
  b.set("unlocked", 0, 0);
  assert.equal(await upgrade.now(), "ENOLCK");
  assert.equal(await behind.now(), "granted");
  assert.equal(table.countOf(a.session), 1);
});

Deno.test("10,000 locks on one file cost no more each than a few", () => {
  const table = new LockTable(100_000);
  const session = {};
  const probe = new Asker(table);
  const owners = Array.from(
    { length: 10_000 },
    (_, i) => new Asker(table, session, i + 1),
  );
  const begun = performance.now();
  for (const one of owners) {
    const at = (one.owner * 7919) % 10_000 * 4;
    assert.equal(one.set("exclusive", at, 2), "");
    assert.equal(one.set("shared", 100_000, 50), "");
  }
  for (const { owner } of owners) assert.ok(probe.test(owner * 4 % 39_996, 3));
  for (let i = 0; i < 10_000; i++) {
    assert.equal(owners[0].set("exclusive", 200_000 + i * 2, 1), "");
  }
  for (const one of owners) assert.equal(one.set("unlocked", 0, 0), "");
  assert.ok(table.isUnused);
  // Less than a second's work; minutes, if each looks at all others.
  assert.ok(performance.now() - begun < 20_000);
});
