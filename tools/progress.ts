/**
 * Progress of a long synchronous task: a bar on a terminal, nothing elsewhere,
 * and the moments at which signals are heard.
 *
 * @module
 */

import { InterruptedError } from "./errors.ts";
import { Signals } from "./signals.ts";
import { humanSize } from "./sizes.ts";

const INTERVAL_MS = 100;
const BAR_WIDTH = 24;

/** Before this time nothing is said of how long it will take. */
const FORECAST_FROM_MS = 1000;

/** What is drawn: how far, how fast, and how long it will take at that rate. */
export function progressLine(
  done: number,
  total: number,
  elapsedMs: number,
): string {
  const part = total > 0 ? Math.min(1, done / total) : 1;
  const filled = Math.round(part * BAR_WIDTH);
  const bar = "#".repeat(filled).padEnd(BAR_WIDTH, ".");
  const rate = elapsedMs > 0 ? Math.round(done / elapsedMs * 1000) : 0;
  const forecast = elapsedMs >= FORECAST_FROM_MS && rate > 0
    ? `, ${clockTime(Math.max(0, total - done) / rate)} left`
    : "";
  return `[${bar}] ${String(Math.floor(part * 100)).padStart(3)}% ` +
    `${humanSize(done)} of ${humanSize(total)}, ${humanSize(rate)}/s` +
    forecast;
}

/** Seconds as a clock shows them: `0:07`, `12:30`, `101:00:00`. */
function clockTime(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (n: number): string => String(n).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** Counts bytes, draws the bar, and lets signals through. */
export class Progress implements Disposable {
  #total: number;
  readonly #command: string;
  readonly #terminal: boolean;
  readonly #began = performance.now();
  #done = 0;
  #next: number;
  readonly #signals = new Signals();

  /** Starts to count towards `total` bytes, for warnings of `command`. */
  constructor(total: number, command: string = "makefs") {
    this.#total = total;
    this.#command = command;
    // Of nothing, there is no part to show.
    this.#terminal = total > 0 && Deno.stderr.isTerminal();
    this.#next = this.#began + INTERVAL_MS;
  }

  /** Counts `bytes`. True if it is time to `await` a {@link rest}. */
  add(bytes: number): boolean {
    this.#done += bytes;
    return performance.now() >= this.#next;
  }

  /** Takes `bytes` out of the total: nothing need be done for them. */
  skip(bytes: number): void {
    this.#total -= bytes;
  }

  /**
   * Draws, and lets the event loop run once. Throws {@link InterruptedError}
   * if a signal asked for the end.
   */
  async rest(): Promise<void> {
    this.#next = performance.now() + INTERVAL_MS;
    if (this.#terminal) this.#draw();
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (this.#signals.received) throw new InterruptedError("Interrupted");
  }

  /** Says something that does not end the task. */
  warn(message: string): void {
    if (this.#terminal) this.#write("\r\x1b[K");
    console.error(`nextfs ${this.#command}: ${message}`);
  }

  /** Ends: removes the bar and the signal listeners. */
  [Symbol.dispose](): void {
    if (this.#terminal) this.#write("\r\x1b[K");
    this.#signals[Symbol.dispose]();
  }

  #draw(): void {
    const elapsed = performance.now() - this.#began;
    this.#write(`\r${progressLine(this.#done, this.#total, elapsed)}\x1b[K`);
  }

  #write(text: string): void {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}
