/**
 * The open files of one connection.
 *
 * An open file has a position, which belongs to it and not to the descriptor:
 * tables that were forked share it, as processes do after fork(2).
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

/** An open file (POSIX: open file description). */
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
  /** Name of the mount that its path led to; null if no path led here. */
  readonly mount: string | null;
  /**
   * Where the next `file_read` or `file_write` begins, in bytes; of a
   * directory, the cookie of the last entry that was told, or 0.
   */
  position: number;
}

/** What a table of descriptors holds, for another connection. */
export interface DescriptorTable {
  /** The open files, by descriptor. */
  readonly files: ReadonlyMap<number, OpenFile>;
  /** The highest number that was given out. */
  readonly last: number;
}

/** What keeps an inode while it is open; see {@link Filesystem.retain}. */
export type FileKeeper = Pick<Filesystem, "retain" | "release">;

/**
 * Descriptors and the open files behind them.
 *
 * Invariants: a number is given out once in the life of a connection; each
 * descriptor retains its inode exactly once, until it is closed.
 */
export class Descriptors {
  readonly #keeper: FileKeeper;
  readonly #limit: number;
  readonly #files = new Map<number, OpenFile>();
  #last = 0;

  /** Holds at most `limit` descriptors of files that `keeper` retains. */
  constructor(keeper: FileKeeper, limit: number) {
    this.#keeper = keeper;
    this.#limit = limit;
  }

  /** True if nothing was ever opened here. */
  get isUnused(): boolean {
    return this.#last === 0;
  }

  /** The descriptors that are open. */
  get numbers(): number[] {
    return [...this.#files.keys()];
  }

  /** Throws {@link FsError} `EMFILE` if no file can be opened any more. */
  checkRoom(): void {
    if (this.#files.size >= this.#limit) {
      throw new FsError("EMFILE", `${this.#limit} files are open`);
    }
  }

  /**
   * Opens the inode `ino` for what `flags` (`O_…`) ask. `mount` is the name of
   * the mount that its path led to; null if absent.
   */
  open(ino: number, flags: number, mount: string | null = null): number {
    this.checkRoom();
    const access = flags & O_ACCMODE;
    this.#keeper.retain(ino);
    const descriptor = ++this.#last;
    this.#files.set(descriptor, {
      ino,
      readable: access !== O_WRONLY,
      writable: access !== O_RDONLY,
      append: (flags & O_APPEND) !== 0,
      // Either bit of the two: O_DSYNC is one of them.
      durable: (flags & O_SYNC) !== 0,
      mount,
      position: 0,
    });
    return descriptor;
  }

  /** The open file behind `descriptor`. Throws `EBADF`. */
  get(descriptor: number): OpenFile {
    const file = this.#files.get(descriptor);
    if (file === undefined) throw new FsError("EBADF");
    return file;
  }

  /** True if a file is open that a path of this mount led to. */
  uses(mount: string): boolean {
    for (const file of this.#files.values()) {
      if (file.mount === mount) return true;
    }
    return false;
  }

  /** Closes a descriptor. Throws `EBADF`. */
  close(descriptor: number): void {
    const { ino } = this.get(descriptor);
    this.#files.delete(descriptor);
    this.#keeper.release(ino);
  }

  /** Closes all; returns the errors of those that failed. */
  closeAll(): unknown[] {
    const errors: unknown[] = [];
    for (const descriptor of this.numbers) {
      try {
        this.close(descriptor);
      } catch (error) {
        errors.push(error);
      }
    }
    return errors;
  }

  /** What is open here; whoever gets it has to retain the files. */
  copy(): DescriptorTable {
    return { files: new Map(this.#files), last: this.#last };
  }

  /**
   * Takes over a table that was copied from another connection's, numbers and
   * all; its files are still retained there. Throws {@link FsError} `EBUSY` if
   * anything was ever opened here, and `EMFILE` if the table is too large.
   */
  adopt({ files, last }: DescriptorTable): void {
    if (!this.isUnused) {
      throw new FsError("EBUSY", "this connection has opened files before");
    }
    if (files.size > this.#limit) {
      throw new FsError("EMFILE", `${files.size} files are open in the table`);
    }
    for (const [descriptor, file] of files) {
      this.#keeper.retain(file.ino);
      this.#files.set(descriptor, file);
    }
    this.#last = last;
  }
}
