/**
 * A client that can say what a well-behaved one cannot, and notes every answer.
 *
 * @module
 */

import { Encoder } from "cbor-x";
import type { Errno } from "../../../fs/errors.ts";
import { decodeMessage, REPLY_ITEMS_MAX } from "../../../rpc/codec.ts";
import { FrameSplitter } from "../../../rpc/frame.ts";
import { FrameWriter } from "../../../rpc/frame_writer.ts";
import {
  type Arguments,
  type CompoundReply,
  dial,
  type Endpoint,
  type NumberedOperation,
  type OperationName,
  type Results,
  type TlsOptions,
  type Transport,
} from "../../../rpc/mod.ts";
import { operationNamed, operationNumbered } from "../../../rpc/mod.ts";
import { readFields, writeFields } from "../../../rpc/wire_types.ts";
import { framed } from "../harness.ts";
import { type Observed, outcomeOf } from "./observed.ts";

/** How a request ended. */
export type Answer<R = unknown> = {
  /** It was done. */
  readonly outcome: "ok";
  /** What came of it. */
  readonly results: R;
} | {
  /** Why it was not. */
  readonly outcome: Errno;
  /** What the server says of it. */
  readonly detail: string;
};

/** A step of a compound by name. */
export type Step = {
  [K in OperationName]: readonly [operation: K, args: Arguments<K>];
}[OperationName];

/** How a caller connects. */
export interface CallerOptions {
  /** Makes it TLS. */
  readonly tls?: TlsOptions;
  /** Counts the answers. */
  readonly observed: Observed;
  /** The longest frame that it says it takes. */
  readonly maxFrame?: number;
}

interface Pending {
  readonly operation: NumberedOperation | undefined;
  readonly args: unknown;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

const encoder = new Encoder({ useRecords: false, tagUint8Array: false });
const BUFFER_BYTES = 2 << 20;

/** One connection; requests may be pipelined. */
export class Caller {
  /** What the server said last without being asked, at the end. */
  lastWord: LastWord | null = null;
  /** Resolves when the stream has ended. */
  readonly ended: Promise<void>;
  readonly #transport: Transport;
  readonly #observed: Observed;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #hasEnded = false;

  private constructor(transport: Transport, observed: Observed) {
    this.#transport = transport;
    this.#observed = observed;
    this.ended = this.#receive();
  }

  /** Connects without a hello. */
  static async dial(
    endpoint: Endpoint,
    { tls, observed }: CallerOptions,
  ): Promise<Caller> {
    return new Caller(await dial(endpoint, tls), observed);
  }

  /** Connects and says hello. */
  static async connect(
    endpoint: Endpoint,
    options: CallerOptions,
  ): Promise<Caller> {
    const caller = await Caller.dial(endpoint, options);
    await caller.succeed("hello", {
      magic: "nextfs",
      version: 1,
      maxFrame: options.maxFrame ?? 2 ** 20,
      maxInFlight: 64,
      extensions: [],
    });
    return caller;
  }

  /** The id of the request that was sent last. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Asks, and resolves with how it ended; rejects if the stream ends. */
  call<K extends OperationName>(
    name: K,
    args: Arguments<K>,
  ): Promise<Answer<Results<K>>> {
    const operation = operationNamed(name);
    const { argumentNames } = operation;
    const writer = new FrameWriter(new Uint8Array(4096));
    for (;;) {
      writer.begin(2 + argumentNames.length);
      writer.int(++this.#lastId);
      writer.int(operation.number);
      writeFields(writer, operation.arguments, argumentNames, args);
      const needed = writer.end();
      if (needed === 0) break;
      this.#lastId--;
      writer.reset(new Uint8Array(needed));
    }
    const frame = writer.buffer.subarray(0, writer.length);
    return this.#send(frame, operation, args) as Promise<Answer<Results<K>>>;
  }

  /** Asks with items as they are, whatever they are; no results are read. */
  ask(number: number, items: readonly unknown[]): Promise<Answer> {
    const message = [++this.#lastId, number, ...items];
    const body = Uint8Array.from(encoder.encode(message));
    return this.#send(framed(body), operationNumbered(number), null);
  }

  /** Asks for several operations at once. */
  compound(...steps: readonly Step[]): Promise<Answer<Results<"compound">>> {
    return this.call("compound", {
      steps: steps.map(([name, args]) => ({
        operation: operationNamed(name),
        args: args as unknown as Record<string, unknown>,
      })),
    });
  }

  /** Asks for what must be possible. */
  async succeed<K extends OperationName>(
    name: K,
    args: Arguments<K>,
  ): Promise<Results<K>> {
    const answer = await this.call(name, args);
    if (answer.outcome === "ok") return answer.results;
    throw new Error(`${name} failed: ${answer.outcome} ${answer.detail}`);
  }

  /** Sends bytes, which need not be a message. */
  sendRaw(bytes: Uint8Array): Promise<void> {
    return this.#transport.write(bytes);
  }

  /** Ends the connection. */
  async close(): Promise<void> {
    this.#transport.close();
    await this.ended;
  }

  #send(
    frame: Uint8Array,
    operation: NumberedOperation | undefined,
    args: unknown,
  ): Promise<Answer> {
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.#hasEnded) throw new Error("the connection has ended");
      this.#pending.set(id, { operation, args, resolve, reject });
      this.#transport.write(frame).catch(() => {});
    });
  }

