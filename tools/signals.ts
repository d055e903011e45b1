/**
 * Signals that ask a command to stop.
 *
 * @module
 */

import { InterruptedError } from "./errors.ts";

/** What a terminal, a supervisor and a lost terminal send. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Listens for signals until it is disposed of. */
export class Signals implements Disposable {
  /** Rejects with {@link InterruptedError} at the first signal. */
  readonly interrupted: Promise<never>;
  #received = false;
  #reject: (error: Error) => void = () => {};
  readonly #listener = (): void => {
    this.#received = true;
    this.#reject(new InterruptedError("Interrupted"));
  };

  /** Starts to listen. */
  constructor() {
    this.interrupted = new Promise((_, reject) => {
      this.#reject = reject;
    });
    // Nobody need wait for it.
    this.interrupted.catch(() => {});
    for (const name of SIGNALS) Deno.addSignalListener(name, this.#listener);
  }

  /** True after a signal; the event loop must have run since. */
  get received(): boolean {
    return this.#received;
  }

  /** Stops listening. */
  [Symbol.dispose](): void {
    for (const name of SIGNALS) Deno.removeSignalListener(name, this.#listener);
  }
}
