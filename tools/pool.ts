/**
 * Work in flight: many requests at a time, but not without bound.
 *
 * @module
 */

/** Runs tasks, at most a given number at a time. */
export class Pool {
  readonly #most: number;
  readonly #running = new Set<Promise<void>>();
  #error: unknown;
  #failed = false;

  /** Makes a pool for `most` tasks at a time. */
  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Waits for a place, then starts `task`. Throws what an earlier task threw;
   * no more tasks are started then.
   */
  async add(task: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#most) {
      await Promise.race(this.#running);
    }
    this.#check();
    const running = task().catch((error) => {
      if (!this.#failed) this.#error = error;
      this.#failed = true;
    }).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Waits for all tasks. Throws what one of them threw. */
  async finish(): Promise<void> {
    await Promise.all(this.#running);
    this.#check();
  }

  #check(): void {
    if (this.#failed) throw this.#error;
  }
}
