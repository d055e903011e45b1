/**
 * Leaf hashing in bulk: the hashes of all blocks of a device, for building a
 * whole tree and for checking a whole volume.
 *
 * Hashing is the most of such work and needs nothing but the blocks, so it is
 * given to Web Workers, one for each processor, while the caller's thread
 * reads and climbs the tree. Workers take a while to start; until then, and
 * where there is one processor, or no worker to be had, the caller's thread
 * hashes.
 *
 * Workers keep a process alive: a hasher has to be closed.
 *
 * @module
 */

import { type BlockHash, createBlockHash, type HashAlgorithm } from "./hmac.ts";

/** Bytes of a run that suit the workers: 256 blocks of 4 KiB. */
export const HASH_RUN_BYTES: number = 1 << 20;
/** Workers at most: beyond, reading and climbing take longer than hashing. */
const WORKERS_MAX = 4;
/** Runs a worker has at a time, so that it need not wait for the next. */
const RUNS_PER_WORKER = 2;

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
   * Number of workers; 0 hashes in the caller's thread. If absent, the number
   * of processors, but at most 4, and 0 for one.
   */
  readonly workers?: number;
}

/** What a worker is sent: its settings, then runs, then null for the end. */
export type ToThread = HashSettings | Uint8Array | null;

/** The blocks of a run, and their digests, one behind the other. */
export interface Hashed {
  /** The digests. */
  readonly digests: Uint8Array;
  /** The blocks. */
  readonly bytes: Uint8Array;
}

/** What a worker sends: that it is there, then the runs, hashed. */
export type FromThread = "ready" | Hashed;

/** Consecutive blocks of a device. */
export interface LeafRun {
  /** The first of them. */
  readonly first: number;
  /** How many; {@link HASH_RUN_BYTES} together at most. */
  readonly count: number;
}

/** A run, hashed. What it holds is valid until the next is asked for. */
export interface HashedRun extends LeafRun, Hashed {}

/** One worker, and who waits for the runs that it has. */
interface Thread {
  readonly worker: Worker;
  readonly waiters: {
    resolve: (hashed: Hashed) => void;
    reject: (error: unknown) => void;
  }[];
}

/** See the module. */
export class LeafHasher {
  readonly #settings: HashSettings;
  readonly #hash: BlockHash;
  readonly #workerCount: number;
  /** Workers that have said that they are there. */
  readonly #ready = new Set<Thread>();
  /** Workers that have not. */
  readonly #starting = new Set<Thread>();

  /** Starts the workers. The key is copied; the caller wipes its own. */
  constructor(options: LeafHasherOptions) {
    const { algorithm, key, blockSize } = options;
    this.#settings = { algorithm, key: key?.slice() ?? null, blockSize };
    this.#hash = createBlockHash(algorithm, key);
    this.#workerCount = options.workers ?? defaultWorkers();
    for (let i = 0; i < this.#workerCount; i++) this.#start();
  }

  /**
   * Reads `runs` by `read` and yields them with their hashes, in the same
   * order. Several are in the works at a time, so `read` is ahead of what is
   * yielded. What `read` throws ends the iteration.
   */
  async *hashRuns(
    runs: Iterable<LeafRun>,
    read: (first: number, into: Uint8Array) => void,
  ): AsyncGenerator<HashedRun> {
    const spare: ArrayBufferLike[] = [];
    const flying: Promise<HashedRun>[] = [];
    const most = Math.max(1, this.#workerCount * RUNS_PER_WORKER);
    for (const { first, count } of runs) {
      if (flying.length === most) {
        const run = await flying.shift()!;
        yield run;
        spare.push(run.bytes.buffer);
      }
      const memory = spare.pop() ?? new ArrayBuffer(HASH_RUN_BYTES);
      const into = new Uint8Array(memory, 0, count * this.#settings.blockSize);
      read(first, into);
      const hashed = this.hash(into).then((hashed) => {
        return { first, count, ...hashed };
      });
      // If nobody comes back for it, its failure is nobody's business.
      hashed.catch(() => {});
      flying.push(hashed);
    }
    for (const hashed of flying) yield await hashed;
  }

  /**
   * The hashes of the blocks of `bytes`. The memory of `bytes`, all of its
   * buffer, is given away, and comes back in the result.
   */
  async hash(bytes: Uint8Array): Promise<Hashed> {
    const thread = this.#leastBusy();
    if (thread) return await send(thread, bytes);
    const digests = hashBlocks(this.#hash, bytes, this.#settings.blockSize);
    // That a worker has started is heard of only when the event loop turns.
    if (this.#starting.size > 0) {
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return { digests, bytes };
  }

  /**
   * Ends the workers; runs that they have are lost. The copies of the key are
   * wiped, as far as the runtime lets them be found.
   */
  close(): void {
    this.#hash.wipe();
    this.#settings.key?.fill(0);
    for (const { worker } of this.#starting) worker.terminate();
    this.#starting.clear();
    for (const thread of this.#ready) {
      // Those that wait will get nothing more; the worker ends by itself.
      for (const { reject } of thread.waiters.splice(0)) {
        reject(new Error("Cannot hash: the hasher was closed"));
      }
      thread.worker.postMessage(null satisfies ToThread);
    }
    this.#ready.clear();
  }

  #leastBusy(): Thread | null {
    let best: Thread | null = null;
    for (const thread of this.#ready) {
      if (!best || thread.waiters.length < best.waiters.length) best = thread;
    }
    return best;
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
    const thread: Thread = { worker, waiters: [] };
    this.#starting.add(thread);
    worker.onmessage = ({ data }: MessageEvent<FromThread>): void => {
      if (data === "ready") this.#employ(thread);
      else thread.waiters.shift()?.resolve(data);
    };
    worker.onerror = (event): void => {
      event.preventDefault();
      this.#starting.delete(thread);
      this.#ready.delete(thread);
      for (const { reject } of thread.waiters.splice(0)) {
        reject(new Error(`Cannot hash: ${event.message}`));
      }
    };
  }

  #employ(thread: Thread): void {
    // It may have been closed meanwhile.
    if (!this.#starting.delete(thread)) return;
    const key = this.#settings.key?.slice() ?? null;
    const settings: ToThread = { ...this.#settings, key };
    // Moved, not copied: nothing of the key is left on the way.
    thread.worker.postMessage(settings, key ? [key.buffer] : []);
    this.#ready.add(thread);
  }
}

/** The digests of the blocks of `run`, one behind the other. */
export function hashBlocks(
  hash: BlockHash,
  run: Uint8Array,
  blockSize: number,
): Uint8Array {
  const { digestSize } = hash;
  const digests = new Uint8Array(run.length / blockSize * digestSize);
  for (let at = 0, to = 0; at < run.length; at += blockSize, to += digestSize) {
    hash.hashInto(run.subarray(at, at + blockSize), digests, to);
  }
  return digests;
}

function send({ worker, waiters }: Thread, bytes: Uint8Array): Promise<Hashed> {
  return new Promise((resolve, reject) => {
    waiters.push({ resolve, reject });
    worker.postMessage(bytes, [bytes.buffer as ArrayBuffer]);
  });
}

function defaultWorkers(): number {
  const processors = navigator.hardwareConcurrency;
  return processors > 1 ? Math.min(processors, WORKERS_MAX) : 0;
}
