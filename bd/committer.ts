/**
 * The committer: it makes durable what operations have left in the cache, all
 * of it at one moment between two of them.
 *
 * Invariants, on a device that takes effect as a whole or not at all:
 * - A commit begins by freezing what is dirty, at once. Then it is written
 *   down in slices, between which operations go on; what these change belongs
 *   to the next commit.
 * - Who asks while a commit is under way shares the next one with all others
 *   who do.
 * - If a commit fails, be it at one block, nothing of it is lost: it is part of
 *   the next one. Until one has succeeded, changes are refused.
 * - What is dirty never exceeds what one commit can hold.
 *
 * On other devices everything is written down at once, and a device that once
 * failed to make something durable is not believed again: it may have dropped
 * what was written.
 *
 * @module
 */

import type { BlockDevice } from "./block_device.ts";
import type { BlockCache } from "./cache.ts";
import { Slices } from "./slices.ts";

/** Bytes that are written down between two looks at the clock. */
const STEP_BYTES = 64 << 10;
/** Least number of blocks that are gathered before a commit is begun. */
const GATHER_MIN = 1024;
/** How much of the next commit may be gathered while one is under way. */
const GATHER_AHEAD = 1.5;
/** Blocks that an operation changes besides those of data, at most. */
const METADATA_BLOCKS = 64;
/** Part of a commit's blocks that one operation may write, as a divisor. */
const OPERATION_SHARE = 4;

/** See the module. */
export class Committer {
  readonly #cache: BlockCache;
  readonly #device: BlockDevice;
  /** Blocks that are gathered before a commit is begun. */
  readonly #gatherMax: number;
  /** The commit that is under way. */
  #running: Promise<void> | null = null;
  /** The one that will follow it, for all who have asked since. */
  #next: Promise<void> | null = null;
  #failure: { error: unknown } | null = null;

  /**
   * Makes a committer of what is dirty in `cache`, over `device`. What is
   * gathered for a commit should not take more than `cacheBlocks` of memory.
   */
  constructor(
    cache: BlockCache,
    device: BlockDevice,
    { cacheBlocks }: { cacheBlocks: number },
  ) {
    this.#cache = cache;
    this.#device = device;
    // What is frozen meanwhile takes as much again.
    this.#gatherMax = Math.max(GATHER_MIN, cacheBlocks / 4);
  }

  /** Whether a commit takes effect as a whole or not at all. */
  get isAtomic(): boolean {
    return this.#device.commitBlocksMax !== undefined;
  }

  /** Why the last commit has failed; null if it has not. */
  get failure(): { readonly error: unknown } | null {
    return this.#failure;
  }

  /** The most blocks of data that one operation may write. */
  get operationBlocksMax(): number {
    const { commitBlocksMax } = this.#device;
    if (commitBlocksMax === undefined) return Infinity;
    return Math.max(1, Math.floor(commitBlocksMax / OPERATION_SHARE));
  }

  /**
   * Resolves when every change so far is durable; rejects if it is not. A block
   * that the device refuses makes this fail, and keeps no other from it unless
   * they are to take effect as a whole.
   */
  commit(): Promise<void> {
    // One that waits to begin stays the next, though none is under way now.
    if (this.#next) return this.#next;
    if (this.#running === null) return this.#begin();
    this.#next = this.#running.catch(() => {}).then(() => {
      this.#next = null;
      return this.#begin();
    });
    return this.#next;
  }

  /**
   * Null if there is room for what an operation may change; otherwise resolves
   * when there may be. Begins a commit if there is much to be made durable.
   */
  room(): Promise<void> | null {
    const { commitBlocksMax } = this.#device;
    if (commitBlocksMax === undefined || this.#failure) return null;
    const { dirtyCount } = this.#cache;
    const most = this.#admittedMax;
    const gather = Math.min(commitBlocksMax / 2, most, this.#gatherMax);
    if (dirtyCount <= gather) return null;
    if (!this.#running && !this.#next) {
      // What is dirty is frozen at once, and there is room again.
      this.#begin().catch(() => {});
      return null;
    }
    // While the host syncs, there is something to do for others.
    if (dirtyCount <= Math.min(most, gather * GATHER_AHEAD)) return null;
    const ended = this.#running?.catch(() => {}) ?? Promise.resolve();
    return ended.then(() => {
      this.room();
    });
  }

  /**
   * Makes room for what an operation may change, and returns true; or false if
   * nobody has waited for room until there is none.
   */
  admit(): boolean {
    const { commitBlocksMax } = this.#device;
    if (commitBlocksMax !== undefined) {
      return this.#cache.dirtyCount <= this.#admittedMax;
    }
    this.#writeBackIfCrowded();
    return true;
  }

  /** The most that may be dirty when another operation begins. */
  get #admittedMax(): number {
    const { commitBlocksMax = Infinity } = this.#device;
    return commitBlocksMax - this.operationBlocksMax - METADATA_BLOCKS;
  }

  #writeBackIfCrowded(): void {
    if (!this.#cache.overDirtyLimit) return;
    try {
      this.#cache.writeBack();
    } catch (error) {
      // What could not be written stays dirty: the next commit tells of it.
      if (this.#cache.overDirtyLimit) throw error;
    }
  }

  #begin(): Promise<void> {
    const run = this.isAtomic ? this.#commit() : this.#flush();
    const running = run.finally(() => {
      if (this.#running === running) this.#running = null;
    });
    this.#running = running;
    return running;
  }

  async #commit(): Promise<void> {
    const cache = this.#cache;
    const slices = new Slices();
    cache.freeze();
    try {
      // If a block is refused, the others are half of what operations did.
      while (!cache.writeFrozen(STEP_BYTES)) await slices.pauseIfLong();
      await this.#device.flush();
      this.#failure = null;
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  async #flush(): Promise<void> {
    let refused: { error: unknown } | null = null;
    try {
      this.#cache.writeBack();
    } catch (error) {
      refused = { error };
    }
    try {
      if (!this.#failure) await this.#device.flush();
    } catch (error) {
      this.#failure = { error };
    }
    if (this.#failure) throw this.#failure.error;
    if (refused) throw refused.error;
  }
}
