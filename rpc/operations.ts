/**
 * The table of operations: the protocol's one definition.
 *
 * Client calls, the server's dispatch, the types of both, the bounds on every
 * argument and the tables of `docs/rpc.md` come from here.
 *
 * @module
 */

import {
  DATA_MAX,
  FRAME_LEAST,
  FRAME_MAX,
  IN_FLIGHT_MAX,
  READDIR_REPLY,
  SMALL_REPLY,
} from "./limits.ts";
import { O_TRUNC } from "./open_flags.ts";
import { boolean, bytes, integer, list, text } from "./wire_types.ts";
import type { Fields, ValuesOf } from "./wire_types.ts";
import {
  attributes,
  changes,
  deviceNumber,
  entries,
  ENTRIES_MAX,
  extensions,
  INTEGER_MAX,
  mode,
  name,
  node,
  path,
  statistics,
  uint32,
  uint53,
  XATTR_VALUE_MAX,
  xattrName,
} from "./wire_values.ts";

export type { ListedEntry, Node } from "./wire_values.ts";

/** One operation: what it is called, takes, returns and does. */
export interface Operation<
  A extends Fields = Fields,
  R extends Fields = Fields,
> {
  /** Its number on the wire. */
  readonly number: number;
  /** One sentence for the documentation. */
  readonly doc: string;
  /** True if it may change the volume. */
  readonly mutates: boolean;
  /** True if doing it twice in a row leaves the same as doing it once. */
  readonly idempotent: boolean;
  /** Its arguments, in their order. */
  readonly arguments: A;
  /** Its results, in their order. */
  readonly results: R;
  /** Bytes its reply does not exceed; {@link SMALL_REPLY} if absent. */
  readonly replySize?: (args: ValuesOf<A>) => number;
  /** For the documentation: when repeating it is not the same after all. */
  readonly unless?: string;
  /** True for arguments with which it changes nothing; none if absent. */
  readonly harmless?: (args: ValuesOf<A>) => boolean;
}

/** The kinds of operation, by what repeating one does. */
const QUERY = { mutates: false, idempotent: true } as const;
/** It has an effect on the connection, not on the volume. */
const SESSION = { mutates: false, idempotent: false } as const;
/** It leaves the volume the same if it is repeated. */
const UPDATE = { mutates: true, idempotent: true } as const;
/** Repeating it fails, or does something else. */
const CHANGE = { mutates: true, idempotent: false } as const;

function operation<A extends Fields, R extends Fields>(
  one: Operation<A, R>,
): Operation<A, R> {
  return one;
}

const descriptor = integer(1, INTEGER_MAX, "descriptor");
const openFlags = integer(0, 0xffffffff, "flags");
const data = bytes(0, DATA_MAX);
const noResults = {};

