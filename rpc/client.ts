/**
 * A client of one server: typed calls, many in flight on one connection.
 *
 * @module
 */

import { FsError } from "../fs/errors.ts";
import { Aborts } from "./_aborts.ts";
import { type Call, cancelling } from "./_call.ts";
import { keepAlive } from "./_keep_alive.ts";
import type { CallOptions, ClientOptions } from "./client_options.ts";
import { decodeMessage, REPLY_ITEMS_MAX } from "./codec.ts";
import { DisconnectedError } from "./disconnected_error.ts";
import { EndpointError } from "./endpoint_error.ts";
import { errnoName } from "./errno.ts";
import { FrameSplitter } from "./frame.ts";
import { FrameWriter, PREFIX_SIZE } from "./frame_writer.ts";
import { FRAME_MAX, HELLO_FRAME_MAX, MAGIC, VERSION } from "./limits.ts";
import type {
  Arguments,
  HelloReply,
  Node,
  OperationName,
  Results,
} from "./operations/mod.ts";
import { operationNamed } from "./operations/mod.ts";
import { ProtocolError } from "./protocol_error.ts";
import { RemoteFiles } from "./remote_files.ts";
import type { Transport } from "./transport.ts";
import { readFields, WireTypeError, writeFields } from "./wire_types.ts";

/** First size of the buffers for requests and replies, in bytes. */
const BUFFER_SIZE = 72 * 1024;

/** How a TLS server refuses: the first byte of a frame is less by far. */
const TLS_ALERT = 21;

/** A buffer for requests that grew beyond this is not kept, in bytes. */
const BUFFER_KEPT_MAX = 4 * 1024 * 1024;

/**
 * One connection to a server. {@link connect} makes it.
 *
 * Invariants: a call is in exactly one of `#waiting` and `#pending` until its
 * promise settles, and an aborted one until its turn or its reply comes;
 * `#waiting` is empty unless `#pending` is full, but for one place that only
 * urgent calls take, so that what waits on the server can always be cancelled;
 * once `#failure` is set both are empty and stay so.
 */
export class Client implements AsyncDisposable {
  /** Resolves when the connection has ended, whoever ended it. */
  readonly closed: Promise<void>;

