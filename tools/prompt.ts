/**
 * Asking for a passphrase on a terminal, which does not show what is typed.
 *
 * @module
 */

import { InterruptedError } from "./errors.ts";
import { Signals } from "./signals.ts";

/** Longest passphrase, in bytes. */
export const PASSPHRASE_BYTES_MAX = 64 << 10;

const END_OF_TEXT = 3;
const END_OF_TRANSMISSION = 4;
const BACKSPACE = 8;
const NEWLINE = 10;
const RETURN = 13;
const ERASE_LINE = 21;
const DELETE = 127;

/** What a key has done. */
export type KeyOutcome = "more" | "done" | "interrupt";

/**
 * A line of bytes as it is typed on a terminal in raw mode: the terminal does
 * nothing by itself then, so that erasing is up to whoever reads.
 */
export class SecretLine {
  readonly #bytes = new Uint8Array(PASSPHRASE_BYTES_MAX + 1);
  #length = 0;

  /** Takes the next byte. */
  take(byte: number): KeyOutcome {
    switch (byte) {
      case END_OF_TEXT:
        return "interrupt";
      case END_OF_TRANSMISSION:
      case NEWLINE:
      case RETURN:
        return "done";
      case BACKSPACE:
      case DELETE:
        this.#eraseCharacter();
        return "more";
      case ERASE_LINE:
        this.#length = 0;
        return "more";
    }
    // Other control characters are slips, and nobody could repeat them.
    if (byte < 32) return "more";
    if (this.#length < this.#bytes.length) this.#bytes[this.#length++] = byte;
    return "more";
  }

  /** A copy of the line. */
  get bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Overwrites the line. */
  wipe(): void {
    this.#bytes.fill(0);
    this.#length = 0;
  }

  /** The last character may have several bytes (UTF-8, RFC 3629). */
  #eraseCharacter(): void {
    const bytes = this.#bytes;
    while (this.#length > 0 && (bytes[--this.#length] & 0xc0) === 0x80);
  }
}

/**
 * Asks `question` on the terminal that is the standard input, and returns the
 * bytes of the answer. Ctrl-C and signals throw {@link InterruptedError}; the
 * terminal is as it was before, whatever happens.
 */
export async function promptSecret(question: string): Promise<Uint8Array> {
  using signals = new Signals();
  const line = new SecretLine();
  const byte = new Uint8Array(1);
  Deno.stdin.setRaw(true);
  try {
    write(question);
    for (;;) {
      // One by one, so that what is typed ahead is left for the next question.
      const reading = Deno.stdin.read(byte);
      const count = await Promise.race([reading, signals.interrupted]);
      const outcome = count === null ? "done" : line.take(byte[0]);
      if (outcome === "interrupt") throw new InterruptedError("Interrupted");
      if (outcome === "done") return line.bytes;
    }
  } finally {
    Deno.stdin.setRaw(false);
    write("\n");
    byte.fill(0);
    line.wipe();
  }
}

function write(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
