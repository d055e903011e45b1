/**
 * Handlers: the original's operations on files and their contents.
 *
 * @module
 */
// The names are the original's.
// deno-lint-ignore-file camelcase

import { S_IFLNK, S_IFMT } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import { commit } from "../commit.ts";
import type { OpenFile } from "../descriptors.ts";
import { InPlace } from "../frame_writer.ts";
import type { Located } from "../mounts.ts";
import {
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
} from "../open_flags.ts";
import { INTEGER_MAX } from "../wire_values.ts";
import type { Session } from "../session.ts";
import { checkLength, type HandlersOf } from "./handler.ts";
import {
  checkFlags,
  openExisting,
  openMade,
  readable,
  writable,
} from "./opening.ts";
import {
  answer,
  find,
  isDirectory,
  locateBoth,
  parentOf,
} from "./original_paths.ts";

/** The names of the operations that are handled here. */
type Names =
  | "file_remove"
  | "file_link"
  | "file_rename"
  | "file_open"
  | "file_open2"
  | "file_close"
  | "file_truncate"
  | "file_read"
  | "file_write"
  | "file_seek"
  | "file_tell"
  | "file_size";

/** See the module. */
export const ORIGINAL_FILE_HANDLERS: HandlersOf<Names> = {
  file_remove: (session, { path }) => {
    const { files } = session;
    const { mount, path: below } = session.mounts.locate(path);
    const { dir, name, mustBeDirectory } = parentOf(session, below, {
      nameless: "EISDIR",
    });
    const file = files.getattr(files.lookup(dir, name));
    if (isDirectory(file)) throw new FsError("EISDIR");
    if (mustBeDirectory) throw new FsError("ENOTDIR");
    files.unlink(dir, name);
    return answer(session, mount, {});
  },

  file_link: (session, { path, newPath }) => {
    const [from, to] = locateBoth(session, path, newPath);
    const ino = session.paths.resolve(from.path, { follow: false });
    const { dir, name, mustBeDirectory } = parentOf(session, to.path, {
      nameless: "EEXIST",
    });
    if (mustBeDirectory) throw new FsError("ENOENT", "a link to no directory");
    session.files.link(ino, dir, name);
    return answer(session, to.mount, {});
  },

  file_rename: (session, { path, newPath }) => {
    const [from, to] = locateBoth(session, path, newPath);
    const { files } = session;
    const source = parentOf(session, from.path, { nameless: "EISDIR" });
    const target = parentOf(session, to.path, { nameless: "EISDIR" });
    const file = files.getattr(files.lookup(source.dir, source.name));
    if (isDirectory(file)) throw new FsError("EISDIR", "dir_mv renames those");
    if (source.mustBeDirectory || target.mustBeDirectory) {
      throw new FsError("ENOTDIR");
    }
    files.rename(source.dir, source.name, target.dir, target.name);
    return answer(session, to.mount, {});
  },

  file_open: (session, { path, mode }) => {
    return openPath(session, path, flagsOf(mode));
  },

  file_open2: (session, { path, flags }) => {
    return openPath(session, path, flags);
  },

  file_close: (session, { descriptor }) => {
    session.closeDescriptor(descriptor);
    return {};
  },

  file_truncate: (session, { descriptor, size }) => {
    const file = writable(session, descriptor);
    const { credentials } = session.options;
    session.fs.setattr(file.ino, { size }, credentials);
    return answerWrite(session, file, {});
  },

  file_read: (session, { descriptor, length }) => {
    const file = readable(session, descriptor);
    checkLength(session, length);
    checkContents(session, file);
    const fill = (into: Uint8Array): number => {
      const { ino, position } = file;
      const count = length === 0 ? 0 : session.fs.read(ino, position, into);
      file.position += count;
      return count;
    };
    return { data: new InPlace(length, fill) };
  },

  file_write: (session, { descriptor, data }) => {
    const file = writable(session, descriptor);
    checkLength(session, data.length);
    const { ino, append, position } = file;
    const { credentials } = session.options;
    const at = append ? session.fs.getattr(ino).size : position;
    const count = session.fs.write(ino, at, data, credentials);
    file.position = at + count;
    return answerWrite(session, file, { count });
  },

  file_seek: (session, { descriptor, offset, origin }) => {
    const file = session.descriptors.get(descriptor);
    const size = checkContents(session, file);
    const position = [0, file.position, size][origin] + offset;
    if (position < 0 || position > INTEGER_MAX) {
      throw new FsError("EINVAL", "no such position can be");
    }
    file.position = position;
    return { position };
  },

  file_tell: (session, { descriptor }) => {
    const file = session.descriptors.get(descriptor);
    checkContents(session, file);
    return { position: file.position };
  },

  file_size: (session, { descriptor }) => {
    const file = session.descriptors.get(descriptor);
    return { size: checkContents(session, file) };
  },
};

