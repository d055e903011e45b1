/**
 * Operations on files by node, open or not, and on names in directories.
 *
 * @module
 */

import { READDIR_REPLY, SMALL_REPLY } from "../limits.ts";
import { boolean, bytes, integer, list } from "../wire_types.ts";
import {
  attributes,
  changes,
  deviceNumber,
  entries,
  ENTRIES_MAX,
  mode,
  name,
  node,
  path,
  statistics,
  uint53,
  XATTR_VALUE_MAX,
  xattrName,
} from "../wire_values.ts";
import { CHANGE, operation, QUERY, UPDATE } from "./operation.ts";

/** The most names of one `walk`. */
export const WALK_MAX = 16;

/** See the module. */
export const NODE_OPERATIONS = {
  resolve: operation({
    number: 65,
    doc: "Walks `path` from the directory `dir`; `follow` says whether a " +
      "symbolic link at its end is followed.",
    ...QUERY,
    errors: ["EACCES", "ELOOP", "ENAMETOOLONG", "ENOENT", "ENOTDIR", "ESTALE"],
    arguments: { dir: node, path, follow: boolean },
    results: { attributes },
  }),
  getattr: operation({
    number: 66,
    doc: "Attributes of a file.",
    ...QUERY,
    errors: ["ESTALE"],
    arguments: { node },
    results: { attributes },
  }),
  setattr: operation({
    number: 67,
    doc: "Changes attributes; a size cuts the file, or grows it by a hole.",
    ...UPDATE,
    errors: [
      ...["EACCES", "EFBIG", "EISDIR", "EPERM", "EROFS", "ESTALE"] as const,
    ],
    arguments: { node, changes },
    results: { attributes },
  }),
  lookup: operation({
    number: 68,
    doc: "Attributes of the file that `name` stands for in `dir`.",
    ...QUERY,
    errors: ["EACCES", "ENAMETOOLONG", "ENOENT", "ENOTDIR", "ESTALE"],
    arguments: { dir: node, name },
    results: { attributes },
  }),
  readdir: operation({
    number: 74,
    doc: "Lists up to `count` entries behind `cookie` (0: from the start), " +
      "`.` and `..` among them; `end` is true if none follow.",
    ...QUERY,
    errors: ["EACCES", "ENOTDIR", "ESTALE"],
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
    errors: [
      ...[
        "EACCES",
        "EEXIST",
        "EMLINK",
        "ENAMETOOLONG",
        "ENOENT",
        "ENOSPC",
      ] as const,
      ...["ENOTDIR", "EPERM", "EROFS", "ESTALE"] as const,
    ],
    arguments: { dir: node, name, mode },
    results: { attributes },
  }),
  mknod: operation({
    number: 76,
    doc: "Makes a device node, a named pipe or a socket; `mode` says which.",
    ...CHANGE,
    errors: [
      ...[
        "EACCES",
        "EEXIST",
        "ENAMETOOLONG",
        "ENOENT",
        "ENOSPC",
        "ENOTDIR",
      ] as const,
      ...["EPERM", "EROFS", "ESTALE"] as const,
    ],
    arguments: { dir: node, name, mode, rdev: deviceNumber },
    results: { attributes },
  }),
  symlink: operation({
    number: 77,
    doc: "Makes a symbolic link that holds `target`.",
    ...CHANGE,
    errors: [
      ...[
        "EACCES",
        "EEXIST",
        "ENAMETOOLONG",
        "ENOENT",
        "ENOSPC",
        "ENOTDIR",
      ] as const,
      ...["EPERM", "EROFS", "ESTALE"] as const,
    ],
    arguments: { dir: node, name, target: path },
    results: { attributes },
  }),
  link: operation({
    number: 78,
    doc: "Gives a file one more name.",
    ...CHANGE,
    errors: [
      ...[
        "EACCES",
        "EEXIST",
        "EMLINK",
        "ENAMETOOLONG",
        "ENOENT",
        "ENOSPC",
      ] as const,
      ...["ENOTDIR", "EPERM", "EROFS", "ESTALE"] as const,
    ],
    arguments: { node, dir: node, name },
    results: {},
  }),
  unlink: operation({
    number: 79,
    doc: "Removes a name of a file that is not a directory.",
    ...CHANGE,
    errors: [
      ...[
        "EACCES",
        "EISDIR",
        "ENAMETOOLONG",
        "ENOENT",
        "ENOTDIR",
        "EPERM",
      ] as const,
      ...["EROFS", "ESTALE"] as const,
    ],
    arguments: { dir: node, name },
    results: {},
  }),
  rmdir: operation({
    number: 80,
    doc: "Removes an empty directory.",
    ...CHANGE,
    errors: [
      ...[
        "EACCES",
        "ENAMETOOLONG",
        "ENOENT",
        "ENOTDIR",
        "ENOTEMPTY",
      ] as const,
      ...["EPERM", "EROFS", "ESTALE"] as const,
    ],
    arguments: { dir: node, name },
    results: {},
  }),
  rename: operation({
    number: 81,
    doc: "Renames; what the new name stands for is replaced, or refused " +
      "with `noReplace`.",
    ...CHANGE,
    errors: [
      ...[
        "EACCES",
        "EBUSY",
        "EEXIST",
        "EISDIR",
        "EMLINK",
        "ENAMETOOLONG",
      ] as const,
      ...[
        "ENOENT",
        "ENOSPC",
        "ENOTDIR",
        "ENOTEMPTY",
        "EPERM",
        "EROFS",
      ] as const,
      ...["ESTALE"] as const,
    ],
    arguments: {
      fromDir: node,
      fromName: name,
      toDir: node,
      toName: name,
      noReplace: boolean,
    },
    results: {},
  }),
  readlink: operation({
    number: 82,
    doc: "What a symbolic link holds.",
    ...QUERY,
    errors: ["ESTALE"],
    arguments: { node },
    results: { target: path },
    replySize: (): number => 4096 + SMALL_REPLY,
  }),
  statfs: operation({
    number: 83,
    doc: "Use of the whole volume.",
    ...QUERY,
    errors: [],
    arguments: {},
    results: { statistics },
  }),
  getxattr: operation({
    number: 84,
    doc: "Value of an extended attribute.",
    ...QUERY,
    errors: ["EACCES", "ENODATA", "EOPNOTSUPP", "ESTALE"],
    arguments: { node, name: xattrName },
    results: { value: bytes(0, XATTR_VALUE_MAX) },
    replySize: (): number => XATTR_VALUE_MAX + SMALL_REPLY,
  }),
  setxattr: operation({
    number: 85,
    doc: "Sets an extended attribute; `create` refuses one that exists, " +
      "`replace` one that does not.",
    ...UPDATE,
    errors: [
      ...[
        "EACCES",
        "EEXIST",
        "ENODATA",
        "ENOSPC",
        "EOPNOTSUPP",
        "EPERM",
      ] as const,
      ...["EROFS", "ESTALE"] as const,
    ],
    unless: "`create` is true",
    arguments: {
      node,
      name: xattrName,
      value: bytes(0, XATTR_VALUE_MAX),
      create: boolean,
      replace: boolean,
    },
    results: {},
  }),
  listxattr: operation({
    number: 86,
    doc: "Full names of a file's extended attributes.",
    ...QUERY,
    errors: ["ESTALE"],
    arguments: { node },
    results: { names: list(xattrName, 4096) },
    replySize: (): number => XATTR_VALUE_MAX + SMALL_REPLY,
  }),
  removexattr: operation({
    number: 87,
    doc: "Removes an extended attribute.",
    ...CHANGE,
    errors: ["EACCES", "ENODATA", "EOPNOTSUPP", "EPERM", "EROFS", "ESTALE"],
    arguments: { node, name: xattrName },
    results: {},
  }),
  walk: operation({
    number: 99,
    doc: "Attributes of what each of `names` stands for, the first in `dir`, " +
      "each other one in the directory before it. Stops in front of a name " +
      "that cannot be walked, and fails only if that is the first. No link " +
      "is followed.",
    ...QUERY,
    errors: ["EACCES", "ENAMETOOLONG", "ENOENT", "ENOTDIR", "ESTALE"],
    arguments: { dir: node, names: list(name, WALK_MAX) },
    results: { nodes: list(attributes, WALK_MAX) },
    replySize: ({ names }): number => names.length * 256 + SMALL_REPLY,
  }),
  access: operation({
    number: 100,
    doc: "Succeeds if the session may do to the file all that is in `mask`: " +
      "4 read, 2 write, 1 execute or search.",
    ...QUERY,
    errors: ["EACCES", "EPERM", "EROFS", "ESTALE"],
    arguments: { node, mask: integer(0, 7) },
    results: {},
  }),
} as const;
