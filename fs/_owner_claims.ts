/**
 * The state of a search for the owners of blocks: which blocks are looked for,
 * who has claimed them, and what could not be searched.
 *
 * @module
 */

import type { DeviceError } from "../bd/block_device.ts";
import { countClear, findClear, setBits } from "./bitmap.ts";
import type { BlockRun } from "./block_allocator.ts";
import {
  type BlockOwner,
  type BlockOwners,
  type OwnedBlocks,
  type Unreadable,
  UNREADABLE_MAX,
} from "./block_owner.ts";
import type { FsError } from "./errors.ts";

/** A run that is looked for, with a set bit for each block that is claimed. */
interface Target extends BlockRun {
  readonly claimed: Uint8Array;
}

/** See the module. */
export class OwnerClaims {
  /** Blocks that nobody has claimed so far. */
  remaining = 0;
  /** In ascending order, and apart. */
  readonly #targets: Target[];
  readonly #owned: OwnedBlocks[] = [];
  readonly #unreadable: Unreadable[] = [];
  #unreadableCount = 0;

  /** Looks for `blocks`, which may come in any order and overlap. */
  constructor(blocks: Iterable<BlockRun>) {
    this.#targets = merged(blocks).map(({ start, count }) => {
      this.remaining += count;
      return { start, count, claimed: new Uint8Array(Math.ceil(count / 8)) };
    });
  }

  /**
   * Claims those of `count` blocks from `start` on that are looked for and
   * nobody's yet, each run of them for what `ownerOf` says.
   */
  claim(
    start: number,
    count: number,
    ownerOf: (start: number, count: number) => BlockOwner,
  ): void {
    for (const run of this.#runs(start, start + count)) {
      const owner = ownerOf(run.start, run.count);
      setBits(run.target.claimed, run.start - run.target.start, run.count);
      this.remaining -= run.count;
      // A file's blocks mostly come in order.
      append(this.#owned, { start: run.start, count: run.count, owner });
    }
  }

  /** The first block from `start` on that is nobody's yet, or null. */
  firstFrom(start: number): number | null {
    for (const run of this.#runs(start, Infinity)) return run.start;
    return null;
  }

  /** Notes a part that could not be searched. */
  note(
    error: DeviceError | FsError,
    { path, ino }: { path: () => Uint8Array | null; ino: number },
  ): void {
    this.#unreadableCount++;
    if (this.#unreadable.length >= UNREADABLE_MAX) return;
    this.#unreadable.push({ path: path(), ino, reason: error.message });
  }

  /** Everything that was found; what nobody has claimed is unknown. */
  finish(): BlockOwners {
    const unknown: BlockOwner = { kind: "unknown" };
    this.claim(0, Infinity, () => unknown);
    const blocks: OwnedBlocks[] = [];
    for (const run of this.#owned.sort((a, b) => a.start - b.start)) {
      append(blocks, run);
    }
    return {
      blocks,
      unreadable: this.#unreadable,
      unreadableCount: this.#unreadableCount,
    };
  }

  /** The runs in `[start, end)` that are looked for and nobody's yet. */
  *#runs(
    start: number,
    end: number,
  ): Generator<BlockRun & { target: Target }> {
    for (let i = this.#firstTarget(start); i < this.#targets.length; i++) {
      const target = this.#targets[i];
      if (target.start >= end) break;
      const last = Math.min(end - target.start, target.count);
      let at = Math.max(start - target.start, 0);
      for (;;) {
        at = findClear(target.claimed, at, last);
        if (at < 0) break;
        const count = countClear(target.claimed, at, last);
        yield { start: target.start + at, count, target };
        at += count;
      }
    }
  }

  /** Index of the first target that does not lie before block `start`. */
  #firstTarget(start: number): number {
    let low = 0;
    let high = this.#targets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const target = this.#targets[middle];
      if (target.start + target.count <= start) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Adds `run` to `runs`, or to the last of them if it is its rest. */
function append(runs: OwnedBlocks[], run: OwnedBlocks): void {
  const last = runs.at(-1);
  if (last?.owner !== run.owner || last.start + last.count !== run.start) {
    runs.push(run);
    return;
  }
  const { start, owner } = last;
  runs[runs.length - 1] = { start, count: last.count + run.count, owner };
}

/** The same blocks in ascending order, in runs that neither meet nor touch. */
function merged(blocks: Iterable<BlockRun>): BlockRun[] {
  const sorted = [...blocks].sort((a, b) => a.start - b.start);
  const runs: { start: number; count: number }[] = [];
  for (const { start, count } of sorted) {
    const last = runs.at(-1);
    if (last === undefined || start > last.start + last.count) {
      runs.push({ start, count });
    } else {
      last.count = Math.max(last.count, start + count - last.start);
    }
  }
  return runs;
}
