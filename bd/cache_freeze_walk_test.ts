import assert from "node:assert/strict";
import { Random } from "../tests/support/random.ts";
import { fill, stored, versionOf } from "./_block_versions.ts";
import { BlockCache } from "./cache.ts";
import { FaultyDevice } from "./faulty.ts";
import { MemoryDevice } from "./memory.ts";

const SIZE = 1024;
const BLOCKS = 48;
/** The smallest cache there is, in blocks. */
const CAPACITY = 16;
const OPERATIONS = 2000;

/** What a cache and its device hold, as plain maps from block to version. */
class Model {
  /** On the device when the frozen set was begun. */
  readonly device: number[] = new Array(BLOCKS).fill(0);
  /** The frozen set. */
  frozen: Map<number, number> = new Map();
  /** The present set of dirty blocks. */
  present: Map<number, number> = new Map();
  /** Blocks of the frozen set that were changed or discarded since. */
  outdated: Set<number> = new Set();

  /** The version of `block` that must be read. */
  newest(block: number): number {
    return this.present.get(block) ?? this.frozen.get(block) ??
      this.device[block];
  }

  put(block: number, version: number): void {
    this.present.set(block, version);
    if (this.frozen.has(block)) this.outdated.add(block);
  }

  discard(block: number): void {
    this.present.delete(block);
    if (this.frozen.has(block)) this.outdated.add(block);
  }
}

/** One walk of a cache and its model. */
class Walk {
  readonly random: Random;
  readonly memory = new MemoryDevice(SIZE, BLOCKS);
  readonly device = new FaultyDevice(this.memory);
  readonly cache = new BlockCache(this.device, CAPACITY * SIZE);
  readonly model = new Model();
  /** Blocks that cannot be written; they change only between two sets. */
  bad: Set<number> = new Set();
  #version = 0;

  constructor(seed: number, readonly faults: boolean) {
    this.random = new Random(seed);
    this.device.rule = ({ kind, block, count }) => {
      const isHit = [...this.bad].some((b) => b >= block && b < block + count);
      return kind === "write" && isHit ? "EIO" : null;
    };
  }

  /** One operation: at times several transactions long, at times undone. */
  operation(): void {
    const { cache, model, random } = this;
    cache.safePoint();
    cache.begin();
    const before = {
      present: new Map(model.present),
      outdated: new Set(model.outdated),
    };
    const views: Map<number, Uint8Array> = new Map();
    for (let steps = random.below(12); steps > 0; steps--) this.step(views);
    for (const [block, view] of views) {
      assert.equal(versionOf(view), model.newest(block), "a view has changed");
    }
    if (random.chance(0.6)) return cache.commit();
    cache.rollback();
    Object.assign(model, before);
  }

