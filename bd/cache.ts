/**
 * The write-back cache of plaintext blocks, whose dirty blocks are the
 * volume's open transaction.
 *
 * Invariants:
 * - A block is dirtied only between {@link BlockCache.begin} and
 *   {@link BlockCache.commit} or {@link BlockCache.rollback}; a roll-back
 *   restores every block touched since `begin` to its previous bytes.
 * - A view of a block stays valid until the next safe point, or until the
 *   block is replaced or discarded, or the transaction ends: only then may its
 *   memory hold another block. {@link BlockCache.safePoint} is one, and so is
 *   every call that writes to the device: these come between operations only.
 *   Whether a view from {@link BlockCache.read} shows what `modify` does later
 *   is undefined.
 * - A dirty block is in the present set, which grows, or in the frozen one,
 *   which is on its way to the device, or in both, in two versions. There is
 *   one frozen set at a time: {@link BlockCache.freeze} makes it of the
 *   present one once the last is done.
 * - The bytes of a frozen block never change. Whatever changes the block makes
 *   a new entry for it; the frozen entry is then its set's alone, and its
 *   memory is recycled once it is written.
 * - A block is read from its entry, else from the frozen set, else from the
 *   device: a version that is not on the device yet is never missed.
 * - A dirty block is never dropped, only written back; and never written back
 *   in the middle of an operation.
 * - On the clock are the clean blocks, and no others.
 * - Beyond the configured size, frozen versions included, the cache holds only
 *   what one operation touches, and dirty blocks that nobody wrote back.
 *
 * @module
 */

import { type BlockDevice, checkRange } from "./block_device.ts";
import { CLEAN, type Entry, type Undo } from "./_cache_entry.ts";
import { Clock } from "./_clock.ts";
import { Frames, RUN_BYTES_MAX } from "./_frames.ts";
import { FrozenSet } from "./_frozen_set.ts";

/** Least number of blocks a cache holds. */
const CAPACITY_MIN = 16;

/** Counts since the cache was made. */
export interface CacheStatistics {
  /** Blocks found in memory. */
  hits: number;
  /** Blocks read from the device. */
  misses: number;
  /** Blocks written to the device. */
  written: number;
}

/** See the module. */
export class BlockCache {
  /** Counts since the cache was made. */
  readonly statistics: CacheStatistics = { hits: 0, misses: 0, written: 0 };
  readonly #device: BlockDevice;
  readonly #capacity: number;
  readonly #entries: Map<number, Entry> = new Map();
  readonly #clock: Clock<Entry> = new Clock();
  readonly #frames: Frames;
  readonly #frozen: FrozenSet<Entry>;
  readonly #undo: Undo[] = [];
  /** The present set of dirty blocks, and its number. */
  #dirty: Map<number, Entry> = new Map();
  #present = CLEAN + 1;
  #epoch = 1;
  #transaction = 0;
  #open = false;

