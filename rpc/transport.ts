/**
 * Byte streams between client and server, and where they come from.
 *
 * Everything above this file knows streams only by these two interfaces, so
 * that other sockets, other runtimes and encryption need no change there.
 *
 * @module
 */

import { FsError } from "../fs/errors.ts";
import { dialSocket, listenSocket } from "./_sockets.ts";
import { dialTls, type TlsDialOptions } from "./_tls_client.ts";
import { listenTls, type TlsListenerOptions } from "./_tls_listener.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";

/** A stream of bytes in both directions. */
export interface Transport {
  /** Where the other end is, as `HOST:PORT`; absent for a UNIX socket. */
  readonly peer?: string;
  /** Reads what has arrived, at least one byte; null at the stream's end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes all of `from`, which must not change until then. */
  write(from: Uint8Array): Promise<void>;
  /** Ends the stream; a read or write that is waiting fails. */
  close(): void;
}

/** A place where streams arrive. */
export interface TransportListener {
  /** Where it listens: with the port that the system has chosen. */
  readonly endpoint: Endpoint;
  /** The next stream; null when the listener is closed. */
  accept(): Promise<Transport | null>;
  /** Stops listening, and removes a socket's file. */
  close(): void;
}

/**
 * Connects to a server; with `tls`, to one that has a certificate of the CA in
 * it. Rejects with {@link EndpointError}, and with `EINVAL` for an endpoint
 * that needs `tls` and for one that cannot have it.
 */
export async function dial(
  endpoint: Endpoint,
  tls?: TlsDialOptions,
): Promise<Transport> {
  checkTls("connect to", endpoint, tls !== undefined);
  return await (tls ? dialTls(endpoint, tls) : dialSocket(endpoint));
}

/**
 * Listens at an endpoint; with `tls`, for clients that have a certificate of
 * the CA in it. The file of a UNIX socket is made for its owner alone (0600);
 * one that no server listens on any more is replaced, and one that a server
 * listens on is refused with `EBUSY`, as is any endpoint in use. Rejects with
 * {@link EndpointError} for what else the system refuses, and with `EINVAL`
 * for an endpoint that needs `tls` and for one that cannot have it.
 */
export async function listen(
  endpoint: Endpoint,
  tls?: TlsListenerOptions,
): Promise<TransportListener> {
  checkTls("listen at", endpoint, tls !== undefined);
  return await (tls ? listenTls(endpoint, tls) : listenSocket(endpoint));
}

/** The flags of the commands that hold what TLS needs. */
const TLS_FLAGS = {
  "connect to": "--tls-cert, --tls-key and --ca",
  "listen at": "--tls-cert, --tls-key and --client-ca",
} as const;

/** `tls:` is never without certificates, and `tcp:` is never with them. */
function checkTls(
  action: keyof typeof TLS_FLAGS,
  endpoint: Endpoint,
  given: boolean,
): void {
  if (endpoint.kind === "unix" || given === (endpoint.kind === "tls")) return;
  const where = formatEndpoint(endpoint);
  throw new FsError(
    "EINVAL",
    `cannot ${action} ${where}: ` +
      (given
        ? `with certificates it is tls${where.slice("tcp".length)}`
        : `TLS needs certificates; give ${TLS_FLAGS[action]}`),
  );
}