  /** One step of an operation; `views` are those it has, by block. */
  step(views: Map<number, Uint8Array>): void {
    const { cache, model, random } = this;
    const block = random.below(BLOCKS);
    switch (random.below(7)) {
      case 0:
        model.discard(block);
        cache.discard(block);
        views.delete(block);
        break;
      case 1:
      case 2: {
        fill(cache.replace(block), ++this.#version);
        model.put(block, this.#version);
        views.delete(block);
        break;
      }
      case 3:
      case 4: {
        if (!this.mayRead(block)) return;
        const view = cache.modify(block);
        assert.equal(versionOf(view), model.newest(block));
        fill(view, ++this.#version);
        model.put(block, this.#version);
        views.set(block, view);
        break;
      }
      case 5:
        cache.prefetch(block, Math.min(5, BLOCKS - block));
        break;
      default:
        if (this.mayRead(block)) views.set(block, this.read(block));
    }
  }

  /**
   * False for a frozen block that was discarded, if it may turn out that it
   * cannot be written: to read it would be to ask for it again.
   */
  mayRead(block: number): boolean {
    const { outdated, present } = this.model;
    return this.bad.size === 0 || !outdated.has(block) || present.has(block);
  }

  read(block: number): Uint8Array {
    const view = this.cache.read(block);
    assert.equal(versionOf(view), this.model.newest(block), `block ${block}`);
    return view;
  }

  freeze(): void {
    const { cache, model, random } = this;
    if (model.frozen.size > 0) {
      assert.throws(() => cache.freeze(), /still being written/);
      return;
    }
    cache.freeze();
    model.frozen = model.present;
    model.present = new Map();
    this.bad = new Set();
    if (!this.faults) return;
    for (let n = random.below(4); n > 0; n--) {
      this.bad.add(random.below(BLOCKS));
    }
  }

  writeFrozen(): void {
    const { cache, model, random } = this;
    const before = cache.frozenCount;
    const blocks = random.below(8);
    const failed = [...model.frozen.keys()].filter((b) => this.bad.has(b));
    let done: boolean;
    try {
      done = cache.writeFrozen(blocks * SIZE);
      assert.ok(!done || failed.length === 0, "what failed was not told of");
    } catch (error) {
      const first = Math.min(...failed);
      assert.match(String(error), new RegExp(`at block ${first}:`));
      done = true;
    }
    if (done) return this.complete();
    if (failed.length > 0) return;
    assert.equal(cache.frozenCount, before - Math.max(1, blocks));
    this.checkAscending();
  }

  /** What is written of the frozen set are its first blocks. */
  checkAscending(): void {
    const { cache, memory, model } = this;
    const order = [...model.frozen].sort(([a], [b]) => a - b);
    order.forEach(([block, version], i) => {
      const isWritten = i < order.length - cache.frozenCount;
      const expected = isWritten ? version : model.device[block];
      assert.equal(stored(memory, block), expected, `block ${block}`);
    });
  }

  /** The frozen set is done: the device holds it, and nothing else. */
  complete(): void {
    const { memory, model } = this;
    for (const [block, version] of model.frozen) {
      if (!this.bad.has(block)) model.device[block] = version;
      else this.settle(block, version);
    }
    for (const block of this.bad) {
      const version = model.frozen.get(block);
      if (version === undefined || model.outdated.has(block)) continue;
      model.present.set(block, version);
    }
    model.frozen = new Map();
    model.outdated = new Set();
    for (let block = 0; block < BLOCKS; block++) {
      assert.equal(stored(memory, block), model.device[block]);
    }
  }

  /** A write that failed may nevertheless have reached the device. */
  settle(block: number, version: number): void {
    const { memory, model } = this;
    const actual = stored(memory, block);
    assert.ok(actual === version || actual === model.device[block]);
    model.device[block] = actual;
  }

  /** Everything is written, by a device that works again. */
  writeBack(): void {
    const { cache, memory, model } = this;
    const spoilt = this.bad;
    this.bad = new Set();
    cache.writeBack();
    for (const [block, version] of model.frozen) {
      const isLost = spoilt.has(block) && model.outdated.has(block);
      if (isLost && !model.present.has(block)) this.settle(block, version);
      else model.device[block] = version;
    }
    for (const [block, version] of model.present) model.device[block] = version;
    model.frozen = new Map();
    model.present = new Map();
    model.outdated = new Set();
    for (let block = 0; block < BLOCKS; block++) {
      assert.equal(stored(memory, block), model.device[block]);
    }
  }

  check(): void {
    const { cache, model, random } = this;
    assert.equal(cache.dirtyCount, model.present.size);
    assert.ok(cache.frozenCount <= model.frozen.size);
    cache.safePoint();
    for (let n = 0; n < 3; n++) {
      const block = random.below(BLOCKS);
      if (this.mayRead(block)) this.read(block);
    }
  }

  run(): void {
    for (let i = 0; i < OPERATIONS; i++) {
      const choice = this.random.below(20);
      if (choice === 0) this.writeBack();
      else if (choice < 4) this.freeze();
      else if (choice < 9) this.writeFrozen();
      else this.operation();
      this.check();
    }
    this.writeBack();
  }
}

for (const faults of [false, true]) {
  const device = faults ? "a device that fails" : "a device";
  Deno.test(`snapshots reach ${device} whole, while blocks go on changing`, () => {
    for (let seed = 1; seed <= 10; seed++) new Walk(seed, faults).run();
  });
}
