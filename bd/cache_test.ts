import assert from "node:assert/strict";
import { Random } from "../tests/support/random.ts";
import { IntegrityError } from "./block_device.ts";
import { BorrowedDevice } from "./borrowed.ts";
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

/** A cache with `count` blocks from 10 on dirty, over a device that fails. */
function dirtied(
  count: number,
): { cache: BlockCache; memory: MemoryDevice; device: FaultyDevice } {
  const memory = new MemoryDevice(SIZE, BLOCKS);
  const device = new FaultyDevice(memory);
  const cache = new BlockCache(device, BLOCKS * SIZE);
  cache.begin();
  for (let i = 10; i < 10 + count; i++) cache.replace(i).fill(i);
  cache.replace(60).fill(60);
  cache.commit();
  return { cache, memory, device };
}

Deno.test("a block that cannot be written holds up no other", () => {
  const { cache, memory, device } = dirtied(20);
  const bad = [13, 21];
  device.rule = ({ kind, block, count }) => {
    const isBad = bad.some((one) => one >= block && one < block + count);
    return kind === "write" && isBad ? (block === 21 ? "ENOSPC" : "EIO") : null;
  };
  // The first error is that of the first block that failed, not of the run.
  assert.throws(() => cache.writeBack(), {
    code: "EIO",
    message: /block 13\b/,
  });
  assert.equal(cache.dirtyCount, 2);
  assert.equal(cache.statistics.written, 19);
  for (let i = 10; i < 30; i++) {
    if (!bad.includes(i)) assert.equal(contents(memory, i), i);
  }
  assert.equal(contents(memory, 60), 60);
  assert.throws(() => cache.writeBack(), { code: "EIO" });
  bad.shift();
  assert.throws(() => cache.writeBack(), { code: "ENOSPC" });
  assert.equal(cache.dirtyCount, 1);
  device.rule = null;
  cache.writeBack();
  assert.equal(cache.dirtyCount, 0);
  for (let i = 10; i < 30; i++) assert.equal(contents(memory, i), i);
});

Deno.test("a run that fails once, and whose blocks are then written, is written", () => {
  const { cache, memory, device } = dirtied(20);
  device.rule = ({ count }) => count > 1 ? "EIO" : null;
  cache.writeBack();
  assert.equal(cache.dirtyCount, 0);
  assert.equal(cache.statistics.written, 21);
  for (let i = 10; i < 30; i++) assert.equal(contents(memory, i), i);
});

Deno.test("a full device leaves everything dirty, and says so", () => {
  const { cache, device } = dirtied(20);
  device.rule = ({ kind }) => kind === "write" ? "ENOSPC" : null;
  assert.throws(() => cache.writeBack(), { code: "ENOSPC" });
  assert.equal(cache.dirtyCount, 21);
  device.rule = null;
  cache.writeBack();
  assert.equal(cache.dirtyCount, 0);
});

/** A device that takes no writes of block 7. */
class Choosy extends MemoryDevice {
  readonly asked: number[] = [];

  admitWrite(block: number): void {
    this.asked.push(block);
    if (block === 7) throw new IntegrityError(7, "Cannot trust block 7");
  }
}

Deno.test("replace() fails if the device would refuse the write", () => {
  const device = new Choosy(SIZE, BLOCKS);
  const cache = new BlockCache(device, BLOCKS * SIZE);
  cache.begin();
  cache.replace(5).fill(5);
  cache.replace(5).fill(5);
  assert.throws(() => cache.replace(7), IntegrityError);
  assert.deepEqual(device.asked, [5, 7]);
  assert.equal(cache.dirtyCount, 1);
  cache.rollback();
  assert.equal(cache.dirtyCount, 0);
  // Nor is one that was read before: its write would fail as well.
  cache.read(7);
  cache.begin();
  cache.modify(8).fill(8);
  assert.throws(() => cache.replace(7), IntegrityError);
  cache.commit();
  cache.writeBack();
  assert.equal(contents(device, 8), 8);
  assert.equal(contents(device, 7), 0);
});

Deno.test("layers pass the question on whether a write would be refused", () => {
  const device = new Choosy(SIZE, BLOCKS);
  for (const layer of [new FaultyDevice(device), new BorrowedDevice(device)]) {
    layer.admitWrite(6);
    assert.throws(() => layer.admitWrite(7), IntegrityError);
    new FaultyDevice(new MemoryDevice(SIZE, BLOCKS)).admitWrite(7);
  }
});
