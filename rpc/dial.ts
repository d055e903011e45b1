/**
 * Byte streams to a server, in Deno and in Node.
 *
 * @module
 */

import { dialNode, dialNodeTls } from "./_node_sockets.ts";
import { dialSocket } from "./_sockets.ts";
import { checkTls } from "./_tls_by_endpoint.ts";
import { dialTls } from "./_tls_client.ts";
import type { Endpoint } from "./endpoint.ts";
import type { TlsDialOptions } from "./tls_options.ts";
import type { Transport } from "./transport.ts";

/** Deno's own sockets are quicker than those it has for programs of Node. */
const IS_DENO = "Deno" in globalThis;

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
  if (IS_DENO) {
    return await (tls ? dialTls(endpoint, tls) : dialSocket(endpoint));
  }
  return await (tls ? dialNodeTls(endpoint, tls) : dialNode(endpoint));
}
