/**
 * What a client is told of a file, in the words of Deno's `FileInfo`.
 *
 * @module
 */

import {
  type Attributes,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  type Timestamp,
} from "../fs/attributes.ts";

/** Which kind of file it is: one of these is true. */
export interface FileKind {
  /** A regular file. */
  readonly isFile: boolean;
  /** A directory. */
  readonly isDirectory: boolean;
  /** A symbolic link. */
  readonly isSymlink: boolean;
  /** The node of a block device. */
  readonly isBlockDevice: boolean;
  /** The node of a character device. */
  readonly isCharDevice: boolean;
  /** A named pipe. */
  readonly isFifo: boolean;
  /** A socket. */
  readonly isSocket: boolean;
}

/** What `stat()` says of a file. */
export interface FileInfo extends FileKind {
  /** Size, in bytes. */
  readonly size: number;
  /** Kind (`S_IF…`), set-id and sticky bits, and permissions. */
  readonly mode: number;
  /** Number of names. */
  readonly nlink: number;
  /** Owner. */
  readonly uid: number;
  /** Group. */
  readonly gid: number;
  /** Inode number. */
  readonly ino: number;
  /** Space taken, in units of 512 bytes. */
  readonly blocks: number;
  /** Last read. */
  readonly atime: Date;
  /** Last change of the contents. */
  readonly mtime: Date;
  /** Last change of the contents or attributes. */
  readonly ctime: Date;
  /** Creation; null where the volume does not keep it. */
  readonly birthtime: Date | null;
  /**
   * All that the server says: times to the nanosecond, generation, device
   * number and flags among it. It serves as the file's `node` in calls.
   */
  readonly attributes: Attributes;
}

/** One entry of a directory, with what is known of the file behind it. */
export interface DirEntry extends FileKind {
  /** The name; U+FFFD stands for what is not UTF-8. */
  readonly name: string;
  /** The name as it is: 1 to 255 bytes without `/` and NUL. */
  readonly nameBytes: Uint8Array;
  /** Attributes of the file itself: links are not followed. */
  readonly attributes: Attributes;
}

/** Says it in Deno's words. */
export function fileInfo(attributes: Attributes): FileInfo {
  const { size, mode, nlink, uid, gid, ino, blocks, birthtime } = attributes;
  return {
    ...kindOf(mode),
    ...{ size, mode, nlink, uid, gid, ino, blocks },
    atime: dateOf(attributes.atime),
    mtime: dateOf(attributes.mtime),
    ctime: dateOf(attributes.ctime),
    birthtime: birthtime && dateOf(birthtime),
    attributes,
  };
}

const utf8 = new TextDecoder();

/** Says it in Deno's words. */
export function dirEntry(name: Uint8Array, attributes: Attributes): DirEntry {
  return {
    name: utf8.decode(name),
    nameBytes: name,
    ...kindOf(attributes.mode),
    attributes,
  };
}

function kindOf(mode: number): FileKind {
  const kind = mode & S_IFMT;
  return {
    isFile: kind === S_IFREG,
    isDirectory: kind === S_IFDIR,
    isSymlink: kind === S_IFLNK,
    isBlockDevice: kind === S_IFBLK,
    isCharDevice: kind === S_IFCHR,
    isFifo: kind === S_IFIFO,
    isSocket: kind === S_IFSOCK,
  };
}

/** The millisecond that a point in time is in. */
function dateOf({ sec, nsec }: Timestamp): Date {
  return new Date(sec * 1000 + Math.floor(nsec / 1_000_000));
}

/** A time to set: a date, seconds since 1970, to the nanosecond, or now. */
export type FileTime = Date | number | Timestamp | "now";

/** The time as the server takes it. Throws `RangeError` for an invalid date. */
export function timestampOf(time: FileTime): Timestamp | "now" {
  if (typeof time === "object" && "sec" in time || time === "now") return time;
  const ms = time instanceof Date ? time.getTime() : time * 1000;
  if (!Number.isFinite(ms)) throw new RangeError("The time is not a valid one");
  const sec = Math.floor(ms / 1000);
  const nsec = Math.floor((ms - sec * 1000) * 1e6);
  return { sec, nsec: Math.min(nsec, 999_999_999) };
}
