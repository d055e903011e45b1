/**
 * The write-back cache of plaintext blocks, whose dirty blocks are the
 * volume's open transaction.
 *
 * Invariants:
 * - A block is dirtied only between {@link BlockCache.begin} and
 *   {@link BlockCache.commit} or {@link BlockCache.rollback}; a roll-back
 *   restores every block touched since `begin` to its previous bytes.
 * - A view of a block stays valid until the next
 *   {@link BlockCache.safePoint}, or until the block is replaced or discarded,
 *   or the transaction ends: only then may its memory hold another block.
 * - A dirty block is never dropped, only written back; and never written back
 *   in the middle of an operation.
 * - Beyond the configured size the cache holds only what one operation
 *   touches. Memory is taken in slabs and recycled: a fresh 4 KiB array costs
 *   more time than the copy into it.
 *
 * Eviction is the clock algorithm (Corbató, "A Paging Experiment with the
 * Multics System", 1969): a block survives if it was used since the hand last
 * came by.
 *
 * @module
 */

import { type BlockDevice, checkRange } from "./block_device.ts";

/** Bytes of one write to the device at most. */
const WRITE_RUN_MAX = 1 << 20;
/** Blocks in a slab of memory. */
const SLAB_BLOCKS = 64;
/** Least number of blocks a cache holds. */
const CAPACITY_MIN = 16;

/** A cached block. */
interface Entry {
  block: number;
  data: Uint8Array;
  dirty: boolean;
  /** Used since the clock's hand came by. */
  referenced: boolean;
  /** Operation that last used it; the current one's blocks stay. */
  epoch: number;
  /** Transaction that has saved the previous contents. */
  transaction: number;
  /** Place on the clock, or -1 for a block that was discarded. */
  slot: number;
}

