/**
 * The client's side of TLS 1.3 (RFC 8446), with a certificate of its own.
 *
 * @module
 */

import { isIP } from "node:net";
import { checkServerIdentity, connect, type TLSSocket } from "node:tls";
import { dialSocket } from "./_sockets.ts";
import { HandshakeError, tlsEndpointError } from "./_tls_errors.ts";
import { TlsTransport } from "./_tls_transport.ts";
import { TlsWire } from "./_tls_wire.ts";
import type { Endpoint } from "./endpoint.ts";
import { checkTlsOptions } from "./tls_check.ts";
import { ALPN, type TlsClientOptions } from "./tls_options.ts";
import type { Transport } from "./transport.ts";

/** How a client connects. */
export interface TlsDialOptions extends TlsClientOptions {
  /** Milliseconds for the handshake; 10,000 if absent. */
  readonly handshakeTimeout?: number;
}

/**
 * Connects by TLS. The server's certificate must come from the CA given and be
 * for the endpoint's host. The path of a UNIX socket is no name: there the
 * certificate must come from the CA, and that is all. Rejects with
 * {@link TlsOptionsError} and {@link EndpointError}.
 */
export async function dialTls(
  endpoint: Endpoint,
  options: TlsDialOptions,
): Promise<Transport> {
  checkTlsOptions(options);
  const wire = new TlsWire(await dialSocket(endpoint));
  const name = options.serverName ??
    (endpoint.kind === "unix" ? undefined : endpoint.host);
  try {
    const socket = await shakeHands(wire, name, options);
    return new TlsTransport(
      socket,
      wire,
      (error) => tlsEndpointError(endpoint, error ?? SILENT_END),
    );
  } catch (error) {
    wire.close();
    throw tlsEndpointError(endpoint, error);
  }
}

/** The code of a connection that ended before the server said anything. */
const SILENT_END = "ECONNRESET";

function shakeHands(
  wire: TlsWire,
  name: string | undefined,
  options: TlsDialOptions,
): Promise<TLSSocket> {
  const { ca, cert, key, handshakeTimeout = 10_000 } = options;
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const timer = setTimeout(() => {
    const text = `no answer to the TLS handshake in ${handshakeTimeout} ms`;
    reject(new HandshakeError(text));
  }, handshakeTimeout);
  const socket = connect({
    socket: wire,
    ca,
    cert,
    key,
    // The server is told names, so that it can choose a certificate, but not
    // addresses (RFC 6066, section 3).
    ...(name !== undefined && !isIP(name) ? { servername: name } : {}),
    checkServerIdentity: (_, certificate) =>
      name === undefined ? undefined : checkServerIdentity(name, certificate),
    minVersion: "TLSv1.3",
    ALPNProtocols: [ALPN],
    rejectUnauthorized: true,
  });
  socket.on("error", reject);
  socket.once("close", () => reject(SILENT_END));
  socket.once("secureConnect", () => {
    // In a resumed session a certificate is not checked: none is wanted.
    const isChecked = socket.authorized && !socket.isSessionReused();
    if (!isChecked) reject("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
    else if (socket.alpnProtocol === ALPN) resolve(socket);
    else reject("ERR_SSL_NO_APPLICATION_PROTOCOL");
  });
  wire.want();
  return promise.finally(() => clearTimeout(timer));
}
