/**
 * Operations → calls of the engine.
 *
 * A handler gets arguments whose types and bounds are checked, and throws what
 * the engine throws. Whether the caller may do what it asks belongs in front
 * of these calls; today every connection acts with the credentials of its
 * session, which are the superuser's.
 *
 * @module
 */

import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../fs/attributes.ts";
import type { Attributes } from "../fs/attributes.ts";
import { FsError } from "../fs/errors.ts";
import { commit } from "./commit.ts";
import { InPlace } from "./frame_writer.ts";
import { FRAME_OVERHEAD, READDIR_REPLY } from "./limits.ts";
import {
  O_ACCMODE,
  O_APPEND,
  O_EXCL,
  O_RDONLY,
  O_SYNC,
  O_TRUNC,
} from "./open_flags.ts";
import type {
  Arguments,
  ListedEntry,
  Node,
  OperationName,
  Results,
} from "./operations.ts";
import type { Session } from "./session.ts";

/** Results of an operation; bytes may be made where they are sent from. */
type Reply<K extends OperationName> = {
  readonly [F in keyof Results<K>]:
    | Results<K>[F]
    | (Results<K>[F] extends Uint8Array ? InPlace : never);
};

/** What carries out each operation; the hello is the session's own. */
export type Handlers = {
  readonly [K in Exclude<OperationName, "hello">]: (
    session: Session,
    args: Arguments<K>,
  ) => Reply<K> | Promise<Reply<K>>;
};

/** The handler of each operation. */
export const HANDLERS: Handlers = {
  resolve(session, { dir, path, follow }): Reply<"resolve"> {
    const from = inode(session, dir);
    const ino = session.paths.resolve(path, { from, follow });
    return { attributes: session.fs.getattr(ino) };
  },

  getattr: (session, { node }) => ({ attributes: attributes(session, node) }),

  setattr(session, { node, changes }): Reply<"setattr"> {
    const { fs, credentials } = session;
    return {
      attributes: fs.setattr(inode(session, node), changes, credentials),
    };
  },

  lookup(session, { dir, name }): Reply<"lookup"> {
    const ino = session.fs.lookup(inode(session, dir), name);
    return { attributes: session.fs.getattr(ino) };
  },

  open(session, { node, flags }): Reply<"open"> {
    if (flags & O_EXCL) throw new FsError("EINVAL", "O_EXCL is for create");
    return openFile(session, attributes(session, node), flags);
  },

  close(session, { descriptor }): Reply<"close"> {
    session.descriptors.close(descriptor);
    return {};
  },

  read(session, { descriptor, offset, length }): Reply<"read"> {
    const { ino, readable } = session.descriptors.get(descriptor);
    if (!readable) throw new FsError("EBADF", "not open for reading");
    checkLength(session, length);
    const fill = (into: Uint8Array): number =>
      length === 0 ? 0 : session.fs.read(ino, offset, into);
    return { data: new InPlace(length, fill) };
  },

  write(
    session,
    { descriptor, offset, data },
  ): Reply<"write"> | Promise<Reply<"write">> {
    const file = session.descriptors.get(descriptor);
    const { ino, writable, append, durable } = file;
    if (!writable) throw new FsError("EBADF", "not open for writing");
    checkLength(session, data.length);
    const at = append ? session.fs.getattr(ino).size : offset;
    const count = session.fs.write(ino, at, data, session.credentials);
    return durable ? commit(session).then(() => ({ count })) : { count };
  },

  create(session, { dir, name, mode, flags }): Reply<"create"> {
    checkFlags(flags);
    session.descriptors.checkRoom();
    const { fs, credentials } = session;
    const parent = inode(session, dir);
    let ino: number;
    try {
      ino = fs.create(parent, name, { mode: mode & 0o7777, credentials });
    } catch (error) {
      const exists = error instanceof FsError && error.code === "EEXIST";
      if (!exists || flags & O_EXCL) throw error;
      const existing = fs.getattr(fs.lookup(parent, name));
      return openFile(session, existing, flags);
    }
    return openFile(session, fs.getattr(ino), flags & ~(O_EXCL | O_TRUNC));
  },

  readdir(session, { node, cookie, count }): Reply<"readdir"> {
    return listDirectory(session, inode(session, node), cookie, count);
  },

  mkdir(session, { dir, name, mode }): Reply<"mkdir"> {
    const { fs, credentials } = session;
    const options = { mode: mode & 0o7777, credentials };
    const ino = fs.mkdir(inode(session, dir), name, options);
    return { attributes: fs.getattr(ino) };
  },

  mknod(session, { dir, name, mode, rdev }): Reply<"mknod"> {
    const { fs, credentials } = session;
    const ino = fs.mknod(inode(session, dir), name, {
      kind: mode & S_IFMT,
      mode: mode & 0o7777,
      rdev,
      credentials,
    });
    return { attributes: fs.getattr(ino) };
  },

  symlink(session, { dir, name, target }): Reply<"symlink"> {
    const { fs, credentials } = session;
    const ino = fs.symlink(inode(session, dir), name, target, { credentials });
    return { attributes: fs.getattr(ino) };
  },

  link(session, { node, dir, name }): Reply<"link"> {
    session.fs.link(inode(session, node), inode(session, dir), name);
    return {};
  },

  unlink(session, { dir, name }): Reply<"unlink"> {
    session.fs.unlink(inode(session, dir), name);
    return {};
  },

  rmdir(session, { dir, name }): Reply<"rmdir"> {
    session.fs.rmdir(inode(session, dir), name);
    return {};
  },

  rename(
    session,
    { fromDir, fromName, toDir, toName, noReplace },
  ): Reply<"rename"> {
    const from = inode(session, fromDir);
    const to = inode(session, toDir);
    session.fs.rename(from, fromName, to, toName, { noReplace });
    return {};
  },

  readlink(session, { node }): Reply<"readlink"> {
    return { target: session.fs.readlink(inode(session, node)) };
  },

  statfs: (session) => ({ statistics: session.fs.statfs() }),

  getxattr(session, { node, name }): Reply<"getxattr"> {
    return { value: session.fs.getxattr(inode(session, node), name) };
  },

  setxattr(session, { node, name, value, create, replace }): Reply<"setxattr"> {
    const flags = { create, replace };
    session.fs.setxattr(inode(session, node), name, value, flags);
    return {};
  },

  listxattr(session, { node }): Reply<"listxattr"> {
    return { names: session.fs.listxattr(inode(session, node)) };
  },

  removexattr(session, { node, name }): Reply<"removexattr"> {
    session.fs.removexattr(inode(session, node), name);
    return {};
  },

  sync: (session) => commit(session),

  fsync: (session, { descriptor }) => commitFile(session, descriptor),

  // A commit is of everything there is: nothing can be left out of it.
  fdatasync: (session, { descriptor }) => commitFile(session, descriptor),
};

