/**
 * The blocks that a check reads, and those that it has changed.
 *
 * Invariants:
 * - What is changed stays in memory until {@link BlockStore.commit}; a trial
 *   never commits, and the device is not touched.
 * - A block that fails with `EIO` is known as unreadable from then on, until
 *   it is written; every other error of the device is thrown.
 * - A block that the device says it would refuse to write is changed in memory
 *   only, until {@link BlockStore.forgetRefused}: the round that changes it
 *   goes on as if it were written, and the next one finds what is there.
 * - A view is that of the block's present contents until the next `commit`.
 *
 * @module
 */

import {
  type BlockDevice,
  checkRange,
  DeviceError,
  IntegrityError,
} from "../../bd/block_device.ts";
import type { BlockRun } from "../block_allocator.ts";
import { SparseBits } from "./_sparse_bits.ts";

/** Bytes of clean blocks that are kept: twice this much at most. */
const CLEAN_BYTES = 8 << 20;
/** Bytes of changed blocks after which a commit is due. */
const DIRTY_BYTES = 16 << 20;
/** Bytes of changed blocks that a trial may keep. */
const TRIAL_BYTES = 128 << 20;
/** Bytes of one write at most. */
const WRITE_RUN_MAX = 1 << 20;
/** Blocks in a part of the set of unreadable blocks. */
const UNREADABLE_CHUNK = 1 << 15;

/** See the module. */
export class BlockStore implements BlockDevice {
  /** Size of one block, in bytes. */
  readonly blockSize: number;
  /** Number of blocks. */
  readonly blockCount: number;
  /** Always false: changes are taken. */
  readonly readOnly = false;
  /** Blocks that cannot be read. */
  readonly unreadable: SparseBits = new SparseBits(UNREADABLE_CHUNK);
  /** Blocks that were to be changed, and that the device refuses to write. */
  readonly unwritable: SparseBits = new SparseBits(UNREADABLE_CHUNK);
  /** True once anything was written to the device. */
  committed = false;
  readonly #device: BlockDevice;
  readonly #dirty = new Map<number, Uint8Array>();
  readonly #refused = new Map<number, Uint8Array>();
  /** Those of the refused blocks that could not be read before. */
  readonly #hidden = new Set<number>();
  #recent = new Map<number, Uint8Array>();
  #older = new Map<number, Uint8Array>();

  /** Makes a store over `device`, which it leaves open. */
  constructor(device: BlockDevice, unreadable: Iterable<BlockRun> = []) {
    this.#device = device;
    this.blockSize = device.blockSize;
    this.blockCount = device.blockCount;
    for (const { start, count } of unreadable) {
      const end = Math.min(start + count, this.blockCount);
      for (let block = start; block < end; block++) this.unreadable.add(block);
    }
  }

  /** Number of changed blocks. */
  get dirtyCount(): number {
    return this.#dirty.size;
  }

