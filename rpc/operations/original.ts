/**
 * The operations of the original server, with the numbers they have there.
 *
 * They name files by path, and their open files have a position. What the
 * original leaves to chance, or gets wrong, is as POSIX has it here. Three of
 * them have names that later operations have as well, and a `path_` in front.
 *
 * @module
 */

import type { Errno } from "../../fs/errors.ts";
import { DATA_MAX, READDIR_REPLY, SMALL_REPLY } from "../limits.ts";
import { O_CREAT, O_TRUNC } from "../open_flags.ts";
import {
  boolean,
  bytes,
  integer,
  list,
  nullable,
  record,
  text,
} from "../wire_types.ts";
import {
  deviceNumber,
  ENTRIES_MAX,
  INTEGER_MAX,
  mode,
  name,
  path,
  statistics,
  timestamp,
  uint32,
  uint53,
} from "../wire_values.ts";
import { data, descriptor } from "./files.ts";
import {
  CHANGE,
  type Operation,
  operation,
  QUERY,
  SESSION,
  UPDATE,
} from "./operation.ts";

/** What walking a path may be refused with. */
const WALK: readonly Errno[] = [
  ...["EACCES", "ELOOP", "ENAMETOOLONG", "ENOENT", "ENOTDIR"] as const,
];
/** The same, for a change, which may have to be stored at once. */
const ALTER: readonly Errno[] = [...WALK, "ENOSPC", "EPERM", "EROFS"];
/** The same, for what makes a name. */
const MAKE: readonly Errno[] = [...ALTER, "EEXIST"];

/** An entry of a directory as the original lists it. */
export const ORIGINAL_ENTRY_FIELDS = { name, ino: uint32, kind: mode };
const originalEntry = record("listed", ORIGINAL_ENTRY_FIELDS);

/** The longest raw inode, in bytes. */
const INODE_SIZE_MAX = 4096;
/** Bytes of the id of a forked table. */
export const FORK_ID_SIZE = 32;

/** The name of a device, or the path at which it is mounted. */
const deviceName = text(64);
/** How `fopen` of C names access to a file. */
const openMode = text(4);

/** What setting a time does to others. */
const CHANGED = "; that of the last change of any kind becomes the present.";
const TIME_SET = { path, time: timestamp };
const TIME_GET = { path };
const TIME = { time: timestamp };

function setTime(
  number: number,
  what: string,
  besides: string,
): Operation<typeof TIME_SET, Record<never, never>> {
  return operation({
    number,
    doc: `Sets the time of ${what}${besides}`,
    ...UPDATE,
    late: "sometimes",
    errors: ALTER,
    arguments: TIME_SET,
    results: {},
  });
}

function getTime(
  number: number,
  what: string,
): Operation<typeof TIME_GET, typeof TIME> {
  return operation({
    number,
    doc: `The time of ${what}.`,
    ...QUERY,
    errors: WALK,
    arguments: TIME_GET,
    results: TIME,
  });
}

