/**
 * What a check reports.
 *
 * @module
 */

import type { Timestamp } from "../attributes.ts";
import type { BlockRun } from "../block_allocator.ts";
import type { ProblemCode } from "./problems.ts";

/** A problem that was found. */
export interface FoundProblem {
  /** Its kind; see `PROBLEMS`. */
  readonly code: ProblemCode;
  /** What is wrong, without the place. */
  readonly message: string;
  /** Inode in which it is. */
  readonly inode?: number;
  /** A path of that inode, where one is known. */
  readonly path?: Uint8Array;
  /** Device block in which it is. */
  readonly block?: number;
  /** Block group in which it is. */
  readonly group?: number;
  /** Whether it was put in order, and that is on the device. */
  readonly repaired: boolean;
}

/** How much of a volume there is. */
export interface CheckCounts {
  /** Inodes in use, those of the format included. */
  readonly inodes: number;
  /** Inodes in the volume. */
  readonly inodesTotal: number;
  /** Directories. */
  readonly directories: number;
  /** Blocks in use. */
  readonly blocks: number;
  /** Blocks in the volume. */
  readonly blocksTotal: number;
}

/** The outcome of a check. */
export interface CheckReport {
  /** The first problems, {@link PROBLEMS_MAX}, in the order they were found. */
  readonly problems: readonly FoundProblem[];
  /** How many there were; notes are not counted. */
  readonly found: number;
  /** How many of these were repaired. */
  readonly repaired: number;
  /** True if no problem was found: what is left are notes. */
  readonly isClean: boolean;
  /** True if no problem is left. */
  readonly isSound: boolean;
  /** True if anything on the device was changed. */
  readonly changed: boolean;
  /** False if there were so many problems that the check ended early. */
  readonly complete: boolean;
  /**
   * True if there were too few free blocks or inodes for all of the repairs:
   * what is left is left because of it, and copies may be missing.
   */
  readonly lacksSpace: boolean;
  /**
   * Blocks, ascending, that a repair was to change and could not, since the
   * device refuses to write them: the hash tree is damaged there.
   */
  readonly unwritable: readonly BlockRun[];
  /** What is on the volume. */
  readonly counts: CheckCounts;
}

/** Problems of which a report keeps more than the number. */
export const PROBLEMS_MAX = 10_000;

/** What the check may do: nothing, what is safe, or everything. */
export type CheckMode = "check" | "preen" | "repair";

/** How a volume is checked. */
export interface CheckOptions {
  /**
   * `check` changes nothing. `preen` repairs what is safe to repair, and
   * nothing at all if there is anything else: the safe repairs count on the
   * rest being sound. `repair` repairs everything.
   */
  readonly mode: CheckMode;
  /** Takes each problem, once it is known whether it was repaired. */
  readonly log?: (problem: FoundProblem) => void;
  /**
   * Blocks that are known to be unreadable, such as those a scrub has found.
   * The check does not read the contents of files.
   */
  readonly unreadable?: Iterable<BlockRun>;
  /** Called now and then, with how many steps are done; it is waited for. */
  readonly progress?: (steps: number) => Promise<void> | void;
  /** The clock; the system's if absent. */
  readonly now?: () => Timestamp;
}
