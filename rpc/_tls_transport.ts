/**
 * A stream inside an established TLS connection.
 *
 * @module
 */

import type { TLSSocket } from "node:tls";
import type { TlsWire } from "./_tls_wire.ts";
import { describeCertificate, type Peer } from "./peer.ts";
import type { Transport } from "./transport.ts";

/** The engine encrypts as much at a time, and keeps copies of what is more. */
const WRITE_SIZE = 64 * 1024;

/** Says what an error means; null stands for an end without a byte before. */
export type Explain = (error: unknown) => unknown;

/**
 * A stream inside a TLS connection.
 *
 * What the peer sends is decrypted when it is asked for: what a read has left
 * waits here, and one reading of the wire at most is ahead of that.
 */
export class TlsTransport implements Transport {
  /** Who is at the other end, and the certificate that was verified. */
  readonly peer: Peer;
  readonly #socket: TLSSocket;
  readonly #wire: TlsWire;
  readonly #explain: Explain | null;
  readonly #chunks: Uint8Array[] = [];
  #heard = false;
  #atEnd = false;
  #closed = false;
  #failure: unknown = null;
  #wake: (() => void) | null = null;

  /**
   * Stands on an engine whose handshake is done, and on its wire. Throws for a
   * certificate of the peer's that cannot be understood.
   */
  constructor(socket: TLSSocket, wire: TlsWire, explain?: Explain) {
    this.#socket = socket;
    this.#wire = wire;
    this.#explain = explain ?? null;
    const { raw } = socket.getPeerCertificate();
    this.peer = { ...wire.peer, certificate: describeCertificate(raw) };
    // The handshake wanted bytes; from now on readers do.
    wire.establish();
    socket.on("data", (chunk: Uint8Array) => {
      this.#heard = true;
      this.#chunks.push(chunk);
      wire.enough();
      this.#notify();
    });
    socket.on("error", (error) => {
      this.#failure ??= error;
      this.close();
    });
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.#atEnd = true;
        this.#notify();
      });
    }
  }

  /** Reads what has arrived, see {@link Transport.read}. */
  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#closed) throw this.#ended();
      if (this.#chunks.length > 0) break;
      if (this.#atEnd) return this.#end();
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wire.want();
      await woken;
    }
    let count = 0;
    while (this.#chunks.length > 0 && count < into.length) {
      const chunk = this.#chunks[0];
      const piece = chunk.subarray(0, into.length - count);
      into.set(piece, count);
      count += piece.length;
      if (piece.length === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(piece.length);
    }
    return count;
  }

  /** Writes all of `from`, see {@link Transport.write}. */
  async write(from: Uint8Array): Promise<void> {
    for (let at = 0; at < from.length; at += WRITE_SIZE) {
      if (this.#closed) throw this.#ended();
      const piece = from.subarray(at, at + WRITE_SIZE);
      const taken = this.#wire.taken(piece.length);
      this.#socket.write(piece);
      this.#wire.goOn();
      try {
        await taken;
      } catch (error) {
        this.#failure ??= error;
        throw this.#ended();
      }
    }
  }

  /** Ends the stream, and tells the peer that this is its end. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.end();
    this.#wire.close();
    this.#notify();
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = null;
  }

  #end(): null {
    this.#failure ??= this.#wire.failure;
    if (this.#failure) throw this.#ended();
    if (this.#explain && !this.#heard) throw this.#explain(null);
    return null;
  }

  #ended(): unknown {
    const failure = this.#failure ?? new Error("the connection was closed");
    return this.#explain && !this.#heard ? this.#explain(failure) : failure;
  }
}
