/**
 * What leaves a connection: one write after the other, late replies between
 * the batches, and several of them in one write.
 *
 * @module
 */

import { FrameWriter } from "./frame_writer.ts";
import { SMALL_REPLY } from "./limits.ts";
import type { Transport } from "./transport.ts";

/** Bytes of a long frame that count as progress, while others wait. */
export const PROGRESS_BYTES = 256 * 1024;

/** Late replies that leave in one write, at most. */
const TOGETHER_MAX = 32;

/** Writes one reply of at most {@link SMALL_REPLY} bytes. */
export type SmallReply = (to: FrameWriter) => void;

/** See the module. */
export class Outbox {
  readonly #transport: Transport;
  readonly #stallTimeout: number;
  readonly #ready: SmallReply[] = [];
  #writing: Promise<void> | null = null;
  #sendingReady: Promise<void> | null = null;
  #deadline = Infinity;
  #progressSince = 0;

  /** Writes to `transport`; each write may take `stallTimeout` ms. */
  constructor(transport: Transport, stallTimeout: number) {
    this.#transport = transport;
    this.#stallTimeout = stallTimeout;
  }

  /** True while the peer has not taken what was sent. */
  get isWriting(): boolean {
    return this.#writing !== null;
  }

  /** When the peer must have taken it, as `performance.now()` counts. */
  get deadline(): number {
    return this.#deadline;
  }

  /** Since when {@link PROGRESS_BYTES} are being waited for. */
  get progressSince(): number {
    return this.#progressSince;
  }

  /** Resolves when `bytes` are sent; rejects if the peer has gone. */
  async send(bytes: Uint8Array): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    this.#deadline = performance.now() + this.#stallTimeout;
    this.#writing = this.#writeInPieces(bytes);
    try {
      await this.#writing;
    } finally {
      this.#writing = null;
      this.#deadline = Infinity;
    }
  }

  /**
   * Sends a small reply by itself, or with others that are ready while the
   * peer has not taken what was sent before. Resolves and rejects as
   * {@link send} does.
   */
  sendSmall(reply: SmallReply): Promise<void> {
    this.#ready.push(reply);
    return this.#sendingReady ??= this.#sendReady().finally(() => {
      this.#sendingReady = null;
    });
  }

  async #sendReady(): Promise<void> {
    while (this.#ready.length > 0) {
      while (this.#writing !== null) await this.#writing;
      const replies = this.#ready.splice(0, TOGETHER_MAX);
      const size = replies.length * SMALL_REPLY;
      const writer = new FrameWriter(new Uint8Array(size));
      for (const write of replies) write(writer);
      await this.send(writer.buffer.subarray(0, writer.length));
    }
  }

  /** Writes piece by piece, so that progress is seen. */
  async #writeInPieces(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += PROGRESS_BYTES) {
      this.#progressSince = performance.now();
      await this.#transport.write(bytes.subarray(at, at + PROGRESS_BYTES));
    }
  }
}
