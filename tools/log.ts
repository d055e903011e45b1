/**
 * Where a server's messages go: the standard error, or a file.
 *
 * @module
 */

import { closeSync, openSync, writeSync } from "node:fs";
import { PathError } from "./errors.ts";

/** Permissions of a new log file: its owner alone reads it. */
const LOG_FILE_MODE = 0o600;

/** See the module. */
export class Log implements Disposable {
  readonly #name: string;
  readonly #file: number | null = null;

  /**
   * A log of the command `name`; with `path`, one that is appended to the file
   * there, which stays open: it can be written when no file can be opened any
   * more. Throws {@link PathError}.
   */
  constructor(name: string, path?: string) {
    this.#name = `nextfs ${name}`;
    if (path === undefined) return;
    try {
      this.#file = openSync(path, "a", LOG_FILE_MODE);
    } catch (error) {
      throw new PathError(path, error);
    }
  }

  /** Whether lines go to a file. */
  get isFile(): boolean {
    return this.#file !== null;
  }

  /** Takes a line; in a file, the time comes before it. */
  readonly line = (message: string): void => {
    if (this.#file !== null) {
      const time = new Date().toISOString();
      try {
        writeSync(this.#file, `${time} ${this.#name}: ${message}\n`);
        return;
      } catch {
        // A full disk, say: then at least who watches shall see it.
      }
    }
    console.error(`${this.#name}: ${message}`);
  };

  /** Closes the file. */
  [Symbol.dispose](): void {
    if (this.#file !== null) closeSync(this.#file);
  }
}
