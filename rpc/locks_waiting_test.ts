import assert from "node:assert/strict";
import type { FsError } from "../fs/errors.ts";
import { Asker } from "../tests/support/lock_asker.ts";
import { LockTable } from "./locks.ts";

Deno.test("a lock waits until nothing is in its way", async () => {
  const table = new LockTable(100);
  const [a, b, c] = [new Asker(table), new Asker(table), new Asker(table)];
  a.set("shared", 0, 10);
  b.set("shared", 5, 10);
  const waiting = c.wait(["exclusive", 8, 4]);
  a.set("unlocked", 0, 0);
  assert.equal(await waiting.now(), "waits");
  b.set("unlocked", 9, 1);
  assert.equal(await waiting.now(), "waits");
  b.set("unlocked", 0, 0);
  assert.equal(await waiting.now(), "granted");
  assert.deepEqual(a.test(0, 0), ["exclusive", 8, 4, 0]);
});

Deno.test("a downgrade lets those in who share", async () => {
  const table = new LockTable(100);
  const [a, b, c] = [new Asker(table), new Asker(table), new Asker(table)];
  a.set("exclusive", 0, 0);
  const waiting = [b, c].map((one) => one.wait(["shared", 3, 3]));
  a.set("shared", 0, 0);
  for (const one of waiting) assert.equal(await one.now(), "granted");
});

Deno.test("a downgrade that was waited for lets those in who share", async () => {
  const table = new LockTable(100);
  const [a, b, c] = [new Asker(table), new Asker(table), new Asker(table)];
  a.set("exclusive", 0, 5);
  b.set("exclusive", 7, 1);
  const wider = a.wait(["shared", 0, 8]);
  const behind = c.wait(["shared", 0, 3]);
  b.set("unlocked", 7, 1);
  assert.equal(await wider.now(), "granted");
  assert.equal(await behind.now(), "granted");
});

Deno.test("those who share do not overtake one who waits to be alone", async () => {
  const table = new LockTable(100);
  const [a, b, c, d] = Array.from({ length: 4 }, () => new Asker(table));
  a.set("shared", 0, 10);
  const writer = b.wait(["exclusive", 5, 10]);
  assert.equal(c.set("shared", 5, 1), "EAGAIN");
  assert.equal(c.test(5, 1, false), null, "what is waited for is no lock");
  const reader = c.wait(["shared", 5, 1]);
  assert.equal(d.set("shared", 0, 5), "", "what is not waited for is free");
  a.set("unlocked", 0, 0);
  assert.equal(await writer.now(), "granted");
  assert.equal(await reader.now(), "waits");
  b.set("unlocked", 0, 0);
  assert.equal(await reader.now(), "granted");
});

Deno.test("waiting is in the order of the requests", async () => {
  const table = new LockTable(1000);
  const holder = new Asker(table);
  holder.set("exclusive", 0, 0);
  const order: number[] = [];
  const all = Array.from({ length: 100 }, (_, i) => {
    const one = new Asker(table);
    const { promise } = one.wait(["exclusive", i % 7, 0]);
    return promise!.then(() => {
      order.push(i);
      one.set("unlocked", 0, 0);
    });
  });
  holder.set("unlocked", 0, 0);
  await Promise.all(all);
  assert.deepEqual(order, all.map((_, i) => i));
  assert.ok(table.isUnused);
});

Deno.test("whoever is waited for is let past those who wait", async () => {
  const table = new LockTable(100);
  const [a, b, c] = [new Asker(table), new Asker(table), new Asker(table)];
  a.set("shared", 0, 10);
  const writer = b.wait(["exclusive", 0, 10]);
  assert.equal(a.set("shared", 0, 12), "");
  assert.equal(a.set("exclusive", 0, 10), "", "it has it alone already");
  a.set("shared", 0, 10);
  const reader = c.wait(["shared", 0, 10]);
  assert.equal(await reader.now(), "waits");
  a.set("unlocked", 0, 0);
  assert.equal(await writer.now(), "granted");
});

Deno.test("whoever comes to be waited for is let past those who wait", async () => {
  const table = new LockTable(100);
  const [a, b, c, d] = Array.from({ length: 4 }, () => new Asker(table));
  a.set("shared", 0, 10);
  const writer = b.wait(["exclusive", 0, 10]);
  c.set("exclusive", 50, 10);
  const reader = c.wait(["shared", 0, 10]);
  assert.equal(await reader.now(), "waits");
  const third = d.wait(["shared", 50, 10]);
  assert.equal(await reader.now(), "granted");
  assert.equal(await writer.now(), "waits");
  assert.equal(await third.now(), "waits");
});

Deno.test("a ring of owners that wait for each other is refused", async () => {
  const table = new LockTable(100);
  const all = Array.from({ length: 5 }, () => new Asker(table));
  all.forEach((one, i) => one.set("exclusive", i * 10, 5));
  const waiting = all.slice(1).map((one, i) => one.wait(["shared", i * 10, 1]));
  assert.throws(
    () => all[0].wait(["exclusive", 42, 1]),
    (error: FsError) => error.code === "EDEADLK",
  );
  assert.equal(await waiting[0].now(), "waits");
  all[0].set("unlocked", 0, 0);
  assert.equal(await waiting[0].now(), "granted");
  assert.equal(await waiting[1].now(), "waits");
});

Deno.test("two owners that both want to upgrade are a ring", () => {
  const table = new LockTable(100);
  const [a, b] = [new Asker(table), new Asker(table)];
  a.set("shared", 0, 0);
  b.set("shared", 0, 0);
  const first = a.wait(["exclusive", 0, 0]);
  assert.throws(
    () => b.wait(["exclusive", 0, 0]),
    (error: FsError) => error.code === "EDEADLK",
  );
  b.set("unlocked", 0, 0);
  return first.promise!;
});

Deno.test("a ring over several files is refused", () => {
  const table = new LockTable(100);
  const [a, b] = [new Asker(table), new Asker(table)];
  a.set("exclusive", 0, 0, { ino: 20 });
  b.set("exclusive", 0, 0, { ino: 21 });
  a.wait(["shared", 0, 0, { ino: 21 }]);
  assert.throws(
    () => b.wait(["shared", 0, 0, { ino: 20 }]),
    (error: FsError) => error.code === "EDEADLK",
  );
  b.set("unlocked", 0, 0, { ino: 21 });
});

Deno.test("a wait is cancelled, and those behind it get on", async () => {
  const table = new LockTable(100);
  const [a, b, c] = [new Asker(table), new Asker(table), new Asker(table)];
  a.set("shared", 0, 10);
  const controller = new AbortController();
  const writer = b.wait(["exclusive", 0, 10], controller.signal);
  const reader = c.wait(["shared", 0, 10]);
  assert.equal(await reader.now(), "waits");
  controller.abort();
  assert.equal(await writer.now(), "ECANCELED");
  assert.equal(await reader.now(), "granted");
  assert.equal(table.countOf(b.session), 0);
  assert.throws(
    () => b.wait(["exclusive", 0, 10], controller.signal),
    (error: FsError) => error.code === "ECANCELED",
  );
});

Deno.test("a signal that comes after the lock changes nothing", async () => {
  const table = new LockTable(100);
  const [a, b] = [new Asker(table), new Asker(table)];
  a.set("exclusive", 0, 10);
  const controller = new AbortController();
  const waiting = b.wait(["exclusive", 0, 10], controller.signal);
  a.set("unlocked", 0, 10);
  controller.abort();
  assert.equal(await waiting.now(), "granted");
  assert.deepEqual(a.test(0, 0), ["exclusive", 0, 10, 0]);
});
