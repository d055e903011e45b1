/**
 * When each error is given, for the documentation.
 *
 * @module
 */

// The original's operations keep the names that they have there.
// deno-lint-ignore-file camelcase

import type { Errno } from "../../fs/errors.ts";
import type { OperationName } from "../operations/mod.ts";

/** What an error means wherever an operation has no other meaning for it. */
export const REASONS: Readonly<Record<Errno, string>> = {
  EPERM: "only the owner or the superuser may do that, or the file is " +
    "immutable or may only be appended to",
  ENOENT: "there is no such name, or the directory was removed, or the path " +
    "is empty",
  EINTR: "not given by this version",
  EIO: "the host's disk failed, a block is not authentic, or the server " +
    "failed inside, which its log tells about",
  ENXIO: "there is nothing of that kind from there on",
  EBADF: "no open file has this number, or it was not opened for that",
  EAGAIN: "it would have to wait; of the server: it has too many connections",
  ENOMEM: "not given by this version",
  EACCES: "the permissions of the file, or of a directory on the way, forbid " +
    "it",
  EBUSY: "the file is the root of what is served, or in use for something " +
    "else",
  EEXIST: "the name exists",
  EXDEV: "the two paths lead to different mount points",
  ENOTDIR: "what has to be a directory is none",
  EISDIR: "a directory, which this cannot be done to",
  EINVAL: "an argument is of another type or out of bounds, or the arguments " +
    "do not fit each other or the file",
  ENFILE: "the connection has as many as it may",
  EMFILE: "the connection has as many open files as it may",
  ETXTBSY: "not given by this version",
  EFBIG: "the volume cannot hold a file of that size",
  ENOSPC: "no block or inode is free",
  ESPIPE: "not given by this version",
  EROFS: "the volume is read-only, or is served as read-only, or could not " +
    "be written to",
  EMLINK: "the file, or the directory, has as many links as it can have",
  ERANGE: "not given by this version",
  EDEADLK: "who is in the way waits for this owner already",
  ENAMETOOLONG: "a name has more than 255 bytes, or a path more than 4095",
  ENOLCK: "the connection has as many locks as it may",
  ENOSYS: "there is no such operation",
  ENOTEMPTY: "the directory is not empty",
  ELOOP: "more than 40 symbolic links on the way, or a link where none may be",
  ENODATA: "there is no such extended attribute",
  EPROTO: "a malformed message, or one that is out of turn",
  EOVERFLOW: "the reply does not fit into a frame",
  EOPNOTSUPP: "the volume, or this kind of file, has nothing of the kind",
  ESHUTDOWN: "the server stops",
  ETIMEDOUT: "the connection was silent for too long",
  ESTALE: "the file that the node names is gone",
  EUCLEAN: "a structure on the volume is broken",
  ECANCELED: "a `cancel` ended the waiting, or the server stops",
};

/** What an error means for one operation. */
export const OWN_REASONS: Readonly<
  Partial<Record<OperationName, Readonly<Partial<Record<Errno, string>>>>>
> = {
  hello: {
    EPROTO: "not the first request, or another protocol",
    EACCES: "the policy refuses this client",
    EAGAIN: "too many connections",
  },
  open: {
    EISDIR: "a directory, not for reading alone",
    ELOOP: "a symbolic link",
    ENOTDIR: "O_DIRECTORY, and no directory",
  },
  create: {
    EEXIST: "O_EXCL, and the name exists",
    EISDIR: "the name is a directory's",
    ELOOP: "the name is a symbolic link's",
  },
  readdir: { ENOTDIR: "no directory" },
  rename: {
    EEXIST: "`noReplace`, and the new name exists",
    EISDIR: "a directory would be replaced by something else",
    ENOTDIR: "something else would be replaced by a directory",
    ENOTEMPTY: "the directory to be replaced is not empty",
  },
  access: {
    EACCES: "the permissions forbid part of it",
    EPERM: "it would be written, and is immutable",
  },
  setxattr: { EEXIST: "`create`, and it exists" },
  seekData: { ENXIO: "no data follows, or `offset` is behind the end" },
  setLock: {
    EAGAIN: "without `wait`: another lock is in the way",
    EBADF: "no open file, or not open for reading (shared) or writing " +
      "(exclusive)",
    EOPNOTSUPP: "as a step, with `wait`: it would have to wait",
  },
  compound: { ENOSYS: "a step is no operation; none was carried out" },
  dir_rm: {
    EBUSY: "the root",
    ECANCELED: "a `cancel`, or the connection ends",
    ENOTDIR: "no directory",
  },
  dir_mk: { EEXIST: "the name exists, and is no directory's" },
  device_register: { EEXIST: "the name is taken" },
  mount: {
    EBUSY: "something is mounted there",
    ENXIO: "no device has this name",
  },
  umount: { EBUSY: "files are open there" },
  child_attach: {
    EBUSY: "this connection has opened something",
    ENOENT: "no table of that id waits: claimed, too old or never forked",
  },
};