/** Every operation that is built, by name. */
export const OPERATIONS = {
  hello: operation({
    number: 64,
    doc: "Opens the conversation; the first request of every connection.",
    ...SESSION,
    arguments: {
      magic: text(16),
      version: uint32,
      maxFrame: integer(FRAME_LEAST, 0xffffffff),
      maxInFlight: integer(1, 0xffffffff),
    },
    results: {
      version: uint32,
      maxFrame: integer(FRAME_LEAST, FRAME_MAX),
      maxData: integer(1, DATA_MAX),
      maxInFlight: integer(1, IN_FLIGHT_MAX),
      maxDescriptors: uint32,
      maxEntries: integer(1, ENTRIES_MAX),
      readOnly: boolean,
      root: node,
      extensions,
    },
  }),
  resolve: operation({
    number: 65,
    doc: "Walks `path` from the directory `dir`; `follow` says whether a " +
      "symbolic link at its end is followed.",
    ...QUERY,
    arguments: { dir: node, path, follow: boolean },
    results: { attributes },
  }),
  getattr: operation({
    number: 66,
    doc: "Attributes of a file.",
    ...QUERY,
    arguments: { node },
    results: { attributes },
  }),
  setattr: operation({
    number: 67,
    doc: "Changes attributes; a size cuts the file, or grows it by a hole.",
    ...UPDATE,
    arguments: { node, changes },
    results: { attributes },
  }),
  lookup: operation({
    number: 68,
    doc: "Attributes of the file that `name` stands for in `dir`.",
    ...QUERY,
    arguments: { dir: node, name },
    results: { attributes },
  }),
  open: operation({
    number: 69,
    doc: "Opens a regular file.",
    ...CHANGE,
    harmless: ({ flags }): boolean => (flags & O_TRUNC) === 0,
    arguments: { node, flags: openFlags },
    results: { descriptor, attributes },
  }),
  close: operation({
    number: 70,
    doc: "Gives up a descriptor, whose number never comes back.",
    ...SESSION,
    arguments: { descriptor },
    results: noResults,
  }),
  read: operation({
    number: 71,
    doc: "Reads up to `length` bytes; fewer only at the end of the file.",
    ...QUERY,
    arguments: {
      descriptor,
      offset: uint53,
      length: integer(0, DATA_MAX),
    },
    results: { data },
    replySize: (args): number => args.length + SMALL_REPLY,
  }),
  write: operation({
    number: 72,
    doc: "Writes all of `data`, or fails; with O_DSYNC or O_SYNC, replies " +
      "when it is on stable storage.",
    ...UPDATE,
    unless: "the descriptor was opened with O_APPEND",
    arguments: { descriptor, offset: uint53, data },
    results: { count: uint32 },
  }),
  create: operation({
    number: 73,
    doc: "Makes and opens a regular file with the permissions of `mode`; " +
      "one that exists is opened, or refused with O_EXCL.",
    ...CHANGE,
    arguments: { dir: node, name, mode, flags: openFlags },
    results: { descriptor, attributes },
  }),
  readdir: operation({
    number: 74,
    doc: "Lists up to `count` entries behind `cookie` (0: from the start), " +
      "`.` and `..` among them; `end` is true if none follow.",
    ...QUERY,
    arguments: {
      node,
      cookie: uint53,
      count: integer(1, ENTRIES_MAX),
    },
    results: { entries, end: boolean },
    replySize: (): number => READDIR_REPLY + SMALL_REPLY,
  }),
  mkdir: operation({
    number: 75,
    doc: "Makes a directory with the permissions of `mode`.",
    ...CHANGE,
    arguments: { dir: node, name, mode },
    results: { attributes },
  }),
  mknod: operation({
    number: 76,
    doc: "Makes a device node, a named pipe or a socket; `mode` says which.",
    ...CHANGE,
    arguments: { dir: node, name, mode, rdev: deviceNumber },
    results: { attributes },
  }),
  symlink: operation({
    number: 77,
    doc: "Makes a symbolic link that holds `target`.",
    ...CHANGE,
    arguments: { dir: node, name, target: path },
    results: { attributes },
  }),
  link: operation({
    number: 78,
    doc: "Gives a file one more name.",
    ...CHANGE,
    arguments: { node, dir: node, name },
    results: noResults,
  }),
  unlink: operation({
    number: 79,
    doc: "Removes a name of a file that is not a directory.",
    ...CHANGE,
    arguments: { dir: node, name },
    results: noResults,
  }),
  rmdir: operation({
    number: 80,
    doc: "Removes an empty directory.",
    ...CHANGE,
    arguments: { dir: node, name },
    results: noResults,
  }),
  rename: operation({
    number: 81,
    doc: "Renames; what the new name stands for is replaced, or refused " +
      "with `noReplace`.",
    ...CHANGE,
    arguments: {
      fromDir: node,
      fromName: name,
      toDir: node,
      toName: name,
      noReplace: boolean,
    },
    results: noResults,
  }),
  readlink: operation({
    number: 82,
    doc: "What a symbolic link holds.",
    ...QUERY,
    arguments: { node },
    results: { target: path },
    replySize: (): number => 4096 + SMALL_REPLY,
  }),
  statfs: operation({
    number: 83,
    doc: "Use of the whole volume.",
    ...QUERY,
    arguments: {},
    results: { statistics },
  }),
  getxattr: operation({
    number: 84,
    doc: "Value of an extended attribute.",
    ...QUERY,
    arguments: { node, name: xattrName },
    results: { value: bytes(0, XATTR_VALUE_MAX) },
    replySize: (): number => XATTR_VALUE_MAX + SMALL_REPLY,
  }),
  setxattr: operation({
    number: 85,
    doc: "Sets an extended attribute; `create` refuses one that exists, " +
      "`replace` one that does not.",
    ...UPDATE,
    unless: "`create` is true",
    arguments: {
      node,
      name: xattrName,
      value: bytes(0, XATTR_VALUE_MAX),
      create: boolean,
      replace: boolean,
    },
    results: noResults,
  }),
  listxattr: operation({
    number: 86,
    doc: "Full names of a file's extended attributes.",
    ...QUERY,
    arguments: { node },
    results: { names: list(xattrName, 4096) },
    replySize: (): number => XATTR_VALUE_MAX + SMALL_REPLY,
  }),
  removexattr: operation({
    number: 87,
    doc: "Removes an extended attribute.",
    ...CHANGE,
    arguments: { node, name: xattrName },
    results: noResults,
  }),
  sync: operation({
    number: 88,
    doc: "Replies when every change completed before it is on stable storage.",
    ...QUERY,
    arguments: {},
    results: noResults,
  }),
  fsync: operation({
    number: 89,
    doc: "Replies when every change of the open file is on stable storage.",
    ...QUERY,
    arguments: { descriptor },
    results: noResults,
  }),
  fdatasync: operation({
    number: 90,
    doc: "The same as `fsync`: what is stored of a file is stored as a whole.",
    ...QUERY,
    arguments: { descriptor },
    results: noResults,
  }),
} as const;