  readonly #transport: Transport;
  readonly #server: string;
  readonly #maxFrame: number;
  readonly #maxInFlightWanted: number;
  readonly #splitter: FrameSplitter;
  readonly #writer = new FrameWriter(new Uint8Array(BUFFER_SIZE));
  readonly #pending = new Map<number, Call>();
  readonly #waiting: Call[] = [];
  readonly #aborts = new Aborts<Call>((call, reason) =>
    this.#abort(call, reason)
  );
  #files: RemoteFiles | null = null;
  #spare: Uint8Array = new Uint8Array(BUFFER_SIZE);
  #flushing = false;
  #lastId = 0;
  #inFlightMax = 1;
  #requestFrameMax = HELLO_FRAME_MAX;
  #limits: HelloReply | null = null;
  #failure: Error | null = null;
  #stopPings = (): void => {};

  /** Stands on `transport`; `server` names the peer in messages. */
  constructor(
    transport: Transport,
    server: string,
    options: ClientOptions = {},
  ) {
    this.#transport = transport;
    this.#server = server;
    this.#maxFrame = options.maxFrame ?? FRAME_MAX;
    this.#maxInFlightWanted = options.maxInFlight ?? 64;
    this.#splitter = new FrameSplitter(
      new Uint8Array(BUFFER_SIZE),
      this.#maxFrame,
    );
    this.closed = this.#receive();
  }

  /** What the server said in its hello: version, limits, root, read-only. */
  get limits(): HelloReply {
    if (this.#limits === null) {
      throw new ProtocolError("Cannot use a connection before its hello");
    }
    return this.#limits;
  }

  /** True once the connection has ended: every call fails from then on. */
  get ended(): boolean {
    return this.#failure !== null;
  }

  /** The volume's root directory. */
  get root(): Node {
    return this.limits.root;
  }

  /** The server's files, by path. */
  get files(): RemoteFiles {
    return this.#files ??= new RemoteFiles(this);
  }

  /** Agrees on version and limits; {@link connect} has done it. */
  async hello(): Promise<void> {
    const limits = await this.call("hello", {
      magic: MAGIC,
      version: VERSION,
      maxFrame: this.#maxFrame,
      maxInFlight: this.#maxInFlightWanted,
      extensions: [],
    });
    if (limits.version !== VERSION) {
      throw new ProtocolError(
        `Cannot use the server at ${this.#server}: it speaks version ` +
          `${limits.version} of the protocol, not ${VERSION}`,
      );
    }
    this.#limits = limits;
    this.#inFlightMax = Math.min(limits.maxInFlight, this.#maxInFlightWanted);
    this.#requestFrameMax = limits.maxFrame;
    if (this.#failure) return;
    this.#stopPings = keepAlive(
      limits.idleTimeout,
      () => this.#lastId,
      () => this.call("ping", {}).catch(() => {}),
    );
  }

  /**
   * Calls an operation of the table (`rpc/operations/`) by its name.
   *
   * Resolves with the results by name. Rejects with {@link FsError} if the
   * server refuses (`code` is the errno name) and, for every call in flight,
   * with {@link DisconnectedError} when the connection ends. Waits for its
   * turn when as many requests as the server allows are in flight. Byte
   * arguments must not change until the promise has settled.
   */
  call<K extends OperationName>(
    operation: K,
    args: Arguments<K>,
    { signal, undo }: CallOptions<Results<K>> = {},
  ): Promise<Results<K>> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#failure) throw this.#failure;
      const call: Call = {
        operation: operationNamed(operation),
        args,
        resolve,
        reject,
        signal,
        undo,
        id: 0,
        aborted: false,
      };
      if (signal) this.#aborts.add(signal, call);
      if (this.#hasRoom(call)) this.#send(call);
      else this.#waiting.push(call);
    });
  }

  /** Ends the connection. Calls in flight are rejected. */
  async close(): Promise<void> {
    this.fail(
      new DisconnectedError(`The connection to ${this.#server} was closed`),
    );
    await this.closed;
  }

  /** Ends the connection: `await using client = await connect(…)`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Ends the connection; calls in flight are rejected with `error`. */
  fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#stopPings();
    const calls = [...this.#pending.values(), ...this.#waiting];
    this.#pending.clear();
    this.#waiting.length = 0;
    for (const call of calls) this.#reject(call, error);
    this.#transport.close();
  }

  /** The last place is for urgent calls, if there is more than one. */
  #hasRoom({ urgent }: Call): boolean {
    const kept = urgent || this.#inFlightMax === 1 ? 0 : 1;
    return this.#pending.size < this.#inFlightMax - kept;
  }

  /** Sends the calls whose turn has come. */
  #sendWaiting(): void {
    const waiting = this.#waiting;
    while (waiting.length > 0 && this.#hasRoom(waiting[0])) {
      const call = waiting.shift()!;
      if (!call.aborted) this.#send(call);
    }
  }

  #reject(call: Call, error: unknown): void {
    if (call.signal) this.#aborts.delete(call.signal, call);
    call.reject(error);
  }

  /** Nobody waits for a call any more: the server need not, either. */
  #abort(call: Call, reason: unknown): void {
    call.aborted = true;
    call.reject(reason);
    if (call.id === 0) return;
    const cancel = cancelling(call.id);
    if (this.#hasRoom(cancel)) this.#send(cancel);
    else this.#waiting.unshift(cancel);
  }

  /** Puts a call among those that the next write takes along. */
  #send(call: Call): void {
    const id = ++this.#lastId;
    try {
      let needed = this.#encode(id, call);
      if (needed > 0) {
        this.#grow(needed);
        needed = this.#encode(id, call);
      }
    } catch (error) {
      this.#reject(
        call,
        error instanceof WireTypeError
          ? new FsError(error.code, error.message)
          : error,
      );
      return;
    }
    call.id = id;
    this.#pending.set(id, call);
    if (!this.#flushing) {
      this.#flushing = true;
      // Calls made until the program next waits go out together.
      queueMicrotask(() => this.#flush());
    }
  }

  /** Returns 0, or the bytes that the buffer must have. */
  #encode(id: number, call: Call): number {
    const { operation } = call;
    const names = operation.argumentNames;
    const writer = this.#writer;
    const before = writer.length;
    writer.begin(2 + names.length);
    writer.int(id);
    writer.int(operation.number);
    writeFields(writer, operation.arguments, names, call.args);
    if (writer.size - before - PREFIX_SIZE > this.#requestFrameMax) {
      throw new WireTypeError(
        "EINVAL",
        `the server accepts requests of ${this.#requestFrameMax} bytes`,
      );
    }
    return writer.end();
  }

  #grow(needed: number): void {
    const { buffer, length } = this.#writer;
    const larger = new Uint8Array(Math.max(needed, buffer.length * 2));
    larger.set(buffer.subarray(0, length));
    this.#writer.moveTo(larger);
  }

  async #flush(): Promise<void> {
    const writer = this.#writer;
    try {
      while (writer.length > 0 && !this.#failure) {
        const { buffer, length } = writer;
        writer.reset(this.#spare);
        this.#spare = buffer;
        await this.#transport.write(buffer.subarray(0, length));
        if (this.#spare.length > BUFFER_KEPT_MAX) {
          this.#spare = new Uint8Array(BUFFER_SIZE);
        }
      }
    } catch (error) {
      this.fail(this.#lost(error));
    } finally {
      this.#flushing = false;
    }
  }

  async #receive(): Promise<void> {
    const splitter = this.#splitter;
    try {
      for (;;) {
        if (splitter.full) this.#growReplies();
        const count = await this.#transport.read(splitter.space());
        if (count === null) break;
        splitter.received(count);
        // Callers keep what replies hold. A buffer that replies have filled is
        // left to them; from another one they get copies.
        const { buffer } = splitter;
        const filled = splitter.pending * 2 > buffer.length;
        for (let frame = splitter.next(); frame; frame = splitter.next()) {
          this.#reply(filled ? frame : frame.slice());
        }
        if (filled) splitter.moveTo(new Uint8Array(buffer.length));
      }
      this.fail(this.#lost());
    } catch (error) {
      if (this.#limits === null && splitter.buffer[0] === TLS_ALERT) {
        this.fail(this.#wantsTls());
      } else if (
        error instanceof ProtocolError ||
        error instanceof FsError && this.#limits === null
      ) {
        this.fail(error);
      } else this.fail(this.#lost(error));
    }
  }

  /** Doubles the buffer that has filled, up to the longest frame. */
  #growReplies(): void {
    const size = Math.min(
      this.#splitter.buffer.length * 2,
      this.#maxFrame + PREFIX_SIZE,
    );
    this.#splitter.moveTo(new Uint8Array(size));
  }

  #reply(frame: Uint8Array): void {
    const message = decodeMessage(frame, REPLY_ITEMS_MAX);
    const [id, status] = message;
    const detail = typeof message[2] === "string" ? message[2] : undefined;
    if (id === 0) throw new FsError(errnoName(status), detail);
    const call = this.#pending.get(id);
    if (call === undefined) {
      throw new ProtocolError(
        `The server at ${this.#server} answered a request that was not made`,
      );
    }
    this.#pending.delete(id);
    if (status === 0) this.#succeed(call, message);
    else this.#reject(call, new FsError(errnoName(status), detail));
    this.#sendWaiting();
  }

  #succeed(call: Call, message: unknown[]): void {
    const { operation, signal, aborted, undo, resolve } = call;
    try {
      const { results: fields, resultNames } = operation;
      const results = readFields(fields, resultNames, message, 2) as never;
      if (signal) this.#aborts.delete(signal, call);
      if (aborted) undo?.(results);
      else resolve(results);
    } catch (error) {
      const refused = new ProtocolError(
        `The server at ${this.#server} sent a bad reply to ` +
          `${operation.name}: ${error instanceof Error ? error.message : ""}`,
      );
      this.#reject(call, refused);
      throw refused;
    }
  }

  #wantsTls(): ProtocolError {
    return new ProtocolError(
      `Cannot use the server at ${this.#server}: it wants TLS; give ` +
        "--tls-cert, --tls-key and --ca",
    );
  }

  #lost(cause?: unknown): Error {
    // A transport that knows more than that it has ended says it in words.
    if (cause instanceof EndpointError) return cause;
    const reason = cause instanceof FsError ? `: ${cause.message}` : "";
    return new DisconnectedError(
      `The server at ${this.#server} ended the connection${reason}`,
      { cause },
    );
  }
}
