/**
 * Opening files, by whatever name, and finding what is open.
 *
 * @module
 */

import {
  type Attributes,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { OpenWants } from "../../fs/mod.ts";
import type { OpenFile } from "../descriptors.ts";
import {
  O_ACCMODE,
  O_APPEND,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_SYNC,
  O_TRUNC,
  O_WRONLY,
} from "../open_flags.ts";
import type { Session } from "../session.ts";

/** What was opened. */
export interface Opened {
  /** Its descriptor. */
  readonly descriptor: number;
  /** Its attributes, as the client sees them. */
  readonly attributes: Attributes;
}

/** Flags that all operations which open files know. */
const FLAGS_KNOWN = O_ACCMODE | O_EXCL | O_TRUNC | O_APPEND | O_SYNC |
  O_DIRECTORY | O_NOFOLLOW;

/** Throws `EINVAL` for flags that are not known, or make no sense. */
export function checkFlags(flags: number): void {
  const access = flags & O_ACCMODE;
  if ((flags & ~FLAGS_KNOWN) !== 0 || access === O_ACCMODE) {
    throw new FsError("EINVAL", "unknown flags");
  }
  if (flags & O_TRUNC && access === O_RDONLY) {
    throw new FsError("EINVAL", "O_TRUNC needs access for writing");
  }
}

/**
 * Opens a file that exists, if the session may; `mount` is the name of the
 * mount that its path led to.
 */
export function openExisting(
  session: Session,
  file: Attributes,
  flags: number,
  mount: string | null = null,
): Opened {
  checkKind(file.mode & S_IFMT, flags);
  session.files.checkOpen(file, accessOf(flags));
  session.descriptors.checkRoom();
  const { credentials } = session.options;
  const opened = flags & O_TRUNC
    ? session.fs.setattr(file.ino, { size: 0 }, credentials)
    : file;
  return finish(session, opened, flags, mount);
}

/** As above, a file that the session has just made: it may use it. */
export function openMade(
  session: Session,
  ino: number,
  flags: number,
  mount: string | null = null,
): Opened {
  return finish(session, session.fs.getattr(ino), flags, mount);
}

/** The open file behind a descriptor that may be read. `EBADF`. */
export function readable(session: Session, descriptor: number): OpenFile {
  const file = session.descriptors.get(descriptor);
  if (!file.readable) throw new FsError("EBADF", "not open for reading");
  return file;
}

/** The open file behind a descriptor that may be written. `EBADF`. */
export function writable(session: Session, descriptor: number): OpenFile {
  const file = session.descriptors.get(descriptor);
  if (!file.writable) throw new FsError("EBADF", "not open for writing");
  return file;
}

function finish(
  { descriptors, options: { ids } }: Session,
  file: Attributes,
  flags: number,
  mount: string | null,
): Opened {
  const descriptor = descriptors.open(file.ino, flags, mount);
  return { descriptor, attributes: ids.toClient(file) };
}

/** What has to be allowed. */
function accessOf(flags: number): OpenWants {
  const access = flags & O_ACCMODE;
  return {
    read: access !== O_WRONLY,
    write: access !== O_RDONLY,
    append: (flags & O_APPEND) !== 0,
    truncate: (flags & O_TRUNC) !== 0,
  };
}

function checkKind(kind: number, flags: number): void {
  if (kind === S_IFLNK) throw new FsError("ELOOP", "a symbolic link");
  if (kind === S_IFDIR) {
    if ((flags & O_ACCMODE) !== O_RDONLY) throw new FsError("EISDIR");
    return;
  }
  if (flags & O_DIRECTORY) throw new FsError("ENOTDIR");
  if (kind !== S_IFREG) throw new FsError("EINVAL", "not a regular file");
}
