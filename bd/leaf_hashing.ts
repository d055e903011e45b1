/**
 * Leaf hashing in bulk: the hashes of all blocks of a device, for building a
 * whole tree and for checking a whole volume.
 *
 * Hashing is the most of such work and needs nothing but the blocks, so it is
 * shared with Web Workers, one for each further processor. Blocks lie in
 * memory that is shared as well, for to hand a MiB over costs as much as to
 * hash it. A worker has two slots: it hashes one while the other is filled or
 * looked at. When no slot is free, the caller's thread hashes the next run
 * itself, and what it needs next it takes back from a worker that has not begun
 * with it; so a worker that gets no processor holds up one run at most. Until
 * workers have started, and where there are none to be had, the caller's thread
 * does it all.
 *
 * Workers keep a process alive: a hasher has to be closed.
 *
 * @module
 */

import {
  type BlockHash,
  createBlockHash,
  DIGEST_BYTES,
  type HashAlgorithm,
} from "./hmac.ts";

/** Bytes of a run at most: 256 blocks of 4 KiB. */
export const HASH_RUN_BYTES: number = 1 << 20;
/** Shorter runs are not worth the handing over, in bytes. */
const SHARED_RUN_MIN = 64 << 10;
/** Workers at most: beyond, reading and climbing take longer than hashing. */
const WORKERS_MAX = 3;
/** Slots of a worker. */
export const WORKER_SLOTS = 2;
/** Bytes of the smallest block. */
const BLOCK_BYTES_MIN = 1024;
/** Runs that are hashed here, waiting for their turn to be yielded. */
const OWN_RUNS_MAX = 4;
/** A worker that takes longer for a run has died. */
const WAIT_MS_MAX = 10_000;

/** What becomes of a slot, in the order in which it does. */
export const SLOT = {
  /** It may be filled. */
  free: 0,
  /** Its blocks wait for the worker. */
  full: 1,
  /** They are being hashed. */
  busy: 2,
  /** The digests are there. */
  done: 3,
} as const;

/** How leaves are hashed. */
export interface HashSettings {
  /** The hash. */
  readonly algorithm: HashAlgorithm;
  /** Key of the HMAC, or null for the hash alone. */
  readonly key: Uint8Array | null;
  /** Bytes of a block. */
  readonly blockSize: number;
}

/** How leaves are hashed, and by how many workers. */
export interface LeafHasherOptions extends HashSettings {
  /**
   * Number of workers; 0 hashes in the caller's thread. If absent, one less
   * than there are processors, but at most 3.
   */
  readonly workers?: number;
}

/** What a worker shares with the thread that employs it. */
export interface SharedSlots {
  /** 1 while the worker is there. */
  readonly ready: Int32Array<SharedArrayBuffer>;
  /** Counts the slots that were filled; below 0 if there will be no more. */
  readonly bell: Int32Array<SharedArrayBuffer>;
  /** One of {@link SLOT} for each slot. */
  readonly states: Int32Array<SharedArrayBuffer>;
  /** Bytes in use of each slot. */
  readonly lengths: Int32Array<SharedArrayBuffer>;
  /** Blocks, for each slot. */
  readonly blocks: readonly Uint8Array<SharedArrayBuffer>[];
  /** Their digests, for each slot. */
  readonly digests: readonly Uint8Array<SharedArrayBuffer>[];
}

/** What a worker is sent when it starts. */
export interface WorkerStart {
  /** How to hash. */
  readonly settings: HashSettings;
  /** Where. */
  readonly slots: SharedSlots;
}

/** Consecutive blocks of a device. */
export interface LeafRun {
  /** The first of them. */
  readonly first: number;
  /** How many; {@link HASH_RUN_BYTES} together at most. */
  readonly count: number;
}

/** A run, hashed. What it holds is valid until the next is asked for. */
export interface HashedRun extends LeafRun {
  /** The blocks. */
  readonly bytes: Uint8Array;
  /** The digests, one behind the other. */
  readonly digests: Uint8Array;
}

