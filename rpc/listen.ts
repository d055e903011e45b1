/**
 * Where a server's byte streams arrive.
 *
 * @module
 */

import { listenSocket } from "./_sockets.ts";
import { checkTls } from "./_tls_by_endpoint.ts";
import { listenTls, type TlsListenerOptions } from "./_tls_listener.ts";
import type { Endpoint } from "./endpoint.ts";
import type { TransportListener } from "./transport.ts";

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
