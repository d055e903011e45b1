/**
 * The filesystem as one user may use it: the calls of {@link Filesystem}, each
 * preceded by the checks that POSIX asks for (`fs/permissions.ts`), and, where
 * the user is kept to a part of the volume, by that of `fs/confinement.ts`.
 *
 * Inode numbers take the place of paths, so search permission is asked for
 * where a name is looked up, not above it. An open file is used by the calls
 * of {@link Filesystem} itself: what it may be used for was asked when it was
 * opened, and is not asked again (POSIX, `open()`).
 *
 * What concerns the volume as a whole (sync, close, room) is nobody's to refuse
 * and stays with {@link Filesystem}.
 *
 * The superuser is asked nothing here but whether changes are refused: what
 * binds even the superuser, the engine looks at by itself.
 *
 * @module
 */

import {
  type AttributeChanges,
  type Attributes,
  type Credentials,
  type DirectoryEntry,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
  type VolumeStatistics,
} from "./attributes.ts";
import { Guard, type GuardOptions } from "./_guard.ts";
import type { Confinement } from "./confinement.ts";
import { isDots, isParentName } from "./directory.ts";
import { FsError } from "./errors.ts";
import type { Filesystem } from "./filesystem.ts";
import { ROOT_INODE } from "./geometry.ts";
import { type Name, nameBytes } from "./namespace.ts";
import type { NodeOptions } from "./options.ts";
import {
  checkOpening,
  checkPermitted,
  isXattrShown,
  MAY_READ,
  MAY_WRITE,
  type OpenWants,
  permittedChanges,
} from "./permissions.ts";

const DOT = nameBytes(".");

export type { GuardOptions };

/** See the module. */
export class GuardedFilesystem {
  /** Who asks. */
  readonly credentials: Credentials;
  /** The directory that `/` stands for: give it to `Paths`. */
  readonly root: number;
  readonly #fs: Filesystem;
  readonly #guard: Guard;
  readonly #within: Confinement | null;

  /** Guards `fs`. */
  constructor(fs: Filesystem, options: GuardOptions) {
    this.credentials = options.credentials;
    this.root = options.confinement?.root ?? ROOT_INODE;
    this.#fs = fs;
    this.#guard = new Guard(fs, options);
    this.#within = options.confinement ?? null;
  }

  /** True if changes are refused, here or by the volume. */
  get readOnly(): boolean {
    return this.#guard.readOnly;
  }