/** One worker. */
interface Thread {
  readonly worker: Worker;
  readonly slots: SharedSlots;
}

/** A slot of a worker. */
interface Place {
  readonly slots: SharedSlots;
  readonly slot: number;
}

/** A run that a worker has, or that has been hashed here. */
interface Job extends HashedRun {
  readonly place: Place | null;
}

/** See the module. */
export class LeafHasher {
  readonly #settings: HashSettings;
  readonly #hash: BlockHash;
  readonly #threads: Thread[] = [];
  /** Memory for runs that are hashed here. */
  readonly #spare: Uint8Array[] = [];

  /** Starts the workers. The key is copied; the caller wipes its own. */
  constructor(options: LeafHasherOptions) {
    const { algorithm, key, blockSize } = options;
    this.#settings = { algorithm, key: key?.slice() ?? null, blockSize };
    this.#hash = createBlockHash(algorithm, key);
    const workers = options.workers ?? defaultWorkers();
    for (let i = 0; i < workers; i++) this.#start();
  }

  /** True if a worker has started. */
  get hasWorkers(): boolean {
    return this.#threads.some(({ slots }) => isReady(slots));
  }

  /**
   * Reads `runs` by `read` and yields them with their hashes, in the same
   * order. Several are in the works at a time, so `read` is ahead of what is
   * yielded. What `read` throws ends the iteration.
   */
  *hashRuns(
    runs: Iterable<LeafRun>,
    read: (first: number, into: Uint8Array) => void,
  ): Generator<HashedRun, void, undefined> {
    const jobs: Job[] = [];
    const most = this.#threads.length * WORKER_SLOTS + OWN_RUNS_MAX;
    try {
      for (const run of runs) {
        jobs.push(this.#begin(run, read));
        while (jobs.length > 0 && (jobs.length >= most || isDone(jobs[0]))) {
          yield this.#finish(jobs[0]);
          this.#release(jobs.shift()!);
        }
      }
      while (jobs.length > 0) {
        yield this.#finish(jobs[0]);
        this.#release(jobs.shift()!);
      }
    } finally {
      // Whoever does not want the rest may want something else.
      for (const job of jobs) {
        this.#finish(job);
        this.#release(job);
      }
    }
  }

  /**
   * Ends the workers. The copies of the key are wiped, as far as the runtime
   * lets them be found.
   */
  close(): void {
    this.#hash.wipe();
    this.#settings.key?.fill(0);
    for (const { worker, slots } of this.#threads) {
      if (!isReady(slots)) worker.terminate();
      Atomics.store(slots.bell, 0, -1);
      Atomics.notify(slots.bell, 0);
    }
    this.#threads.length = 0;
  }

  /** Reads a run, and gives it to a worker that has room, or hashes it. */
  #begin(
    { first, count }: LeafRun,
    read: (first: number, into: Uint8Array) => void,
  ): Job {
    const { blockSize } = this.#settings;
    const length = count * blockSize;
    const { digestSize } = this.#hash;
    const place = length < SHARED_RUN_MIN ? null : this.#freePlace();
    if (!place) {
      const memory = this.#spare.pop() ?? new Uint8Array(HASH_RUN_BYTES);
      const bytes = memory.subarray(0, length);
      read(first, bytes);
      const digests = new Uint8Array(count * digestSize);
      hashBlocks(this.#hash, { bytes, blockSize, digests });
      return { first, count, bytes, digests, place };
    }
    const { slots, slot } = place;
    const bytes = slots.blocks[slot].subarray(0, length);
    const digests = slots.digests[slot].subarray(0, count * digestSize);
    read(first, bytes);
    slots.lengths[slot] = length;
    Atomics.store(slots.states, slot, SLOT.full);
    Atomics.add(slots.bell, 0, 1);
    Atomics.notify(slots.bell, 0);
    return { first, count, bytes, digests, place };
  }

  #freePlace(): Place | null {
    for (const { slots } of this.#threads) {
      if (!isReady(slots)) continue;
      for (let slot = 0; slot < WORKER_SLOTS; slot++) {
        if (stateOf({ slots, slot }) === SLOT.free) return { slots, slot };
      }
    }
    return null;
  }

