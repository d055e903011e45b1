/**
 * Handlers: the original's operations on directories.
 *
 * @module
 */
// The names are the original's.
// deno-lint-ignore-file camelcase

import { type DirectoryEntry, S_IFMT } from "../../fs/attributes.ts";
import { isParentName } from "../../fs/directory.ts";
import { FsError } from "../../fs/errors.ts";
import type { OpenFile } from "../descriptors.ts";
import { FRAME_OVERHEAD, READDIR_REPLY } from "../limits.ts";
import { O_DIRECTORY, O_RDONLY } from "../open_flags.ts";
import { removeTree } from "../remove_tree.ts";
import type { Session } from "../session.ts";
import { ENTRIES_MAX } from "../wire_values.ts";
import type { HandlersOf } from "./handler.ts";
import { openExisting } from "./opening.ts";
import {
  answer,
  find,
  isDirectory,
  locateBoth,
  parentOf,
  resolve,
} from "./original_paths.ts";

/** The names of the operations that are handled here. */
type Names =
  | "dir_rm"
  | "dir_mv"
  | "dir_mk"
  | "dir_mkdir"
  | "dir_open"
  | "dir_close"
  | "dir_entry_next"
  | "dir_entry_rewind"
  | "dir_list";

/** Permissions of directories for which none are given: there is no umask. */
const DIRECTORY_MODE = 0o777;
/** Bytes of an entry in a reply, besides its name, rounded up. */
const ENTRY_OVERHEAD = 16;

/** An entry as the original tells it. */
interface ListedEntry {
  readonly name: Uint8Array;
  readonly ino: number;
  readonly kind: number;
}

/** See the module. */
export const ORIGINAL_DIRECTORY_HANDLERS: HandlersOf<Names> = {
  dir_rm: async (session, { path }, call) => {
    const { mount, path: below } = session.mounts.locate(path);
    const place = parentOf(session, below, { nameless: "EBUSY" });
    await removeTree(session, place, call.signal());
    return answer(session, mount, {});
  },

  dir_mv: (session, { path, newPath }) => {
    const [from, to] = locateBoth(session, path, newPath);
    const { files } = session;
    const source = parentOf(session, from.path, { nameless: "EBUSY" });
    const target = parentOf(session, to.path, { nameless: "EBUSY" });
    const file = files.getattr(files.lookup(source.dir, source.name));
    if (!isDirectory(file)) throw new FsError("ENOTDIR");
    files.rename(source.dir, source.name, target.dir, target.name);
    return answer(session, to.mount, {});
  },

  dir_mk: (session, { path }) => {
    const { mount, path: below } = session.mounts.locate(path);
    try {
      const ino = session.paths.resolve(below);
      if (isDirectory(session.files.getattr(ino))) return {};
      throw new FsError("EEXIST", "and is no directory");
    } catch (error) {
      if (!(error instanceof FsError && error.code === "ENOENT")) throw error;
    }
    makeDirectory(session, below, DIRECTORY_MODE);
    return answer(session, mount, {});
  },

  dir_mkdir: (session, { path, mode }) => {
    const { mount, path: below } = session.mounts.locate(path);
    makeDirectory(session, below, mode & 0o7777);
    return answer(session, mount, {});
  },

  dir_open: (session, { path }) => {
    const { mount, path: below } = session.mounts.locate(path);
    const file = session.files.getattr(session.paths.resolve(below));
    const flags = O_RDONLY | O_DIRECTORY;
    const { descriptor } = openExisting(session, file, flags, mount);
    return { descriptor };
  },

  dir_close: (session, { descriptor }) => {
    openDirectory(session, descriptor);
    session.closeDescriptor(descriptor);
    return {};
  },

  dir_entry_next: (session, { descriptor }) => {
    const directory = openDirectory(session, descriptor);
    // What may be read was asked when it was opened.
    const [entry] = session.fs.readdir(directory.ino, directory.position, 1);
    if (entry === undefined) return { entry: null };
    directory.position = entry.cookie;
    return { entry: listed(session, directory.ino, entry) };
  },

  dir_entry_rewind: (session, { descriptor }) => {
    openDirectory(session, descriptor).position = 0;
    return {};
  },

  dir_list: (session, { path }) => {
    const dir = resolve(session, path);
    const { files } = session;
    let room = Math.min(
      READDIR_REPLY,
      session.limits.maxFrame - FRAME_OVERHEAD,
    );
    const entries: ListedEntry[] = [];
    const found = files.readdir(dir, 0, ENTRIES_MAX);
    for (const entry of found) {
      room -= entry.name.length + ENTRY_OVERHEAD;
      if (room < 0) return { entries, end: false };
      entries.push(listed(session, dir, entry));
    }
    const end = found.length < ENTRIES_MAX ||
      files.readdir(dir, found[found.length - 1].cookie, 1).length === 0;
    return { entries, end };
  },
};

/** Makes a directory. `EEXIST` where there is anything, the root included. */
function makeDirectory(
  session: Session,
  path: Uint8Array,
  mode: number,
): void {
  const { dir, name } = parentOf(session, path, { nameless: "EEXIST" });
  // Also where changes are refused, it counts first that the name is taken.
  if (find(session, dir, name) !== null) throw new FsError("EEXIST");
  session.files.mkdir(dir, name, { mode });
}

/** The open directory behind a descriptor. `EBADF`, `ENOTDIR`. */
function openDirectory(session: Session, descriptor: number): OpenFile {
  const file = session.descriptors.get(descriptor);
  if (!isDirectory(session.fs.getattr(file.ino))) throw new FsError("ENOTDIR");
  return file;
}

/** An entry of directory `dir`; above the session's root is that root. */
function listed(
  session: Session,
  dir: number,
  { name, ino, kind }: DirectoryEntry,
): ListedEntry {
  const isAbove = dir === session.options.root && isParentName(name);
  const seen = isAbove ? dir : ino;
  return { name, ino: seen, kind: kind || kindOf(session, seen) };
}

/** The kind of a file whose entry does not say it; 0 if it cannot be read. */
function kindOf(session: Session, ino: number): number {
  try {
    return session.fs.getattr(ino).mode & S_IFMT;
  } catch (error) {
    session.report("Cannot read the attributes of an entry", error);
    return 0;
  }
}
