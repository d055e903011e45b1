import assert from "node:assert/strict";
import { Aborts, orAborted } from "./_aborts.ts";

const reason = new Error("enough");

Deno.test("a signal ends all that it is for, and nothing else", () => {
  const ended: [string, unknown][] = [];
  const aborts = new Aborts<string>((one, why) => ended.push([one, why]));
  const first = new AbortController();
  const second = new AbortController();
  aborts.add(first.signal, "a");
  aborts.add(first.signal, "b");
  aborts.add(first.signal, "over");
  aborts.add(second.signal, "c");
  aborts.delete(first.signal, "over");
  aborts.delete(first.signal, "unknown");
  first.abort(reason);
  assert.deepEqual(ended, [["a", reason], ["b", reason]]);
  aborts.delete(first.signal, "a");
  aborts.delete(second.signal, "c");
  second.abort(reason);
  assert.equal(ended.length, 2);
});

Deno.test("orAborted() gives what comes first", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const never = new Promise<never>(() => {});
  assert.equal(await orAborted(Promise.resolve(1), signal), 1);
  assert.equal(await orAborted(Promise.resolve(1), undefined), 1);
  await assert.rejects(orAborted(Promise.reject(reason), signal), reason);
  const aborted = orAborted(never, signal);
  controller.abort(reason);
  await assert.rejects(aborted, reason);
  await assert.rejects(orAborted(never, signal), reason);
});