  /** Makes a cache of about `bytes` bytes over `device`. */
  constructor(device: BlockDevice, bytes: number) {
    this.#device = device;
    this.#capacity = Math.max(
      CAPACITY_MIN,
      Math.floor(bytes / device.blockSize),
    );
    this.#frames = new Frames(device.blockSize, this.#capacity);
    this.#frozen = new FrozenSet(device, {
      frames: this.#frames,
      written: (entry: Entry) => this.#written(entry),
    });
  }

  /** Number of blocks in the present set of dirty blocks. */
  get dirtyCount(): number {
    return this.#dirty.size;
  }

  /** Number of blocks of the frozen set that have not been written. */
  get frozenCount(): number {
    return this.#frozen.size;
  }

  /**
   * True if the present set of dirty blocks fills half the cache: on a device
   * whose writes are not atomic, it should be written back before it grows.
   */
  get overDirtyLimit(): boolean {
    return this.#dirty.size > this.#capacity / 2;
  }

  /** Says that no view returned so far is in use any more. */
  safePoint(): void {
    this.#epoch++;
  }

  /** View of `block`, for reading only; read from the device if need be. */
  read(block: number): Uint8Array {
    const entry = this.#entries.get(block);
    if (entry === undefined) return this.#load(block).data;
    this.statistics.hits++;
    entry.referenced = true;
    entry.epoch = this.#epoch;
    return entry.data;
  }

  /** Reads those of `count` blocks from `block` on that are not cached. */
  prefetch(block: number, count: number): void {
    const size = this.#device.blockSize;
    const end = block + count;
    while (block < end) {
      if (this.#isInMemory(block)) {
        block++;
        continue;
      }
      let run = 1;
      while (
        block + run < end && run < RUN_BYTES_MAX / size &&
        !this.#isInMemory(block + run)
      ) run++;
      const staging = this.#frames.stage(run * size);
      this.#device.read(block, staging);
      for (let i = 0; i < run; i++) {
        const entry = this.#insert(block + i);
        entry.data.set(staging.subarray(i * size, (i + 1) * size));
      }
      this.statistics.misses += run;
      block += run;
    }
  }

  /** Writable view of `block` with its present contents; it is now dirty. */
  modify(block: number): Uint8Array {
    this.#checkOpen();
    const entry = this.#entries.get(block) ?? this.#load(block);
    entry.referenced = true;
    entry.epoch = this.#epoch;
    if (this.#isWritable(entry)) return entry.data;
    if (this.#isFrozen(entry)) {
      const successor = this.#supersede(entry).data;
      successor.set(entry.data);
      return successor;
    }
    const previous = this.#frame();
    previous.set(entry.data);
    this.#save(entry, previous);
    return this.#soil(entry);
  }

  /**
   * Writable view of `block` whose contents are about to be replaced as a
   * whole: what it shows at first is undefined. The device is not read. Throws
   * what the device would refuse the write for: later, there is nobody to tell.
   */
  replace(block: number): Uint8Array {
    this.#checkOpen();
    const entry = this.#entries.get(block);
    if (entry?.dirtyIn !== this.#present) this.#device.admitWrite?.(block);
    if (entry === undefined) {
      checkRange(this.#device, block, this.#device.blockSize);
      return this.#create(block).data;
    }
    entry.referenced = true;
    entry.epoch = this.#epoch;
    if (this.#isWritable(entry)) return entry.data;
    if (this.#isFrozen(entry)) return this.#supersede(entry).data;
    this.#save(entry, entry.data);
    entry.data = this.#frame();
    return this.#soil(entry);
  }

  /**
   * Forgets `block`, which was freed: its contents no longer matter. If they
   * are frozen, they are written nevertheless: their set is written as a whole.
   */
  discard(block: number): void {
    this.#checkOpen();
    const entry = this.#entries.get(block);
    if (entry === undefined) return;
    if (entry.transaction !== this.#transaction) this.#save(entry, entry.data);
    this.#remove(entry);
  }

  /** Opens a transaction; they do not nest. */
  begin(): void {
    if (this.#open) throw new Error("Cannot begin: a transaction is open");
    this.#open = true;
    this.#transaction++;
  }

  /** Keeps what the open transaction did. */
  commit(): void {
    this.#checkOpen();
    for (const { data, entry } of this.#undo) {
      if (data !== null && data !== entry.data) this.#frames.give(data);
      if (!entry.cached) this.#recycle(entry);
    }
    this.#undo.length = 0;
    this.#open = false;
  }

  /** Undoes what the open transaction did. */
  rollback(): void {
    this.#checkOpen();
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop()) {
      const { entry, data, dirtyIn } = undo;
      // What is cached in place of a discarded block was read after it.
      const present = this.#entries.get(entry.block);
      if (present !== undefined) this.#remove(present);
      if (present !== undefined && present !== entry) this.#recycle(present);
      if (entry.data !== data) this.#frames.give(entry.data);
      if (data === null) continue;
      entry.data = data;
      entry.transaction = 0;
      this.#add(entry, dirtyIn);
    }
    this.#open = false;
  }

  /**
   * Makes the present set of dirty blocks the frozen one, and begins an empty
   * one: what the volume is now can be written while it goes on changing.
   * Throws if a transaction is open or a frozen set is still being written.
   */
  freeze(): void {
    this.#checkClosed("freeze");
    this.#dirty = this.#frozen.exchange(this.#dirty);
    this.#present++;
  }

  /**
   * Writes about `bytesMax` bytes of the frozen set to the device, but at
   * least a block, in ascending order and in long runs. If a run fails, its
   * blocks are tried one by one, so that a block that cannot be written holds
   * up no other. Returns true if nothing is left of the set. What could not be
   * written is then dirty in the present set, unless the block was changed or
   * discarded meanwhile, and the first error is thrown.
   */
  writeFrozen(bytesMax: number): boolean {
    this.#checkClosed("write");
    this.safePoint();
    if (!this.#frozen.write(bytesMax)) return false;
    const leftover = this.#frozen.end();
    if (leftover === null) return true;
    for (const entry of leftover.versions) {
      entry.dirtyIn = CLEAN;
      if (entry.cached) this.#soil(entry);
      else this.#recycle(entry);
    }
    throw leftover.error;
  }

  /**
   * Writes every dirty block to the device, the frozen ones first; as
   * {@link BlockCache.writeFrozen} does, and with the same result if something
   * cannot be written.
   */
  writeBack(): void {
    this.#checkClosed("write back");
    try {
      this.writeFrozen(Infinity);
    } catch {
      // What was not written is dirty again: it is tried, and told of, below.
    }
    this.freeze();
    this.writeFrozen(Infinity);
  }

  /** Notes that `entry`, of the frozen set, is on the device. */
  #written(entry: Entry): void {
    this.statistics.written++;
    entry.dirtyIn = CLEAN;
    if (entry.cached) this.#clock.add(entry);
    else this.#recycle(entry);
  }

  /** Whether the present transaction has saved it and may write to it. */
  #isWritable(entry: Entry): boolean {
    return entry.transaction === this.#transaction &&
      entry.dirtyIn === this.#present;
  }

  #isFrozen(entry: Entry): boolean {
    return entry.dirtyIn !== this.#present && entry.dirtyIn !== CLEAN;
  }

  #isInMemory(block: number): boolean {
    return this.#entries.has(block) || this.#frozen.has(block);
  }

  /** Caches `block`, which is not cached. */
  #load(block: number): Entry {
    const frozen = this.#frozen.get(block);
    if (frozen !== undefined) {
      this.statistics.hits++;
      frozen.referenced = true;
      frozen.epoch = this.#epoch;
      return this.#add(frozen, frozen.dirtyIn);
    }
    checkRange(this.#device, block, this.#device.blockSize);
    const data = this.#frame();
    try {
      this.#device.read(block, data);
    } catch (error) {
      this.#frames.give(data);
      throw error;
    }
    this.statistics.misses++;
    return this.#insert(block, data);
  }

  #insert(block: number, data: Uint8Array = this.#frame()): Entry {
    const entry: Entry = {
      block,
      data,
      dirtyIn: CLEAN,
      cached: true,
      referenced: true,
      epoch: this.#epoch,
      transaction: 0,
      slot: -1,
    };
    return this.#add(entry, CLEAN);
  }

  /** A new dirty entry for `block`, which is not cached. */
  #create(block: number): Entry {
    const entry = this.#insert(block);
    this.#save(entry, null);
    this.#soil(entry);
    return entry;
  }

  /** Puts a new dirty entry in the place of a frozen one. */
  #supersede(entry: Entry): Entry {
    if (entry.transaction !== this.#transaction) this.#save(entry, entry.data);
    this.#remove(entry);
    return this.#create(entry.block);
  }

  /** Makes `entry` the cached one of its block, in the set `dirtyIn`. */
  #add(entry: Entry, dirtyIn: number): Entry {
    this.#entries.set(entry.block, entry);
    entry.cached = true;
    entry.dirtyIn = dirtyIn;
    if (dirtyIn === CLEAN) this.#clock.add(entry);
    else if (dirtyIn === this.#present) this.#dirty.set(entry.block, entry);
    return entry;
  }

  /** Makes the cache forget `entry`; if frozen, it stays with its set. */
  #remove(entry: Entry): void {
    this.#entries.delete(entry.block);
    entry.cached = false;
    if (entry.dirtyIn === CLEAN) this.#clock.remove(entry);
    else if (entry.dirtyIn === this.#present) {
      this.#dirty.delete(entry.block);
      entry.dirtyIn = CLEAN;
    }
  }

  /** Frees the memory of an entry that is no longer cached. */
  #recycle(entry: Entry): void {
    if (!this.#isFrozen(entry)) this.#frames.give(entry.data);
  }

  #save(entry: Entry, data: Uint8Array | null): void {
    this.#undo.push({ entry, data, dirtyIn: entry.dirtyIn });
    entry.transaction = this.#transaction;
  }

  /** Takes a cached entry that is not frozen into the present dirty set. */
  #soil(entry: Entry): Uint8Array {
    if (entry.dirtyIn === CLEAN) {
      this.#clock.remove(entry);
      entry.dirtyIn = this.#present;
      this.#dirty.set(entry.block, entry);
    }
    return entry.data;
  }

  #checkOpen(): void {
    if (!this.#open) throw new Error("Cannot change: no transaction is open");
  }

  #checkClosed(action: string): void {
    if (this.#open) throw new Error(`Cannot ${action}: a transaction is open`);
  }

  /** Blocks in memory, the frozen versions that were replaced included. */
  get #held(): number {
    return this.#clock.size + this.#dirty.size + this.#frozen.size;
  }

  /** Memory for one block, with undefined contents. */
  #frame(): Uint8Array {
    // A cache that had to grow for one operation shrinks again here.
    while (this.#held >= this.#capacity) {
      const entry = this.#clock.choose(this.#epoch);
      if (entry === null) break;
      this.#remove(entry);
      this.#frames.give(entry.data);
    }
    return this.#frames.take();
  }
}
