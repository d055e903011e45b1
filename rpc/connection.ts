/**
 * One connection of the server: bytes in, batches of replies out.
 *
 * Everything that has arrived is one batch: its requests are carried out in
 * the order in which they came, and their replies leave in one write. The next
 * batch is read when that write has ended, so that a client which does not
 * read its replies stalls nobody but itself.
 *
 * Memory of one connection: {@link RECEIVE_SIZE} for requests and, while a
 * batch is answered, {@link REPLY_SIZE}; and for longer frames one pair of
 * the server's fixed number of {@link LargeBuffers}.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { FsError } from "../fs/errors.ts";
import { type Failure, failureOf, writeFailure } from "./failure.ts";
import type { Company } from "./_company.ts";
import { FrameSplitter } from "./frame.ts";
import { FrameWriter } from "./frame_writer.ts";
import type { LargeBufferPool, LargeBuffers } from "./large_buffers.ts";
import { SMALL_REPLY } from "./limits.ts";
import { Outbox, PROGRESS_BYTES } from "./_outbox.ts";
import { failedRequest } from "./session.ts";
import type { LateReply, Request, Session } from "./session.ts";
import type { Transport } from "./transport.ts";

/** A connection's own buffer for requests, at first, in bytes. */
export const RECEIVE_SIZE_FIRST = 16 * 1024;
/** The same when frames that have arrived filled it, in bytes. */
export const RECEIVE_SIZE = 72 * 1024;
/** A connection's own buffer for replies: 16 of 4 KiB fit, in bytes. */
export const REPLY_SIZE = 72 * 1024;

/** Requests after which other connections have their turn. */
const TURN_REQUESTS = 64;
/** Bytes of requests and replies after which others have their turn. */
const TURN_BYTES = 1024 * 1024;
/** Milliseconds after which others have their turn: requests differ much. */
const TURN_TIME = 5;

/** What a connection needs of its server. */
export interface ConnectionOptions {
  /** Lends buffers for long frames. */
  readonly largeBuffers: LargeBufferPool;
  /** Buffers for replies that nobody uses, each of {@link REPLY_SIZE}. */
  readonly replyBuffers: Uint8Array[];
  /** Milliseconds until the hello must have come. */
  readonly helloTimeout: number;
  /** Milliseconds in which a frame must arrive, or a batch be taken. */
  readonly stallTimeout: number;
  /** Milliseconds without progress of a long frame, while others wait. */
  readonly contendedTimeout: number;
  /** Milliseconds without a request, when nothing is being done. */
  readonly idleTimeout: number;
  /** Who else is being served. */
  readonly company: Company;
  /** Most replies that may be late. */
  readonly maxLate: number;
}

/** The reply buffer of a connection that has nothing to send. */
const NO_BUFFER = new Uint8Array(0);

