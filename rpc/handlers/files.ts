/**
 * Handlers: open files.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type -- the type of the table gives it

import { FsError } from "../../fs/errors.ts";
import { commit } from "../commit.ts";
import { InPlace } from "../frame_writer.ts";
import { O_DIRECTORY, O_EXCL } from "../open_flags.ts";
import type { FILE_OPERATIONS } from "../operations/files.ts";
import type { Session } from "../session.ts";
import {
  attributesOf,
  checkLength,
  type HandlersOf,
  inodeOf,
  type Reply,
} from "./handler.ts";
import {
  checkFlags,
  openExisting,
  openMade,
  readable,
  writable,
} from "./opening.ts";

/** See the module. */
export const FILE_HANDLERS: HandlersOf<keyof typeof FILE_OPERATIONS> = {
  open(session, { node, flags }) {
    if (flags & O_EXCL) throw new FsError("EINVAL", "O_EXCL is for create");
    const file = attributesOf(session, node);
    checkFlags(flags);
    return openExisting(session, file, flags);
  },

  close(session, { descriptor }) {
    session.closeDescriptor(descriptor);
    return {};
  },

  read(session, { descriptor, offset, length }) {
    const { ino } = readable(session, descriptor);
    checkLength(session, length);
    const fill = (into: Uint8Array): number =>
      length === 0 ? 0 : session.fs.read(ino, offset, into);
    return { data: new InPlace(length, fill) };
  },

  write(session, { descriptor, offset, data }) {
    const file = writable(session, descriptor);
    checkLength(session, data.length);
    const { ino, append, durable } = file;
    const at = append ? session.fs.getattr(ino).size : offset;
    const { credentials } = session.options;
    const count = session.fs.write(ino, at, data, credentials);
    return durable ? commit(session).then(() => ({ count })) : { count };
  },

  create(session, { dir, name, mode, flags }) {
    checkFlags(flags);
    if (flags & O_DIRECTORY) {
      throw new FsError("EINVAL", "mkdir makes directories");
    }
    session.descriptors.checkRoom();
    const { files } = session;
    const parent = inodeOf(session, dir);
    let ino: number;
    try {
      ino = files.create(parent, name, { mode: mode & 0o7777 });
    } catch (error) {
      const exists = error instanceof FsError && error.code === "EEXIST";
      if (!exists || flags & O_EXCL) throw error;
      const existing = files.lookup(parent, name);
      return openExisting(session, session.fs.getattr(existing), flags);
    }
    return openMade(session, ino, flags);
  },

  sync: (session) => commit(session),

  fsync: (session, { descriptor }) => commitFile(session, descriptor),

  // A commit is of everything there is: nothing can be left out of it.
  fdatasync: (session, { descriptor }) => commitFile(session, descriptor),

  allocate(session, { descriptor, mode, offset, length }) {
    const { ino } = writable(session, descriptor);
    const { credentials } = session.options;
    const range = { ...allocationMode(mode), offset, length };
    return { count: session.fs.allocate(ino, range, credentials) };
  },

  seekData(session, { descriptor, offset, hole }) {
    const { ino } = session.descriptors.get(descriptor);
    return { offset: session.fs.seekData(ino, offset, { hole }) };
  },

  copyRange(session, { from, fromOffset, to, toOffset, length }) {
    const range = {
      from: readable(session, from).ino,
      fromOffset,
      to: writable(session, to).ino,
      toOffset,
      length,
    };
    const { credentials } = session.options;
    return { count: session.fs.copyRange(range, credentials) };
  },
};

/** Makes all changes durable, by way of a file that must be open. */
function commitFile(
  session: Session,
  descriptor: number,
): Promise<Reply<"fsync">> {
  session.descriptors.get(descriptor);
  return commit(session);
}

/** Linux's bits of fallocate's mode (linux/falloc.h). */
const KEEP_SIZE = 1;
const PUNCH_HOLE = 2;
const ZERO_RANGE = 16;

function allocationMode(mode: number): {
  keepSize: boolean;
  punchHole: boolean;
  zeroRange: boolean;
} {
  if ((mode & ~(KEEP_SIZE | PUNCH_HOLE | ZERO_RANGE)) !== 0) {
    throw new FsError("EOPNOTSUPP", "ext2 cannot shift or share blocks");
  }
  return {
    keepSize: (mode & KEEP_SIZE) !== 0,
    punchHole: (mode & PUNCH_HOLE) !== 0,
    zeroRange: (mode & ZERO_RANGE) !== 0,
  };
}
