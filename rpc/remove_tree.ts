/**
 * Removing a directory with all that is in it, name by name: each is a change
 * by itself, so that a crash leaves what was not removed yet, and nothing else.
 *
 * What others do meanwhile is respected: a directory that is no longer where
 * it was found is left alone from then on. Symbolic links are removed, not
 * followed.
 *
 * @module
 */

import { S_IFDIR, S_IFMT } from "../fs/attributes.ts";
import { isDots } from "../fs/directory.ts";
import { CorruptError, FsError } from "../fs/errors.ts";
import type { Session } from "./session.ts";

/** A name in a directory. */
export interface Place {
  /** Inode number of the directory. */
  readonly dir: number;
  /** The name. */
  readonly name: Uint8Array;
}

/** A directory that is being emptied. */
interface Level extends Place {
  /** Its inode number. */
  readonly ino: number;
  /** Behind which entry to go on. */
  cookie: number;
}

/** Milliseconds after which others have their turn. */
const TURN_TIME = 5;
/** Entries that are looked at together. */
const BATCH = 64;

/**
 * Removes the directory at `place`, as the session may, and resolves when it
 * is gone. Rejects with {@link FsError}: `ENOTDIR`, what removing a name is
 * refused with, and `ECANCELED` if `signal` aborts; what was removed by then
 * stays removed.
 */
export async function removeTree(
  session: Session,
  place: Place,
  signal: AbortSignal,
): Promise<void> {
  const { files } = session;
  const ino = files.lookup(place.dir, place.name);
  if ((files.getattr(ino).mode & S_IFMT) !== S_IFDIR) {
    throw new FsError("ENOTDIR");
  }
  const levels: Level[] = [{ ...place, ino, cookie: 0 }];
  const above = new Set([ino]);
  for (let level = levels.at(-1); level; level = levels.at(-1)) {
    const turnEnd = performance.now() + TURN_TIME;
    const found = removeFrom(session, level, turnEnd);
    if (found === "gone") {
      levels.pop();
      above.delete(level.ino);
    } else if (found !== "more") {
      if (above.has(found.ino)) {
        throw new CorruptError("directories form a loop", { inode: found.ino });
      }
      levels.push(found);
      above.add(found.ino);
    }
    if (performance.now() >= turnEnd || session.fs.room() !== null) {
      await turn(session);
    }
    if (signal.aborted) throw new FsError("ECANCELED");
  }
}

/** Lets others go on, and waits until there is room for changes. */
async function turn({ fs }: Session): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
  for (let room = fs.room(); room; room = fs.room()) await room;
}

/**
 * Removes what is in a directory, and then the directory, until it is gone or
 * has to wait: for a directory in it, or for the next turn.
 */
function removeFrom(
  session: Session,
  level: Level,
  turnEnd: number,
): Level | "gone" | "more" {
  const { files, fs } = session;
  if (isElsewhere(session, level)) return "gone";
  for (;;) {
    const entries = files.readdir(level.ino, level.cookie, BATCH);
    if (entries.length === 0) return removeEmptied(session, level);
    for (const { name, ino, cookie } of entries) {
      if (fs.room() !== null || performance.now() >= turnEnd) return "more";
      if (!isDots(name)) {
        const { mode } = files.getattr(files.lookup(level.ino, name));
        if ((mode & S_IFMT) === S_IFDIR) {
          return { dir: level.ino, name, ino, cookie: 0 };
        }
        files.unlink(level.ino, name);
      }
      level.cookie = cookie;
    }
  }
}

/** Removes a directory in which nothing was left. */
function removeEmptied(session: Session, level: Level): "gone" | "more" {
  if (session.fs.room() !== null) return "more";
  try {
    session.files.rmdir(level.dir, level.name);
    return "gone";
  } catch (error) {
    const isFilled = error instanceof FsError && error.code === "ENOTEMPTY";
    if (!isFilled) throw error;
    // Something was put into it, behind our back.
    level.cookie = 0;
    return "more";
  }
}

/** True if others have moved or removed a directory. */
function isElsewhere({ files }: Session, { dir, name, ino }: Level): boolean {
  try {
    return files.lookup(dir, name) !== ino;
  } catch (error) {
    const isGone = error instanceof FsError &&
      (error.code === "ENOENT" || error.code === "ESTALE");
    if (isGone) return true;
    throw error;
  }
}