/** Lets those go on who have something to do already. */
function pause(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/**
 * Lets the runtime look for input of all connections. It does so when it is
 * idle, or after dozens of rounds of the loop, which {@link pause} keeps busy.
 */
function pauseForInput(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}

/**
 * One connection, from its hello to its end.
 *
 * Invariants: the writer has a buffer only while a batch is served; `#large`
 * is held only while one of its buffers is in use; bytes are read only when
 * every reply of the batch before was written.
 */
export class Connection {
  readonly #transport: Transport;
  readonly #session: Session;
  readonly #options: ConnectionOptions;
  readonly #splitter: FrameSplitter;
  readonly #writer = new FrameWriter(NO_BUFFER);
  readonly #outbox: Outbox;
  readonly #late = new Set<Promise<void>>();
  /** What the peer is told before the connection ends, if it asks nothing. */
  #lastWord: Failure | null = null;
  #own: Uint8Array = new Uint8Array(RECEIVE_SIZE_FIRST);
  #large: LargeBuffers | null = null;
  /** Ends the waiting of whoever is in {@link Connection.#until}. */
  #cutOff: (() => void) | null = null;
  #reading = false;
  #ending = false;
  #closed = false;
  #readDeadline: number;
  /** Since when {@link PROGRESS_BYTES} are being waited for. */
  #progressSince = 0;
  #progress = 0;
  /** When the last batch ended. */
  #idleSince = performance.now();

  /** Serves `session` over `transport`, once {@link run} is called. */
  constructor(
    transport: Transport,
    session: Session,
    options: ConnectionOptions,
  ) {
    this.#transport = transport;
    this.#session = session;
    this.#options = options;
    this.#outbox = new Outbox(transport, options.stallTimeout);
    this.#splitter = new FrameSplitter(this.#own, session.maxFrame);
    this.#readDeadline = performance.now() + options.helloTimeout;
  }

  /** Serves until the connection ends, however it ends. Never rejects. */
  async run(): Promise<void> {
    try {
      while (await this.#receive() && await this.#serveBatch());
      // Who asks for nothing any more may still read what he asked for, but
      // nobody knows whether he is there: he does not wait for others' locks.
      this.#session.cancelAll();
      await this.#finish();
    } catch {
      // The peer has gone, or was cut off: there is nobody left to tell.
    } finally {
      this.close();
      this.#giveLarge();
      this.#session.close();
    }
  }

  /**
   * Lets what is in progress end, tells the peer why, and ends the connection.
   * What waits for other clients is given up.
   */
  end(reason: FsError): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#lastWord = failureOf(reason, () => {});
    this.#session.cancelAll();
    // What is being answered goes on to its end, and then comes this.
    if (!this.#reading) return;
    this.#finish().catch(() => {}).finally(() => this.close());
  }

  /** Cuts the connection off. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cutOff?.();
    this.#transport.close();
  }

  /** Cuts the connection off if its peer has let a deadline pass. */
  closeIfStalled(now: number): void {
    const deadline = Math.min(
      this.#readDeadline,
      this.#outbox.deadline,
      this.#progressDeadline(),
    );
    if (now > deadline) this.close();
    else if (now > this.#idleSince + this.#options.idleTimeout) this.#endIdle();
  }

  /** Ends the connection if nothing is being done on it. */
  #endIdle(): void {
    if (!this.#reading || this.#late.size > 0 || this.#splitter.pending > 0) {
      return;
    }
    const seconds = this.#options.idleTimeout / 1000;
    this.end(new FsError("ETIMEDOUT", `no request for ${seconds} seconds`));
  }

  /** Waits for the replies that are late, and says the last word. */
  async #finish(): Promise<void> {
    await this.#until(Promise.all(this.#late));
    const word = this.#lastWord;
    this.#lastWord = null;
    if (word === null || this.#closed) return;
    await this.#outbox.sendSmall((to) => writeFailure(to, 0, word));
  }

  /**
   * When the peer must have moved a long frame on, if others wait for the
   * buffers: neither silence nor a trickle may keep them.
   */
  #progressDeadline(): number {
    const isPeersTurn = this.#reading || this.#outbox.isWriting;
    if (this.#large === null || !isPeersTurn) return Infinity;
    const { largeBuffers, contendedTimeout } = this.#options;
    const since = Math.max(
      this.#progressSince,
      this.#outbox.progressSince,
      largeBuffers.contendedSince,
    );
    return since + contendedTimeout;
  }

  #restartProgress(): void {
    this.#progress = 0;
    this.#progressSince = performance.now();
  }

  /** Waits for bytes; false if the connection ends. */
  async #receive(): Promise<boolean> {
    const splitter = this.#splitter;
    this.#settleBuffers();
    if (splitter.full) await this.#enlarge();
    let space = splitter.space();
    if (this.#large && this.#options.largeBuffers.contended) {
      // Nothing is taken of the frame behind this one, so that the buffer is
      // empty, and goes to another connection, when this one is done.
      space = space.subarray(0, splitter.missing);
    }
    if (this.#ending || this.#closed) return false;
    this.#reading = true;
    this.#idleSince = performance.now();
    const count = await this.#transport.read(space);
    this.#reading = false;
    if (count === null || this.#closed) return false;
    splitter.received(count);
    this.#progress += count;
    if (this.#progress >= PROGRESS_BYTES) this.#restartProgress();
    return true;
  }

  /** Gives up the large buffers if it can; keeps the deadline for a frame. */
  #settleBuffers(): void {
    const splitter = this.#splitter;
    const { largeBuffers, stallTimeout } = this.#options;
    const { pending } = splitter;
    if (
      pending === 0 || largeBuffers.contended && pending < this.#own.length
    ) {
      if (splitter.buffer !== this.#own) splitter.moveTo(this.#own);
      this.#giveLarge();
    }
    if (pending > 0 && this.#readDeadline === Infinity) {
      this.#readDeadline = performance.now() + stallTimeout;
      this.#restartProgress();
    }
  }

  /** Finds a larger buffer for a frame whose bytes have filled this one. */
  async #enlarge(): Promise<void> {
    if (this.#own.length < RECEIVE_SIZE) {
      this.#own = new Uint8Array(RECEIVE_SIZE);
      this.#splitter.moveTo(this.#own);
    } else {
      this.#splitter.moveTo((await this.#takeLarge()).requests);
    }
  }

  async #takeLarge(): Promise<LargeBuffers> {
    if (this.#large === null) {
      // The time this takes is not the peer's fault.
      this.#readDeadline = Infinity;
      this.#large = await this.#options.largeBuffers.take();
      this.#restartProgress();
      if (this.#splitter.pending > 0) {
        this.#readDeadline = performance.now() + this.#options.stallTimeout;
      }
    }
    return this.#large;
  }

  #giveLarge(): void {
    if (this.#large) this.#options.largeBuffers.give(this.#large);
    this.#large = null;
  }

  /** Serves what has arrived; false if the connection is to end. */
  async #serveBatch(): Promise<boolean> {
    const session = this.#session;
    const writer = this.#writer;
    let requests = 0;
    let bytes = 0;
    let turnEnd = performance.now() + TURN_TIME;
    this.#options.company.note(this);
    for (;;) {
      if (this.#closed) return false;
      const request = this.#nextRequest();
      if (request === null) break;
      for (;;) {
        if (writer.room < request.replySize) {
          await this.#makeRoom(request.replySize);
        }
        // Asked last: whenever this one waits, others may take what there is.
        const room = session.room(request);
        if (room === null) break;
        await this.#wait(room);
        if (this.#closed) return false;
        requests = bytes = 0;
        turnEnd = performance.now() + TURN_TIME;
      }
      const before = writer.length;
      if (request.isLast) await this.#finishLate();
      const late = session.execute(request, writer);
      if (late) {
        await (request.inOrder ? this.#await(late) : this.#expect(late));
      }
      if (request.isLast || !session.established) {
        await this.#flush();
        return false;
      }
      this.#readDeadline = Infinity;
      bytes += request.size + Math.max(0, writer.length - before);
      const isLong = performance.now() >= turnEnd;
      if (isLong || ++requests >= TURN_REQUESTS || bytes >= TURN_BYTES) {
        await this.#flush();
        await (isLong ? pauseForInput() : pause());
        requests = bytes = 0;
        if (isLong) turnEnd = performance.now() + TURN_TIME;
      }
    }
    await this.#flush();
    return true;
  }

  /** The next request that is whole, or null. */
  #nextRequest(): Request | null {
    this.#splitter.maxFrame = this.#session.maxFrame;
    let frame: Uint8Array | null;
    try {
      frame = this.#splitter.next();
    } catch (error) {
      return failedRequest(0, error, true);
    }
    return frame && this.#session.parse(frame);
  }

  /**
   * Waits until the volume may have room for a change, or the connection is
   * cut off. What was asked before is answered meanwhile.
   */
  async #wait(room: Promise<void>): Promise<void> {
    await this.#flush();
    // The time this takes is not the peer's fault.
    this.#readDeadline = Infinity;
    await this.#until(room);
  }

  /**
   * Resolves when `event` does, which never rejects, or the connection is cut
   * off. A race with a promise of the latter would leave something behind in it
   * each time, for as long as the connection lasts.
   */
  async #until(event: Promise<unknown>): Promise<void> {
    if (this.#closed) return;
    await new Promise<void>((resolve) => {
      this.#cutOff = resolve;
      event.then(() => resolve());
    });
    this.#cutOff = null;
  }

  /** Finds a buffer with room for a reply of `size` bytes. */
  async #makeRoom(size: number): Promise<void> {
    await this.#flush();
    if (
      this.#options.largeBuffers.contended &&
      this.#splitter.buffer === this.#own
    ) {
      // One long reply, and then it is another connection's turn.
      this.#giveLarge();
    }
    this.#writer.reset(
      size <= REPLY_SIZE
        ? this.#options.replyBuffers.pop() ?? new Uint8Array(REPLY_SIZE)
        : (await this.#takeLarge()).replies,
    );
  }

  /** Sends the replies that are written, and gives up their buffer. */
  async #flush(): Promise<void> {
    const { buffer, length } = this.#writer;
    if (length > 0) await this.#outbox.send(buffer.subarray(0, length));
    this.#writer.reset(NO_BUFFER);
    if (buffer.length === REPLY_SIZE) this.#options.replyBuffers.push(buffer);
  }

  /** Has what was asked before the last request answered before it. */
  async #finishLate(): Promise<void> {
    this.#session.cancelAll();
    await this.#flush();
    await this.#until(Promise.all(this.#late));
    await this.#makeRoom(SMALL_REPLY);
  }

  /** Writes a reply among others when it is there, and nothing before. */
  async #await(late: Promise<LateReply>): Promise<void> {
    let write: LateReply | null = null;
    await this.#until(late.then((reply) => {
      write = reply;
    }));
    if (!this.#closed) write!(this.#writer);
  }

  /** Sends a late reply when it is there; waits if too many are late. */
  async #expect(late: Promise<LateReply>): Promise<void> {
    const sent = late.then((write) => this.#outbox.sendSmall(write))
      .catch(() => this.close()).finally(() => this.#late.delete(sent));
    this.#late.add(sent);
    if (this.#late.size >= this.#options.maxLate) {
      await this.#until(Promise.race(this.#late));
    }
  }
}
