/**
 * Ranges of bad blocks, collected in bounded memory.
 *
 * @module
 */

import type { LeafRange } from "./tree_errors.ts";

/** Ranges that are kept; the blocks of further ones are only counted. */
export const BAD_RANGES_MAX: number = 1 << 14;

/** What was collected. */
export interface BadRangesReport {
  /** Where the blocks are, in ascending order and apart. */
  readonly ranges: readonly LeafRange[];
  /** How many they are, those included whose ranges were not kept. */
  readonly count: number;
}

/** See the module. */
export class BadRanges {
  readonly #ranges: { first: number; count: number }[] = [];
  /** Blocks of ranges that are not kept. */
  #more = 0;

  /** Adds a range. */
  note(first: number, count: number): void {
    const last = this.#ranges.at(-1);
    if (last && last.first + last.count === first) last.count += count;
    else if (this.#ranges.length < BAD_RANGES_MAX) {
      this.#ranges.push({ first, count });
    } else this.#more += count;
  }

  /** Everything that was noted. */
  finish(): BadRangesReport {
    const ranges: { first: number; count: number }[] = [];
    let total = this.#more;
    for (const range of this.#ranges.sort((a, b) => a.first - b.first)) {
      const last = ranges.at(-1);
      if (last && range.first <= last.first + last.count) {
        const end = range.first + range.count;
        last.count = Math.max(end - last.first, last.count);
      } else ranges.push({ ...range });
    }
    for (const { count } of ranges) total += count;
    return { ranges, count: total };
  }
}