/** Makes all changes durable, by way of a file that must be open. */
function commitFile(
  session: Session,
  descriptor: number,
): Promise<Reply<"fsync">> {
  session.descriptors.get(descriptor);
  return commit(session);
}

/** Attributes of a node; `ESTALE` if its number has another owner by now. */
function attributes(session: Session, node: Node): Attributes {
  const found = session.fs.getattr(node.ino);
  if (found.generation !== node.generation) throw new FsError("ESTALE");
  return found;
}

/** Inode number of a node; `ESTALE` as above. */
function inode(session: Session, node: Node): number {
  return attributes(session, node).ino;
}

function checkLength(session: Session, length: number): void {
  if (length > session.limits.maxData) {
    throw new FsError("EINVAL", `at most ${session.limits.maxData} bytes`);
  }
}

function checkFlags(flags: number): void {
  const known = O_ACCMODE | O_EXCL | O_TRUNC | O_APPEND | O_SYNC;
  const access = flags & O_ACCMODE;
  if ((flags & ~known) !== 0 || access === O_ACCMODE) {
    throw new FsError("EINVAL", "unknown flags");
  }
  if (flags & O_TRUNC && access === O_RDONLY) {
    throw new FsError("EINVAL", "O_TRUNC needs access for writing");
  }
}

/** Opens a file that exists. */
function openFile(
  session: Session,
  file: Attributes,
  flags: number,
): { descriptor: number; attributes: Attributes } {
  checkFlags(flags);
  const kind = file.mode & S_IFMT;
  if (kind === S_IFDIR) throw new FsError("EISDIR");
  if (kind === S_IFLNK) throw new FsError("ELOOP", "a symbolic link");
  if (kind !== S_IFREG) throw new FsError("EINVAL", "not a regular file");
  const { fs, credentials, descriptors } = session;
  if ((flags & O_ACCMODE) !== O_RDONLY && fs.readOnly) {
    throw new FsError("EROFS");
  }
  descriptors.checkRoom();
  const opened = flags & O_TRUNC
    ? fs.setattr(file.ino, { size: 0 }, credentials)
    : file;
  return { descriptor: descriptors.open(file.ino, flags), attributes: opened };
}

/** Bytes of an entry besides its name, rounded up. */
const ENTRY_OVERHEAD = 160;

/** The next entries of a directory, as many as one reply holds. */
function listDirectory(
  session: Session,
  dir: number,
  cookie: number,
  count: number,
): { entries: ListedEntry[]; end: boolean } {
  const { fs } = session;
  let room = Math.min(
    READDIR_REPLY,
    session.limits.maxFrame - FRAME_OVERHEAD,
  );
  const entries: ListedEntry[] = [];
  const found = fs.readdir(dir, cookie, count);
  for (const { name, ino, cookie } of found) {
    room -= name.length + ENTRY_OVERHEAD;
    if (room < 0) return { entries, end: false };
    entries.push({ name, ino, cookie, attributes: attributesOf(session, ino) });
  }
  const last = entries.at(-1);
  const end = last === undefined ||
    entries.length < count && fs.readdir(dir, last.cookie, 1).length === 0;
  return { entries, end };
}

/** Attributes of an entry's inode; null if they cannot be read. */
function attributesOf(session: Session, ino: number): Attributes | null {
  try {
    return session.fs.getattr(ino);
  } catch (error) {
    session.report("Cannot read the attributes of an entry", error);
    return null;
  }
}
