import assert from "node:assert/strict";
import { Random } from "../tests/support/random.ts";
import { BlockCache } from "./cache.ts";
import { FaultyDevice } from "./faulty.ts";
import { MemoryDevice } from "./memory.ts";

const SIZE = 1024;
const BLOCKS = 64;

function contents(device: MemoryDevice, block: number): number {
  const bytes = new Uint8Array(SIZE);
  device.read(block, bytes);
  assert.ok(bytes.every((byte) => byte === bytes[0]), "a torn block");
  return bytes[0];
}

Deno.test("a roll-back restores every block, whatever was done to it", () => {
  const random = new Random(20261123);
  const next = (limit: number): number => random.below(limit);
  const device = new MemoryDevice(SIZE, BLOCKS);
  const cache = new BlockCache(device, 16 * SIZE);
  const model = new Uint8Array(BLOCKS);
  for (let operation = 0; operation < 3000; operation++) {
    cache.safePoint();
    cache.begin();
    const after = model.slice();
    for (let step = next(12); step > 0; step--) {
      const block = next(BLOCKS);
      const action = next(4);
      if (action === 0) {
        cache.replace(block).fill(after[block] = next(256));
      } else if (action === 1) {
        const bytes = cache.modify(block);
        assert.equal(bytes[SIZE - 1], after[block]);
        bytes.fill(after[block] = next(256));
      } else if (action === 2) {
        assert.equal(cache.read(block)[0], after[block]);
      } else {
        // A discarded block has no contents until it is replaced.
        cache.discard(block);
        cache.replace(block).fill(after[block] = next(256));
        if (next(2) === 0) {
          cache.discard(block);
          cache.replace(block).fill(after[block]);
        }
      }
    }
    if (next(2) === 0) {
      cache.commit();
      model.set(after);
    } else {
      cache.rollback();
    }
    if (next(10) === 0) cache.writeBack();
    cache.safePoint();
    const block = next(BLOCKS);
    assert.equal(cache.read(block)[7], model[block], `after ${operation}`);
  }
  cache.writeBack();
  for (let i = 0; i < BLOCKS; i++) assert.equal(contents(device, i), model[i]);
});

Deno.test("views stay as they are until the next safe point", () => {
  const device = new MemoryDevice(SIZE, BLOCKS);
  for (let i = 0; i < BLOCKS; i++) {
    device.write(i, new Uint8Array(SIZE).fill(i));
  }
  const cache = new BlockCache(device, 16 * SIZE);
  const views = Array.from({ length: BLOCKS }, (_, i) => cache.read(i));
  views.forEach((view, i) => assert.equal(view[0], i));
});

Deno.test("a dirty block survives a device that fails, and is written later", () => {
  const memory = new MemoryDevice(SIZE, BLOCKS);
  const device = new FaultyDevice(memory);
  device.rule = ({ kind }) => kind === "write" ? "EIO" : null;
  const cache = new BlockCache(device, 16 * SIZE);
  cache.begin();
  cache.replace(3).fill(9);
  cache.commit();
  assert.throws(() => cache.writeBack(), { code: "EIO" });
  assert.equal(cache.dirtyCount, 1);
  device.rule = null;
  cache.writeBack();
  assert.equal(cache.dirtyCount, 0);
  assert.equal(contents(memory, 3), 9);
});

Deno.test("dirty blocks in a row go to the device in one write", () => {
  const memory = new MemoryDevice(SIZE, BLOCKS);
  const device = new FaultyDevice(memory);
  const cache = new BlockCache(device, BLOCKS * SIZE);
  cache.begin();
  for (let i = 20; i > 10; i--) cache.replace(i).fill(i);
  cache.replace(40).fill(40);
  cache.commit();
  cache.writeBack();
  assert.equal(device.calls.write, 2);
  assert.equal(contents(memory, 15), 15);
});

Deno.test("a block cannot be changed outside a transaction", () => {
  const cache = new BlockCache(new MemoryDevice(SIZE, BLOCKS), 16 * SIZE);
  assert.throws(() => cache.modify(1), /no transaction/);
  assert.throws(() => cache.replace(1), /no transaction/);
});