/** The name of an operation that is built. */
export type OperationName = keyof typeof OPERATIONS;

/** The arguments of an operation, by name. */
export type Arguments<K extends OperationName> = ValuesOf<
  (typeof OPERATIONS)[K]["arguments"]
>;

/** The results of an operation, by name. */
export type Results<K extends OperationName> = ValuesOf<
  (typeof OPERATIONS)[K]["results"]
>;

/** What a server says of itself in its hello. */
export type HelloReply = Results<"hello">;

/** An operation with what dispatch needs at hand. */
export interface NumberedOperation extends Operation {
  /** Its name. */
  readonly name: OperationName;
  /** Names of its arguments, in their order. */
  readonly argumentNames: readonly string[];
  /** Names of its results, in their order. */
  readonly resultNames: readonly string[];
}

/** Every operation that is built, with its names. */
export const OPERATION_LIST: readonly NumberedOperation[] = Object.entries(
  OPERATIONS as unknown as Record<OperationName, Operation>,
).map(([name, one]) => ({
  ...one,
  name: name as OperationName,
  argumentNames: Object.keys(one.arguments),
  resultNames: Object.keys(one.results),
}));

const BY_NAME = new Map(OPERATION_LIST.map((one) => [one.name, one]));
const BY_NUMBER = new Map(OPERATION_LIST.map((one) => [one.number, one]));

/** The operation called `name`. */
export function operationNamed(name: OperationName): NumberedOperation {
  return BY_NAME.get(name)!;
}

/** The operation with this number, or undefined: `ENOSYS`. */
export function operationNumbered(
  number: number,
): NumberedOperation | undefined {
  return BY_NUMBER.get(number);
}

/**
 * The operations of the original server, each at the index that is its number.
 * The numbers are kept for them; none is built yet.
 */
export const ORIGINAL_OPERATIONS: readonly string[] = [
  "device_register",
  "mount",
  "umount",
  "mount_point_stats",
  "cache_write_back",
  "file_remove",
  "file_link",
  "file_rename",
  "file_open",
  "file_open2",
  "file_close",
  "file_truncate",
  "file_read",
  "file_write",
  "file_seek",
  "file_tell",
  "file_size",
  "dir_rm",
  "dir_mv",
  "dir_mk",
  "dir_mkdir",
  "dir_open",
  "dir_close",
  "dir_entry_next",
  "dir_entry_rewind",
  "dir_list",
  "symlink",
  "mknod",
  "readlink",
  "raw_inode",
  "mode_set",
  "mode_get",
  "owner_set",
  "owner_get",
  "atime_set",
  "atime_get",
  "mtime_set",
  "mtime_get",
  "ctime_set",
  "ctime_get",
  "fork",
  "child_attach",
  "new_fdtable",
];
