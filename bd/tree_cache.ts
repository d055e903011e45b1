/**
 * The nodes of a hash tree that are in memory, in a bounded cache of units.
 *
 * Invariants:
 * - A unit is read from the host once and then used from memory, so that what
 *   was verified is what is used.
 * - A unit that differs from the host's, or is bound until the next fold, is
 *   never dropped; nor is one that the present call has touched.
 * - To drop a unit is to forget what was verified in it.
 * - A slot that differs from the host's is marked, and its unit is dirty. The
 *   mark goes when the slot was written, and not when the write failed.
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
/** The slot was changed since it was last written to the host. */
const CHANGED = 4;

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
  /** {@link VERIFIED}, {@link BOUND} and {@link CHANGED} of each slot. */
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
  /** Units that were dirty when writing began, the next one last. */
  #toWrite: Unit[] = [];
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
    const { sparse } = this.#layout;
    // A file that takes parts has to care for its room itself.
    const reserves = sparse && !unit.dirty && !this.#file.takesParts;
    if (reserves) this.#reserve(unit);
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

  /** Notes that the value in `slot` of `unit` was changed. */
  touch(unit: Unit, slot: number): void {
    unit.flags[slot] |= CHANGED;
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

  /** Writes all changed units to the host. */
  writeBack(): void {
    this.writeSome(Infinity);
  }

  /**
   * Writes changed units to the host, `most` of them at most, in ascending
   * order; true if none is left. Units may be changed before it is called
   * again.
   */
  writeSome(most: number): boolean {
    for (let count = 0; this.#dirty.size > 0 && count < most; count++) {
      const unit = this.#nextDirty();
      if (this.#file.takesParts) this.#writeChanges(unit);
      else this.#write(unit, this.#layout.firstSlot(unit.id), this.#end(unit));
      unit.dirty = false;
      this.#dirty.delete(unit);
      this.#toWrite.pop();
      this.writes++;
    }
    return this.#dirty.size === 0;
  }

  /**
   * The dirty unit that is to be written next; there must be one. It stays the
   * next one until it was written.
   */
  #nextDirty(): Unit {
    for (;;) {
      const units = this.#toWrite;
      while (units.length > 0) {
        const unit = units[units.length - 1];
        if (unit.dirty) return unit;
        units.pop();
      }
      this.#toWrite = [...this.#dirty].sort((a, b) => b.id - a.id);
    }
  }

  /** Writes the runs of changed slots of `unit`. */
  #writeChanges(unit: Unit): void {
    const end = this.#end(unit);
    for (let slot = this.#layout.firstSlot(unit.id); slot < end; slot++) {
      if ((unit.flags[slot] & CHANGED) === 0) continue;
      const first = slot;
      while (slot < end && (unit.flags[slot] & CHANGED) !== 0) slot++;
      this.#write(unit, first, slot);
    }
  }

  /** Writes the slots of `unit` from `first` on to `end`. */
  #write(unit: Unit, first: number, end: number): void {
    const { digestSize } = this.#layout;
    const bytes = unit.data.subarray(first * digestSize, end * digestSize);
    const skipped = first - this.#layout.firstSlot(unit.id);
    const position = this.#layout.position(unit.id) + skipped * digestSize;
    this.#file.writeAt(position, bytes);
    for (let slot = first; slot < end; slot++) unit.flags[slot] &= ~CHANGED;
  }

  #end({ id }: Unit): number {
    return this.#layout.endSlot(id);
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
