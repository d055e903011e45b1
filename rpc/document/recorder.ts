/**
 * Talks to a server and keeps what was said.
 *
 * @module
 */

import { decodeMessage, REPLY_ITEMS_MAX } from "../codec.ts";
import { formatEndpoint } from "../endpoint.ts";
import type { Endpoint } from "../endpoint.ts";
import { FrameSplitter } from "../frame.ts";
import { FrameWriter, PREFIX_SIZE } from "../frame_writer.ts";
import { FRAME_MAX } from "../limits.ts";
import { OPERATION_LIST, OPERATIONS } from "../operations/mod.ts";
import type { OperationName } from "../operations/mod.ts";

/** One message. */
export interface Said {
  /** Its items. */
  readonly items: readonly unknown[];
  /** The whole frame, with its prefix. */
  readonly frame: Uint8Array;
}

/** A request and its reply. */
export interface Exchange {
  /** What was asked for. */
  readonly operation: OperationName;
  /** The request. */
  readonly request: Said;
  /** The reply. */
  readonly reply: Said;
}

/** Says `items` with the encoder of the wire. */
export function encoded(items: readonly unknown[]): Said {
  const writer = new FrameWriter(new Uint8Array(FRAME_MAX));
  writer.begin(items.length);
  for (const item of items) writeItem(writer, item);
  writer.end();
  return { items, frame: writer.buffer.slice(0, writer.length) };
}

function writeItem(to: FrameWriter, item: unknown): void {
  if (typeof item === "number") to.int(item);
  else if (typeof item === "string") to.text(item);
  else if (typeof item === "boolean") to.boolean(item);
  else if (item === null) to.null();
  else if (item instanceof Uint8Array) to.bytes(item);
  else {
    const items = item as readonly unknown[];
    to.array(items.length);
    for (const one of items) writeItem(to, one);
  }
}

/** What a frame says. */
export function decoded(frame: Uint8Array): Said {
  const body = frame.subarray(PREFIX_SIZE);
  const items = decodeMessage(body, REPLY_ITEMS_MAX).map(withoutBigInts);
  return { items, frame };
}

function withoutBigInts(item: unknown): unknown {
  if (Array.isArray(item)) return item.map(withoutBigInts);
  return typeof item === "bigint" ? Number(item) : item;
}

/** A request on its way. */
export interface Asked {
  /** The id of the request. */
  readonly id: number;
  /** The reply, once it has come. */
  readonly reply: Promise<readonly unknown[]>;
}

/** One connection; everything it says and hears goes into `heard`. */
export class Recorder {
  readonly #conn: Deno.Conn;
  readonly #splitter = new FrameSplitter(
    new Uint8Array(FRAME_MAX + PREFIX_SIZE),
    FRAME_MAX,
  );
  readonly #waiting = new Map<number, (reply: Said) => void>();
  readonly #ended: Promise<void>;
  #lastId = 0;

  private constructor(conn: Deno.Conn, readonly heard: Exchange[]) {
    this.#conn = conn;
    this.#ended = this.#hear();
  }

  /** Connects to a UNIX socket. */
  static async connect(
    endpoint: Endpoint,
    heard: Exchange[],
  ): Promise<Recorder> {
    const path = formatEndpoint(endpoint).replace(
      /^unix:@?/,
      (kind) => kind.endsWith("@") ? "\0" : "",
    );
    return new Recorder(await Deno.connect({ transport: "unix", path }), heard);
  }

  /** Sends a request, and goes on. */
  async send(operation: OperationName, ...args: unknown[]): Promise<Asked> {
    const id = ++this.#lastId;
    const { number } = OPERATIONS[operation];
    const request = encoded([id, number, ...args]);
    const { promise, resolve } = Promise.withResolvers<Said>();
    this.#waiting.set(id, resolve);
    const reply = promise.then((reply) => {
      this.heard.push({ operation, request, reply });
      return reply.items;
    });
    for (let at = 0; at < request.frame.length;) {
      at += await this.#conn.write(request.frame.subarray(at));
    }
    return { id, reply };
  }

  /** Asks, and returns the results. Rejects if the request fails. */
  async ask(
    operation: OperationName,
    ...args: unknown[]
  ): Promise<readonly unknown[]> {
    const [, status, ...results] = await (await this.send(operation, ...args))
      .reply;
    if (status !== 0) {
      throw new Error(`Cannot record ${operation}: ${status} ${results[0]}`);
    }
    return results;
  }

  /** Resolves when the server has ended the connection. */
  async end(): Promise<void> {
    await this.#ended;
    this.#conn.close();
  }

  async #hear(): Promise<void> {
    for (;;) {
      const count = await this.#conn.read(this.#splitter.space());
      if (count === null) return;
      this.#splitter.received(count);
      for (let body; (body = this.#splitter.next()) !== null;) {
        const frame = new Uint8Array(PREFIX_SIZE + body.length);
        new DataView(frame.buffer).setUint32(0, body.length);
        frame.set(body, PREFIX_SIZE);
        const said = decoded(frame);
        this.#waiting.get(said.items[0] as number)?.(said);
      }
    }
  }
}

/** The operations that no exchange shows. */
export function unheard(heard: readonly Exchange[]): OperationName[] {
  const names = new Set(heard.map(({ operation }) => operation));
  return OPERATION_LIST.map(({ name }) => name)
    .filter((name) => !names.has(name));
}