  /** Whether the changes should be committed at the next safe point. */
  get isCommitDue(): boolean {
    const most = Math.min(
      DIRTY_BYTES / this.blockSize,
      (this.#device.commitBlocksMax ?? Infinity) / 2,
    );
    return this.#dirty.size >= most;
  }

  /** Whether a trial holds as much as it may. */
  get isTrialFull(): boolean {
    return this.#dirty.size * this.blockSize > TRIAL_BYTES;
  }

  /** View of `block`, for reading only. Throws what the device throws. */
  view(block: number): Uint8Array {
    const known = this.#dirty.get(block) ?? this.#refused.get(block) ??
      this.#recent.get(block);
    if (known !== undefined) return known;
    const older = this.#older.get(block);
    if (older !== undefined) {
      this.keep(block, older);
      return older;
    }
    const bytes = new Uint8Array(this.blockSize);
    this.#load(block, bytes);
    this.keep(block, bytes);
    return bytes;
  }

  /** As {@link BlockStore.view}; null if the block cannot be read. */
  tryView(block: number): Uint8Array | null {
    if (this.unreadable.has(block) && !this.isDirty(block)) return null;
    try {
      return this.view(block);
    } catch (error) {
      if (isUnreadable(error)) return null;
      throw error;
    }
  }

  /** Keeps `bytes`, which were read from the device, as those of `block`. */
  keep(block: number, bytes: Uint8Array): void {
    if (this.#recent.size * this.blockSize >= CLEAN_BYTES) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(block, bytes);
  }

  /** Whether `block` is not as the device has it. */
  isDirty(block: number): boolean {
    return this.#dirty.has(block) || this.#refused.has(block);
  }

  /** Writable view of `block`, which can be read. */
  modify(block: number): Uint8Array {
    const bytes = this.view(block);
    this.#change(block, bytes);
    return bytes;
  }

  /** Writable view of `block`, which is all zeros now. */
  replace(block: number): Uint8Array {
    checkRange(this, block, this.blockSize);
    const bytes = this.#dirty.get(block) ?? this.#refused.get(block) ??
      this.#recent.get(block) ?? this.#older.get(block) ??
      new Uint8Array(this.blockSize);
    bytes.fill(0);
    this.#change(block, bytes);
    return bytes;
  }

  #change(block: number, bytes: Uint8Array): void {
    if (this.isDirty(block)) return;
    const refusal = this.#refusal(block);
    // Without an end to what is kept, there would be one to the memory.
    if (refusal && this.#refused.size * this.blockSize >= TRIAL_BYTES) {
      throw refusal;
    }
    this.#recent.delete(block);
    this.#older.delete(block);
    const wasUnreadable = this.unreadable.has(block);
    this.unreadable.delete(block);
    if (!refusal) {
      this.#dirty.set(block, bytes);
      return;
    }
    this.#refused.set(block, bytes);
    if (wasUnreadable) this.#hidden.add(block);
    this.unwritable.add(block);
  }

  /** Fills `block` with zeros, or notes that the device refuses that. */
  clear(block: number): void {
    if (this.isWritable(block)) this.replace(block);
    else this.unwritable.add(block);
  }

  /** Why the device would not write `block`; null if it would. */
  #refusal(block: number): IntegrityError | null {
    if (this.#device.readOnly) return null;
    try {
      this.#device.admitWrite?.(block);
      return null;
    } catch (error) {
      if (error instanceof IntegrityError) return error;
      throw error;
    }
  }

  /** Whether a change of `block` would get to the device. */
  isWritable(block: number): boolean {
    return this.#dirty.has(block) || this.#refusal(block) === null;
  }

  /** Throws {@link IntegrityError} unless `block` is writable. */
  checkWritable(block: number): void {
    const refusal = this.#refusal(block);
    if (refusal) throw refusal;
  }

  /** Forgets the changes of blocks that the device refuses to write. */
  forgetRefused(): void {
    this.#refused.clear();
    for (const block of this.#hidden) this.unreadable.add(block);
    this.#hidden.clear();
  }

  /** Reads blocks, past what is kept: for runs too long to keep. */
  read(block: number, into: Uint8Array): void {
    checkRange(this, block, into.length);
    const size = this.blockSize;
    this.#load(block, into);
    for (let at = 0; at < into.length; at += size) {
      const changed = this.#dirty.get(block + at / size) ??
        this.#refused.get(block + at / size);
      if (changed !== undefined) into.set(changed, at);
    }
  }

  #load(block: number, into: Uint8Array): void {
    try {
      this.#device.read(block, into);
    } catch (error) {
      if (into.length === this.blockSize && isUnreadable(error)) {
        this.unreadable.add(block);
      }
      throw error;
    }
  }

  /** Changes blocks. */
  write(block: number, from: Uint8Array): void {
    const size = this.blockSize;
    for (let at = 0; at < from.length; at += size) {
      this.replace(block + at / size).set(from.subarray(at, at + size));
    }
  }

  /** Forgets all changes since the last commit. */
  discard(): void {
    this.#dirty.clear();
    this.forgetRefused();
  }

  /** Does nothing: whoever uses this as a device waits for the commit. */
  flush(): Promise<void> {
    return Promise.resolve();
  }

  /** Does nothing: the device is somebody else's. */
  close(): void {}

  /**
   * Writes the changes to the device, in ascending order, and waits until
   * they are stable. Where there are more of them than the device takes at
   * once, they go in several steps.
   */
  async commit(): Promise<void> {
    const blocks = [...this.#dirty.keys()].sort((a, b) => a - b);
    const most = Math.max(1, this.#device.commitBlocksMax ?? Infinity);
    for (let i = 0; i < blocks.length;) {
      const end = Math.min(blocks.length, i + most);
      while (i < end) i += this.#writeRun(blocks, i, end);
      this.committed = true;
      await this.#device.flush();
    }
  }

  /** Writes the run of blocks that starts at `blocks[i]`; its length. */
  #writeRun(blocks: number[], i: number, end: number): number {
    const size = this.blockSize;
    let run = 1;
    while (
      i + run < end && blocks[i + run] === blocks[i] + run &&
      (run + 1) * size <= WRITE_RUN_MAX
    ) run++;
    const bytes = new Uint8Array(run * size);
    for (let j = 0; j < run; j++) {
      bytes.set(this.#dirty.get(blocks[i + j])!, j * size);
    }
    this.#device.write(blocks[i], bytes);
    for (let j = 0; j < run; j++) {
      const block = blocks[i + j];
      this.keep(block, this.#dirty.get(block)!);
      this.#dirty.delete(block);
    }
    return run;
  }
}

/** Whether `error` says that a block cannot be read, and nothing else. */
export function isUnreadable(error: unknown): boolean {
  return error instanceof DeviceError && error.code === "EIO";
}
