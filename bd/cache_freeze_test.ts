import assert from "node:assert/strict";
import { fill, stored, versionOf } from "./_block_versions.ts";
import { BlockCache } from "./cache.ts";
import { FaultyDevice } from "./faulty.ts";
import { MemoryDevice } from "./memory.ts";

const SIZE = 1024;
const BLOCKS = 64;
/** The smallest cache there is, in blocks. */
const CAPACITY = 16;

/** A device that notes which blocks are written, a run at a time. */
class NotingDevice extends MemoryDevice {
  /** First block and number of blocks of each write. */
  readonly writes: [number, number][] = [];
  /** Blocks asked for by {@link NotingDevice.admitWrite}. */
  readonly asked: number[] = [];

  override write(block: number, from: Uint8Array): void {
    this.writes.push([block, from.length / this.blockSize]);
    super.write(block, from);
  }

  admitWrite(block: number): void {
    this.asked.push(block);
  }
}

/** A cache over a device that can fail, over one that takes notes. */
class Stack {
  readonly memory = new NotingDevice(SIZE, BLOCKS);
  readonly device = new FaultyDevice(this.memory);
  readonly cache: BlockCache;

  constructor(capacity = BLOCKS) {
    this.cache = new BlockCache(this.device, capacity * SIZE);
  }

  /** Runs one operation and keeps what it did. */
  operate(change: (cache: BlockCache) => void): void {
    this.cache.safePoint();
    this.cache.begin();
    change(this.cache);
    this.cache.commit();
  }

  /** Replaces `blocks` by `version`. */
  put(version: number, ...blocks: number[]): void {
    this.operate((cache) => {
      for (const block of blocks) fill(cache.replace(block), version);
    });
  }

  /** The version that the cache shows. */
  read(block: number): number {
    return versionOf(this.cache.read(block));
  }

  /** Makes every write fail that touches one of `bad`. */
  spoil(...bad: number[]): void {
    this.device.rule = ({ kind, block, count }) =>
      kind === "write" &&
        bad.some((one) => one >= block && one < block + count)
        ? "EIO"
        : null;
  }
}

Deno.test("freeze() begins an empty set of dirty blocks", () => {
  const stack = new Stack();
  const { cache, memory } = stack;
  stack.put(1, 3, 5);
  cache.freeze();
  assert.deepEqual([cache.dirtyCount, cache.frozenCount], [0, 2]);
  stack.put(2, 5, 6);
  assert.deepEqual([cache.dirtyCount, cache.frozenCount], [2, 2]);
  assert.deepEqual(memory.writes, []);
  assert.equal(cache.writeFrozen(Infinity), true);
  assert.deepEqual([cache.dirtyCount, cache.frozenCount], [2, 0]);
  assert.equal(cache.statistics.written, 2);
});

Deno.test("there is one frozen set at a time, and nothing in a transaction", () => {
  const stack = new Stack();
  const { cache } = stack;
  cache.freeze();
  assert.equal(cache.writeFrozen(SIZE), true, "an empty set is done");
  stack.put(1, 3, 5);
  cache.freeze();
  assert.throws(() => cache.freeze(), /still being written/);
  cache.writeFrozen(SIZE);
  assert.throws(() => cache.freeze(), /still being written/);
  cache.begin();
  assert.throws(() => cache.freeze(), /a transaction is open/);
  assert.throws(() => cache.writeFrozen(SIZE), /a transaction is open/);
  assert.throws(() => cache.writeBack(), /a transaction is open/);
  cache.rollback();
  assert.equal(cache.writeFrozen(SIZE), true);
  cache.freeze();
});

Deno.test("what is changed after freeze() is not written with the set", () => {
  const stack = new Stack();
  const { cache, memory } = stack;
  stack.put(1, 3, 4, 5);
  cache.freeze();
  stack.operate(() => {
    const before = cache.read(3);
    const view = cache.modify(3);
    assert.equal(versionOf(view), 1);
    fill(view, 2);
    assert.equal(versionOf(before), 1);
    assert.equal(cache.modify(3), view, "one copy is enough");
    fill(cache.replace(4), 2);
  });
  assert.deepEqual([3, 4, 5].map((block) => stack.read(block)), [2, 2, 1]);
  assert.equal(cache.writeFrozen(Infinity), true);
  assert.deepEqual([3, 4, 5].map((block) => stored(memory, block)), [1, 1, 1]);
  assert.deepEqual([3, 4, 5].map((block) => stack.read(block)), [2, 2, 1]);
  cache.freeze();
  assert.equal(cache.writeFrozen(Infinity), true);
  assert.deepEqual([3, 4, 5].map((block) => stored(memory, block)), [2, 2, 1]);
  assert.equal(cache.statistics.written, 5);
});

