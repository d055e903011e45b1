/**
 * Sockets of Node as transports: what a client stands on where there is no
 * Deno.
 *
 * @module
 */

import { connect, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { serverNameOf, shakeHands, SILENT_END } from "./_tls_client.ts";
import { tlsEndpointError } from "./_tls_errors.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { EndpointError, endpointError } from "./endpoint_error.ts";
import { describeCertificate, type Peer } from "./peer.ts";
import { checkTlsOptions } from "./tls_check.ts";
import type { TlsDialOptions } from "./tls_options.ts";
import type { Transport } from "./transport.ts";

/** Connects to a socket. Rejects with {@link EndpointError}. */
export async function dialNode(endpoint: Endpoint): Promise<Transport> {
  const socket = await connectNode(endpoint);
  return new NodeTransport(socket, peerOf(socket, endpoint));
}

/** Connects by TLS; see `dialTls()`. */
export async function dialNodeTls(
  endpoint: Endpoint,
  options: TlsDialOptions,
): Promise<Transport> {
  checkTlsOptions(options);
  const raw = await connectNode(endpoint);
  try {
    const name = serverNameOf(endpoint, options);
    const socket = await shakeHands(raw, name, options);
    const certificate = describeCertificate(socket.getPeerCertificate().raw);
    const peer = { ...peerOf(raw, endpoint), certificate };
    return new NodeTransport(
      socket,
      peer,
      (error) => tlsEndpointError(endpoint, error ?? SILENT_END),
    );
  } catch (error) {
    raw.destroy();
    throw tlsEndpointError(endpoint, error);
  }
}

async function connectNode(endpoint: Endpoint): Promise<Socket> {
  try {
    return await new Promise<Socket>((resolve, reject) => {
      const socket = endpoint.kind === "unix"
        // Linux's abstract names begin with a NUL (unix(7)).
        ? connect(endpoint.abstract ? `\0${endpoint.path}` : endpoint.path)
        : connect({
          host: endpoint.host,
          port: endpoint.port,
          // Requests are small and are batched already.
          noDelay: true,
          keepAlive: true,
        });
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(socket);
      });
    });
  } catch (error) {
    if (endpoint.kind === "unix" && endpoint.abstract) {
      throw abstractError(endpoint, error);
    }
    throw endpointError("connect to", endpoint, error);
  }
}

/**
 * Node 20 (libuv 1.46) fills a name up with zeros, which makes it another one.
 */
function abstractError(endpoint: Endpoint, cause: unknown): EndpointError {
  return new EndpointError(
    "ECONNREFUSED",
    `Cannot connect to ${formatEndpoint(endpoint)}: no server listens there, ` +
      "or this version of Node cannot reach it: Node 20 needs a socket with " +
      "a path",
    { cause },
  );
}

function peerOf(socket: Socket, endpoint: Endpoint): Peer {
  const { remoteAddress: host, remotePort: port } = socket;
  if (endpoint.kind === "unix" || host === undefined) return { endpoint };
  const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  return { endpoint, address };
}

/** Says what an error means; null stands for an end without a byte before. */
type Explain = (error: unknown) => unknown;

/** A stream over a socket, which is read when somebody wants to. */
class NodeTransport implements Transport {
  readonly peer: Peer;
  readonly #socket: Socket | TLSSocket;
  readonly #explain: Explain | undefined;
  #rest: Uint8Array | null = null;
  #heard = false;
  #closed = false;
  #failure: unknown = null;
  #wake: (() => void) | null = null;

  constructor(socket: Socket | TLSSocket, peer: Peer, explain?: Explain) {
    this.#socket = socket;
    this.peer = peer;
    this.#explain = explain;
    socket.on("error", (error) => {
      this.#failure ??= error;
    });
    for (const event of ["readable", "end", "close"]) {
      socket.on(event, () => {
        this.#wake?.();
        this.#wake = null;
      });
    }
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#closed) throw this.#ended();
      const chunk: Uint8Array | null = this.#rest ?? this.#socket.read();
      if (chunk !== null) return this.#take(chunk, into);
      if (this.#failure !== null) throw this.#ended();
      if (this.#socket.readableEnded || this.#socket.destroyed) {
        if (this.#explain && !this.#heard) throw this.#explain(null);
        return null;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  write(from: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw this.#ended();
      this.#socket.write(from, (error) => {
        if (!error) return resolve();
        this.#failure ??= error;
        reject(this.#ended());
      });
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // A last record of TLS is sent, unless the peer does not take what came
    // before it.
    if (this.#socket.writableLength > 0) this.#socket.destroy();
    else this.#socket.destroySoon();
  }

  #take(chunk: Uint8Array, into: Uint8Array): number {
    this.#heard = true;
    const piece = chunk.subarray(0, into.length);
    into.set(piece);
    this.#rest = piece.length < chunk.length
      ? chunk.subarray(piece.length)
      : null;
    return piece.length;
  }

  #ended(): unknown {
    const failure = this.#failure ?? new Error("the connection was closed");
    return this.#explain && !this.#heard ? this.#explain(failure) : failure;
  }
}