/** The size of an open file. `EISDIR` for a directory. */
function checkContents(session: Session, { ino }: OpenFile): number {
  const file = session.fs.getattr(ino);
  if (isDirectory(file)) throw new FsError("EISDIR");
  return file.size;
}

/** The answer to a change of an open file's contents. */
function answerWrite<R>(
  session: Session,
  { durable, mount }: OpenFile,
  reply: R,
): R | Promise<R> {
  if (durable) return commit(session).then(() => reply);
  return answer(session, mount, reply);
}

/** The flags that stand for a mode of fopen(3). `EINVAL`. */
function flagsOf(mode: string): number {
  // C17, 7.21.5.3: the "b" may come before or behind the "+".
  const match = /^([rwa])(?:b?(\+?)|\+b)$/.exec(mode);
  if (match === null) {
    throw new FsError("EINVAL", 'a mode is "r", "w" or "a", with "+" and "b"');
  }
  const access = mode.includes("+") ? O_RDWR : null;
  switch (match[1]) {
    case "r":
      return access ?? O_RDONLY;
    case "w":
      return (access ?? O_WRONLY) | O_CREAT | O_TRUNC;
    default:
      return (access ?? O_WRONLY) | O_CREAT | O_APPEND;
  }
}

/** Permissions of files that are made by opening them: there is no umask. */
const FILE_MODE = 0o666;

/**
 * Symbolic links one behind the other that lead to where a file is to be made:
 * the least that POSIX asks for (`_POSIX_SYMLOOP_MAX`).
 */
const DANGLING_MAX = 8;

function openPath(
  session: Session,
  path: Uint8Array,
  flags: number,
): { descriptor: number } | Promise<{ descriptor: number }> {
  checkFlags(flags & ~O_CREAT);
  const located = session.mounts.locate(path);
  if (flags & O_CREAT) return openOrMake(session, located, flags);
  if (flags & O_EXCL) throw new FsError("EINVAL", "O_EXCL needs O_CREAT");
  const follow = (flags & O_NOFOLLOW) === 0;
  const ino = session.paths.resolve(located.path, { follow });
  const file = session.files.getattr(ino);
  return opened(
    session,
    openExisting(session, file, flags, located.mount),
    { mount: located.mount, isChange: (flags & O_TRUNC) !== 0 },
  );
}

/** Opens with O_CREAT: as open(2), also where a link leads to no file yet. */
function openOrMake(
  session: Session,
  { mount, path }: Located,
  flags: number,
): { descriptor: number } | Promise<{ descriptor: number }> {
  if (flags & O_DIRECTORY) {
    throw new FsError("EINVAL", "dir_mkdir makes directories");
  }
  const { files } = session;
  let from: number | undefined;
  for (let links = 0; links <= DANGLING_MAX; links++) {
    const options = { from, nameless: "EISDIR" } as const;
    const { dir, name, mustBeDirectory } = parentOf(session, path, options);
    if (mustBeDirectory) throw new FsError("EISDIR");
    const found = find(session, dir, name);
    const usual = flags & ~(O_CREAT | O_EXCL);
    if (found === null) {
      session.descriptors.checkRoom();
      const ino = files.create(dir, name, { mode: FILE_MODE });
      const made = openMade(session, ino, usual, mount);
      return opened(session, made, { mount, isChange: true });
    }
    if (flags & O_EXCL) throw new FsError("EEXIST");
    const file = files.getattr(found);
    if (isDirectory(file)) throw new FsError("EISDIR");
    if ((file.mode & S_IFMT) !== S_IFLNK || flags & O_NOFOLLOW) {
      const isChange = (flags & O_TRUNC) !== 0;
      const existing = openExisting(session, file, usual, mount);
      return opened(session, existing, { mount, isChange });
    }
    path = files.readlink(found);
    from = dir;
  }
  throw new FsError("ELOOP");
}

/** The answer to opening a file, which may have changed or made it. */
function opened(
  session: Session,
  { descriptor }: { descriptor: number },
  { mount, isChange }: { mount: string; isChange: boolean },
): { descriptor: number } | Promise<{ descriptor: number }> {
  const reply = { descriptor };
  return isChange ? answer(session, mount, reply) : reply;
}
