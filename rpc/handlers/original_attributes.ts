/**
 * Handlers: the original's operations on links, special files and attributes.
 * All but those that are about links follow symbolic links.
 *
 * @module
 */
// The names are the original's.
// deno-lint-ignore-file camelcase

import { type AttributeChanges, S_IFMT } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { Session } from "../session.ts";
import { type HandlersOf, shown } from "./handler.ts";
import { answer, parentOf, resolve, stat } from "./original_paths.ts";

/** The names of the operations that are handled here. */
type Names =
  | "path_symlink"
  | "path_mknod"
  | "path_readlink"
  | "raw_inode"
  | "mode_set"
  | "mode_get"
  | "owner_set"
  | "owner_get"
  | "atime_set"
  | "atime_get"
  | "mtime_set"
  | "mtime_get"
  | "ctime_set"
  | "ctime_get";

/** An id that leaves owner or group as it is: -1 of chown(2). */
const SAME_ID = 0xffffffff;

/** See the module. */
export const ORIGINAL_ATTRIBUTE_HANDLERS: HandlersOf<Names> = {
  path_symlink: (session, { target, path }) => {
    const { mount, dir, name } = newName(session, path);
    session.files.symlink(dir, name, target);
    return answer(session, mount, {});
  },

  path_mknod: (session, { path, mode, rdev }) => {
    const { mount, dir, name } = newName(session, path);
    const kind = mode & S_IFMT;
    session.files.mknod(dir, name, { kind, mode: mode & 0o7777, rdev });
    return answer(session, mount, {});
  },

  path_readlink: (session, { path }) => {
    const ino = resolve(session, path, { follow: false });
    return { target: session.files.readlink(ino) };
  },

  raw_inode: (session, { path }) => {
    const ino = resolve(session, path, { follow: false });
    if (session.options.credentials.uid !== 0) {
      throw new FsError("EPERM", "only the superuser sees raw inodes");
    }
    return { ino, bytes: session.fs.rawInode(ino) };
  },

  mode_set: (session, { path, mode }) => {
    return change(session, path, { mode: mode & 0o7777 });
  },

  mode_get: (session, { path }) => {
    return { mode: stat(session, path).mode };
  },

  owner_set: (session, { path, uid, gid }) => {
    const changes = {
      ...(uid === SAME_ID ? {} : { uid }),
      ...(gid === SAME_ID ? {} : { gid }),
    };
    return change(session, path, session.options.ids.toVolume(changes));
  },

  owner_get: (session, { path }) => {
    const { uid, gid } = shown(session, resolve(session, path));
    return { uid, gid };
  },

  atime_set: (session, { path, time }) => {
    return change(session, path, { atime: time });
  },

  atime_get: (session, { path }) => ({ time: stat(session, path).atime }),

  mtime_set: (session, { path, time }) => {
    return change(session, path, { mtime: time });
  },

  mtime_get: (session, { path }) => ({ time: stat(session, path).mtime }),

  ctime_set: (session, { path, time }) => {
    return change(session, path, { ctime: time });
  },

  ctime_get: (session, { path }) => ({ time: stat(session, path).ctime }),
};

type None = Record<never, never>;

/** Changes attributes of what `path` leads to. */
function change(
  session: Session,
  path: Uint8Array,
  changes: AttributeChanges,
): None | Promise<None> {
  const { mount, path: below } = session.mounts.locate(path);
  session.files.setattr(session.paths.resolve(below), changes);
  return answer(session, mount, {});
}

/** Where something is to be made that is no directory. */
function newName(
  session: Session,
  path: Uint8Array,
): { mount: string; dir: number; name: Uint8Array } {
  const { mount, path: below } = session.mounts.locate(path);
  const { dir, name, mustBeDirectory } = parentOf(session, below, {
    nameless: "EEXIST",
  });
  if (mustBeDirectory) throw new FsError("ENOENT", "it would be no directory");
  return { mount, dir, name };
}
