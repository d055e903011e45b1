/**
 * What is known of a file besides its contents: the engine's `struct stat`.
 *
 * @module
 */

/** A point in time, as a file's inode holds it. */
export interface Timestamp {
  /** Whole seconds since 1970-01-01T00:00:00Z; may be negative. */
  readonly sec: number;
  /** Nanoseconds within the second, 0 to 999,999,999. */
  readonly nsec: number;
}

/** The present, to the millisecond. */
export function systemTime(): Timestamp {
  const ms = Date.now();
  const sec = Math.floor(ms / 1000);
  return { sec, nsec: (ms - sec * 1000) * 1_000_000 };
}

/** The bits of `st_mode` that say what kind of file it is (POSIX). */
export const S_IFMT = 0o170000;
/** Socket. */
export const S_IFSOCK = 0o140000;
/** Symbolic link. */
export const S_IFLNK = 0o120000;
/** Regular file. */
export const S_IFREG = 0o100000;
/** Block device node. */
export const S_IFBLK = 0o060000;
/** Directory. */
export const S_IFDIR = 0o040000;
/** Character device node. */
export const S_IFCHR = 0o020000;
/** Named pipe. */
export const S_IFIFO = 0o010000;
/** Set user id on execution. */
export const S_ISUID = 0o4000;
/** Set group id on execution; on a directory, children inherit its group. */
export const S_ISGID = 0o2000;
/** On a directory, only a file's owner may remove it. */
export const S_ISVTX = 0o1000;

/** The attributes of one inode. */
export interface Attributes {
  /** Inode number. */
  readonly ino: number;
  /** Generation: tells a reused inode number from its former owner. */
  readonly generation: number;
  /** Kind (`S_IF…`), set-id and sticky bits, and permissions. */
  readonly mode: number;
  /** Number of names. */
  readonly nlink: number;
  /** Owner, 32 bits. */
  readonly uid: number;
  /** Group, 32 bits. */
  readonly gid: number;
  /** Device number of a device node, else `{major: 0, minor: 0}`. */
  readonly rdev: DeviceNumber;
  /** Size, in bytes. */
  readonly size: number;
  /** Space taken, in units of 512 bytes, metadata blocks included. */
  readonly blocks: number;
  /** Last read. */
  readonly atime: Timestamp;
  /** Last change of the contents. */
  readonly mtime: Timestamp;
  /** Last change of the contents or attributes. */
  readonly ctime: Timestamp;
  /** Creation, where the inode has room for it (256-byte inodes). */
  readonly birthtime: Timestamp | null;
  /** Inode flags as `chattr` knows them (`EXT2_*_FL`). */
  readonly flags: number;
}

/** The number of a device node. */
export interface DeviceNumber {
  /** Driver, 12 bits. */
  readonly major: number;
  /** Device of the driver, 20 bits. */
  readonly minor: number;
}

/** What `setattr` changes; what is absent stays. */
export interface AttributeChanges {
  /** Permission, set-id and sticky bits; the kind cannot change. */
  mode?: number;
  /** Owner. */
  uid?: number;
  /** Group. */
  gid?: number;
  /** Size in bytes: the file is cut, or grows by a hole. */
  size?: number;
  /** Last read. */
  atime?: Timestamp | "now";
  /** Last change of the contents. */
  mtime?: Timestamp | "now";
  /** Last change of attributes; `"now"` if absent. For restoring only. */
  ctime?: Timestamp;
  /** Creation, where the inode has room for it. For restoring only. */
  birthtime?: Timestamp;
  /** Inode flags that a user may change (`chattr`). */
  flags?: number;
}

/** Who asks: decides owner of what is created and use of reserved blocks. */
export interface Credentials {
  /** User id; 0 is the superuser. */
  readonly uid: number;
  /** Primary group id. */
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups?: readonly number[];
}

/** The credentials of operations that name none. */
export const SUPERUSER: Credentials = { uid: 0, gid: 0 };

/** Use of the whole volume, as `statvfs` reports it. */
export interface VolumeStatistics {
  /** Size of a block, in bytes. */
  readonly blockSize: number;
  /** Blocks that files can use: the volume's less its fixed overhead. */
  readonly blocks: number;
  /** Free blocks, reserved ones included. */
  readonly blocksFree: number;
  /** Free blocks that an ordinary user may take. */
  readonly blocksAvailable: number;
  /** Inodes. */
  readonly inodes: number;
  /** Free inodes. */
  readonly inodesFree: number;
  /** Longest name, in bytes. */
  readonly nameMax: number;
  /** The volume's UUID, 16 bytes. */
  readonly uuid: Uint8Array;
  /** The volume's label. */
  readonly label: string;
  /** True if changes are refused. */
  readonly readOnly: boolean;
}

/** One entry of a directory, as `readdir` returns it. */
export interface DirectoryEntry {
  /** The name: 1 to 255 bytes without `/` and NUL; normally UTF-8. */
  readonly name: Uint8Array;
  /** Inode number. */
  readonly ino: number;
  /** `mode & S_IFMT`, or 0 where the volume does not keep it in entries. */
  readonly kind: number;
  /** Hand this to `readdir` to go on behind this entry. */
  readonly cookie: number;
}