  async #receive(): Promise<void> {
    const splitter = new FrameSplitter(
      new Uint8Array(16 * 1024),
      BUFFER_BYTES,
    );
    let failure: unknown = new Error("the connection has ended");
    try {
      for (;;) {
        if (splitter.full) {
          splitter.moveTo(new Uint8Array(2 * splitter.buffer.length));
        }
        const count = await this.#transport.read(splitter.space());
        if (count === null) break;
        splitter.received(count);
        for (let frame = splitter.next(); frame; frame = splitter.next()) {
          this.#reply(decodeMessage(frame.slice(), REPLY_ITEMS_MAX));
        }
      }
    } catch (error) {
      failure = error;
    }
    this.#hasEnded = true;
    for (const { reject } of this.#pending.values()) reject(failure);
    this.#pending.clear();
    this.#transport.close();
  }

  #reply(message: readonly unknown[]): void {
    const [id, status, detail] = message as [number, number, unknown];
    const outcome = outcomeOf(status);
    if (id === 0) {
      this.lastWord = { outcome, detail: String(detail) };
      return;
    }
    const pending = this.#pending.get(id);
    if (!pending) throw new Error(`an answer to ${id}, which was not asked`);
    this.#pending.delete(id);
    const { operation, args, resolve, reject } = pending;
    if (operation) this.#observed.note(operation.name, outcome);
    if (outcome !== "ok") {
      resolve({ outcome, detail: String(detail) });
      return;
    }
    try {
      resolve({ outcome, results: this.#results(message, operation!, args) });
    } catch (error) {
      reject(error);
    }
  }

  #results(
    message: readonly unknown[],
    operation: NumberedOperation,
    args: unknown,
  ): unknown {
    const { results, resultNames } = operation;
    const values = readFields(results, resultNames, message, 2);
    if (operation.name === "compound" && args !== null) {
      return { replies: this.#stepReplies(values, args) };
    }
    return values;
  }

  /** The replies of a compound's steps, with results by name. */
  #stepReplies(values: unknown, args: unknown): unknown[] {
    const { replies } = values as { replies: readonly CompoundReply[] };
    const { steps } = args as Arguments<"compound">;
    return replies.map((reply, i) => {
      const operation = steps[i].operation as NumberedOperation;
      const outcome = outcomeOf(reply.status);
      this.#observed.note(operation.name, outcome);
      if (!("results" in reply)) return { outcome, detail: reply.detail };
      const { results, resultNames } = operation;
      const items = reply.results as readonly unknown[];
      return { outcome, results: readFields(results, resultNames, items, 0) };
    });
  }
}

/** What a server says without being asked. */
export interface LastWord {
  /** Why it ends the connection. */
  readonly outcome: string;
  /** The same in words. */
  readonly detail: string;
}

/** The answers to a compound's steps, of one that succeeded. */
export function stepAnswers(
  answer: Answer<Results<"compound">>,
): Answer<Record<string, unknown>>[] {
  if (answer.outcome !== "ok") throw new Error(`compound: ${answer.outcome}`);
  return answer.results.replies as unknown as Answer<
    Record<string, unknown>
  >[];
}
