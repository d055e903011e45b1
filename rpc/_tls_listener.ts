/**
 * A place where TLS connections arrive, and the handshakes under way there.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { listenSocket } from "./_sockets.ts";
import { HandshakeError, refusalReason } from "./_tls_errors.ts";
import { TlsTransport } from "./_tls_transport.ts";
import { TlsWire } from "./_tls_wire.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { checkTlsOptions } from "./tls_check.ts";
import { ALPN, type TlsOptions } from "./tls_options.ts";
import type { Transport, TransportListener } from "./transport.ts";

/** How a server listens. */
export interface TlsListenerOptions extends TlsOptions {
  /** Milliseconds for a handshake; 10,000 if absent. */
  readonly handshakeTimeout?: number;
  /** Most handshakes at a time; 512 if absent. */
  readonly maxHandshakes?: number;
  /** Takes a line on each client that was refused; nowhere if absent. */
  readonly log?: (message: string) => void;
}

const RESUMED = "it resumes a session, so that its certificate is not checked";

/** Listens for TLS connections, see `listen()`. */
export async function listenTls(
  endpoint: Endpoint,
  options: TlsListenerOptions,
): Promise<TransportListener> {
  checkTlsOptions(options);
  return new TlsListener(await listenSocket(endpoint), options);
}

/**
 * Handshakes go on beside one another; streams are accepted in the order in
 * which theirs end. When there are too many, the oldest is given up: a client
 * that means it needs milliseconds, and one that does not can wait for long.
 *
 * Invariants: the listener below is asked for a connection only while somebody
 * waits in {@link accept}; a wire is in `#handshakes` or belongs to a stream
 * in `#ready`, until it is accepted or closed.
 */
class TlsListener implements TransportListener {
  readonly endpoint: Endpoint;
  readonly #below: TransportListener;
  readonly #options: Required<TlsListenerOptions>;
  readonly #handshakes = new Map<TlsWire, (reason: Error) => void>();
  readonly #ready: Transport[] = [];
  #accepting = false;
  #failure: unknown = null;
  #closed = false;
  #wake: (() => void) | null = null;

  constructor(below: TransportListener, options: TlsListenerOptions) {
    this.endpoint = below.endpoint;
    this.#below = below;
    this.#options = {
      ...options,
      handshakeTimeout: options.handshakeTimeout ?? 10_000,
      maxHandshakes: options.maxHandshakes ?? 512,
      log: options.log ?? ((): void => {}),
    };
  }

  async accept(): Promise<Transport | null> {
    for (;;) {
      // When the listener below has ended, its socket's file has gone too.
      if (this.#closed && !this.#accepting) return null;
      const ready = this.#ready.shift();
      if (ready) return ready;
      if (this.#failure !== null) {
        const failure = this.#failure;
        this.#failure = null;
        throw failure;
      }
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      if (!this.#accepting) this.#acceptBelow();
      await woken;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#below.close();
    for (const giveUp of this.#handshakes.values()) {
      giveUp(new HandshakeError("the server stops"));
    }
    for (const transport of this.#ready.splice(0)) transport.close();
    this.#notify();
  }

  #notify(): void {
    this.#wake?.();
    this.#wake = null;
  }

  async #acceptBelow(): Promise<void> {
    this.#accepting = true;
    try {
      const transport = await this.#below.accept();
      if (transport === null) this.close();
      else if (this.#closed) transport.close();
      else this.#begin(new TlsWire(transport));
    } catch (error) {
      this.#failure = error;
    }
    this.#accepting = false;
    this.#notify();
  }

  /** Carries a handshake through; what it was refused for is logged. */
  async #begin(wire: TlsWire): Promise<void> {
    const { log } = this.#options;
    this.#makeRoom();
    try {
      const transport = await this.#shakeHands(wire);
      if (this.#closed) transport.close();
      else this.#ready.push(transport);
    } catch (error) {
      if (!this.#closed) {
        const at = formatEndpoint(this.endpoint);
        const { address } = wire.peer;
        const from = address ? ` from ${address}` : "";
        log(`Refused a client${from} at ${at}: ${refusalReason(error)}`);
      }
      wire.close();
    }
    this.#handshakes.delete(wire);
    this.#notify();
  }

  #makeRoom(): void {
    if (this.#handshakes.size < this.#options.maxHandshakes) return;
    const [oldest] = this.#handshakes;
    if (oldest === undefined) return;
    const [wire, giveUp] = oldest;
    this.#handshakes.delete(wire);
    giveUp(
      new HandshakeError(
        "there are too many handshakes, and its own is the oldest",
      ),
    );
  }

  /**
   * The server that listens is the one below. This one is for its events,
   * which say of one connection only what became of it.
   */
  #engine(): Server {
    const { ca, cert, key } = this.#options;
    return createServer({
      ca,
      cert,
      key,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.3",
      ALPNProtocols: [ALPN],
      // Without a timer of its own, which would keep all of a handshake that
      // has failed until it runs out.
      handshakeTimeout: -1,
    });
  }

  #shakeHands(wire: TlsWire): Promise<Transport> {
    const { handshakeTimeout } = this.#options;
    const server = this.#engine();
    const { promise, resolve, reject } = Promise.withResolvers<Transport>();
    this.#handshakes.set(wire, reject);
    const timer = setTimeout(() => {
      const text = `its handshake takes longer than ${handshakeTimeout} ms`;
      reject(new HandshakeError(text));
    }, handshakeTimeout);
    server.once("secureConnection", (socket: TLSSocket) => {
      // Deno 2.9 gives tickets also to clients whose certificate it refuses,
      // and takes whoever comes back with one for authorized.
      if (socket.isSessionReused()) reject(new HandshakeError(RESUMED));
      // The runtime checks both, but not clients that offer no protocol.
      else if (socket.authorized && socket.alpnProtocol === ALPN) {
        try {
          resolve(new TlsTransport(socket, wire));
        } catch {
          // Thrown on from an event, it would end the server.
          reject(new HandshakeError("its certificate cannot be understood"));
        }
      } else reject("ERR_SSL_NO_APPLICATION_PROTOCOL");
    });
    server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      // The reason of the runtime's own refusal is not in the error.
      reject(socket.authorizationError || error);
    });
    wire.once("end", () => {
      // If the engine has found fault with what came before, it says it first.
      setImmediate(() => reject("ECONNRESET"));
    });
    server.emit("connection", wire);
    wire.want();
    return promise.finally(() => clearTimeout(timer));
  }
}
