/**
 * One file of the model.
 *
 * @module
 */

import type { Timestamp } from "../../fs/mod.ts";
import { SparseBytes } from "./sparse_bytes.ts";

/** One file of the model, of any kind. */
export interface ModelNode {
  /** The engine's inode number. */
  readonly ino: number;
  /** Kind, set-id bits and permissions. */
  mode: number;
  /** Owner. */
  uid: number;
  /** Group. */
  gid: number;
  /** Number of names; of a directory, with its own and those in its children. */
  nlink: number;
  /** Number of a device node. */
  rdev: { major: number; minor: number };
  /** Last read. */
  atime: Timestamp;
  /** Last change of the contents. */
  mtime: Timestamp;
  /** Last change of contents or attributes. */
  ctime: Timestamp;
  /** Creation. */
  birthtime: Timestamp;
  /** Contents of a regular file. */
  readonly data: SparseBytes;
  /** Names of a directory, one character per byte, with inode numbers. */
  readonly entries: Map<string, number>;
  /** Parent of a directory. */
  parent: number;
  /** Target of a symbolic link. */
  target: Uint8Array;
  /** Extended attributes by full name. */
  readonly xattrs: Map<string, Uint8Array>;
  /** How often it is retained. */
  opens: number;
}

/** A file without names whose times are all `now`. */
export function newNode(ino: number, mode: number, now: Timestamp): ModelNode {
  return {
    ino,
    mode,
    uid: 0,
    gid: 0,
    nlink: 0,
    rdev: { major: 0, minor: 0 },
    atime: now,
    mtime: now,
    ctime: now,
    birthtime: now,
    data: new SparseBytes(),
    entries: new Map(),
    parent: ino,
    target: new Uint8Array(0),
    xattrs: new Map(),
    opens: 0,
  };
}
