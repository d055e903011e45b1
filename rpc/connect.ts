/**
 * Connecting to a server.
 *
 * @module
 */

import { orAborted } from "./_aborts.ts";
import { Client } from "./client.ts";
import type { ClientOptions } from "./client_options.ts";
import { dial } from "./dial.ts";
import { type Endpoint, formatEndpoint, parseEndpoint } from "./endpoint.ts";
import { ProtocolError } from "./protocol_error.ts";
import type { TlsClientOptions } from "./tls_options.ts";
import type { Transport } from "./transport.ts";

/** How a connection is made. */
export interface ConnectOptions extends ClientOptions {
  /**
   * Milliseconds until the server must have answered the hello, and for the
   * handshake of TLS before that; 10,000.
   */
  helloTimeout?: number;
  /** Makes it TLS: needed for `tls:`, and not for `tcp:`. */
  tls?: TlsClientOptions;
  /** Makes the byte stream; the platform's own sockets, or TLS, if absent. */
  dial?: (endpoint: Endpoint) => Promise<Transport>;
  /** Gives up connecting; a connection that is made is not ended by it. */
  signal?: AbortSignal;
}

/**
 * Connects to a server and agrees on version and limits.
 *
 * `endpoint` is `unix:PATH`, `unix:@ABSTRACT`, `tcp:HOST:PORT` or
 * `tls:HOST:PORT`. Rejects with {@link EndpointError} if nobody listens there
 * or a certificate is refused, with {@link FsError} if the server refuses the
 * connection, and with {@link ProtocolError} if what listens there does not
 * speak the protocol.
 *
 * @example
 * ```ts
 * await using client = await connect("unix:/run/nextfs.sock");
 * console.log(await client.files.readTextFile("/etc/motd"));
 * ```
 */
export async function connect(
  endpoint: string | Endpoint,
  options: ConnectOptions = {},
): Promise<Client> {
  const where = typeof endpoint === "string"
    ? parseEndpoint(endpoint)
    : endpoint;
  const { helloTimeout = 10_000, signal } = options;
  signal?.throwIfAborted();
  const transport = await dialUnlessAborted(where, options, helloTimeout);
  const client = new Client(transport, formatEndpoint(where), options);
  const timer = setTimeout(() => {
    client.fail(
      new ProtocolError(
        `Cannot use the server at ${formatEndpoint(where)}: no answer to ` +
          `the hello within ${helloTimeout} ms`,
      ),
    );
  }, helloTimeout);
  try {
    await orAborted(client.hello(), signal);
    return client;
  } catch (error) {
    await client.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** The byte stream. One that comes when the signal has fired is closed. */
async function dialUnlessAborted(
  where: Endpoint,
  { dial: own, tls, signal }: ConnectOptions,
  handshakeTimeout: number,
): Promise<Transport> {
  const dialled = own
    ? own(where)
    : dial(where, tls && { ...tls, handshakeTimeout });
  try {
    return await orAborted(dialled, signal);
  } catch (error) {
    if (signal?.aborted) {
      dialled.then((transport) => transport.close(), () => {});
    }
    throw error;
  }
}