  /** Sees to it that a run's digests are there. */
  #finish(job: Job): HashedRun {
    if (!job.place) return job;
    const { slots: { states }, slot } = job.place;
    const { full, busy, done } = SLOT;
    let isLost = Atomics.compareExchange(states, slot, full, done) === full;
    while (!isLost && stateOf(job.place) === busy) {
      isLost = Atomics.wait(states, slot, busy, WAIT_MS_MAX) === "timed-out";
    }
    if (!isLost) return job;
    // The worker has not begun, or is gone.
    const { blockSize } = this.#settings;
    const digests = new Uint8Array(job.digests.length);
    hashBlocks(this.#hash, { bytes: job.bytes, blockSize, digests });
    return { ...job, digests };
  }

  /** Takes back the memory of a run that nobody looks at any more. */
  #release({ bytes, place }: Job): void {
    if (place) {
      // The slot of a worker that is gone stays busy: it is not used again.
      const { slots: { states }, slot } = place;
      Atomics.compareExchange(states, slot, SLOT.done, SLOT.free);
    } else this.#spare.push(new Uint8Array(bytes.buffer as ArrayBuffer));
  }

  /** Starts one worker; where there is none to be had, it does without. */
  #start(): void {
    const url = new URL("_leaf_hashing_worker.ts", import.meta.url);
    let worker: Worker;
    try {
      worker = new Worker(url, { type: "module" });
    } catch {
      return;
    }
    const slots = sharedSlots();
    worker.onerror = (event): void => {
      event.preventDefault();
      Atomics.store(slots.ready, 0, 0);
    };
    const key = this.#settings.key?.slice() ?? null;
    const settings = { ...this.#settings, key };
    const start: WorkerStart = { settings, slots };
    // Moved, not copied: nothing of the key is left on the way.
    worker.postMessage(start, key ? [key.buffer] : []);
    this.#threads.push({ worker, slots });
  }
}

/** What to hash, and where to. */
interface Blocks {
  readonly bytes: Uint8Array;
  readonly blockSize: number;
  readonly digests: Uint8Array;
}

/** Hashes blocks, and puts the digests one behind the other. */
export function hashBlocks(
  hash: BlockHash,
  { bytes, blockSize, digests }: Blocks,
): void {
  for (let at = 0, to = 0; at < bytes.length; at += blockSize) {
    hash.hashInto(bytes.subarray(at, at + blockSize), digests, to);
    to += hash.digestSize;
  }
}

function sharedSlots(): SharedSlots {
  const words = (count: number): Int32Array<SharedArrayBuffer> =>
    new Int32Array(new SharedArrayBuffer(4 * count));
  const arrays = (size: number): Uint8Array<SharedArrayBuffer>[] =>
    Array.from(
      { length: WORKER_SLOTS },
      () => new Uint8Array(new SharedArrayBuffer(size)),
    );
  const digestMax = Math.max(...Object.values(DIGEST_BYTES));
  return {
    ready: words(1),
    bell: words(1),
    states: words(WORKER_SLOTS),
    lengths: words(WORKER_SLOTS),
    blocks: arrays(HASH_RUN_BYTES),
    digests: arrays(HASH_RUN_BYTES / BLOCK_BYTES_MIN * digestMax),
  };
}

function isReady({ ready }: SharedSlots): boolean {
  return Atomics.load(ready, 0) === 1;
}

function stateOf({ slots, slot }: Place): number {
  return Atomics.load(slots.states, slot);
}

function isDone({ place }: Job): boolean {
  return place === null || stateOf(place) === SLOT.done;
}

function defaultWorkers(): number {
  return Math.min(navigator.hardwareConcurrency - 1, WORKERS_MAX);
}
