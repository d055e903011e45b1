/**
 * Where in a file the next read or write starts.
 *
 * Invariant: those that are under way have moved the position already, by as
 * much as they were asked for. What they do less they take back, unless the
 * position was set in the meantime. So reads and writes may overlap.
 *
 * @module
 */

/** A position, and how it moves. */
export class Position {
  #at = 0;
  #timesSet = 0;

  /** Where the next one starts, in bytes. */
  get at(): number {
    return this.#at;
  }

  /** Sets the position. */
  set(at: number): void {
    this.#at = at;
    this.#timesSet++;
  }

  /**
   * Moves on by `length` for `act`, which starts where the position was and
   * resolves to the bytes that it has done, or to null for none.
   */
  async moving<T extends number | null>(
    length: number,
    act: (from: number) => Promise<T>,
  ): Promise<T> {
    const timesSet = this.#timesSet;
    const from = this.#at;
    let done = 0;
    this.#at += length;
    try {
      const count = await act(from);
      done = count ?? 0;
      return count;
    } finally {
      if (timesSet === this.#timesSet) this.#at -= length - done;
    }
  }
}
