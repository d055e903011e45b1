/**
 * Tables of open files on their way from one connection to another, as `fork`
 * makes them and `child_attach` claims them.
 *
 * Invariants:
 * - The files of a table that is here are retained once each by it, whatever
 *   becomes of the connection that forked it.
 * - A table leaves once: it is claimed, or its time is over.
 * - An id is as hard to guess as a key, and nobody is told whether another
 *   client's id exists.
 *
 * @module
 */

import { FsError } from "../fs/errors.ts";
import type { DescriptorTable, FileKeeper } from "./descriptors.ts";
import { FORK_ID_SIZE } from "./operations/original.ts";

/** How many tables may be waiting, and how long. */
export interface ForkedTablesOptions {
  /** Milliseconds in which a table must be claimed. */
  readonly lifetime: number;
  /** Most tables of all connections. */
  readonly limit: number;
}

/** Whose table it is to be. */
export interface ForkOptions {
  /** What tells a client from others: it alone may claim the table. */
  readonly client: string;
  /** Stands for the connection. */
  readonly from: object;
  /** Most tables of that connection. */
  readonly limit: number;
}

interface ForkedTable {
  readonly table: DescriptorTable;
  readonly client: string;
  readonly from: object;
  /** When it is over, on the clock of `performance.now()`. */
  readonly deadline: number;
}

/** See the module. */
export class ForkedTables {
  readonly #keeper: FileKeeper;
  readonly #options: ForkedTablesOptions;
  /** By id, the oldest first. */
  readonly #tables = new Map<string, ForkedTable>();

  /** Keeps tables of files that `keeper` retains. */
  constructor(keeper: FileKeeper, options: ForkedTablesOptions) {
    this.#keeper = keeper;
    this.#options = options;
  }

  /**
   * Takes a copy of a table; returns its id, 32 random bytes. Throws
   * {@link FsError} `ENFILE` if too many have not been claimed.
   */
  fork(
    table: DescriptorTable,
    { client, from, limit }: ForkOptions,
  ): Uint8Array {
    this.sweep(performance.now());
    let count = 0;
    for (const one of this.#tables.values()) if (one.from === from) count++;
    if (count >= limit || this.#tables.size >= this.#options.limit) {
      throw new FsError("ENFILE", "too many forked tables wait to be claimed");
    }
    for (const { ino } of table.files.values()) this.#keeper.retain(ino);
    const id = crypto.getRandomValues(new Uint8Array(FORK_ID_SIZE));
    const deadline = performance.now() + this.#options.lifetime;
    this.#tables.set(id.toHex(), { table, client, from, deadline });
    return id;
  }

  /**
   * Gives the table `id` to `adopt`, which has to retain its files, and drops
   * it, unless `adopt` throws. Throws {@link FsError} `ENOENT` if there is none
   * (any more) for this client.
   */
  claim(
    id: Uint8Array,
    client: string,
    adopt: (table: DescriptorTable) => void,
  ): void {
    this.sweep(performance.now());
    const key = id.toHex();
    const found = this.#tables.get(key);
    if (found === undefined || found.client !== client) {
      throw new FsError("ENOENT", "no such table waits to be claimed");
    }
    adopt(found.table);
    this.#drop(key, found);
  }

  /** Drops the tables whose time is over at `now`. */
  sweep(now: number): void {
    for (const [key, one] of this.#tables) {
      if (one.deadline > now) break;
      this.#drop(key, one);
    }
  }

  /** Drops all tables. */
  clear(): void {
    this.sweep(Infinity);
  }

  #drop(key: string, { table }: ForkedTable): void {
    this.#tables.delete(key);
    for (const { ino } of table.files.values()) this.#keeper.release(ino);
  }
}
