/**
 * Archives in files and pipes of the host.
 *
 * @module
 */

import fs from "node:fs";
import { PathError } from "./errors.ts";
import type { ByteSource } from "./tar.ts";

/** An archive in an open file; it can be read more than once. */
export class TarFile implements ByteSource, Disposable {
  readonly #fd: number;
  #position = 0;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Opens the archive at `path`. */
  static open(path: string): TarFile {
    try {
      const fd = fs.openSync(path, "r");
      if (fs.fstatSync(fd).isFile()) return new TarFile(fd);
      fs.closeSync(fd);
    } catch (error) {
      throw new PathError(path, error);
    }
    throw new PathError(path, "Is not a regular file (give a pipe as '-')");
  }

  /**
   * Copies a pipe into a file that has no name: for archives that are needed
   * twice. `beside` names a file in whose directory there is room.
   */
  static spool(source: ByteSource, beside: string): TarFile {
    const path = `${beside}.spool-${Deno.pid}`;
    const fd = fs.openSync(path, "wx+", 0o600);
    try {
      fs.unlinkSync(path);
      const buffer = new Uint8Array(1 << 20);
      for (let n = source.read(buffer); n > 0; n = source.read(buffer)) {
        for (let at = 0; at < n;) at += fs.writeSync(fd, buffer, at, n - at);
      }
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
    return new TarFile(fd);
  }

  /** Reads on. */
  read(into: Uint8Array): number {
    const n = fs.readSync(this.#fd, into, 0, into.length, this.#position);
    this.#position += n;
    return n;
  }

  /** Passes over `bytes`. */
  skip(bytes: number): void {
    this.#position += bytes;
  }

  /** Goes back to the start. */
  rewind(): void {
    this.#position = 0;
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    fs.closeSync(this.#fd);
  }
}

/** An archive that comes in by the standard input. */
export const STDIN: ByteSource = {
  read: (into) => Deno.stdin.readSync(into) ?? 0,
};
