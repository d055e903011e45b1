import assert from "node:assert/strict";
import { Random } from "../tests/support/random.ts";
import { BlockCache } from "./cache.ts";
import { FaultyDevice } from "./faulty.ts";
import { MemoryDevice } from "./memory.ts";

const SIZE = 1024;
const BLOCKS = 64;
/** The smallest cache there is, in blocks. */
const CAPACITY = 16;

/** Fills a block with one number, its version. */
function fill(bytes: Uint8Array, version: number): void {
  new Uint32Array(bytes.buffer, bytes.byteOffset, SIZE / 4).fill(version);
}

/** The version that a block is filled with. */
function versionOf(bytes: Uint8Array): number {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, SIZE / 4);
  assert.ok(words.every((word) => word === words[0]), "a torn block");
  return words[0];
}

/** The version of `block` on `device`. */
function stored(device: MemoryDevice, block: number): number {
  const bytes = new Uint8Array(SIZE);
  device.read(block, bytes);
  return versionOf(bytes);
}

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
  const { cache, memory, ...stack } = new Stack();
  void stack;
  cache.begin();
  for (const block of [3, 5]) fill(cache.replace(block), 1);
  cache.commit();
  cache.freeze();
  assert.deepEqual([cache.dirtyCount, cache.frozenCount], [0, 2]);
  assert.equal(memory.writes.length, 0);
});