/** How to put back one block as it was before the transaction. */
interface Undo {
  entry: Entry;
  /** Previous contents, or null if the block was not cached. */
  data: Uint8Array | null;
  dirty: boolean;
}

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
  readonly #clock: Entry[] = [];
  readonly #dirty: Set<Entry> = new Set();
  readonly #free: Uint8Array[] = [];
  readonly #undo: Undo[] = [];
  #staging: Uint8Array | null = null;
  #hand = 0;
  #epoch = 1;
  #stuckEpoch = 0;
  #transaction = 0;
  #open = false;

  /** Makes a cache of about `bytes` bytes over `device`. */
  constructor(device: BlockDevice, bytes: number) {
    this.#device = device;
    this.#capacity = Math.max(
      CAPACITY_MIN,
      Math.floor(bytes / device.blockSize),
    );
  }

  /** Number of blocks that differ from the device's. */
  get dirtyCount(): number {
    return this.#dirty.size;
  }

  /** True if the dirty blocks should be written back before more are made. */
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
      if (this.#entries.has(block)) {
        block++;
        continue;
      }
      let run = 1;
      while (
        block + run < end && run < WRITE_RUN_MAX / size &&
        !this.#entries.has(block + run)
      ) run++;
      const staging = this.#stage(run * size);
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
    entry.epoch = this.#epoch;
    if (entry.transaction !== this.#transaction) {
      const copy = this.#frame();
      copy.set(entry.data);
      this.#save(entry, copy);
    }
    return this.#touch(entry);
  }

  /**
   * Writable view of `block` whose contents are about to be replaced as a
   * whole: what it shows at first is undefined. The device is not read. Throws
   * what the device would refuse the write for: later, there is nobody to tell.
   */
  replace(block: number): Uint8Array {
    this.#checkOpen();
    const known = this.#entries.get(block);
    if (!known?.dirty) this.#device.admitWrite?.(block);
    if (known === undefined) {
      checkRange(this.#device, block, this.#device.blockSize);
      const entry = this.#insert(block);
      this.#save(entry, null);
      return this.#touch(entry);
    }
    known.epoch = this.#epoch;
    if (known.transaction !== this.#transaction) {
      this.#save(known, known.data);
      known.data = this.#frame();
    }
    return this.#touch(known);
  }

  /** Forgets `block`, which was freed: its contents no longer matter. */
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
      if (data !== null && data !== entry.data) this.#free.push(data);
      if (entry.slot < 0) this.#free.push(entry.data);
    }
    this.#undo.length = 0;
    this.#open = false;
  }

  /** Undoes what the open transaction did. */
  rollback(): void {
    this.#checkOpen();
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop()) {
      const { entry, data, dirty } = undo;
      // What is cached in place of a discarded block was read after it.
      const present = this.#entries.get(entry.block);
      if (present !== undefined) this.#remove(present);
      if (present !== undefined && present !== entry) {
        this.#free.push(present.data);
      }
      if (entry.data !== data) this.#free.push(entry.data);
      if (data === null) continue;
      entry.data = data;
      entry.dirty = dirty;
      entry.transaction = 0;
      this.#add(entry);
      if (dirty) this.#dirty.add(entry);
    }
    this.#open = false;
  }

  /**
   * Writes every dirty block to the device, in ascending order and in long
   * runs. If a run fails, its blocks are tried one by one, so that a block
   * that cannot be written holds up no other. What was not written stays
   * dirty, and its first error is thrown at the end.
   */
  writeBack(): void {
    if (this.#open) throw new Error("Cannot write back: a transaction is open");
    const entries = [...this.#dirty].sort((a, b) => a.block - b.block);
    const size = this.#device.blockSize;
    const errors: unknown[] = [];
    for (let i = 0; i < entries.length;) {
      let run = 1;
      while (
        i + run < entries.length && run < WRITE_RUN_MAX / size &&
        entries[i + run].block === entries[i].block + run
      ) run++;
      this.#writeAll(entries.slice(i, i + run), errors);
      i += run;
    }
    if (errors.length > 0) throw errors[0];
  }

  /** Writes consecutive blocks at once, or else those that can be written. */
  #writeAll(run: Entry[], errors: unknown[]): void {
    try {
      this.#writeRun(run);
    } catch (error) {
      if (run.length === 1) errors.push(error);
      else for (const entry of run) this.#writeAll([entry], errors);
    }
  }

  #writeRun(run: Entry[]): void {
    const size = this.#device.blockSize;
    let bytes = run[0].data;
    if (run.length > 1) {
      bytes = this.#stage(run.length * size);
      for (let i = 0; i < run.length; i++) bytes.set(run[i].data, i * size);
    }
    this.#device.write(run[0].block, bytes);
    for (const entry of run) {
      entry.dirty = false;
      this.#dirty.delete(entry);
    }
    this.statistics.written += run.length;
  }

  #load(block: number): Entry {
    checkRange(this.#device, block, this.#device.blockSize);
    const data = this.#frame();
    try {
      this.#device.read(block, data);
    } catch (error) {
      this.#free.push(data);
      throw error;
    }
    this.statistics.misses++;
    return this.#insert(block, data);
  }

  #insert(block: number, data: Uint8Array = this.#frame()): Entry {
    const entry: Entry = {
      block,
      data,
      dirty: false,
      referenced: true,
      epoch: this.#epoch,
      transaction: 0,
      slot: 0,
    };
    this.#add(entry);
    return entry;
  }

  #add(entry: Entry): void {
    entry.slot = this.#clock.length;
    this.#clock.push(entry);
    this.#entries.set(entry.block, entry);
  }

  #remove(entry: Entry): void {
    this.#entries.delete(entry.block);
    this.#dirty.delete(entry);
    const last = this.#clock.pop()!;
    if (last !== entry) {
      this.#clock[entry.slot] = last;
      last.slot = entry.slot;
    }
    entry.slot = -1;
  }

  #save(entry: Entry, data: Uint8Array | null): void {
    this.#undo.push({ entry, data, dirty: entry.dirty });
    entry.transaction = this.#transaction;
  }

  #touch(entry: Entry): Uint8Array {
    entry.referenced = true;
    entry.epoch = this.#epoch;
    if (!entry.dirty) {
      entry.dirty = true;
      this.#dirty.add(entry);
    }
    return entry.data;
  }

  #checkOpen(): void {
    if (!this.#open) throw new Error("Cannot change: no transaction is open");
  }

  /** Memory for one block, with undefined contents. */
  #frame(): Uint8Array {
    if (this.#clock.length >= this.#capacity) this.#evict();
    const frame = this.#free.pop();
    if (frame !== undefined) return frame;
    const size = this.#device.blockSize;
    const count = Math.min(SLAB_BLOCKS, this.#capacity);
    const slab = new Uint8Array(count * size);
    for (let i = count - 1; i > 0; i--) {
      this.#free.push(slab.subarray(i * size, (i + 1) * size));
    }
    return slab.subarray(0, size);
  }

  /** Frees the memory of clean blocks that no operation is using. */
  #evict(): void {
    if (this.#stuckEpoch === this.#epoch) return;
    for (let steps = 2 * this.#clock.length; steps > 0; steps--) {
      if (this.#hand >= this.#clock.length) this.#hand = 0;
      const entry = this.#clock[this.#hand];
      if (entry.dirty || entry.epoch === this.#epoch) {
        this.#hand++;
      } else if (entry.referenced) {
        entry.referenced = false;
        this.#hand++;
      } else {
        this.#remove(entry);
        this.#free.push(entry.data);
        // A cache that had to grow for one operation shrinks again here.
        if (this.#clock.length < this.#capacity) return;
      }
    }
    // Everything is in use: there is no point in looking again before that
    // changes.
    this.#stuckEpoch = this.#epoch;
  }

  #stage(byteLength: number): Uint8Array {
    this.#staging ??= new Uint8Array(WRITE_RUN_MAX);
    return this.#staging.subarray(0, byteLength);
  }
}
