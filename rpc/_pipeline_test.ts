import assert from "node:assert/strict";
import { Pipeline } from "./_pipeline.ts";

const failure = new Error("failed");

Deno.test("a pipeline waits when it is full", async () => {
  const pipeline = new Pipeline(3);
  const ends: (() => void)[] = [];
  let added = 0;
  const adding = (async (): Promise<void> => {
    for (; added < 5; added++) {
      await pipeline.add(new Promise<void>((resolve) => ends.push(resolve)));
    }
  })();
  const turn = (): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve));
  await turn();
  assert.deepEqual([ends.length, added], [3, 2]);
  // Any that ends makes room, not the oldest alone.
  ends[2]();
  await turn();
  assert.deepEqual([ends.length, added], [4, 3]);
  for (let i = 0; i < 5; i++) {
    ends[i]?.();
    await turn();
  }
  await adding;
  await pipeline.finish();
});

Deno.test("a failure is thrown by what comes next", async () => {
  const pipeline = new Pipeline(10);
  await pipeline.add(Promise.reject(failure));
  await new Promise((resolve) => setTimeout(resolve));
  const late = Promise.reject(new Error("another"));
  await assert.rejects(pipeline.add(late), failure);
  await assert.rejects(pipeline.finish(), failure);
  const other = new Pipeline(1);
  await assert.rejects(other.add(Promise.reject(failure)), failure);
});
