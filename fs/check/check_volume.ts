/**
 * The check of a whole volume: rounds of all passes, until one finds nothing.
 *
 * Invariants:
 * - Without leave to change anything, all repairs happen in memory, so that
 *   each pass sees what the ones before it would have put in order.
 * - `preen` writes only what a whole trial has found to be safe.
 * - What the device refuses to write is left, and found again by the next
 *   round; a round that finds nothing else is the last.
 * - While a repair is going on, the superblock says that the volume needs a
 *   check; only the last commit says that it does not.
 *
 * @module
 */

import type { BlockDevice } from "../../bd/block_device.ts";
import type { BlockRun } from "../block_allocator.ts";
import { systemTime } from "../attributes.ts";
import { FsError } from "../errors.ts";
import {
  STATE_ERROR,
  STATE_VALID,
  SUPERBLOCK,
  superblockAt,
  superblockBlock,
} from "../superblock.ts";
import { BlockStore } from "./_store.ts";
import { type RoundProblem, type RoundResult, runRound } from "./_round.ts";
import { PROBLEM_KINDS, type ProblemKind } from "./problems.ts";
import {
  type CheckOptions,
  type CheckReport,
  type FoundProblem,
  PROBLEMS_MAX,
} from "./report.ts";

/** Rounds of a repair at most, the one that finds nothing included. */
const ROUNDS_MAX = 6;
/** Steps between two calls of `progress`. */
const PROGRESS_STEPS = 256;

/**
 * Checks the structure of the volume on `device`, and repairs it as far as
 * `options.mode` allows. The device is left open.
 *
 * Throws {@link FsError} if there is no volume that the engine knows, or it
 * has no superblock that can be read; and what the device throws when it is
 * written, or fails with anything but `EIO`.
 */
export async function checkVolume(
  device: BlockDevice,
  options: CheckOptions,
): Promise<CheckReport> {
  if (options.mode !== "check" && device.readOnly) {
    throw new FsError("EROFS", "Cannot repair: the device is read-only");
  }
  const report = await new Session(device, options).run();
  for (const problem of report.problems) options.log?.(problem);
  return report;
}

class Session {
  readonly #store: BlockStore;
  readonly #options: CheckOptions;
  readonly #now: () => ReturnType<typeof systemTime>;
  readonly #rounds: RoundResult[] = [];
  #steps = 0;

  constructor(device: BlockDevice, options: CheckOptions) {
    this.#store = new BlockStore(device, options.unreadable);
    this.#options = options;
    this.#now = options.now ?? systemTime;
  }

  async run(): Promise<CheckReport> {
    const { mode } = this.#options;
    const isTrial = mode !== "repair";
    for (;;) {
      const round = await this.#round(isTrial);
      if (round === null) return this.#report(false);
      const { unsafe } = round.findings;
      if (mode === "check" || isTrial && unsafe > 0) {
        // What a trial would have done is not to be written.
        this.#store.discard();
        break;
      }
      if (isTrial) await this.#commit();
      if (!needsRound(round) || this.#rounds.length === ROUNDS_MAX) break;
      if (this.#isStuck(round)) break;
    }
    if (mode !== "check") await this.#finish();
    return this.#report(true);
  }

  /** Whether a round has found but what the one before could not repair. */
  #isStuck({ problems, lacksSpace }: RoundResult): boolean {
    const before = this.#rounds.at(-2);
    if (!before) return false;
    const isHindered = before.lacksSpace && lacksSpace ||
      this.#store.unwritable.size > 0;
    if (!isHindered) return false;
    if (problems.length === PROBLEMS_MAX) return false;
    const known = new Set(before.problems.map(textOf));
    return problems.every((problem) => known.has(textOf(problem)));
  }

  /** Runs a round; null if a trial has found more than it can keep. */
  async #round(isTrial: boolean): Promise<RoundResult | null> {
    const store = this.#store;
    store.forgetRefused();
    const steps = runRound(store, {
      isTrial,
      isFirst: this.#rounds.length === 0,
      now: this.#now,
    });
    for (;;) {
      const step = steps.next();
      if (step.done) {
        this.#rounds.push(step.value);
        return step.value;
      }
      if (isTrial && store.isTrialFull) return null;
      if (!isTrial && store.isCommitDue) await this.#commit();
      if (++this.#steps % PROGRESS_STEPS === 0) {
        await this.#options.progress?.(this.#steps);
      }
    }
  }

  /** Makes what was changed durable, on a volume that is marked as broken. */
  async #commit(): Promise<void> {
    if (this.#store.dirtyCount === 0) return;
    this.#setState((state) => state & ~STATE_VALID | STATE_ERROR);
    await this.#store.commit();
  }

