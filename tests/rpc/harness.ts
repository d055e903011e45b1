/**
 * A served volume, and a client that may say anything at all.
 *
 * The raw client shares no code with the project: it frames by hand and lets
 * cbor-x encode and decode.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Decoder, Encoder } from "cbor-x";
import type { BlockDevice } from "../../bd/block_device.ts";
import { MemoryDevice } from "../../bd/memory.ts";
import { Filesystem, format } from "../../fs/mod.ts";
import { type Endpoint, formatEndpoint, Server } from "../../rpc/mod.ts";
import type { ServerOptions } from "../../rpc/mod.ts";

/** What is served, and within what bounds. */
export interface ServedOptions extends ServerOptions {
  /** Refuse changes. */
  readOnly?: boolean;
  /** The device; 64 MiB of memory if absent. */
  device?: BlockDevice;
  /** Size of the engine's cache, in bytes. */
  cacheSize?: number;
}

/** A volume in memory behind a server with a UNIX and a TCP (or TLS) port. */
export class Served {
  /** What the server has logged. */
  readonly log: string[] = [];
  /** The engine behind the server. */
  readonly fs: Filesystem;
  /** The server. */
  readonly server: Server;
  /** Where it listens: a UNIX socket and a TCP port. */
  readonly endpoints: Endpoint[] = [];

  private constructor(options: ServedOptions) {
    const { device = new MemoryDevice(4096, 16384) } = options;
    format(device, { inodeCount: 4096 });
    const { readOnly, cacheSize } = options;
    this.fs = Filesystem.open(device, { readOnly, cacheSize });
    const log = (message: string): number => this.log.push(message);
    this.server = new Server(this.fs, { log, ...options });
  }

  /** Starts a server. */
  static async start(options: ServedOptions = {}): Promise<Served> {
    const served = new Served(options);
    const name = `unix:@nextfs-test-${crypto.randomUUID()}`;
    const port = `${options.tls ? "tls" : "tcp"}:127.0.0.1:0`;
    for (const endpoint of [name, port]) {
      served.endpoints.push(await served.server.listen(endpoint));
    }
    return served;
  }

  /** Runs `test` over each kind of socket. */
  async each(test: (endpoint: string) => Promise<void>): Promise<void> {
    for (const endpoint of this.endpoints) await test(formatEndpoint(endpoint));
  }

  /** Stops the server and closes the volume. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
    await this.fs.close();
  }
}

const options = { useRecords: false, tagUint8Array: false };
const encoder = new Encoder(options);
const decoder = new Decoder({ useRecords: false });

/** Puts a length in front of `body`. */
export function framed(body: Uint8Array, length = body.length): Uint8Array {
  const frame = new Uint8Array(4 + body.length);
  new DataView(frame.buffer).setUint32(0, length);
  frame.set(body, 4);
  return frame;
}

/** A message as a frame. Integers above 2^32 are to be given as BigInt. */
export function message(...items: unknown[]): Uint8Array {
  return framed(Uint8Array.from(encoder.encode(items)));
}

/** The hello of an ordinary client. */
export function hello(id = 1): Uint8Array {
  return message(id, 64, "nextfs", 1, 1024 * 1024, 64, []);
}

/** What a raw client needs of a connection. */
export type RawStream = Pick<
  Deno.Conn,
  "read" | "write" | "closeWrite" | "close"
>;

/** A connection that sends what it is told to. */
export class RawClient {
  readonly #conn: RawStream;
  #received: Uint8Array = new Uint8Array(0);
  #closed = false;

  /** Stands on a connection. */
  constructor(conn: RawStream) {
    this.#conn = conn;
  }

  /** Connects to `endpoint`, as `formatEndpoint()` writes it. */
  static async connect(endpoint: string): Promise<RawClient> {
    const unix = /^unix:@(.*)$/.exec(endpoint);
    if (unix) {
      const path = `\0${unix[1]}`;
      const conn = await Deno.connect({ transport: "unix", path });
      return new RawClient(conn);
    }
    const [, hostname, port] = endpoint.split(":");
    return new RawClient(await Deno.connect({ hostname, port: Number(port) }));
  }

  /** Connects, and says hello. */
  static async greet(endpoint: string): Promise<RawClient> {
    return (await RawClient.connect(endpoint)).greet();
  }

  /** Says hello. */
  async greet(): Promise<this> {
    await this.send(hello());
    const reply = await this.receive();
    assert.deepEqual(reply?.slice(0, 3), [1, 0, 1]);
    return this;
  }

  /** Sends bytes as they are. */
  async send(...pieces: readonly Uint8Array[]): Promise<void> {
    for (const piece of pieces) {
      for (let at = 0; at < piece.length;) {
        at += await this.#conn.write(piece.subarray(at));
      }
    }
  }

  /** Asks, and returns the reply to exactly that request. */
  async ask(...items: unknown[]): Promise<unknown[]> {
    await this.send(message(...items));
    const reply = await this.receive();
    assert.equal(reply?.[0], items[0]);
    return reply!.slice(1);
  }

  /** The next message, or null at the end of the stream. */
  async receive(): Promise<unknown[] | null> {
    const body = await this.receiveBytes();
    return body === null ? null : decoder.decode(body);
  }

  /** The same as bytes, without the length. */
  async receiveBytes(): Promise<Uint8Array | null> {
    const prefix = await this.#take(4);
    if (prefix === null) return null;
    return await this.#take(new DataView(prefix.buffer).getUint32(0));
  }

  /** Asserts that the next message fails with `status` and ends it all. */
  async refused(id: number, status: number): Promise<void> {
    const reply = await this.receive();
    assert.deepEqual(reply?.slice(0, 2), [id, status]);
    assert.equal(await this.receive(), null);
    this.close();
  }

  /** Says that nothing more will be sent. */
  async closeWrite(): Promise<void> {
    await this.#conn.closeWrite();
  }

  /** Ends the connection. */
  close(): void {
    if (!this.#closed) this.#conn.close();
    this.#closed = true;
  }

  async #take(count: number): Promise<Uint8Array | null> {
    while (this.#received.length < count) {
      const piece = new Uint8Array(65536);
      const length = await this.#conn.read(piece).catch(() => null);
      if (length === null) return null;
      const joined = new Uint8Array(this.#received.length + length);
      joined.set(this.#received);
      joined.set(piece.subarray(0, length), this.#received.length);
      this.#received = joined;
    }
    const taken = this.#received.slice(0, count);
    this.#received = this.#received.slice(count);
    return taken;
  }
}

/** Resolves when `condition` holds; fails when it does not in 5 seconds. */
export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail("what was waited for did not happen");
}