  /**
   * Throws unless all of `wanted`, a sum of `MAY_…`, is permitted on inode
   * `ino`, as access(2) has it: `EACCES`; `EROFS` and, for what is immutable,
   * `EPERM` for writing. With 0 it only has to be there.
   */
  checkAccess(ino: number, wanted: number): void {
    this.#within?.admit(ino);
    const file = this.#fs.getattr(ino);
    this.#guard.checkNotReadOnly(file, wanted);
    checkPermitted(file, wanted, this.#guard.asker(ino));
  }

  /**
   * Throws unless `file`, which was admitted, may be opened for what is
   * wanted: as {@link checkAccess}, and `EPERM` where an append-only file
   * would be emptied or written elsewhere.
   */
  checkOpen(file: Attributes, wants: OpenWants): void {
    const isWrite = wants.write || (wants.truncate ?? false);
    this.#guard.checkNotReadOnly(file, isWrite ? MAY_WRITE : 0);
    checkOpening(file, wants, this.#guard.asker(file.ino));
  }

  /**
   * Whether the attributes of what is in directory `dir` may be seen, and not
   * just its names: that asks for search permission.
   */
  maySearch(dir: number): boolean {
    return this.#guard.maySearch(dir);
  }

  /** See {@link Filesystem.lookup}. `EACCES` without search permission. */
  lookup(dir: number, name: Name): number {
    this.#within?.admit(dir);
    this.#guard.checkSearch(dir);
    if (this.#within === null) return this.#fs.lookup(dir, name);
    const bytes = nameBytes(name);
    const isAbove = dir === this.root && isParentName(bytes);
    const ino = this.#fs.lookup(dir, isAbove ? DOT : bytes);
    this.#within.note(ino, dir, bytes);
    return ino;
  }

  /** See {@link Filesystem.getattr}; everybody may. */
  getattr(ino: number): Attributes {
    this.#within?.admit(ino);
    return this.#fs.getattr(ino);
  }

  /** See {@link Filesystem.setattr} and {@link permittedChanges}. */
  setattr(ino: number, changes: AttributeChanges): Attributes {
    this.#within?.admit(ino);
    this.#guard.checkWritable();
    const permitted = this.#guard.isSuperuser ? changes : permittedChanges(
      this.#fs.getattr(ino),
      changes,
      this.#guard.asker(ino),
    );
    return this.#fs.setattr(ino, permitted, this.credentials);
  }

  /** See {@link Filesystem.read}. `EACCES` without read permission. */
  read(ino: number, offset: number, into: Uint8Array): number {
    this.#guard.checkContents(ino, MAY_READ);
    return this.#fs.read(ino, offset, into);
  }

  /** See {@link Filesystem.write}. `EACCES` without write permission. */
  write(ino: number, offset: number, from: Uint8Array): number {
    this.#guard.checkContents(ino, MAY_WRITE);
    return this.#fs.write(ino, offset, from, this.credentials);
  }

  /** See {@link Filesystem.create}. `EEXIST` goes before `EACCES`. */
  create(dir: number, name: Name, options: { mode?: number } = {}): number {
    const made = this.#guard.newFile(dir, name, {
      kind: S_IFREG,
      mode: options.mode,
    });
    return this.#shown(this.#fs.create(dir, name, made), dir, name);
  }

