/**
 * What an anchor is: the place, outside of the journal, that says which state
 * of a volume is the present one.
 *
 * @module
 */

import type { VolumeState } from "./state.ts";

/** A place for one state; to store another one there is to commit it. */
export interface Anchor {
  /** The state that is known to be stored. */
  readonly state: VolumeState;

  /**
   * Stores `next` in the place of `expected`; resolves when that is on stable
   * storage. Throws `RollbackError` if another state than `expected` or `next`
   * is there. If the host fails, the outcome is unknown until the same call
   * is made again and succeeds.
   */
  store(expected: VolumeState, next: VolumeState): Promise<void>;

  /** Gives up the place. Calling it again does nothing. */
  close(): void;
}
