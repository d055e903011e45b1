/**
 * The clock: which entry of a cache goes when there is no more room.
 *
 * The algorithm is Corbató's ("A Paging Experiment with the Multics System",
 * 1969): a hand goes round, and an entry stays if it was used since the hand
 * last came by.
 *
 * Invariants:
 * - An entry is on the clock if and only if its slot is its place there.
 * - An entry that the current epoch has used is never chosen.
 *
 * @module
 */

/** What the clock knows of an entry. */
export interface ClockEntry {
  /** Used since the hand came by. */
  referenced: boolean;
  /** Epoch that last used it. */
  epoch: number;
  /** Place on the clock, or -1. */
  slot: number;
}

/** A ring of entries, any of which may go. */
export class Clock<E extends ClockEntry> {
  readonly #ring: E[] = [];
  #hand = 0;
  #stuckEpoch = -1;

  /** Number of entries. */
  get size(): number {
    return this.#ring.length;
  }

  /** Puts an entry on the clock. */
  add(entry: E): void {
    entry.slot = this.#ring.length;
    this.#ring.push(entry);
  }

  /** Takes an entry off the clock, if it is on it. */
  remove(entry: E): void {
    if (entry.slot < 0) return;
    const last = this.#ring.pop()!;
    if (last !== entry) {
      this.#ring[entry.slot] = last;
      last.slot = entry.slot;
    }
    entry.slot = -1;
  }

  /** An entry to do without, which stays on the clock; null if there is none. */
  choose(epoch: number): E | null {
    if (this.#stuckEpoch === epoch) return null;
    for (let steps = 2 * this.#ring.length; steps > 0; steps--) {
      if (this.#hand >= this.#ring.length) this.#hand = 0;
      const entry = this.#ring[this.#hand];
      if (entry.epoch !== epoch && !entry.referenced) return entry;
      if (entry.epoch !== epoch) entry.referenced = false;
      this.#hand++;
    }
    // Everything is in use: there is no point in looking again before that
    // changes.
    this.#stuckEpoch = epoch;
    return null;
  }
}