/** See the module. */
export const ORIGINAL_OPERATIONS = {
  device_register: operation({
    number: 0,
    doc: "Gives the served volume one more name that `mount` knows it by.",
    ...SESSION,
    errors: ["EEXIST", "ENFILE"],
    arguments: { device: deviceName },
    results: {},
  }),
  mount: operation({
    number: 1,
    doc: "Lets paths of this connection that begin with `mountPoint` lead to " +
      "the volume called `device`. At first `nextfs` is mounted at `/`.",
    ...SESSION,
    errors: ["EBUSY", "ENAMETOOLONG", "ENFILE", "ENXIO"],
    arguments: { device: deviceName, mountPoint: path },
    results: {},
  }),
  umount: operation({
    number: 2,
    doc: "Takes that back; files that were opened there must be closed.",
    ...SESSION,
    errors: ["EBUSY", "ENAMETOOLONG"],
    arguments: { mountPoint: path },
    results: {},
  }),
  mount_point_stats: operation({
    number: 3,
    doc: "Use of the volume mounted at `mountPoint`.",
    ...QUERY,
    errors: ["ENAMETOOLONG"],
    arguments: { mountPoint: path },
    results: { statistics },
  }),
  cache_write_back: operation({
    number: 4,
    doc: "Without `on`, makes everything durable, and from then on answers " +
      "each change by a path of this connection when it is durable.",
    ...SESSION,
    late: "sometimes",
    errors: ["ENAMETOOLONG", "ENOSPC", "EROFS"],
    arguments: { mountPoint: path, on: boolean },
    results: {},
  }),
  file_remove: operation({
    number: 5,
    doc: "Removes a name of a file that is not a directory.",
    ...CHANGE,
    late: "sometimes",
    errors: [...ALTER, "EISDIR"],
    arguments: { path },
    results: {},
  }),
  file_link: operation({
    number: 6,
    doc: "Gives the file at `path` the name `newPath` as well.",
    ...CHANGE,
    late: "sometimes",
    errors: [...MAKE, "EMLINK", "EXDEV"],
    arguments: { path, newPath: path },
    results: {},
  }),
  file_rename: operation({
    number: 7,
    doc: "Renames a file; what `newPath` names is replaced.",
    ...CHANGE,
    late: "sometimes",
    errors: [...ALTER, "EISDIR", "EXDEV"],
    arguments: { path, newPath: path },
    results: {},
  }),
  file_open: operation({
    number: 8,
    doc: 'Opens a file as `fopen` of C does: `mode` is "r", "w", "a", "r+", ' +
      '"w+" or "a+", with or without a "b".',
    ...CHANGE,
    harmless: ({ mode }): boolean => mode.startsWith("r"),
    late: "sometimes",
    errors: [...ALTER, "EISDIR", "EMFILE"],
    arguments: { path, mode: openMode },
    results: { descriptor },
  }),
  file_open2: operation({
    number: 9,
    doc: "Opens a file by `flags`; O_CREAT makes it.",
    ...CHANGE,
    harmless: ({ flags }): boolean => (flags & (O_CREAT | O_TRUNC)) === 0,
    late: "sometimes",
    errors: [...MAKE, "EISDIR", "EMFILE"],
    arguments: { path, flags: uint32 },
    results: { descriptor },
  }),
  file_close: operation({
    number: 10,
    doc: "Gives up a descriptor.",
    ...SESSION,
    errors: ["EBADF"],
    arguments: { descriptor },
    results: {},
  }),
  file_truncate: operation({
    number: 11,
    doc: "Cuts an open file, or grows it by a hole.",
    ...UPDATE,
    late: "sometimes",
    errors: ["EBADF", "EFBIG", "ENOSPC", "EPERM", "EROFS"],
    arguments: { descriptor, size: uint53 },
    results: {},
  }),
  file_read: operation({
    number: 12,
    doc: "Reads up to `length` bytes at the position, which moves behind them.",
    ...SESSION,
    errors: ["EBADF", "EISDIR"],
    arguments: { descriptor, length: integer(0, DATA_MAX) },
    results: { data },
    replySize: ({ length }): number => length + SMALL_REPLY,
  }),
  file_write: operation({
    number: 13,
    doc: "Writes all of `data` at the position, which moves behind it.",
    ...CHANGE,
    late: "sometimes",
    errors: ["EBADF", "EFBIG", "ENOSPC", "EPERM", "EROFS"],
    arguments: { descriptor, data },
    results: { count: uint32 },
  }),
  file_seek: operation({
    number: 14,
    doc: "Moves the position to `offset` bytes from the start (`origin` 0), " +
      "the position (1) or the end (2), and tells it.",
    ...SESSION,
    errors: ["EBADF", "EISDIR"],
    arguments: {
      descriptor,
      offset: integer(-INTEGER_MAX, INTEGER_MAX, "int53"),
      origin: integer(0, 2),
    },
    results: { position: uint53 },
  }),
  file_tell: operation({
    number: 15,
    doc: "The position.",
    ...QUERY,
    errors: ["EBADF", "EISDIR"],
    arguments: { descriptor },
    results: { position: uint53 },
  }),
  file_size: operation({
    number: 16,
    doc: "The size of an open file, in bytes.",
    ...QUERY,
    errors: ["EBADF", "EISDIR"],
    arguments: { descriptor },
    results: { size: uint53 },
  }),
  dir_rm: operation({
    number: 17,
    doc: "Removes a directory with all that is in it.",
    ...CHANGE,
    late: "sometimes",
    alone: true,
    errors: [...ALTER, "EBUSY", "ECANCELED"],
    arguments: { path },
    results: {},
  }),
  dir_mv: operation({
    number: 18,
    doc: "Renames a directory; an empty one at `newPath` is replaced.",
    ...CHANGE,
    late: "sometimes",
    errors: [...ALTER, "EBUSY", "EMLINK", "ENOTEMPTY", "EXDEV"],
    arguments: { path, newPath: path },
    results: {},
  }),
  dir_mk: operation({
    number: 19,
    doc: "Makes a directory, unless there is one.",
    ...UPDATE,
    late: "sometimes",
    errors: [...MAKE, "EMLINK"],
    arguments: { path },
    results: {},
  }),
  dir_mkdir: operation({
    number: 20,
    doc: "Makes a directory with the permissions of `mode`.",
    ...CHANGE,
    late: "sometimes",
    errors: [...MAKE, "EMLINK"],
    arguments: { path, mode },
    results: {},
  }),
  dir_open: operation({
    number: 21,
    doc: "Opens a directory to be listed.",
    ...SESSION,
    errors: [...WALK, "EMFILE"],
    arguments: { path },
    results: { descriptor },
  }),
  dir_close: operation({
    number: 22,
    doc: "Gives up the descriptor of a directory.",
    ...SESSION,
    errors: ["EBADF", "ENOTDIR"],
    arguments: { descriptor },
    results: {},
  }),
  dir_entry_next: operation({
    number: 23,
    doc: "The next entry of an open directory; null at its end.",
    ...SESSION,
    errors: ["EBADF", "ENOTDIR"],
    arguments: { descriptor },
    results: { entry: nullable(originalEntry) },
  }),
  dir_entry_rewind: operation({
    number: 24,
    doc: "Begins to list from the start.",
    ...SESSION,
    errors: ["EBADF", "ENOTDIR"],
    arguments: { descriptor },
    results: {},
  }),
  dir_list: operation({
    number: 25,
    doc: "The entries of a directory, as many as a reply holds; `end` is " +
      "false if there are more, which `dir_open` and `dir_entry_next` list.",
    ...QUERY,
    errors: WALK,
    arguments: { path },
    results: { entries: list(originalEntry, ENTRIES_MAX), end: boolean },
    replySize: (): number => READDIR_REPLY + SMALL_REPLY,
  }),
  path_symlink: operation({
    number: 26,
    doc: "Makes a symbolic link at `path` that holds `target`.",
    ...CHANGE,
    late: "sometimes",
    errors: MAKE,
    arguments: { target: path, path },
    results: {},
  }),
  path_mknod: operation({
    number: 27,
    doc: "Makes a device node, a named pipe or a socket; `mode` says which.",
    ...CHANGE,
    late: "sometimes",
    errors: MAKE,
    arguments: { path, mode, rdev: deviceNumber },
    results: {},
  }),
  path_readlink: operation({
    number: 28,
    doc: "What the symbolic link at `path` holds.",
    ...QUERY,
    errors: WALK,
    arguments: { path },
    results: { target: path },
    replySize: (): number => 4096 + SMALL_REPLY,
  }),
  raw_inode: operation({
    number: 29,
    doc: "The number of an inode, and its bytes as the volume has them; for " +
      "the superuser.",
    ...QUERY,
    errors: [...WALK, "EPERM"],
    arguments: { path },
    results: { ino: uint32, bytes: bytes(0, INODE_SIZE_MAX) },
    replySize: (): number => INODE_SIZE_MAX + SMALL_REPLY,
  }),
  mode_set: operation({
    number: 30,
    doc: "Sets permission, set-id and sticky bits.",
    ...UPDATE,
    late: "sometimes",
    errors: ALTER,
    arguments: { path, mode },
    results: {},
  }),
  mode_get: operation({
    number: 31,
    doc: "The mode, kind included.",
    ...QUERY,
    errors: WALK,
    arguments: { path },
    results: { mode },
  }),
  owner_set: operation({
    number: 32,
    doc: "Sets owner and group; 2^32 − 1 leaves one as it is.",
    ...UPDATE,
    late: "sometimes",
    errors: ALTER,
    arguments: { path, uid: uint32, gid: uint32 },
    results: {},
  }),
  owner_get: operation({
    number: 33,
    doc: "Owner and group.",
    ...QUERY,
    errors: WALK,
    arguments: { path },
    results: { uid: uint32, gid: uint32 },
  }),
  atime_set: setTime(34, "the last read", CHANGED),
  atime_get: getTime(35, "the last read"),
  mtime_set: setTime(36, "the last change of the contents", CHANGED),
  mtime_get: getTime(37, "the last change of the contents"),
  ctime_set: setTime(
    38,
    "the last change of any kind",
    ", and no other; for the superuser.",
  ),
  ctime_get: getTime(39, "the last change of any kind"),
  fork: operation({
    number: 40,
    doc: "Copies the table of open files for another connection, which " +
      "claims it with `id`, once and soon. Both share the files' positions.",
    ...SESSION,
    errors: ["ENFILE"],
    arguments: {},
    results: { id: bytes(FORK_ID_SIZE, FORK_ID_SIZE) },
  }),
  child_attach: operation({
    number: 41,
    doc: "Claims a table that another connection of the same client has " +
      "forked. This one must not have opened anything yet.",
    ...SESSION,
    errors: ["EBUSY", "ENOENT"],
    arguments: { id: bytes(FORK_ID_SIZE, FORK_ID_SIZE) },
    results: {},
  }),
  new_fdtable: operation({
    number: 42,
    doc: "Begins anew with an empty table: what is open is closed.",
    ...SESSION,
    errors: [],
    arguments: {},
    results: {},
  }),
} as const;