  /** Marks the volume as what it is now, if anything is new about that. */
  async #finish(): Promise<void> {
    const last = this.#rounds.at(-1)!;
    const isSound = last.findings.found === last.findings.lost;
    const isMarked = this.#rounds[0].problems.every(({ code }) =>
      code !== "superblock.state"
    );
    const store = this.#store;
    if (!store.committed && store.dirtyCount === 0) {
      // Nothing was repaired: because all is well, or because it may not be.
      if (isMarked || !isSound) return;
    }
    if (isSound) {
      this.#setState((state) => state & ~STATE_ERROR | STATE_VALID);
      this.#stamp();
    } else if (store.unwritable.size > 0) {
      this.#setState((state) => state & ~STATE_VALID | STATE_ERROR);
    }
    await store.commit();
  }

  #setState(change: (state: number) => number): void {
    const block = this.#store.modify(superblockBlock(this.#store.blockSize));
    const at = superblockAt(this.#store.blockSize);
    const { s_state } = SUPERBLOCK;
    s_state.set(block, at, change(s_state.get(block, at)));
  }

  #stamp(): void {
    const block = this.#store.modify(superblockBlock(this.#store.blockSize));
    const at = superblockAt(this.#store.blockSize);
    const { sec } = this.#now();
    SUPERBLOCK.s_lastcheck.set(block, at, sec);
    SUPERBLOCK.s_wtime.set(block, at, sec);
    SUPERBLOCK.s_mnt_count.set(block, at, 0);
  }

  #report(complete: boolean): CheckReport {
    const last = this.#rounds.at(-1);
    const { mode } = this.#options;
    const { committed } = this.#store;
    const left = new Set<string>();
    // Of the last round of a repair all is left; of a trial, all of it.
    for (const problem of committed && last ? last.problems : []) {
      left.add(keyOf(problem));
    }
    const problems: FoundProblem[] = [];
    const seen = new Set<string>();
    for (const { problems: found } of this.#rounds) {
      for (const problem of found) {
        const key = textOf(problem);
        if (seen.has(key) || problems.length >= PROBLEMS_MAX) continue;
        seen.add(key);
        const { lost }: ProblemKind = PROBLEM_KINDS[problem.code];
        const repaired = committed && !lost && !left.has(keyOf(problem));
        problems.push(toFound(problem, repaired));
      }
    }
    const found = countFound(this.#rounds);
    const unrepaired = committed ? last?.findings.found ?? 0 : found;
    return {
      problems,
      found,
      repaired: found - unrepaired,
      isClean: complete && found === 0,
      isSound: complete && unrepaired === 0,
      changed: committed,
      complete,
      lacksSpace: this.#rounds.some((round) => round.lacksSpace),
      unwritable: mode === "check" ? [] : runsOf(this.#store.unwritable),
      counts: last?.counts ?? NO_COUNTS,
    };
  }
}

const NO_COUNTS = {
  inodes: 0,
  inodesTotal: 0,
  directories: 0,
  blocks: 0,
  blocksTotal: 0,
};

/** Whether a round has found anything that a repair changes. */
function needsRound({ findings }: RoundResult): boolean {
  const { total, lost, list } = findings;
  const isMarked = list.some(({ code }) => code === "superblock.state");
  return total > lost + (isMarked ? 1 : 0);
}

/** Problems of all rounds; what one has left is not counted again. */
function countFound(rounds: readonly RoundResult[]): number {
  let found = 0;
  let before = new Set<string>();
  for (const [i, { findings, problems }] of rounds.entries()) {
    const again = problems.filter((problem) => {
      const { note, lost }: ProblemKind = PROBLEM_KINDS[problem.code];
      return !note && !lost && before.has(textOf(problem));
    });
    const lost = i === 0 ? 0 : findings.lost;
    found += findings.found - lost - again.length;
    before = new Set(problems.map(textOf));
  }
  return found;
}

function textOf(problem: RoundProblem): string {
  return `${keyOf(problem)} ${problem.message}`;
}

function keyOf({ code, place }: RoundProblem): string {
  const { inode, block, group } = place;
  return `${code} ${inode} ${block} ${group}`;
}

function runsOf(blocks: Iterable<number>): BlockRun[] {
  const runs: { start: number; count: number }[] = [];
  for (const block of blocks) {
    const last = runs.at(-1);
    if (last && last.start + last.count === block) last.count++;
    else runs.push({ start: block, count: 1 });
  }
  return runs;
}

function toFound(
  { code, message, place, path }: RoundProblem,
  repaired: boolean,
): FoundProblem {
  return { code, message, ...place, ...(path ? { path } : {}), repaired };
}
