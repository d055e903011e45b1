/**
 * The values that operations share: nodes, names, times, attributes.
 *
 * @module
 */

import type {
  AttributeChanges,
  Attributes,
  DeviceNumber,
  Timestamp,
  VolumeStatistics,
} from "../fs/attributes.ts";
import {
  boolean,
  bytes,
  integer,
  list,
  nullable,
  record,
  text,
  WireTypeError,
} from "./wire_types.ts";
import type { WireType } from "./wire_types.ts";

/**
 * The largest integer of the wire, 2^53 − 1: beyond it a double, which is what
 * many languages decode numbers to, is no longer exact.
 */
export const INTEGER_MAX = Number.MAX_SAFE_INTEGER;

/** Integers of 32 bits. */
export const uint32: WireType<number> = integer(0, 0xffffffff, "uint32");
/** Positions and sizes in bytes, directory cookies. */
export const uint53: WireType<number> = integer(0, INTEGER_MAX, "uint53");
/** Mode bits as in `st_mode`. */
export const mode: WireType<number> = integer(0, 0xffff, "mode");

/** A file: inode number and generation, so that a reused number is noticed. */
export interface Node {
  /** Inode number. */
  readonly ino: number;
  /** Generation of the inode. */
  readonly generation: number;
}

/** A file on the wire. */
export const node: WireType<Node> = record("node", {
  ino: uint32,
  generation: uint32,
});

/** A name in a directory: at most 255 bytes (ext2, and Linux's NAME_MAX). */
export const name: WireType<Uint8Array> = bytes(1, 255, {
  tooLong: "ENAMETOOLONG",
  name: "name",
});

/** A path: at most 4095 bytes, Linux's PATH_MAX less the final NUL. */
export const path: WireType<Uint8Array> = bytes(0, 4095, {
  tooLong: "ENAMETOOLONG",
  name: "path",
});

/** The full name of an extended attribute: at most 255 bytes (xattr(7)). */
export const xattrName: WireType<Uint8Array> = bytes(1, 255, {
  name: "xattr name",
});

/** The most bytes an extended attribute's value may have (xattr(7)). */
export const XATTR_VALUE_MAX = 65536;

/** A point in time. */
export const timestamp: WireType<Timestamp> = record("timestamp", {
  sec: integer(-INTEGER_MAX, INTEGER_MAX, "int53"),
  nsec: integer(0, 999_999_999),
});

/** The number of a device node. */
export const deviceNumber: WireType<DeviceNumber> = record("device", {
  major: integer(0, 0xfff),
  minor: integer(0, 0xfffff),
});

/** The attributes of a file. A {@link Node} is their first two values. */
export const ATTRIBUTE_FIELDS = {
  ino: uint32,
  generation: uint32,
  mode,
  nlink: uint32,
  uid: uint32,
  gid: uint32,
  rdev: deviceNumber,
  size: uint53,
  blocks: uint53,
  atime: timestamp,
  mtime: timestamp,
  ctime: timestamp,
  birthtime: nullable(timestamp),
  flags: uint32,
};

/** The attributes of a file on the wire. */
export const attributes: WireType<Attributes> = record(
  "attributes",
  ATTRIBUTE_FIELDS,
);

/** A time to set: the server's clock for true, else the time given. */
const timeOrNow: WireType<Timestamp | "now"> = {
  description: "timestamp or true (now)",
  cddl: { ...timestamp.cddl, use: `${timestamp.cddl.use} / true` },
  read(item): Timestamp | "now" {
    return item === true ? "now" : timestamp.read(item);
  },
  write(to, value): void {
    if (value === "now") to.boolean(true);
    else timestamp.write(to, value);
  },
};

/** The fields of a change of attributes; null leaves one as it is. */
export const CHANGE_FIELDS = {
  mode: nullable(integer(0, 0o7777, "permissions")),
  uid: nullable(uint32),
  gid: nullable(uint32),
  size: nullable(uint53),
  atime: nullable(timeOrNow),
  mtime: nullable(timeOrNow),
  ctime: nullable(timestamp),
  birthtime: nullable(timestamp),
  flags: nullable(uint32),
};

const changeRecord = record("changes", CHANGE_FIELDS);

/** A change of attributes on the wire. */
export const changes: WireType<AttributeChanges> = {
  description: changeRecord.description,
  cddl: changeRecord.cddl,
  read(item): AttributeChanges {
    const values = Object.entries(changeRecord.read(item));
    return Object.fromEntries(values.filter(([, value]) => value !== null));
  },
  write(to, value): void {
    changeRecord.write(to, {
      mode: value.mode ?? null,
      uid: value.uid ?? null,
      gid: value.gid ?? null,
      size: value.size ?? null,
      atime: value.atime ?? null,
      mtime: value.mtime ?? null,
      ctime: value.ctime ?? null,
      birthtime: value.birthtime ?? null,
      flags: value.flags ?? null,
    });
  },
};

/** The fields of the volume's statistics. */
export const STATISTICS_FIELDS = {
  blockSize: uint32,
  blocks: uint53,
  blocksFree: uint53,
  blocksAvailable: uint53,
  inodes: uint53,
  inodesFree: uint53,
  nameMax: uint32,
  uuid: bytes(16, 16),
  label: text(64),
  readOnly: boolean,
};

/** The volume's statistics on the wire. */
export const statistics: WireType<VolumeStatistics> = record(
  "statistics",
  STATISTICS_FIELDS,
);

/** One entry of a directory as `readdir` lists it. */
export interface ListedEntry {
  /** The name: 1 to 255 bytes. */
  readonly name: Uint8Array;
  /** Inode number. */
  readonly ino: number;
  /** Hand this to `readdir` to go on behind this entry. */
  readonly cookie: number;
  /** What the entry names; null if its inode cannot be read. */
  readonly attributes: Attributes | null;
}

/** The fields of a directory's entry. */
export const ENTRY_FIELDS = {
  name,
  ino: uint32,
  cookie: uint53,
  attributes: nullable(attributes),
};

/** One entry of a directory on the wire. */
export const entry: WireType<ListedEntry> = record("entry", ENTRY_FIELDS);

/** The most entries of one `readdir`. */
export const ENTRIES_MAX = 1024;

/** Entries of a directory on the wire. */
export const entries: WireType<readonly ListedEntry[]> = list(
  entry,
  ENTRIES_MAX,
);

/**
 * Room for what later versions say in a hello: an array whose items this
 * version ignores, and leaves out.
 */
export const extensions: WireType<readonly unknown[]> = {
  description: "array, ignored",
  cddl: {
    use: "extensions",
    rules: {
      extensions: "[*extension]",
      extension: "int / bstr / tstr / bool / null / extensions",
    },
  },
  read(item): readonly unknown[] {
    if (Array.isArray(item)) return item;
    throw new WireTypeError("EINVAL", "expected an array");
  },
  write: (to): void => to.array(0),
};
