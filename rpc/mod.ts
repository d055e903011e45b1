/**
 * The RPC: a server and a client over UNIX sockets and TCP, also by TLS.
 *
 * @module
 */

export type {
  AttributeChanges,
  Attributes,
  DeviceNumber,
  Timestamp,
  VolumeStatistics,
} from "../fs/attributes.ts";
export { type Errno, ERRNO_TEXT } from "../fs/errors.ts";
export * from "./client.ts";
export * from "./disconnected_error.ts";
export * from "./endpoint.ts";
export { EndpointError } from "./endpoint_error.ts";
export * from "./errno.ts";
export * from "./open_flags.ts";
export * from "./operations.ts";
export * from "./protocol_error.ts";
export * from "./remote_files.ts";
export * from "./server.ts";
export * from "./tls_check.ts";
export * from "./tls_options.ts";
export * from "./transport.ts";
export type { TlsDialOptions } from "./_tls_client.ts";
export type { TlsListenerOptions } from "./_tls_listener.ts";
export type { Fields, ValueOf, ValuesOf, WireType } from "./wire_types.ts";
export type { FrameWriter, InPlace } from "./frame_writer.ts";
