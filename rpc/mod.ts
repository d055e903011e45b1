/**
 * The RPC: a server and a client over UNIX sockets and TCP, also by TLS.
 *
 * @module
 */

export * from "./client_mod.ts";
export * from "./errno.ts";
export * from "./id_map.ts";
export * from "./peer.ts";
export * from "./listen.ts";
export * from "./policy.ts";
export * from "./policy_error.ts";
export * from "./server.ts";
export * from "./transport.ts";
export type { TlsListenerOptions } from "./_tls_listener.ts";
