/**
 * Locks asked for in few words, for tests of the lock table.
 *
 * @module
 */

import assert from "node:assert/strict";
import { FsError } from "../../fs/errors.ts";
import type { LockRequest, LockTable } from "../../rpc/locks.ts";

/** The file that is locked unless another is named. */
const INO = 12;

/** One owner of one session, with what it asks for in few words. */
export class Asker {
  /** Asks `table` for `owner` of `session`. */
  constructor(
    readonly table: LockTable,
    readonly session: object = {},
    readonly owner = 1,
  ) {}

  /** A request, through descriptor 3 unless `more` says otherwise. */
  request(
    kind: LockRequest["kind"],
    start: number,
    length: number,
    more: Partial<LockRequest> = {},
  ): LockRequest {
    const { session, owner } = this;
    const usual = { ino: INO, session, owner, descriptor: 3 };
    return { ...usual, kind, start, length, ...more };
  }

  /** Sets a lock now; returns the errno name of a refusal, or "". */
  set(...asked: Parameters<Asker["request"]>): string {
    try {
      assert.equal(this.table.set(this.request(...asked)), null);
      return "";
    } catch (error) {
      assert.ok(error instanceof FsError);
      return error.code;
    }
  }

  /** Waits for a lock. */
  wait(
    asked: Parameters<Asker["request"]>,
    signal?: AbortSignal,
  ): Waiting {
    const options = { wait: true, signal };
    return new Waiting(this.table.set(this.request(...asked), options));
  }

  /** What is in the way of an exclusive lock: [kind, start, length, owner]. */
  test(start: number, length: number, exclusive = true): unknown[] | null {
    const { session, owner } = this;
    const query = { ino: INO, session, owner, exclusive, start, length };
    const found = this.table.test(query);
    return found && [
      found.exclusive ? "exclusive" : "shared",
      found.start,
      found.length,
      found.owner,
    ];
  }

  /** All locks of the file, seen by an owner that has none. */
  seen(): string {
    const parts: string[] = [];
    for (let at = 0;;) {
      const found = this.test(at, 0);
      if (found === null) return parts.join(" ");
      const [kind, start, length] = found as [string, number, number];
      parts.push(`${kind[0]}${start}${length ? `-${start + length}` : "-"}`);
      if (length === 0) return parts.join(" ");
      at = start + length;
    }
  }
}

/** What has become of a request that may wait. */
export class Waiting {
  /** `"waits"`, `"granted"` or the errno name of a refusal. */
  state = "waits";

  /** Follows what `set()` has returned. */
  constructor(readonly promise: Promise<void> | null) {
    if (promise === null) this.state = "granted";
    promise?.then(
      () => this.state = "granted",
      (error: FsError) => this.state = error.code,
    );
  }

  /** How it stands, once all that was settled has been told. */
  async now(): Promise<string> {
    await Promise.resolve();
    await Promise.resolve();
    return this.state;
  }
}
