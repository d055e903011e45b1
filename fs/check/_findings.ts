/**
 * The problems of one round of the check.
 *
 * @module
 */

import {
  PROBLEM_KINDS,
  type ProblemCode,
  type ProblemKind,
  problemMessage,
  type ProblemValues,
} from "./problems.ts";
import { PROBLEMS_MAX } from "./report.ts";

/** Where a problem is. */
export interface ProblemPlace {
  /** Inode number. */
  readonly inode?: number;
  /** Device block. */
  readonly block?: number;
  /** Block group. */
  readonly group?: number;
}

/** A problem as the passes find it. */
export interface Finding {
  /** Its kind. */
  readonly code: ProblemCode;
  /** What is wrong. */
  readonly message: string;
  /** Where. */
  readonly place: ProblemPlace;
}

/** See the module. */
export class Findings {
  /** The first {@link PROBLEMS_MAX}. */
  readonly list: Finding[] = [];
  /** Problems that are no notes. */
  found = 0;
  /** Those of them that no repair can bring back. */
  lost = 0;
  /** Those of them that are not safe to repair unasked. */
  unsafe = 0;
  /** Everything, notes too. */
  total = 0;

  /** Adds a problem. */
  add(
    code: ProblemCode,
    place: ProblemPlace = {},
    values: ProblemValues = {},
  ): void {
    const kind: ProblemKind = PROBLEM_KINDS[code];
    this.total++;
    if (!kind.note) {
      this.found++;
      if (kind.lost) this.lost++;
      else if (!kind.preen) this.unsafe++;
    }
    if (this.list.length >= PROBLEMS_MAX) return;
    this.list.push({ code, message: problemMessage(code, values), place });
  }

  /** Forgets what no repair can bring back: it is about to be found again. */
  forgetLost(): void {
    this.found -= this.lost;
    this.total -= this.lost;
    this.lost = 0;
    const kept = this.list.filter(({ code }) => {
      const { lost }: ProblemKind = PROBLEM_KINDS[code];
      return !lost;
    });
    this.list.splice(0, this.list.length, ...kept);
  }
}
