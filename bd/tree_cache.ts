/**
 * The nodes of a hash tree that are in memory, in a bounded cache of units.
 *
 * Invariants:
 * - A unit is read from the host once and then used from memory, so that what
 *   was verified is what is used.
 * - A unit that differs from the host's, or is bound until the next fold, is
 *   never dropped; nor is one that the present call has touched.
 * - To drop a unit is to forget what was verified in it.
 *
 * @module
 */

import type { ByteFile } from "./byte_file.ts";
import { type TreeLayout, UNIT_SLOTS } from "./tree_layout.ts";

/** A slot's value is what the trusted root stands for. */
export const VERIFIED = 1;
/**
 * The slot is verified, so is every node between it and the root, and with
 * each its sibling; and all of these stay in memory until the next fold.
 */
export const BOUND = 2;

/** Least number of units that a cache holds: several paths. */
const CAPACITY_MIN = 256;
/** Bytes of bookkeeping for each unit. */
const OVERHEAD_BYTES = 512;

/** A unit of the tree in memory. */
export interface Unit {
  /** Its number in the layout. */
  readonly id: number;
  /** Values of all slots. */
  readonly data: Uint8Array;
  /** {@link VERIFIED} and {@link BOUND} of each slot. */
  readonly flags: Uint8Array;
  /** Differs from the host's. */
  dirty: boolean;
  /** Holds a slot that is bound. */
  bound: boolean;
  /** Used since the clock's hand came by. */
  referenced: boolean;
  /** The call that last used it. */
  epoch: number;
}

/** See the module. */
export class TreeCache {
  /** Units read from the host so far. */
  reads = 0;
  /** Units written to the host so far. */
  writes = 0;
  readonly #file: ByteFile;
  readonly #layout: TreeLayout;
  readonly #capacity: number;
  readonly #units: Map<number, Unit> = new Map();
  readonly #clock: Unit[] = [];
  readonly #dirty: Set<Unit> = new Set();
  readonly #bound: Unit[] = [];
  readonly #free: Uint8Array[] = [];
  #hand = 0;
  #epoch = 1;
  #last: Unit | null = null;

  /** Makes a cache of about `bytes` bytes for the tree in `file`. */
  constructor(file: ByteFile, layout: TreeLayout, bytes: number) {
    this.#file = file;
    this.#layout = layout;
    const unitBytes = UNIT_SLOTS * layout.digestSize + OVERHEAD_BYTES;
    this.#capacity = Math.max(CAPACITY_MIN, Math.floor(bytes / unitBytes));
  }

  /** True if units should be let go before more are bound or changed. */
  get isCrowded(): boolean {
    return this.#bound.length + this.#dirty.size > this.#capacity / 2;
  }

  /** Starts a call: units touched by the one before may be dropped. */
  begin(): void {
    this.#epoch++;
  }

  /** The unit `id`, from memory or from the host. */
  unit(id: number): Unit {
    let unit: Unit | undefined | null = this.#last;
    if (unit === null || unit.id !== id) {
      unit = this.#units.get(id) ?? this.#load(id);
      this.#last = unit;
    }
    unit.referenced = true;
    unit.epoch = this.#epoch;
    return unit;
  }

  /**
   * Keeps `unit` in memory until {@link TreeCache.unbind}. Throws what the file
   * throws if there is no room for it.
   */
  bind(unit: Unit): void {
    if (unit.bound) return;
    if (this.#layout.sparse && !unit.dirty) this.#reserve(unit);
    unit.bound = true;
    this.#bound.push(unit);
  }

  /**
   * Writes a unit that nothing was ever stored in, as it is: it takes its place
   * on the host's disk. Later there would be no way back if the disk is full:
   * blocks will have been written that only this unit makes verify.
   */
  #reserve(unit: Unit): void {
    if (unit.data.some((byte) => byte !== 0)) return;
    this.#file.writeAt(this.#layout.position(unit.id), this.#stored(unit));
  }

  /** Lets go of all bound units; what they hold stays verified. */
  unbind(): void {
    for (const unit of this.#bound) {
      unit.bound = false;
      for (let i = 0; i < UNIT_SLOTS; i++) unit.flags[i] &= ~BOUND;
    }
    this.#bound.length = 0;
  }

  /** Notes that `unit` was changed. */
  touch(unit: Unit): void {
    if (unit.dirty) return;
    unit.dirty = true;
    this.#dirty.add(unit);
  }

  /** Drops the unit `id` if it is there and need not stay. */
  forget(id: number): void {
    const unit = this.#units.get(id);
    if (!unit || unit.dirty || unit.bound) return;
    this.#drop(this.#clock.indexOf(unit));
  }

  /** Writes changed units to the host, in ascending order. */
  writeBack(): void {
    const units = [...this.#dirty].sort((a, b) => a.id - b.id);
    for (const unit of units) {
      this.#file.writeAt(this.#layout.position(unit.id), this.#stored(unit));
      unit.dirty = false;
      this.#dirty.delete(unit);
      this.writes++;
    }
  }

  /** The part of a unit that is in the file. */
  #stored({ id, data }: Unit): Uint8Array {
    const { digestSize } = this.#layout;
    const start = this.#layout.firstSlot(id) * digestSize;
    return data.subarray(start, this.#layout.endSlot(id) * digestSize);
  }

  #load(id: number): Unit {
    const unit: Unit = {
      id,
      data: this.#memory(),
      flags: new Uint8Array(UNIT_SLOTS),
      dirty: false,
      bound: false,
      referenced: true,
      epoch: this.#epoch,
    };
    try {
      this.#file.readAt(this.#layout.position(id), this.#stored(unit));
    } catch (error) {
      this.#free.push(unit.data);
      throw error;
    }
    this.reads++;
    this.#units.set(id, unit);
    this.#clock.push(unit);
    return unit;
  }

  #memory(): Uint8Array {
    if (this.#clock.length >= this.#capacity) this.#evict();
    return this.#free.pop() ??
      new Uint8Array(UNIT_SLOTS * this.#layout.digestSize);
  }

  /** Drops a unit that nothing needs; the clock algorithm, as for blocks. */
  #evict(): void {
    for (let steps = 2 * this.#clock.length; steps > 0; steps--) {
      if (this.#hand >= this.#clock.length) this.#hand = 0;
      const unit = this.#clock[this.#hand];
      if (unit.dirty || unit.bound || unit.epoch === this.#epoch) {
        this.#hand++;
      } else if (unit.referenced) {
        unit.referenced = false;
        this.#hand++;
      } else {
        this.#drop(this.#hand);
        if (this.#clock.length < this.#capacity) return;
      }
    }
  }

  /** Drops the unit at `place` on the clock; the last one takes its place. */
  #drop(place: number): void {
    const unit = this.#clock[place];
    const last = this.#clock.pop()!;
    if (last !== unit) this.#clock[place] = last;
    this.#units.delete(unit.id);
    if (this.#last === unit) this.#last = null;
    this.#free.push(unit.data);
  }
}
