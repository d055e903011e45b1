/**
 * A volume that has no room for a file, and what would make room.
 *
 * @module
 */

import { type Filesystem, FsError } from "../fs/mod.ts";
import { printable } from "./names.ts";

/** A file does not fit into the new volume. */
export class FullError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "FullError";

  /** Makes the error for the file at `path`; says what there is none of. */
  constructor(path: string | Uint8Array, volume: Filesystem, cause: FsError) {
    super(reasonOf(printable(path), volume, cause), { cause });
  }
}

function reasonOf(path: string, volume: Filesystem, cause: FsError): string {
  const { inodesFree, blocksAvailable } = volume.statfs();
  if (inodesFree === 0) {
    return `No inode left for ${path}: give more with -N, or a larger --size`;
  }
  // Some blocks may be free where a map or directory needed more of them.
  if (blocksAvailable > 0 && cause.message.includes(": ")) {
    return `No room for ${path}: ${cause.message}`;
  }
  return `No space left on device for ${path}: give a larger --size, or none`;
}

/** The same error, or a {@link FullError} in place of `ENOSPC`. */
export function orFull(
  error: unknown,
  path: string | Uint8Array,
  volume: Filesystem,
): unknown {
  return error instanceof FsError && error.code === "ENOSPC"
    ? new FullError(path, volume, error)
    : error;
}
