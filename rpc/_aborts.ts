/**
 * What signals end, by the signal.
 *
 * A signal may end many things at once: it is given one listener for them all,
 * for some runtimes take more than ten for a leak.
 *
 * @module
 */

/** Things that signals end. */
export class Aborts<T> {
  readonly #end: (item: T, reason: unknown) => void;
  readonly #bySignal = new Map<AbortSignal, Watch<T>>();

  /** Calls `end` with each thing whose signal fires, and with the reason. */
  constructor(end: (item: T, reason: unknown) => void) {
    this.#end = end;
  }

  /** Watches `signal`, which has not fired yet, for `item`. */
  add(signal: AbortSignal, item: T): void {
    let watch = this.#bySignal.get(signal);
    if (watch === undefined) {
      watch = { items: new Set(), listener: () => this.#fire(signal) };
      this.#bySignal.set(signal, watch);
      signal.addEventListener("abort", watch.listener, { once: true });
    }
    watch.items.add(item);
  }

  /** `item` is over: its signal does not matter any more. */
  delete(signal: AbortSignal, item: T): void {
    const watch = this.#bySignal.get(signal);
    if (!watch?.items.delete(item) || watch.items.size > 0) return;
    this.#bySignal.delete(signal);
    signal.removeEventListener("abort", watch.listener);
  }

  #fire(signal: AbortSignal): void {
    const items = this.#bySignal.get(signal)?.items ?? [];
    this.#bySignal.delete(signal);
    for (const item of items) this.#end(item, signal.reason);
  }
}

interface Watch<T> {
  readonly items: Set<T>;
  readonly listener: () => void;
}

/**
 * What `promise` settles with, or the signal's reason if it fires before that.
 */
export function orAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener("abort", abort);
    });
  });
}
