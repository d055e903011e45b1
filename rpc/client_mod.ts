/**
 * The client of nextfs alone: it runs in Deno and in Node 20 and later.
 *
 * @example
 * ```ts
 * await using client = await connect("unix:/run/nextfs.sock");
 * await client.files.writeTextFile("/hello", "hello");
 * console.log(await client.files.readTextFile("/hello"));
 * ```
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
export {
  type Errno,
  ERRNO_TEXT,
  FsError,
  type FsErrorContext,
} from "../fs/errors.ts";
export * from "./client.ts";
export * from "./client_options.ts";
export * from "./connect.ts";
export * from "./dial.ts";
export * from "./disconnected_error.ts";
export * from "./endpoint.ts";
export { EndpointError } from "./endpoint_error.ts";
export {
  type DirEntry,
  type FileInfo,
  type FileKind,
  type FileTime,
} from "./file_info.ts";
export {
  type ChunkOptions,
  type FollowOptions,
  type LockRange,
  type MkdirOptions,
  type MknodOptions,
  type OpenNodeOptions,
  type OpenOptions,
  type RemotePath,
  type RemoveOptions,
  type RenameOptions,
  SeekMode,
  type SetXattrOptions,
  type SignalOptions,
  type WriteFileOptions,
} from "./file_options.ts";
export * from "./open_flags.ts";
export * from "./operations/mod.ts";
export type { Peer, PeerCertificate } from "./peer.ts";
export * from "./protocol_error.ts";
export * from "./remote_attributes.ts";
export * from "./remote_file.ts";
export * from "./remote_files.ts";
export * from "./tls_check.ts";
export * from "./tls_options.ts";
export type { Transport } from "./transport.ts";
export type {
  CddlType,
  Fields,
  ValueOf,
  ValuesOf,
  WireType,
} from "./wire_types.ts";
export type { FrameWriter, InPlace } from "./frame_writer.ts";
