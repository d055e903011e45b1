/**
 * A bounded number of calls in flight.
 *
 * @module
 */

/** Lets at most `limit` promises be pending; the first failure ends it. */
export class Pipeline {
  readonly #limit: number;
  readonly #pending: Promise<unknown>[] = [];

  /** Makes a pipeline that holds `limit` promises, at least one. */
  constructor(limit: number) {
    this.#limit = Math.max(1, limit);
  }

  /**
   * Adds `promise`, and resolves when there is room for another one. Rejects
   * with the failure of the oldest promise.
   */
  async add(promise: Promise<unknown>): Promise<void> {
    // A failure is reported by the call that awaits it, not as unhandled.
    promise.catch(() => {});
    this.#pending.push(promise);
    if (this.#pending.length >= this.#limit) await this.#pending.shift();
  }

  /** Resolves when all are done; rejects with the first failure. */
  async finish(): Promise<void> {
    await Promise.all(this.#pending.splice(0));
  }
}
