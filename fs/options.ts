/**
 * The options of the engine's calls.
 *
 * @module
 */

import type { Credentials, DeviceNumber } from "./attributes.ts";
import type { AtimePolicy } from "./setattr.ts";
import type { VolumeOptions } from "./volume.ts";

/** How a filesystem is to be opened. */
export interface FilesystemOptions extends VolumeOptions {
  /** When reading sets the time of the last read; `"relatime"` if absent. */
  atime?: AtimePolicy;
}

/** What a new file is to be. */
export interface CreateOptions {
  /** Permission, set-id and sticky bits. */
  mode?: number;
  /** Whose it is; the superuser's if absent. */
  credentials?: Credentials;
}

/** What a new device node, fifo or socket is to be. */
export interface NodeOptions extends CreateOptions {
  /** `S_IFCHR`, `S_IFBLK`, `S_IFIFO` or `S_IFSOCK`. */
  kind: number;
  /** Number of a device. */
  rdev?: DeviceNumber;
}

/** For which part of a file blocks are to be taken or given back, and how. */
export interface AllocateOptions {
  /** First byte of the range. */
  offset: number;
  /** Number of bytes, at least 1. */
  length: number;
  /** The file does not grow; ext2 refuses a range behind its end then. */
  keepSize?: boolean;
  /** Give blocks back: the range becomes a hole. Goes with `keepSize` only. */
  punchHole?: boolean;
  /** Make the range read as zeros, with blocks of its own. */
  zeroRange?: boolean;
}

/** What is to be copied from file to file. */
export interface CopyRangeOptions {
  /** Inode number of the file to copy from. */
  from: number;
  /** First byte to copy. */
  fromOffset: number;
  /** Inode number of the file to copy to; it may be the same. */
  to: number;
  /** Where the first byte goes. */
  toOffset: number;
  /** Number of bytes. */
  length: number;
}
