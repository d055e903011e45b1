/**
 * Slices: how long work on the engine's thread lets others go on in between.
 *
 * A fold of ten thousand leaves takes 100 ms, and nobody is served meanwhile.
 * Whoever works for long asks from time to time whether his slice is over, and
 * if so pauses: what has arrived is served, and the next slice begins.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** Length of a slice where none is given, in milliseconds. */
const SLICE_MS = 3;
/** Bytes that are copied between two looks at the clock. */
const CLOCK_BYTES = 64 << 10;

/**
 * Rounds of the runtime's loop in a pause. While there is anything to do in the
 * next round, the runtime looks at its sockets in every 61st only (the
 * `event_interval` of the Tokio runtime). So this many rounds hold one look.
 *
 * Measured with slices of 3 ms on Deno 2.9.6, with a client in another process
 * that sends a request over a UNIX socket whenever it has its reply: pauses in
 * which a request was served, what a pause costs when nothing else is to do,
 * and the client's slowest request in a hundred:
 *
 * | pause                  | served | idle µs | p99 ms |
 * | ---------------------- | ------ | ------- | ------ |
 * | `setImmediate` 64 times |  100 % |      60 |    3.4 |
 * | `setImmediate` 32 times |   54 % |      42 |    6.6 |
 * | `setImmediate` once     |    2 % |      10 |    180 |
 * | `setTimeout`, 0 ms      |   99 % |    2150 |    3.2 |
 * | a message to oneself   |    0 % |      15 |   1500 |
 * | an `fs.read` of nothing |   86 % |      60 |    6.4 |
 *
 * A call of `fs` in another thread makes the runtime wait, and so look, unless
 * it is done too soon. There is no `scheduler.yield()`.
 */
const PAUSE_ROUNDS = 64;

/** See the module. */
export class Slices {
  readonly #length: number;
  #end: number;
  /** Bytes copied since the clock was asked. */
  #bytes = 0;

  /** Begins the first slice, of `ms` milliseconds. */
  constructor(ms: number = SLICE_MS) {
    this.#length = ms;
    this.#end = performance.now() + ms;
  }

  /** True if the present slice has lasted long enough. */
  get isLong(): boolean {
    return performance.now() >= this.#end;
  }

  /**
   * True if the present slice has lasted long enough, after `bytes` more were
   * copied. That takes so little that the clock is not asked each time.
   */
  isLongAfter(bytes: number): boolean {
    this.#bytes += bytes;
    if (this.#bytes < CLOCK_BYTES) return false;
    this.#bytes = 0;
    return this.isLong;
  }

  /** Resolves when others have had their turn; a new slice begins then. */
  async pause(): Promise<void> {
    await new Promise<void>(pass);
    this.#end = performance.now() + this.#length;
  }

  /** Pauses if the present slice has lasted long enough. */
  async pauseIfLong(): Promise<void> {
    if (this.isLong) await this.pause();
  }
}

/** Calls `then` after {@link PAUSE_ROUNDS} rounds of the runtime's loop. */
function pass(then: () => void): void {
  let rounds = PAUSE_ROUNDS;
  const next = (): void => {
    if (--rounds < 0) then();
    else setImmediate(next);
  };
  next();
}
