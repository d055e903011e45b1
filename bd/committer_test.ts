import assert from "node:assert/strict";
import { BorrowedDevice } from "./borrowed.ts";
import { BlockCache } from "./cache.ts";
import { Committer } from "./committer.ts";
import { FaultyDevice } from "./faulty.ts";
import { MemoryDevice } from "./memory.ts";

/** A device whose flush takes effect as a whole, after a number of steps. */
class Atomic extends BorrowedDevice {
  override readonly commitBlocksMax = 4096;
  flushes = 0;
  #isFlushing = false;

  override async flush(): Promise<void> {
    assert(!this.#isFlushing, "one commit after the other");
    this.#isFlushing = true;
    for (let i = this.flushes++ % 5; i > 0; i--) await null;
    await super.flush();
    this.#isFlushing = false;
  }
}

Deno.test("commits that are asked for at any moment take turns", async () => {
  const device = new Atomic(new MemoryDevice(1024, 4096));
  const cache = new BlockCache(device, 4 << 20);
  const committer = new Committer(cache, device, { cacheBlocks: 64 });
  let asked = 0;
  const ask = async (pauses: number): Promise<void> => {
    for (let i = 0; i < 200; i++) {
      cache.begin();
      cache.modify(i % 64)[0]++;
      cache.commit();
      await committer.commit();
      asked++;
      for (let j = (i + pauses) % 7; j > 0; j--) await null;
    }
  };
  await Promise.all([0, 1, 2, 3].map(ask));
  assert.equal(asked, 800);
  assert.equal(cache.dirtyCount, 0);
  assert.ok(device.flushes < asked, "some of them are shared");
});

Deno.test("room is made while commits are asked for", async () => {
  const device = new Atomic(new MemoryDevice(1024, 8192));
  const cache = new BlockCache(device, 4 << 20);
  const committer = new Committer(cache, device, { cacheBlocks: 64 });
  const change = async (seed: number): Promise<void> => {
    for (let i = 0; i < 400; i++) {
      for (let room = committer.room(); room; room = committer.room()) {
        await room;
      }
      assert.ok(committer.admit());
      cache.begin();
      for (let j = 0; j < 50; j++) cache.modify((seed + i * 50 + j) % 8192);
      cache.commit();
      if (i % 3 === seed % 3) await committer.commit();
      else await null;
    }
  };
  await Promise.all([0, 1001, 2002, 3003].map(change));
  await committer.commit();
  assert.equal(cache.dirtyCount, 0);
});

Deno.test("a block that is refused is waited for by all others of its commit", async () => {
  const memory = new MemoryDevice(1024, 64);
  const faulty = new FaultyDevice(memory);
  const device = new Atomic(faulty);
  const cache = new BlockCache(device, 64 << 10);
  const committer = new Committer(cache, device, { cacheBlocks: 64 });
  const change = (value: number): void => {
    cache.begin();
    for (const block of [3, 30]) cache.modify(block).fill(value);
    cache.commit();
  };
  change(1);
  await committer.commit();
  change(2);
  faulty.rule = ({ kind, block }) =>
    kind === "write" && block === 30 ? "EIO" : null;
  await assert.rejects(committer.commit(), { code: "EIO" });
  assert.equal(device.flushes, 1, "nothing has taken effect");
  assert.ok(committer.failure);
  faulty.rule = null;
  await committer.commit();
  assert.equal(committer.failure, null);
  for (const block of [3, 30]) {
    const bytes = new Uint8Array(1024);
    memory.read(block, bytes);
    assert.deepEqual(bytes, new Uint8Array(1024).fill(2));
  }
});
