/**
 * The scrub: reads everything on a verified device that was ever written, and
 * finds what does not verify.
 *
 * Stored blocks are read in long runs and hashed by Web Workers, while this
 * thread climbs the tree. Blocks that were never written are not read; all
 * there is to know of them is that the tree has nothing but zeros there, which
 * takes seconds for a TiB. Where the tree itself is damaged, all blocks below
 * are bad, and are not looked at.
 *
 * @module
 */

import { BadRanges, type BadRangesReport } from "./bad_ranges.ts";
import { DeviceError } from "./block_device.ts";
import {
  HASH_RUN_BYTES,
  type HashedRun,
  type LeafRun,
} from "./leaf_hashing.ts";
import {
  DamagedTreeError,
  type LeafRange,
  UnreadableTreeError,
} from "./tree_errors.ts";
import type { VerityDevice } from "./verity.ts";

/** Blocks never written that are passed over at a time: 256 pages of a tree. */
const UNUSED_STEP = 1 << 14;
/** Such steps between two breaths. */
const BREATH_STEPS = 16;

/** How far a scrub has come since it last said so. */
export interface ScrubProgress {
  /** Blocks that were read. */
  readonly checked: number;
  /** Blocks that need not be read. */
  readonly skipped: number;
}

/** How to scrub. */
export interface ScrubOptions {
  /** Workers that hash; see `LeafHasherOptions`. */
  readonly workers?: number;
  /** Is told of progress, and waited for. What it throws ends the scrub. */
  readonly progress?: (step: ScrubProgress) => void | Promise<void>;
}

/** What a scrub has found. */
export interface ScrubReport {
  /** Blocks that were read. */
  readonly checked: number;
  /** Blocks that are bad. */
  readonly bad: BadRangesReport;
}

/**
 * Checks every block of `verity` that was ever written. Throws what no block
 * is to blame for: {@link DeviceError} `EBADF` of files that were closed.
 */
export async function scrub(
  verity: VerityDevice,
  options: ScrubOptions = {},
): Promise<ScrubReport> {
  return await new Scrub(verity).run(options);
}

/** A scrub under way. */
class Scrub {
  readonly #verity: VerityDevice;
  readonly #bad = new BadRanges();
  #checked = 0;
  #skipped = 0;
  /** Blocks that were to be hashed and could not be read. */
  readonly #unread = new Set<number>();

  constructor(verity: VerityDevice) {
    this.#verity = verity;
  }

  async run({ workers, progress }: ScrubOptions): Promise<ScrubReport> {
    const hasher = this.#verity.leafHasher({ workers });
    try {
      const read = (first: number, into: Uint8Array): void =>
        this.#read(first, into);
      for (const run of hasher.hashRuns(this.#runs(), read)) {
        this.#check(run);
        this.#checked += run.count;
        const skipped = this.#skipped;
        this.#skipped = 0;
        await progress?.({ checked: run.count, skipped });
      }
      await progress?.({ checked: 0, skipped: this.#skipped });
    } finally {
      hasher.close();
    }
    return { checked: this.#checked, bad: this.#bad.finish() };
  }

  /**
   * The runs of blocks that were written and whose leaves verify. Behind what
   * takes long without any comes an empty run, for the caller to take a breath.
   */
  *#runs(): Generator<LeafRun> {
    const verity = this.#verity;
    const most = HASH_RUN_BYTES / verity.blockSize;
    for (let block = 0; block < verity.blockCount;) {
      const next = this.#reach(block, () => verity.nextUsed(block));
      const used = yield* this.#unused(block, next.to);
      if (used > next.to || next.lost > 0) {
        block = yield* this.#lose(Math.max(used, next.to + next.lost), used);
        continue;
      }
      const room = Math.min(most, verity.blockCount - used);
      const run = this.#reach(used, () => used + verity.usedRun(used, room));
      if (run.to > used) yield { first: used, count: run.to - used };
      block = yield* this.#lose(run.to + run.lost, run.to);
    }
  }

  /**
   * Checks that the tree has nothing for the blocks from `block` to `end`,
   * which were never written. Returns where to go on: `end`, or behind it.
   */
  *#unused(block: number, end: number): Generator<LeafRun, number> {
    const verity = this.#verity;
    for (let step = 1; block < end; step++) {
      const room = UNUSED_STEP - block % UNUSED_STEP;
      const count = Math.min(room, end - block);
      const { to, lost } = this.#reach(block, () => {
        verity.checkUnused(block, count);
        return block + count;
      });
      this.#skipped += to - block;
      block = yield* this.#lose(to + lost, to);
      if (step % BREATH_STEPS === 0) yield { first: block, count: 0 };
    }
    return block;
  }

  /** Passes over the blocks from `from` to `to`, which are lost. */
  *#lose(to: number, from: number): Generator<LeafRun, number> {
    if (to > from) yield { first: to, count: 0 };
    this.#skipped += to - from;
    return to;
  }

  /**
   * How far `find` gets from block `from` on, and how many blocks are lost
   * from there on because the tree is damaged.
   */
  #reach(from: number, find: () => number): { to: number; lost: number } {
    try {
      return { to: find(), lost: 0 };
    } catch (error) {
      const range = damagedRange(error, from, this.#verity.blockCount);
      this.#bad.note(range.first, range.count);
      return { to: range.first, lost: range.count };
    }
  }

  /** Reads blocks; those that cannot be read are zeros, and remembered. */
  #read(first: number, into: Uint8Array): void {
    if (into.length === 0) return;
    try {
      this.#verity.readStored(first, into);
      return;
    } catch (error) {
      if (!isReadError(error)) throw error;
    }
    const { blockSize } = this.#verity;
    for (let at = 0; at < into.length; at += blockSize) {
      const block = first + at / blockSize;
      const bytes = into.subarray(at, at + blockSize);
      try {
        this.#verity.readStored(block, bytes);
      } catch (error) {
        if (!isReadError(error)) throw error;
        bytes.fill(0);
        this.#unread.add(block);
      }
    }
  }

  #check({ first, count, digests }: HashedRun): void {
    const digestSize = digests.length / count;
    for (let i = 0; i < count;) {
      const digest = digests.subarray(i * digestSize, (i + 1) * digestSize);
      let bad = this.#unread.delete(first + i) ? 1 : 0;
      try {
        if (!this.#verity.checkLeaf(first + i, digest)) bad = 1;
      } catch (error) {
        const range = damagedRange(error, first + i, first + count);
        bad = range.first + range.count - (first + i);
      }
      if (bad > 0) this.#bad.note(first + i, bad);
      i += Math.max(1, bad);
    }
  }
}

/**
 * The blocks from `block` on, and before `end`, that share the fate of the one
 * at which the tree could not be used; they may begin behind `block`.
 */
function damagedRange(error: unknown, block: number, end: number): LeafRange {
  const isKnown = error instanceof DamagedTreeError ||
    error instanceof UnreadableTreeError;
  if (!isKnown || error.code === "EBADF") throw error;
  // What comes before the block that failed was found to be good.
  const first = Math.max(block, error.range.first);
  const last = Math.min(error.range.first + error.range.count, end);
  return { first, count: last - first };
}

/** Whether the host could not read what was asked for. */
function isReadError(error: unknown): boolean {
  return error instanceof DeviceError && error.code !== "EBADF";
}
