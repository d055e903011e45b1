/**
 * The open files of one connection.
 *
 * @module
 */

import type { Filesystem } from "../fs/mod.ts";
import { FsError } from "../fs/errors.ts";
import {
  O_ACCMODE,
  O_APPEND,
  O_RDONLY,
  O_SYNC,
  O_WRONLY,
} from "./open_flags.ts";

/** One open file. */
export interface OpenFile {
  /** Its inode, which lives at least as long as the descriptor. */
  readonly ino: number;
  /** True if it may be read. */
  readonly readable: boolean;
  /** True if it may be written. */
  readonly writable: boolean;
  /** True if every write goes to its end. */
  readonly append: boolean;
  /** True if a write is answered when it is on stable storage. */
  readonly durable: boolean;
}

/**
 * Descriptors and the open files behind them.
 *
 * Invariants: a number is given out once; every open file is retained in the
 * engine exactly once, until it is closed.
 */
export class Descriptors {
  readonly #fs: Filesystem;
  readonly #limit: number;
  readonly #files = new Map<number, OpenFile>();
  #last = 0;

  /** Holds at most `limit` open files of `fs`. */
  constructor(fs: Filesystem, limit: number) {
    this.#fs = fs;
    this.#limit = limit;
  }

  /** Throws {@link FsError} `EMFILE` if no file can be opened any more. */
  checkRoom(): void {
    if (this.#files.size >= this.#limit) {
      throw new FsError("EMFILE", `${this.#limit} files are open`);
    }
  }

  /** Opens the regular file `ino` for what `flags` (`O_…`) ask. */
  open(ino: number, flags: number): number {
    this.checkRoom();
    const access = flags & O_ACCMODE;
    this.#fs.retain(ino);
    const descriptor = ++this.#last;
    this.#files.set(descriptor, {
      ino,
      readable: access !== O_WRONLY,
      writable: access !== O_RDONLY,
      append: (flags & O_APPEND) !== 0,
      // Either bit of the two: O_DSYNC is one of them.
      durable: (flags & O_SYNC) !== 0,
    });
    return descriptor;
  }

  /** The open file behind `descriptor`. Throws `EBADF`. */
  get(descriptor: number): OpenFile {
    const file = this.#files.get(descriptor);
    if (file === undefined) throw new FsError("EBADF");
    return file;
  }

  /** Closes a descriptor. Throws `EBADF`. */
  close(descriptor: number): void {
    const { ino } = this.get(descriptor);
    this.#files.delete(descriptor);
    this.#fs.release(ino);
  }

  /** Closes all; returns the errors of those that failed. */
  closeAll(): unknown[] {
    const errors: unknown[] = [];
    for (const descriptor of [...this.#files.keys()]) {
      try {
        this.close(descriptor);
      } catch (error) {
        errors.push(error);
      }
    }
    return errors;
  }
}
