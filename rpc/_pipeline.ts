/**
 * A bounded number of calls in flight.
 *
 * @module
 */

/**
 * Lets at most `limit` promises be pending; the first failure ends it.
 *
 * Invariant: a failure is in `#failure` as soon as it is known, and every
 * {@link add} and {@link finish} from then on throws it.
 */
export class Pipeline {
  readonly #limit: number;
  readonly #pending = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | null = null;

  /** Makes a pipeline that holds `limit` promises, at least one. */
  constructor(limit: number) {
    this.#limit = Math.max(1, limit);
  }

  /**
   * Adds `promise`, and resolves when there is room for another one. Rejects
   * with the first failure there was.
   */
  async add(promise: Promise<unknown>): Promise<void> {
    const done = promise.then(
      () => {},
      (error) => {
        this.#failure ??= { error };
      },
    ).finally(() => this.#pending.delete(done));
    this.#pending.add(done);
    this.#check();
    while (this.#pending.size >= this.#limit) {
      await Promise.race(this.#pending);
    }
    this.#check();
  }

  /** Resolves when all are done; rejects with the first failure. */
  async finish(): Promise<void> {
    await Promise.all(this.#pending);
    this.#check();
  }

  #check(): void {
    if (this.#failure) throw this.#failure.error;
  }
}
