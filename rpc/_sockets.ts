/**
 * The platform's sockets as transports, as they are: nothing is encrypted.
 *
 * @module
 */

import { FsError } from "../fs/errors.ts";
import type { Endpoint, UnixEndpoint } from "./endpoint.ts";
import { formatEndpoint } from "./endpoint.ts";
import { endpointError } from "./endpoint_error.ts";
import type { Peer } from "./peer.ts";
import type { Transport, TransportListener } from "./transport.ts";

/** A stream over a socket of the platform. */
class SocketTransport implements Transport {
  readonly peer: Peer;
  readonly #conn: Deno.Conn;
  #closed = false;

  /** Stands on a connection at `endpoint`. */
  constructor(conn: Deno.Conn, endpoint: Endpoint) {
    this.#conn = conn;
    this.peer = { endpoint, address: addressOf(conn.remoteAddr) };
    if ("setNoDelay" in conn) prepareTcp(conn as Deno.TcpConn);
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#conn.read(into);
  }

  async write(from: Uint8Array): Promise<void> {
    let at = 0;
    while (at < from.length) at += await this.#conn.write(from.subarray(at));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }
}

function prepareTcp(conn: Deno.TcpConn): void {
  // Requests are small and are batched here: the kernel must not hold them.
  conn.setNoDelay(true);
  // A peer whose machine has gone without a word is noticed in the end.
  conn.setKeepAlive(true);
}

function addressOf(address: Deno.Addr): string | undefined {
  if (address.transport !== "tcp") return undefined;
  const { hostname: host, port } = address;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Connects to a socket. Rejects with {@link EndpointError}. */
export async function dialSocket(endpoint: Endpoint): Promise<Transport> {
  try {
    return await connectSocket(endpoint);
  } catch (error) {
    throw endpointError("connect to", endpoint, error);
  }
}

async function connectSocket(endpoint: Endpoint): Promise<Transport> {
  if (endpoint.kind === "unix") {
    const path = socketPath(endpoint);
    const conn = await Deno.connect({ transport: "unix", path });
    return new SocketTransport(conn, endpoint);
  }
  const { host: hostname, port } = endpoint;
  const conn = await Deno.connect({ hostname, port });
  return new SocketTransport(conn, endpoint);
}

/**
 * Listens on a socket. Rejects with `EBUSY` if another server does, and with
 * {@link EndpointError} for what else the system refuses.
 */
export async function listenSocket(
  endpoint: Endpoint,
): Promise<TransportListener> {
  try {
    return await openListener(endpoint);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw inUse(endpoint);
    if (error instanceof FsError) throw error;
    throw endpointError("listen at", endpoint, error);
  }
}

async function openListener(endpoint: Endpoint): Promise<TransportListener> {
  if (endpoint.kind !== "unix") {
    const { host: hostname, port } = endpoint;
    const listener = Deno.listen({ hostname, port });
    return new SocketListener(listener, { ...endpoint, ...portOf(listener) });
  }
  if (!endpoint.abstract) await removeStaleSocket(endpoint);
  const umask = Deno.umask(0o177);
  try {
    const path = socketPath(endpoint);
    const listener = Deno.listen({ transport: "unix", path });
    return new SocketListener(listener, endpoint);
  } finally {
    Deno.umask(umask);
  }
}

class SocketListener implements TransportListener {
  readonly endpoint: Endpoint;
  readonly #listener: Deno.Listener;
  #closed = false;

  constructor(listener: Deno.Listener, endpoint: Endpoint) {
    this.#listener = listener;
    this.endpoint = endpoint;
  }

  async accept(): Promise<Transport | null> {
    try {
      const conn = await this.#listener.accept();
      return new SocketTransport(conn, this.endpoint);
    } catch (error) {
      if (this.#closed) return null;
      throw error;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // The runtime removes a UNIX socket's file too, without a permission.
    this.#listener.close();
  }
}

function portOf(listener: Deno.TcpListener): { port: number } {
  return { port: listener.addr.port };
}

/** Linux's abstract names begin with a NUL (unix(7)). */
function socketPath(endpoint: UnixEndpoint): string {
  return endpoint.abstract ? `\0${endpoint.path}` : endpoint.path;
}

/** Removes a socket's file if no server listens on it. */
async function removeStaleSocket(endpoint: UnixEndpoint): Promise<void> {
  const { path } = endpoint;
  try {
    const info = await Deno.lstat(path);
    if (!info.isSocket) {
      throw new FsError(
        "EEXIST",
        `cannot listen at ${formatEndpoint(endpoint)}: the file there is ` +
          "not a socket; remove it or choose another path",
      );
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  try {
    const conn = await Deno.connect({ transport: "unix", path });
    conn.close();
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) {
      await Deno.remove(path);
      return;
    }
    throw error;
  }
  throw inUse(endpoint);
}

function inUse(endpoint: Endpoint): FsError {
  return new FsError(
    "EBUSY",
    `cannot listen at ${formatEndpoint(endpoint)}: another server does; ` +
      "stop it or choose another endpoint",
  );
}
