/**
 * A set of versions of blocks, on its way to the device in slices.
 *
 * Invariants:
 * - The set holds the versions that are not on the device: those still to be
 *   written, and those that could not be. It is done when each was tried.
 * - What a version holds does not change while it is in the set; that is for
 *   the owner to see to.
 *
 * @module
 */

import type { BlockDevice } from "./block_device.ts";
import { type Frames, RUN_BYTES_MAX } from "./_frames.ts";

/** What a block held when its set was frozen. */
export interface Version {
  /** The block's number. */
  readonly block: number;
  /** The block's contents. */
  readonly data: Uint8Array;
}

/** What is left of a set that could not be written as a whole. */
export interface Leftover<V> {
  /** The versions that are not on the device. */
  readonly versions: readonly V[];
  /** Why the first of them, in ascending order, is not. */
  readonly error: unknown;
}

/** What a {@link FrozenSet} needs. */
export interface FrozenSetOptions<V> {
  /** Where the memory for a run of blocks is taken from. */
  readonly frames: Frames;
  /** Is told of each version that has been written. */
  readonly written: (version: V) => void;
}

/** See the module. */
export class FrozenSet<V extends Version> {
  readonly #device: BlockDevice;
  readonly #frames: Frames;
  readonly #written: (version: V) => void;
  #versions: Map<number, V> = new Map();
  /** The blocks in ascending order, once there is an order. */
  #order: Float64Array | null = null;
  /** How many of them were tried. */
  #tried = 0;
  #failure: { error: unknown } | null = null;

  /** Makes an empty set of blocks of `device`. */
  constructor(device: BlockDevice, options: FrozenSetOptions<V>) {
    this.#device = device;
    this.#frames = options.frames;
    this.#written = options.written;
  }

  /** Number of versions that are not on the device. */
  get size(): number {
    return this.#versions.size;
  }

  /** The version of `block`, if the set holds one. */
  get(block: number): V | undefined {
    return this.#versions.get(block);
  }

  /** Whether the set holds a version of `block`. */
  has(block: number): boolean {
    return this.#versions.has(block);
  }

  /** Takes `versions` as the set, which is empty; gives an empty map for it. */
  exchange(versions: Map<number, V>): Map<number, V> {
    if (this.#versions.size > 0) {
      throw new Error("Cannot freeze: a frozen set is still being written");
    }
    const empty = this.#versions;
    this.#versions = versions;
    return empty;
  }

  /**
   * Writes about `bytesMax` bytes, but at least a block, in ascending order
   * and in long runs. If a run fails, its blocks are tried one by one, so that
   * one that cannot be written holds up no other. Returns true if every
   * version was tried.
   */
  write(bytesMax: number): boolean {
    if (this.#versions.size === 0) return true;
    const order = this.#order ??= Float64Array.from(this.#versions.keys())
      .sort();
    let left = bytesMax;
    do {
      const run = this.#nextRun(order, left);
      this.#writeAll(run);
      left -= run.length * this.#device.blockSize;
    } while (left > 0 && this.#tried < order.length);
    return this.#tried === order.length;
  }

  /** Empties the set, of which all was tried. Says what is left, or null. */
  end(): Leftover<V> | null {
    const failure = this.#failure;
    const versions = [...this.#versions.values()];
    this.#versions.clear();
    this.#order = null;
    this.#tried = 0;
    this.#failure = null;
    return failure && { versions, error: failure.error };
  }

  /** The next versions in a row, of about `bytesMax` bytes or less. */
  #nextRun(order: Float64Array, bytesMax: number): V[] {
    const size = this.#device.blockSize;
    const bytes = Math.min(bytesMax, RUN_BYTES_MAX);
    const first = order[this.#tried];
    const run: V[] = [];
    do {
      run.push(this.#versions.get(first + run.length)!);
      this.#tried++;
    } while (
      run.length * size < bytes && order[this.#tried] === first + run.length
    );
    return run;
  }

  /** Writes a run at once, or else those of its blocks that can be written. */
  #writeAll(run: V[]): void {
    try {
      this.#writeRun(run);
    } catch (error) {
      if (run.length === 1) this.#failure ??= { error };
      else for (const version of run) this.#writeAll([version]);
    }
  }

  #writeRun(run: V[]): void {
    const size = this.#device.blockSize;
    let bytes = run[0].data;
    if (run.length > 1) {
      bytes = this.#frames.stage(run.length * size);
      for (let i = 0; i < run.length; i++) bytes.set(run[i].data, i * size);
    }
    this.#device.write(run[0].block, bytes);
    for (const version of run) {
      this.#versions.delete(version.block);
      this.#written(version);
    }
  }
}
