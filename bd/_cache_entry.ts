/**
 * The entry of a cache: one version of a block in memory.
 *
 * @module
 */

import type { ClockEntry } from "./_clock.ts";

/** The number of no set of dirty blocks: that of a clean entry. */
export const CLEAN = 0;

/** One version of a block in memory. Its epochs are the operations. */
export interface Entry extends ClockEntry {
  /** The block's number. */
  readonly block: number;
  /** The block's contents. */
  data: Uint8Array;
  /** Number of the set of dirty blocks that holds it, or {@link CLEAN}. */
  dirtyIn: number;
  /** Whether it is what the cache shows for the block. */
  cached: boolean;
  /** Transaction that has saved the previous contents. */
  transaction: number;
}

/** How to put back one entry as it was before the transaction. */
export interface Undo {
  /** The entry. */
  readonly entry: Entry;
  /** Its previous contents, or null if it is new. */
  readonly data: Uint8Array | null;
  /** Its previous {@link Entry.dirtyIn}. */
  readonly dirtyIn: number;
}
