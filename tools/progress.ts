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

/** What is drawn: how far, how fast. */
export function progressLine(
  done: number,
  total: number,
  elapsedMs: number,
): string {
  const part = total > 0 ? Math.min(1, done / total) : 1;
  const filled = Math.round(part * BAR_WIDTH);
  const bar = "#".repeat(filled).padEnd(BAR_WIDTH, ".");
  const rate = elapsedMs > 0 ? Math.round(done / elapsedMs * 1000) : 0;
  return `[${bar}] ${String(Math.floor(part * 100)).padStart(3)}% ` +
    `${humanSize(done)} of ${humanSize(total)}, ${humanSize(rate)}/s`;
}

/** Counts bytes, draws the bar, and lets signals through. */
export class Progress implements Disposable {
  readonly #total: number;
  readonly #terminal: boolean;
  readonly #began = performance.now();
  #done = 0;
  #next: number;
  readonly #signals = new Signals();

  /** Starts to count towards `total` bytes. */
  constructor(total: number) {
    this.#total = total;
    this.#terminal = Deno.stderr.isTerminal();
    this.#next = this.#began + INTERVAL_MS;
  }

  /** Counts `bytes`. True if it is time to `await` a {@link rest}. */
  add(bytes: number): boolean {
    this.#done += bytes;
    return performance.now() >= this.#next;
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
    console.error(`nextfs makefs: ${message}`);
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
