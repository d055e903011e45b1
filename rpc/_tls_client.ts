/**
 * The client's side of TLS 1.3 (RFC 8446), with a certificate of its own.
 *
 * @module
 */

import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { checkServerIdentity, connect, type TLSSocket } from "node:tls";
import { dialSocket } from "./_sockets.ts";
import { HandshakeError, tlsEndpointError } from "./_tls_errors.ts";
import { TlsTransport } from "./_tls_transport.ts";
import { TlsWire } from "./_tls_wire.ts";
import type { Endpoint } from "./endpoint.ts";
import { checkTlsOptions } from "./tls_check.ts";
import { ALPN, type TlsDialOptions } from "./tls_options.ts";
import type { Transport } from "./transport.ts";

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
  try {
    const name = serverNameOf(endpoint, options);
    const shaken = shakeHands(wire, name, options);
    wire.want();
    return new TlsTransport(
      await shaken,
      wire,
      (error) => tlsEndpointError(endpoint, error ?? SILENT_END),
    );
  } catch (error) {
    wire.close();
    throw tlsEndpointError(endpoint, error);
  }
}

/** The code of a connection that ended before the server said anything. */
export const SILENT_END = "ECONNRESET";

/** Whom the server's certificate must be for; undefined for anybody. */
export function serverNameOf(
  endpoint: Endpoint,
  { serverName }: TlsDialOptions,
): string | undefined {
  return serverName ?? (endpoint.kind === "unix" ? undefined : endpoint.host);
}

/**
 * Makes TLS of a stream of bytes; the server's certificate must be for `name`.
 * Rejects with what `tlsEndpointError()` explains.
 */
export async function shakeHands(
  stream: Duplex,
  name: string | undefined,
  options: TlsDialOptions,
): Promise<TLSSocket> {
  const { handshakeTimeout = 10_000 } = options;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const text = `no answer to the TLS handshake in ${handshakeTimeout} ms`;
      reject(new HandshakeError(text));
    }, handshakeTimeout);
  });
  try {
    return await Promise.race([handshake(stream, name, options), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

function handshake(
  stream: Duplex,
  name: string | undefined,
  { ca, cert, key }: TlsDialOptions,
): Promise<TLSSocket> {
  const socket = connect({
    socket: stream,
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
  return new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.once("close", () => reject(SILENT_END));
    socket.once("secureConnect", () => {
      // In a resumed session a certificate is not checked: none is wanted.
      const isChecked = socket.authorized && !socket.isSessionReused();
      if (!isChecked) reject("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
      else if (socket.alpnProtocol === ALPN) resolve(socket);
      else reject("ERR_SSL_NO_APPLICATION_PROTOCOL");
    });
  });
}
