/**
 * The standard output of commands.
 *
 * @module
 */

import { BrokenPipeError, errnoOf, OutputError } from "./errors.ts";
import { printable, toBytes } from "./names.ts";

const FLUSH_AT = 64 * 1024;

/**
 * Collects output and writes it in large pieces. Data and text go out in the
 * order in which they come. Throws {@link BrokenPipeError} when nobody reads
 * any more.
 */
export class Output {
  /** True if a person reads it. */
  readonly terminal: boolean = Deno.stdout.isTerminal();
  #pending: Uint8Array[] = [];
  #bytes = 0;

  /** Appends bytes, which must not change until the next flush. */
  data(bytes: Uint8Array): void {
    this.#pending.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= FLUSH_AT) this.flush();
  }

  /** Appends text. */
  text(text: string): void {
    this.data(toBytes(text));
  }

  /** Appends a line of text. */
  line(text: string): void {
    this.text(`${text}\n`);
  }

  /** Appends a name: escaped on a terminal, else byte by byte as it is. */
  name(name: Uint8Array): void {
    if (this.terminal) this.text(printable(name));
    else this.data(name);
  }

  /** Appends a value as JSON, indented. */
  json(value: unknown): void {
    this.line(JSON.stringify(value, null, 2));
  }

  /** Writes what has been collected. */
  flush(): void {
    const pending = this.#pending;
    this.#pending = [];
    this.#bytes = 0;
    for (const bytes of joined(pending)) {
      for (let at = 0; at < bytes.length;) at += writeSome(bytes.subarray(at));
    }
  }
}

function writeSome(bytes: Uint8Array): number {
  try {
    return Deno.stdout.writeSync(bytes);
  } catch (error) {
    if (errnoOf(error) === "EPIPE") throw new BrokenPipeError("Broken pipe");
    throw new OutputError(error);
  }
}

/** One array for many small pieces, but a large piece as it is. */
function joined(pieces: Uint8Array[]): Uint8Array[] {
  if (pieces.length === 1) return pieces;
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return [all];
}
