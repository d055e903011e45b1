/**
 * Whether a client is alone, so that the thread may wait for the host with it.
 *
 * Invariant: the thread is not shared only while one connection, and no other,
 * has asked for anything within the last {@link ALONE_MS}.
 *
 * @module
 */

import { thread } from "../bd/thread.ts";

/** Milliseconds after which a client that asks for nothing does not count. */
const ALONE_MS = 20;

/** See the module. */
export class Company {
  #last: object | null = null;
  #sharedUntil = 0;

  /** A connection, any object that stands for it, asks for something. */
  note(connection: object): void {
    const now = performance.now();
    if (connection !== this.#last) {
      this.#last = connection;
      this.#sharedUntil = now + ALONE_MS;
    }
    thread.isShared = now < this.#sharedUntil;
  }

  /** Nobody is served any more: others in this process may want the thread. */
  end(): void {
    this.#last = null;
    thread.isShared = true;
  }
}