Deno.test("a frozen block that is discarded is read as frozen, and written", () => {
  const stack = new Stack();
  const { cache, device, memory } = stack;
  stack.put(1, 3, 4, 5);
  cache.freeze();
  stack.operate(() => [3, 4, 5].forEach((block) => cache.discard(block)));
  assert.equal(cache.frozenCount, 3);
  assert.equal(stack.read(3), 1);
  cache.prefetch(2, 4);
  assert.equal(stack.read(4), 1);
  assert.equal(device.calls.read, 1, "block 2 alone");
  stack.operate(() => fill(cache.modify(5), versionOf(cache.read(5)) + 1));
  assert.equal(cache.writeFrozen(Infinity), true);
  assert.deepEqual([3, 4, 5].map((block) => stored(memory, block)), [1, 1, 1]);
  assert.equal(stack.read(5), 2);
});

Deno.test("a roll-back makes a frozen block what it was: frozen", () => {
  const changes: ((cache: BlockCache) => void)[] = [
    (cache) => fill(cache.modify(3), 2),
    (cache) => fill(cache.replace(3), 2),
    (cache) => cache.discard(3),
    (cache) => cache.read(3),
  ];
  // Each sequence of three, since one undoes what the other left.
  for (let i = 0; i < changes.length ** 3; i++) {
    const stack = new Stack(CAPACITY);
    const { cache, memory } = stack;
    stack.put(1, 3);
    cache.freeze();
    cache.begin();
    for (const n of [i & 3, i >> 2 & 3, i >> 4 & 3]) changes[n](cache);
    cache.rollback();
    assert.deepEqual([cache.dirtyCount, cache.frozenCount], [0, 1]);
    assert.equal(stack.read(3), 1);
    // It is copied again, and its memory serves no other block.
    stack.operate(() => fill(cache.modify(3), 4));
    stack.put(5, ...Array.from({ length: CAPACITY }, (_, k) => 10 + k));
    assert.equal(cache.writeFrozen(Infinity), true);
    assert.equal(stored(memory, 3), 1);
    assert.equal(stack.read(3), 4);
  }
});

Deno.test("writeFrozen() goes in ascending order, about as far as it is told", () => {
  const stack = new Stack();
  const { cache, memory } = stack;
  const blocks = [40, 10, 14, 11, 13, 12, 30, 9, 41];
  for (const block of blocks) stack.put(block, block);
  cache.freeze();
  assert.equal(cache.writeFrozen(4 * SIZE), false);
  assert.equal(cache.frozenCount, 5);
  assert.equal(cache.writeFrozen(1), false, "a block at least");
  assert.equal(cache.writeFrozen(2 * SIZE + 1), false, "a block more");
  assert.equal(cache.writeFrozen(Infinity), true);
  assert.equal(cache.writeFrozen(Infinity), true);
  const writes = [[9, 4], [13, 1], [14, 1], [30, 1], [40, 1], [41, 1]];
  assert.deepEqual(memory.writes, writes);
  for (const block of blocks) assert.equal(stored(memory, block), block);
});

Deno.test("a run of frozen blocks is a MiB long at most", () => {
  const memory = new NotingDevice(SIZE, 4096);
  const cache = new BlockCache(memory, 4096 * SIZE);
  cache.begin();
  for (let i = 0; i < 3000; i++) fill(cache.replace(i), i);
  cache.commit();
  cache.freeze();
  assert.equal(cache.writeFrozen(2500 * SIZE), false);
  assert.deepEqual(memory.writes, [[0, 1024], [1024, 1024], [2048, 452]]);
});

Deno.test("frozen blocks stay in memory until they are written", () => {
  const stack = new Stack(CAPACITY);
  const { cache, device } = stack;
  const frozen = Array.from({ length: CAPACITY }, (_, i) => i);
  stack.put(1, ...frozen);
  cache.freeze();
  const readAll = (): void => {
    for (let block = CAPACITY; block < BLOCKS; block++) {
      cache.safePoint();
      assert.equal(stack.read(block), 0);
    }
    device.calls.read = 0;
    for (const block of frozen) {
      cache.safePoint();
      assert.equal(stack.read(block), 1);
    }
  };
  readAll();
  assert.equal(device.calls.read, 0);
  cache.writeFrozen(Infinity);
  readAll();
  assert.ok(device.calls.read > 0, "written blocks make room for others");
});