  /** See {@link Filesystem.mkdir}. `EEXIST` goes before `EACCES`. */
  mkdir(dir: number, name: Name, options: { mode?: number } = {}): number {
    const made = this.#guard.newFile(dir, name, {
      kind: S_IFDIR,
      mode: options.mode,
    });
    return this.#shown(this.#fs.mkdir(dir, name, made), dir, name);
  }

  /** See {@link Filesystem.mknod}. `EPERM` for devices. */
  mknod(
    dir: number,
    name: Name,
    options: Omit<NodeOptions, "credentials">,
  ): number {
    const { kind, rdev } = options;
    const made = this.#guard.newFile(dir, name, options);
    const ino = this.#fs.mknod(dir, name, { ...made, kind, rdev });
    return this.#shown(ino, dir, name);
  }

  /** See {@link Filesystem.symlink}. */
  symlink(dir: number, name: Name, target: Name): number {
    const made = this.#guard.newFile(dir, name, { kind: S_IFLNK });
    return this.#shown(this.#fs.symlink(dir, name, target, made), dir, name);
  }

  /** See {@link Filesystem.link}. Of the file itself nothing is asked. */
  link(ino: number, dir: number, name: Name): void {
    this.#within?.admitNamed(ino);
    this.#guard.checkNewName(dir, name);
    this.#fs.link(ino, dir, name, this.credentials);
    this.#shown(ino, dir, name);
  }

  /** See {@link Filesystem.unlink}. `EPERM` in another's sticky directory. */
  unlink(dir: number, name: Name): void {
    const bytes = nameBytes(name);
    this.#guard.checkNaming(dir);
    if (isDots(bytes)) throw new FsError("EISDIR");
    this.#guard.checkRemoval(dir, bytes);
    this.#fs.unlink(dir, bytes);
  }

  /** See {@link Filesystem.rmdir}. `EPERM` in another's sticky directory. */
  rmdir(dir: number, name: Name): void {
    const bytes = nameBytes(name);
    this.#guard.checkNaming(dir);
    // Of its own two names the engine says what is wrong with them.
    if (!isDots(bytes)) this.#guard.checkRemoval(dir, bytes);
    this.#fs.rmdir(dir, bytes);
  }

  /**
   * See {@link Filesystem.rename}. What moves to another directory and is one
   * itself must be writable too: its `..` changes.
   */
  rename(
    fromDir: number,
    fromName: Name,
    toDir: number,
    toName: Name,
    options: { noReplace?: boolean } = {},
  ): void {
    const from = nameBytes(fromName);
    const to = nameBytes(toName);
    this.#guard.checkNaming(fromDir);
    this.#guard.checkNaming(toDir);
    let ino = 0;
    // That `.` and `..` cannot move is for the engine to say.
    const isAsked = !this.#guard.isSuperuser || this.#within !== null;
    if (isAsked && !isDots(from) && !isDots(to)) {
      ino = this.#fs.lookup(fromDir, from);
      const source = { dir: fromDir, name: from, ino };
      this.#guard.checkMove(source, { dir: toDir, name: to, ...options });
    }
    const { credentials } = this;
    this.#fs.rename(fromDir, from, toDir, to, { ...options, credentials });
    if (ino !== 0) this.#shown(ino, toDir, to);
  }

  /** See {@link Filesystem.readdir}. `EACCES` without read permission. */
  readdir(dir: number, cookie: number, limit?: number): DirectoryEntry[] {
    this.#within?.admit(dir);
    if (!this.#guard.isSuperuser) {
      const directory = this.#guard.directory(dir);
      checkPermitted(directory, MAY_READ, this.#guard.asker(dir));
    }
    const entries = this.#fs.readdir(dir, cookie, limit);
    return this.#within === null ? entries : this.#shownEntries(dir, entries);
  }

  /** See {@link Filesystem.readlink}; everybody may. */
  readlink(ino: number): Uint8Array {
    this.#within?.admit(ino);
    return this.#fs.readlink(ino);
  }

  /** See {@link Filesystem.statfs}; everybody may. */
  statfs(): VolumeStatistics {
    return { ...this.#fs.statfs(), readOnly: this.readOnly };
  }

  /** See {@link Filesystem.getxattr} and {@link checkXattr}. */
  getxattr(ino: number, name: Name): Uint8Array {
    this.#guard.checkXattr(ino, name, false);
    return this.#fs.getxattr(ino, name);
  }

  /** See {@link Filesystem.setxattr} and {@link checkXattr}. */
  setxattr(
    ino: number,
    name: Name,
    value: Uint8Array,
    flags: { create?: boolean; replace?: boolean } = {},
  ): void {
    this.#guard.checkXattr(ino, name, true);
    const { credentials } = this;
    this.#fs.setxattr(ino, name, value, { ...flags, credentials });
  }

  /** See {@link Filesystem.listxattr}; `trusted.` for the superuser only. */
  listxattr(ino: number): Uint8Array[] {
    this.#within?.admit(ino);
    const names = this.#fs.listxattr(ino);
    return names.filter((name) => isXattrShown(name, this.credentials));
  }

  /** See {@link Filesystem.removexattr} and {@link checkXattr}. */
  removexattr(ino: number, name: Name): void {
    this.#guard.checkXattr(ino, name, true);
    this.#fs.removexattr(ino, name);
  }

  /** See {@link Filesystem.retain}; {@link checkOpen} comes before it. */
  retain(ino: number): void {
    this.#fs.retain(ino);
    this.#within?.retain(ino);
  }

  /** See {@link Filesystem.release}; of what was retained here. */
  release(ino: number): void {
    this.#within?.release(ino);
    this.#fs.release(ino);
  }

  /** Notes what has come to be called `name`; returns its inode number. */
  #shown(ino: number, dir: number, name: Name): number {
    this.#within?.note(ino, dir, nameBytes(name));
    return ino;
  }

  /** Directory entries as they are to be seen from within. */
  #shownEntries(
    dir: number,
    entries: readonly DirectoryEntry[],
  ): DirectoryEntry[] {
    const isSearchable = this.maySearch(dir);
    return entries.map((entry) => {
      if (dir === this.root && isParentName(entry.name)) {
        return { ...entry, ino: dir };
      }
      if (isSearchable) this.#shown(entry.ino, dir, entry.name);
      return entry;
    });
  }
}
