/**
 * Staging: what was written and is not yet in its place, in memory, newest on
 * top. Blocks of the image and nodes of the tree go through it alike.
 *
 * A value is in one of four layers, and moves down a layer with all of its
 * contemporaries:
 *
 * 1. `pending`: written since the last freeze.
 * 2. `frozen`: being made durable by a commit; it does not change any more.
 * 3. `committed`: in a durable record, and waiting for a checkpoint.
 * 4. `leaving`: being put in its place by a checkpoint.
 *
 * A commit that fails gives its layer back to the one above it, a checkpoint
 * that fails likewise. Memory of values is recycled.
 *
 * @module
 */

/** Values taken from memory at a time. */
const SLAB_UNITS = 64;
/** Most bytes of memory that are kept for other values. */
const FREE_BYTES_MAX = 64 << 20;

/** Values by number: block numbers, or places of nodes. */
export type Layer = Map<number, Uint8Array>;

/** See the module. */
export class Staging {
  readonly #unitBytes: number;
  readonly #free: Uint8Array[] = [];
  #pending: Layer = new Map();
  #frozen: Layer = new Map();
  #committed: Layer = new Map();
  #leaving: Layer = new Map();

  /** Makes one for values of `unitBytes` bytes. */
  constructor(unitBytes: number) {
    this.#unitBytes = unitBytes;
  }

  /** Number of values that no commit has taken up. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** True if there is no value at all. */
  get isEmpty(): boolean {
    return this.#pending.size + this.#frozen.size + this.#committed.size +
        this.#leaving.size === 0;
  }

  /** Newest value of `key`, to be read at once; undefined if it is in place. */
  get(key: number): Uint8Array | undefined {
    return this.#pending.get(key) ?? this.#frozen.get(key) ??
      this.#committed.get(key) ?? this.#leaving.get(key);
  }

  /** Sets the value of `key` to a copy of `from`. */
  set(key: number, from: Uint8Array): void {
    let value = this.#pending.get(key);
    if (value === undefined) {
      value = this.#take();
      this.#pending.set(key, value);
    }
    value.set(from);
  }

  /** Sets the value of `key` as a commit has made it; it becomes staging's. */
  recover(key: number, value: Uint8Array): void {
    this.#committed.set(key, value);
  }

  /** Takes what is pending for a commit, in the order of numbers. */
  freeze(): Layer {
    this.#frozen = sorted(this.#pending);
    this.#pending = new Map();
    return this.#frozen;
  }

  /** The commit is durable. */
  commit(): void {
    this.#committed = this.#merge(this.#frozen, this.#committed);
    this.#frozen = new Map();
  }

  /** The commit has failed: what it took is pending again. */
  thaw(): void {
    this.#pending = this.#merge(this.#pending, this.#frozen);
    this.#frozen = new Map();
  }

  /** Takes what is committed for a checkpoint, in the order of numbers. */
  leave(): Layer {
    this.#leaving = sorted(this.#committed);
    this.#committed = new Map();
    return this.#leaving;
  }

  /** What a checkpoint took is in its place, for good. */
  release(): void {
    for (const value of this.#leaving.values()) this.#recycle(value);
    this.#leaving = new Map();
  }

  /** The checkpoint has failed: what it took is committed as before. */
  stay(): void {
    this.#committed = this.#merge(this.#committed, this.#leaving);
    this.#leaving = new Map();
  }

  /** Both layers in one; where both have a value, `above` counts. */
  #merge(above: Layer, below: Layer): Layer {
    // To move the smaller one would leave old values in place of new ones.
    if (below.size === 0) return above;
    for (const [key, value] of above) {
      const old = below.get(key);
      if (old) this.#recycle(old);
      below.set(key, value);
    }
    return below;
  }

  #recycle(value: Uint8Array): void {
    const most = FREE_BYTES_MAX / this.#unitBytes;
    if (this.#free.length < most) this.#free.push(value);
  }

  #take(): Uint8Array {
    const value = this.#free.pop();
    if (value) return value;
    const size = this.#unitBytes;
    const slab = new Uint8Array(SLAB_UNITS * size);
    for (let i = SLAB_UNITS - 1; i > 0; i--) {
      this.#free.push(slab.subarray(i * size, (i + 1) * size));
    }
    return slab.subarray(0, size);
  }
}

function sorted(layer: Layer): Layer {
  return new Map([...layer].sort(([a], [b]) => a - b));
}
