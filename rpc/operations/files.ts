/**
 * Operations on open files.
 *
 * @module
 */

import { DATA_MAX, SMALL_REPLY } from "../limits.ts";
import { O_TRUNC } from "../open_flags.ts";
import { boolean, bytes, integer } from "../wire_types.ts";
import {
  attributes,
  INTEGER_MAX,
  mode,
  name,
  node,
  uint32,
  uint53,
} from "../wire_values.ts";
import { CHANGE, operation, QUERY, SESSION, UPDATE } from "./operation.ts";

/** An open file of the connection; 0 only in a compound. */
export const descriptor = integer(0, INTEGER_MAX, "descriptor");
const openFlags = integer(0, 0xffffffff, "flags");

/** Contents that one request carries. */
export const data = bytes(0, DATA_MAX);

/** See the module. */
export const FILE_OPERATIONS = {
  open: operation({
    number: 69,
    doc: "Opens a regular file, or a directory for reading, which can be " +
      "synced and closed.",
    ...CHANGE,
    harmless: ({ flags }): boolean => (flags & O_TRUNC) === 0,
    errors: [
      ...["EACCES", "EISDIR", "ELOOP", "EMFILE", "ENOTDIR"] as const,
      ...["EPERM", "EROFS", "ESTALE"] as const,
    ],
    arguments: { node, flags: openFlags },
    results: { descriptor, attributes },
  }),
  close: operation({
    number: 70,
    doc: "Gives up a descriptor, whose number never comes back, and the " +
      "locks that were set through it.",
    ...SESSION,
    errors: ["EBADF"],
    arguments: { descriptor },
    results: {},
  }),
  read: operation({
    number: 71,
    doc: "Reads up to `length` bytes; fewer only at the end of the file.",
    ...QUERY,
    errors: ["EBADF", "EISDIR"],
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
    late: "sometimes",
    errors: ["EBADF", "EFBIG", "ENOSPC", "EPERM", "EROFS"],
    arguments: { descriptor, offset: uint53, data },
    results: { count: uint32 },
  }),
  create: operation({
    number: 73,
    doc: "Makes and opens a regular file with the permissions of `mode`; " +
      "one that exists is opened, or refused with O_EXCL.",
    ...CHANGE,
    errors: [
      ...["EACCES", "EEXIST", "EISDIR", "ELOOP", "EMFILE"] as const,
      ...["ENAMETOOLONG", "ENOENT", "ENOSPC", "ENOTDIR"] as const,
      ...["EPERM", "EROFS", "ESTALE"] as const,
    ],
    arguments: { dir: node, name, mode, flags: openFlags },
    results: { descriptor, attributes },
  }),
  sync: operation({
    number: 88,
    doc: "Replies when every change completed before it is on stable storage.",
    ...QUERY,
    late: "always",
    errors: ["ENOSPC", "EROFS"],
    arguments: {},
    results: {},
  }),
  fsync: operation({
    number: 89,
    doc: "Replies when every change of the open file is on stable storage.",
    ...QUERY,
    late: "always",
    errors: ["EBADF", "ENOSPC", "EROFS"],
    arguments: { descriptor },
    results: {},
  }),
  fdatasync: operation({
    number: 90,
    doc: "The same as `fsync`: what is stored of a file is stored as a whole.",
    ...QUERY,
    late: "always",
    errors: ["EBADF", "ENOSPC", "EROFS"],
    arguments: { descriptor },
    results: {},
  }),
  allocate: operation({
    number: 96,
    doc: "Gives a part of the file blocks, or takes them: `mode` is that of " +
      "Linux's fallocate (0, 1 KEEP_SIZE, 3 PUNCH_HOLE, 16 and 17 " +
      "ZERO_RANGE). Does at least a first part of the range, of `count` " +
      "bytes; the client goes on behind it.",
    ...UPDATE,
    errors: ["EBADF", "EFBIG", "ENOSPC", "EOPNOTSUPP", "EPERM", "EROFS"],
    arguments: {
      descriptor,
      mode: uint32,
      offset: uint53,
      length: integer(1, INTEGER_MAX),
    },
    results: { count: uint53 },
  }),
  seekData: operation({
    number: 97,
    doc: "Where the next data is from `offset` on, or with `hole` the next " +
      "hole; the end of the file counts as one.",
    ...QUERY,
    errors: ["EBADF", "EISDIR", "ENXIO"],
    arguments: { descriptor, offset: uint53, hole: boolean },
    results: { offset: uint53 },
  }),
  copyRange: operation({
    number: 98,
    doc: "Copies a part of one open file to another, without sending it: at " +
      "least a first part of `count` bytes, 0 only at the end of the source.",
    ...UPDATE,
    errors: ["EBADF", "EFBIG", "EISDIR", "ENOSPC", "EPERM", "EROFS"],
    arguments: {
      from: descriptor,
      fromOffset: uint53,
      to: descriptor,
      toOffset: uint53,
      length: uint53,
    },
    results: { count: uint53 },
  }),
} as const;
