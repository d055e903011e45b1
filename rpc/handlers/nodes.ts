/**
 * Handlers: files by node, and names in directories.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type -- the type of the table gives it

import { type Attributes, S_IFMT } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import { FRAME_OVERHEAD, READDIR_REPLY } from "../limits.ts";
import type { ListedEntry } from "../operations/mod.ts";
import type { NODE_OPERATIONS } from "../operations/nodes.ts";
import type { Session } from "../session.ts";
import { type HandlersOf, inodeOf, type Reply, shown } from "./handler.ts";

/** See the module. */
export const NODE_HANDLERS: HandlersOf<keyof typeof NODE_OPERATIONS> = {
  resolve(session, { dir, path, follow }) {
    const from = inodeOf(session, dir);
    const ino = session.paths.resolve(path, { from, follow });
    return { attributes: shown(session, ino) };
  },

  getattr(session, { node }) {
    return { attributes: shown(session, inodeOf(session, node)) };
  },

  setattr(session, { node, changes }) {
    const { files, options: { ids } } = session;
    const ino = inodeOf(session, node);
    return {
      attributes: ids.toClient(files.setattr(ino, ids.toVolume(changes))),
    };
  },

  lookup(session, { dir, name }) {
    return { attributes: lookUp(session, inodeOf(session, dir), name) };
  },

  walk(session, { dir, names }) {
    const nodes: Attributes[] = [];
    let from = inodeOf(session, dir);
    for (const name of names) {
      try {
        const found = lookUp(session, from, name);
        nodes.push(found);
        from = found.ino;
      } catch (error) {
        if (nodes.length === 0 || !(error instanceof FsError)) throw error;
        break;
      }
    }
    return { nodes };
  },

  access(session, { node, mask }) {
    session.files.checkAccess(inodeOf(session, node), mask);
    return {};
  },

  readdir(session, { node, cookie, count }) {
    return listDirectory(session, inodeOf(session, node), { cookie, count });
  },

  mkdir(session, { dir, name, mode }) {
    const parent = inodeOf(session, dir);
    const options = { mode: mode & 0o7777 };
    const ino = session.files.mkdir(parent, name, options);
    return { attributes: shown(session, ino) };
  },

  mknod(session, { dir, name, mode, rdev }) {
    const parent = inodeOf(session, dir);
    const options = { kind: mode & S_IFMT, mode: mode & 0o7777, rdev };
    const ino = session.files.mknod(parent, name, options);
    return { attributes: shown(session, ino) };
  },

  symlink(session, { dir, name, target }) {
    const parent = inodeOf(session, dir);
    const ino = session.files.symlink(parent, name, target);
    return { attributes: shown(session, ino) };
  },

  link(session, { node, dir, name }) {
    const ino = inodeOf(session, node);
    const parent = inodeOf(session, dir);
    session.files.link(ino, parent, name);
    return {};
  },

  unlink(session, { dir, name }) {
    session.files.unlink(inodeOf(session, dir), name);
    return {};
  },

  rmdir(session, { dir, name }) {
    session.files.rmdir(inodeOf(session, dir), name);
    return {};
  },

  rename(session, { fromDir, fromName, toDir, toName, noReplace }) {
    const from = inodeOf(session, fromDir);
    const to = inodeOf(session, toDir);
    session.files.rename(from, fromName, to, toName, { noReplace });
    return {};
  },

  readlink(session, { node }) {
    return { target: session.files.readlink(inodeOf(session, node)) };
  },

  statfs(session) {
    const { readOnly } = session.files;
    return { statistics: { ...session.fs.statfs(), readOnly } };
  },

  getxattr(session, { node, name }) {
    const value = session.files.getxattr(inodeOf(session, node), name);
    return { value: session.options.ids.xattrToClient(name, value) };
  },

  setxattr(session, { node, name, value, create, replace }) {
    const ino = inodeOf(session, node);
    const stored = session.options.ids.xattrToVolume(name, value);
    session.files.setxattr(ino, name, stored, { create, replace });
    return {};
  },

  listxattr(session, { node }) {
    return { names: session.files.listxattr(inodeOf(session, node)) };
  },

  removexattr(session, { node, name }) {
    session.files.removexattr(inodeOf(session, node), name);
    return {};
  },
};

/** What `name` stands for in directory `dir`. */
function lookUp(session: Session, dir: number, name: Uint8Array): Attributes {
  return shown(session, session.files.lookup(dir, name));
}

/** Bytes of an entry besides its name, rounded up. */
const ENTRY_OVERHEAD = 160;

/** The next entries of a directory, as many as one reply holds. */
function listDirectory(
  session: Session,
  dir: number,
  { cookie, count }: { cookie: number; count: number },
): Reply<"readdir"> {
  const { files } = session;
  let room = Math.min(
    READDIR_REPLY,
    session.limits.maxFrame - FRAME_OVERHEAD,
  );
  // Who may not search a directory learns the names in it, and no more.
  const maySearch = files.maySearch(dir);
  const entries: ListedEntry[] = [];
  const found = files.readdir(dir, cookie, count);
  for (const { name, ino, cookie } of found) {
    room -= name.length + ENTRY_OVERHEAD;
    if (room < 0) return { entries, end: false };
    const attributes = maySearch ? attributesIfReadable(session, ino) : null;
    entries.push({ name, ino, cookie, attributes });
  }
  const last = entries.at(-1);
  const end = last === undefined ||
    entries.length < count && files.readdir(dir, last.cookie, 1).length === 0;
  return { entries, end };
}

/** Attributes of an entry's inode; null if they cannot be read. */
function attributesIfReadable(
  session: Session,
  ino: number,
): Attributes | null {
  try {
    return shown(session, ino);
  } catch (error) {
    session.report("Cannot read the attributes of an entry", error);
    return null;
  }
}
