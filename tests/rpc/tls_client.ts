/**
 * A TLS client of the runtime's own, which can be told to offer anything.
 *
 * @module
 */

import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { parseEndpoint } from "../../rpc/mod.ts";
import { certificates, clientTls } from "../support/certificates.ts";
import { RawClient, type RawStream } from "./harness.ts";

/** A stream over the runtime's TLS; it checks nothing but the CA. */
export class TlsStream implements RawStream {
  /** The runtime's socket. */
  readonly socket: TLSSocket;
  /** The codes of its errors. */
  readonly errors: string[] = [];
  readonly #received: Uint8Array[] = [];
  #atEnd = false;
  #wake: (() => void) | null = null;

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on("error", (error: Error & { code?: string }) => {
      this.errors.push(error.code ?? error.message);
    });
    socket.on("data", (chunk) => this.#received.push(chunk));
    socket.on("end", () => this.#atEnd = true);
    socket.on("close", () => this.#atEnd = true);
    for (const event of ["data", "end", "close"]) {
      socket.on(event, () => this.#wake?.());
    }
  }

  /** Starts a connection; what becomes of it is to be seen. */
  static async start(
    endpoint: string,
    options: ConnectionOptions,
  ): Promise<TlsStream> {
    const { ca } = await certificates();
    const where = parseEndpoint(endpoint);
    const at = where.kind === "unix"
      ? { path: `${where.abstract ? "\0" : ""}${where.path}` }
      : { host: where.host, port: where.port };
    const always = {
      ...at,
      ca: ca.cert,
      checkServerIdentity: () => undefined,
      allowHalfOpen: true,
    };
    return new TlsStream(connect({ ...always, ...options }));
  }

  /** Reads what has arrived. */
  async read(into: Uint8Array): Promise<number | null> {
    while (this.#received.length === 0) {
      if (this.#atEnd) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const chunk = this.#received.shift()!;
    const piece = chunk.subarray(0, into.length);
    into.set(piece);
    if (piece.length < chunk.length) {
      this.#received.unshift(chunk.subarray(piece.length));
    }
    return piece.length;
  }

  /** Writes all of `from`. */
  write(from: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.socket.write(from, (error) => {
        if (error) reject(error);
        else resolve(from.length);
      });
    });
  }

  /** Says that nothing more will be sent. */
  closeWrite(): Promise<void> {
    return new Promise((resolve) => {
      this.socket.end(() => resolve());
    });
  }

  /** Ends the connection. */
  close(): void {
    this.socket.destroy();
  }
}

/** A raw client that a server accepts. */
export async function rawTlsClient(endpoint: string): Promise<RawClient> {
  const { cert, key } = await clientTls();
  const options = { cert, key, ALPNProtocols: ["nextfs/1"] };
  return new RawClient(await TlsStream.start(endpoint, options));
}