Deno.test("frozen versions that were replaced count for the cache's size", () => {
  const stack = new Stack(CAPACITY);
  const { cache, device } = stack;
  const half = Array.from({ length: CAPACITY / 2 }, (_, i) => i);
  stack.put(1, ...half);
  cache.freeze();
  stack.put(2, ...half);
  const readsOf = (...blocks: number[]): number => {
    const before = device.calls.read;
    for (const block of blocks) {
      cache.safePoint();
      cache.read(block);
    }
    return device.calls.read - before;
  };
  assert.equal(readsOf(40, 41, 40), 3, "no room for two clean blocks");
  cache.writeFrozen(Infinity);
  assert.equal(readsOf(40, 41, 40), 1);
  assert.equal(readsOf(...half), 0);
});

Deno.test("what cannot be written is dirty again, unless there is newer", () => {
  const stack = new Stack();
  const { cache, memory } = stack;
  stack.put(1, 3, 4, 5, 6, 20);
  cache.freeze();
  stack.operate(() => {
    fill(cache.modify(4), 2);
    cache.discard(5);
  });
  stack.spoil(3, 4, 5);
  assert.equal(cache.writeFrozen(4 * SIZE), false, "the set is not done");
  assert.equal(cache.frozenCount, 4);
  const error = { code: "EIO", message: /block 3\b/ };
  assert.throws(() => cache.writeFrozen(Infinity), error);
  assert.equal(cache.statistics.written, 2);
  assert.deepEqual([cache.dirtyCount, cache.frozenCount], [2, 0]);
  assert.deepEqual([3, 4, 6, 20].map((block) => stack.read(block)), [
    1,
    2,
    1,
    1,
  ]);
  assert.equal(cache.writeFrozen(Infinity), true, "the error was told");
  stack.device.rule = null;
  cache.freeze();
  assert.equal(cache.writeFrozen(Infinity), true);
  assert.deepEqual([3, 4].map((block) => stored(memory, block)), [1, 2]);
});

Deno.test("writeBack() finishes the frozen set and writes the rest", () => {
  const stack = new Stack();
  const { cache, memory } = stack;
  stack.put(1, 3, 4, 5);
  cache.freeze();
  cache.writeFrozen(SIZE);
  stack.put(2, 4, 7);
  cache.writeBack();
  assert.deepEqual([cache.dirtyCount, cache.frozenCount], [0, 0]);
  const blocks = [3, 4, 5, 7];
  assert.deepEqual(blocks.map((block) => stored(memory, block)), [1, 2, 1, 2]);
  assert.equal(cache.statistics.written, 5);
});

Deno.test("writeBack() tells of what is still not written, and of no more", () => {
  const stack = new Stack();
  const { cache, device, memory } = stack;
  stack.put(1, 3, 4);
  cache.freeze();
  stack.spoil(3);
  assert.equal(cache.writeFrozen(SIZE), false, "block 3 has failed");
  stack.put(2, 7);
  assert.throws(() => cache.writeBack(), { message: /block 3\b/ });
  assert.equal(cache.dirtyCount, 1);
  assert.deepEqual([4, 7].map((block) => stored(memory, block)), [1, 2]);
  cache.freeze();
  assert.throws(() => cache.writeFrozen(SIZE), { message: /block 3\b/ });
  cache.freeze();
  device.rule = null;
  cache.writeBack();
  assert.equal(stored(memory, 3), 1);
});

Deno.test("the dirty limit is about the present set", () => {
  const stack = new Stack(CAPACITY);
  const { cache } = stack;
  stack.put(1, 1, 2, 3, 4, 5, 6, 7, 8);
  assert.equal(cache.overDirtyLimit, false);
  stack.put(1, 9);
  assert.equal(cache.overDirtyLimit, true);
  cache.freeze();
  assert.equal(cache.overDirtyLimit, false);
});

Deno.test("replace() of a frozen block asks whether it may be written again", () => {
  const stack = new Stack();
  const { cache, memory } = stack;
  stack.put(1, 3);
  stack.put(2, 3);
  cache.freeze();
  stack.put(3, 3);
  stack.put(4, 3);
  assert.deepEqual(memory.asked, [3, 3]);
});
