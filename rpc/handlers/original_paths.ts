/**
 * What the handlers of the original's operations share: paths by way of
 * mounts, and answers that wait until a change is stored.
 *
 * @module
 */

import { type Attributes, S_IFDIR, S_IFMT } from "../../fs/attributes.ts";
import { type Errno, FsError } from "../../fs/errors.ts";
import type { ResolvedParent, ResolveOptions } from "../../fs/mod.ts";
import { commit } from "../commit.ts";
import type { Located } from "../mounts.ts";
import type { Session } from "../session.ts";

/** True for a directory. */
export function isDirectory({ mode }: Attributes): boolean {
  return (mode & S_IFMT) === S_IFDIR;
}

/** The inode that a path of the client leads to. */
export function resolve(
  session: Session,
  path: Uint8Array,
  options?: ResolveOptions,
): number {
  const { path: below } = session.mounts.locate(path);
  return session.paths.resolve(below, options);
}

/** The attributes of what a path of the client leads to. */
export function stat(
  session: Session,
  path: Uint8Array,
  options?: ResolveOptions,
): Attributes {
  return session.files.getattr(resolve(session, path, options));
}

/** How {@link parentOf} is to resolve a path. */
export interface ParentOptions {
  /** Directory in which a relative path starts; the root if absent. */
  readonly from?: number;
  /** The refusal of `/`, and of a path that ends in `.` or `..`. */
  readonly nameless: Errno;
}

/**
 * The directory and the name that a path within the volume ends in. One that
 * ends in no name leads to a directory, if to anything; it is refused.
 */
export function parentOf(
  session: Session,
  path: Uint8Array,
  { from, nameless }: ParentOptions,
): ResolvedParent {
  try {
    return session.paths.resolveParent(path, from);
  } catch (error) {
    if (!(error instanceof FsError && error.code === "EINVAL")) throw error;
    session.paths.resolve(path, { from });
    throw new FsError(nameless, "the path ends in no name");
  }
}

/** The inode called `name` in `dir`; null if there is none. */
export function find(
  session: Session,
  dir: number,
  name: Uint8Array,
): number | null {
  try {
    return session.files.lookup(dir, name);
  } catch (error) {
    if (error instanceof FsError && error.code === "ENOENT") return null;
    throw error;
  }
}

/**
 * Two paths of one operation. `EXDEV` if they lead over different mounts, as
 * with rename(2) and link(2).
 */
export function locateBoth(
  session: Session,
  path: Uint8Array,
  newPath: Uint8Array,
): [from: Located, to: Located] {
  const from = session.mounts.locate(path);
  const to = session.mounts.locate(newPath);
  if (from.mount !== to.mount) throw new FsError("EXDEV");
  return [from, to];
}

/**
 * The answer to a change that was made by way of `mount` (null: of none): at
 * once, or when it is stored, if that was asked for.
 */
export function answer<R>(
  session: Session,
  mount: string | null,
  reply: R,
): R | Promise<R> {
  if (mount === null || session.mounts.isWriteBack(mount)) return reply;
  return commit(session).then(() => reply);
}
