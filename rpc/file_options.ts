/**
 * Options of the calls on files.
 *
 * @module
 */

import type { DeviceNumber } from "../fs/attributes.ts";
import { FsError } from "../fs/errors.ts";
import {
  O_APPEND,
  O_RDONLY,
  O_RDWR,
  O_SYNC,
  O_TRUNC,
  O_WRONLY,
} from "./open_flags.ts";

/** A path in the volume: bytes, or a string that stands for its UTF-8. */
export type RemotePath = string | Uint8Array;

/** How a call ends early. */
export interface SignalOptions {
  /**
   * Ends the call, which is rejected with the signal's reason. What it was to
   * change may have been changed, in part or as a whole.
   */
  signal?: AbortSignal;
}

/** Whether a path that names a symbolic link means the link or its target. */
export interface FollowOptions extends SignalOptions {
  /** True (the default) for the target. */
  follow?: boolean;
}

/** How a file is opened: as in `Deno.open()`. */
export interface OpenOptions extends SignalOptions {
  /** For reading; true if absent, unless it is opened for writing. */
  read?: boolean;
  /** For writing. */
  write?: boolean;
  /** For writing; every write goes to the end of the file. */
  append?: boolean;
  /** Cut the file to nothing; needs `write`. */
  truncate?: boolean;
  /** Make the file if it does not exist; needs `write` or `append`. */
  create?: boolean;
  /** Make the file, and refuse one that exists (`EEXIST`). */
  createNew?: boolean;
  /** Permissions of a new file; 0o644 if absent. */
  mode?: number;
  /** A write ends when it is on stable storage. */
  sync?: boolean;
}

/** How a file is opened that is there for sure. */
export type OpenNodeOptions = Omit<
  OpenOptions,
  "create" | "createNew" | "mode"
>;

/** How a whole file is written: as in `Deno.writeFile()`. */
export interface WriteFileOptions extends SignalOptions {
  /** Write behind what the file holds, instead of replacing it. */
  append?: boolean;
  /** Make the file if it does not exist; true if absent. */
  create?: boolean;
  /** Make the file, and refuse one that exists (`EEXIST`). */
  createNew?: boolean;
  /** Permissions of a new file; 0o644 if absent. */
  mode?: number;
}

/** How a directory is made. */
export interface MkdirOptions extends SignalOptions {
  /** Make those above it, too; one that exists is fine. */
  recursive?: boolean;
  /** Permissions; 0o755 if absent. Those above it have 0o755. */
  mode?: number;
}

/** What is removed. */
export interface RemoveOptions extends SignalOptions {
  /** A directory with all that is in it. */
  recursive?: boolean;
}

/** How a file is renamed. */
export interface RenameOptions extends SignalOptions {
  /** Refuse with `EEXIST` if the new name is taken. */
  noReplace?: boolean;
}

/** How a node is made. */
export interface MknodOptions extends SignalOptions {
  /** The number of a device. */
  rdev?: DeviceNumber;
}

/** How an extended attribute is set. */
export interface SetXattrOptions extends FollowOptions {
  /** Refuse with `EEXIST` if the attribute exists. */
  create?: boolean;
  /** Refuse with `ENODATA` if the attribute does not exist. */
  replace?: boolean;
}

/** Which part of a file to read, and how. */
export interface ChunkOptions extends SignalOptions {
  /** First byte to read; 0 if absent. */
  offset?: number;
  /** Number of bytes to read; to the end of the file if absent. */
  length?: number;
  /** Bytes of one read; 256 KiB if absent, bounded by the server's limit. */
  chunkSize?: number;
  /** Reads in flight at a time; 4 if absent. */
  readAhead?: number;
}

/** Which part of a file a lock is on. */
export interface LockRange {
  /** First byte; 0 if absent. */
  start?: number;
  /** Number of bytes; to the end, whatever that will be, if absent or 0. */
  length?: number;
}

/** Where `seek()` counts from: with the numbers of `Deno.SeekMode`. */
export const SeekMode = {
  /** From the start of the file. */
  Start: 0,
  /** From the position. */
  Current: 1,
  /** From the end of the file. */
  End: 2,
} as const;

/** One of the numbers in {@link SeekMode}, or of `Deno.SeekMode`. */
export type SeekMode = 0 | 1 | 2;

/** The flags on the wire. Throws `EINVAL` for what does not go together. */
export function openFlags(options: OpenOptions): number {
  const { append, truncate, create, createNew, sync } = options;
  const write = options.write || append;
  const read = options.read ?? !write;
  if (!read && !write) {
    throw new FsError("EINVAL", "open needs read, write or append");
  }
  if (!write && (create || createNew)) {
    throw new FsError("EINVAL", "to make a file takes write or append");
  }
  if (truncate && (!options.write || append)) {
    throw new FsError("EINVAL", "truncate takes write, and not append");
  }
  return (!write ? O_RDONLY : read ? O_RDWR : O_WRONLY) |
    (truncate ? O_TRUNC : 0) | (append ? O_APPEND : 0) | (sync ? O_SYNC : 0);
}
