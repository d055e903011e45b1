/**
 * The encrypted side of a TLS connection: the runtime's TLS engine on one
 * side, a transport on the other.
 *
 * The engine could have the socket itself, and would be quicker. But Deno's
 * goes on reading a socket whose reader has paused, and keeps what it reads:
 * a client that sends without end could fill the memory. Here it is given
 * bytes only while somebody wants what they say.
 *
 * @module
 */

import { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import type { Peer } from "./peer.ts";
import type { Transport } from "./transport.ts";

/** The longest TLS record, in bytes: RFC 8446, section 5.2. */
const RECORD_MAX = 5 + 16 * 1024 + 256;

/** Bytes that are read at a time when the first buffer has once been full. */
const READ_SIZE = 64 * 1024;

/**
 * Bytes of one write that the engine takes as a whole; of longer ones it keeps
 * a part until what came before is sent.
 */
const WHOLE_WRITE_MAX = 32 * 1024;

/** Takes note that the engine's bytes are with the system, or why not. */
type Taken = (error?: Error) => void;

/** Somebody who waits until what they wrote is with the system. */
interface Writer {
  /** Bytes that they wrote. */
  readonly count: number;
  /** Bytes that have been sent by then, counted from the beginning. */
  readonly target: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * What the engine takes for its socket. It uses little of a stream: it waits
 * for `data`, `end` and `close`, and calls `write()` and `destroy()`. Those
 * work at once here, without a stream's queues.
 *
 * Invariants: one read of the transport is under way at most; the engine
 * writes when its write before has ended, so that one is under way at most.
 * While `#held` is not null, nobody waits in {@link taken}, and nothing that
 * the engine has to send can be missed by the peer: it goes out with the next
 * write, or at the end.
 */
export class TlsWire extends Duplex {
  readonly #transport: Transport;
  #buffer = new Uint8Array(RECORD_MAX);
  #wanted = false;
  #reading = false;
  #atEnd = false;
  #sending = false;
  #sent = 0;
  #expected = 0;
  readonly #writers: Writer[] = [];
  #established = false;
  #held: Taken | null = null;
  #closed = false;
  #failure: unknown = null;

  /** Stands on `transport`, and closes it in the end. */
  constructor(transport: Transport) {
    super({ autoDestroy: false });
    this.#transport = transport;
  }

  /** Who is at the other end, without a certificate. */
  get peer(): Peer {
    return this.#transport.peer;
  }

  /** What the transport failed with; null if it did not. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Takes note that the handshake is done. */
  establish(): void {
    this.#established = true;
    this.enough();
  }

  /** Gives the engine what arrives, until {@link enough}. */
  want(): void {
    this.#wanted = true;
    if (!this.#reading && !this.#atEnd) this.#read();
  }

  /** Gives the engine no more than what is on its way. */
  enough(): void {
    this.#wanted = false;
  }

  /**
   * Resolves when `count` bytes that are given to the engine next are with
   * the system. The engine does not tell: it says at once that it took them.
   * But encryption only adds bytes, and so they are when as many have been
   * sent and nothing is under way. {@link goOn} is to be called when the
   * engine has the bytes.
   */
  taken(count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#expected = Math.max(this.#expected, this.#sent) + count;
      this.#writers.push({ count, target: this.#expected, resolve, reject });
      if (this.#closed || this.#failure !== null) this.#rejectWriters();
    });
  }

  /** Lets the engine send what it has by now. */
  goOn(): void {
    const held = this.#held;
    this.#held = null;
    held?.();
  }

  /**
   * Ends the connection. A last record that the engine has ready, which says
   * why, is sent before, unless the peer does not take what came before it.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#rejectWriters();
    this.goOn();
    if (this.#sending) this.#end();
    else setImmediate(() => this.#end());
  }

  /** The engine's way to send. */
  override write(
    chunk: unknown,
    encodingOrTaken?: BufferEncoding | Taken | null,
    taken?: Taken | null,
  ): boolean {
    const done = typeof encodingOrTaken === "function"
      ? encodingOrTaken
      : taken;
    this.#send(chunk as Uint8Array, done ?? ((): void => {}));
    return true;
  }

  /** The engine has no more to send; it may still read. */
  override end(...args: unknown[]): this {
    for (const arg of args) if (typeof arg === "function") arg();
    return this;
  }

  /** Not used: {@link enough} does it, when there is enough. */
  override pause(): this {
    return this;
  }

  /** Not used: {@link want} does it, when something is wanted. */
  override resume(): this {
    return this;
  }

  /** The engine has given the connection up. */
  override _destroy(
    _error: Error | null,
    callback: (error?: Error | null) => void,
  ): void {
    this.close();
    callback(null);
  }

  #read(): void {
    this.#reading = true;
    this.#transport.read(this.#buffer).then(this.#onRead, this.#onFailure);
  }

  readonly #onRead = (count: number | null): void => {
    this.#reading = false;
    if (count === null) return this.#stop();
    this.emit("data", this.#buffer.subarray(0, count));
    if (count === this.#buffer.length && count < READ_SIZE) {
      this.#buffer = new Uint8Array(READ_SIZE);
    }
    if (this.#wanted && !this.#reading && !this.#closed) this.#read();
  };

  readonly #onFailure = (error: unknown): void => {
    this.#reading = false;
    this.#failure ??= error;
    this.#stop();
  };

  #stop(): void {
    this.#atEnd = true;
    this.emit("end");
  }

  #send(chunk: Uint8Array, done: Taken): void {
    this.#sending = true;
    this.#transport.write(chunk).then(
      () => this.#onSent(chunk.length, done),
      (error) => {
        // What the peer said before it left may still be read.
        this.#failure ??= error;
        this.#rejectWriters();
        done(error as Error);
      },
    );
  }

  #onSent(count: number, done: Taken): void {
    this.#sending = false;
    this.#sent += count;
    if (this.#isWhole()) {
      // Being told, the engine would look in vain for more, and again when
      // something arrives: it is told when there is more.
      this.#held = done;
      this.#resolveWriters();
      return;
    }
    // The engine may write the next bytes in this call.
    done();
    if (!this.#sending) this.#resolveWriters();
  }

  /** True if what was sent is all that the engine was given. */
  #isWhole(): boolean {
    const [writer, another] = this.#writers;
    return this.#established && !this.#closed && another === undefined &&
      writer !== undefined && writer.count <= WHOLE_WRITE_MAX &&
      writer.target <= this.#sent;
  }

  #resolveWriters(): void {
    while (this.#writers.length > 0 && this.#writers[0].target <= this.#sent) {
      this.#writers.shift()!.resolve();
    }
  }

  #rejectWriters(): void {
    const reason = this.#failure ?? new Error("the connection was closed");
    for (const { reject } of this.#writers.splice(0)) reject(reason);
  }

  #end(): void {
    this.#transport.close();
    this.destroy();
  }
}
