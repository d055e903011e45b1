/**
 * The checks that come before the calls of a guarded filesystem: what
 * `fs/permissions.ts` and the confinement say about an inode by its number.
 *
 * @module
 */

import { type AclEntry, decodeAcl } from "./acl.ts";
import {
  type Attributes,
  type Credentials,
  type DeviceNumber,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "./attributes.ts";
import type { Confinement } from "./confinement.ts";
import { FsError } from "./errors.ts";
import type { Filesystem } from "./filesystem.ts";
import { type Name, nameBytes } from "./namespace.ts";
import type { CreateOptions } from "./options.ts";
import {
  type Asker,
  checkPermitted,
  checkRemovable,
  checkSpecial,
  checkXattr,
  isPermitted,
  isSuperuser,
  MAY_EXECUTE,
  MAY_WRITE,
  permittedMode,
} from "./permissions.ts";

const ACCESS_ACL = nameBytes("system.posix_acl_access");

/** For whom a filesystem is guarded. */
export interface GuardOptions {
  /** Who asks. */
  readonly credentials: Credentials;
  /** Refuse every change, with `EROFS`. */
  readonly readOnly?: boolean;
  /** The part of the volume that can be reached; all of it if absent. */
  readonly confinement?: Confinement | null;
}

/** See the module. */
export class Guard {
  /** Who asks. */
  readonly credentials: Credentials;
  /** Whether the superuser asks. */
  readonly isSuperuser: boolean;
  /** The part of the volume that can be reached; null for all of it. */
  readonly within: Confinement | null;
  readonly #fs: Filesystem;
  readonly #readOnly: boolean;

  /** Guards `fs`. */
  constructor(fs: Filesystem, options: GuardOptions) {
    const { credentials, readOnly = false, confinement = null } = options;
    this.credentials = credentials;
    this.isSuperuser = isSuperuser(credentials);
    this.within = confinement;
    this.#fs = fs;
    this.#readOnly = readOnly;
  }

  /** True if changes are refused, here or by the volume. */
  get readOnly(): boolean {
    return this.#readOnly || this.#fs.readOnly;
  }

  /** Whether directory `dir` may be searched. */
  maySearch(dir: number): boolean {
    return this.isSuperuser ||
      isPermitted(this.#fs.getattr(dir), MAY_EXECUTE, this.asker(dir));
  }

  /** Who asks about inode `ino`, with its list at hand. */
  asker(ino: number): Asker {
    return { credentials: this.credentials, acl: () => this.#acl(ino) };
  }

  #acl(ino: number): AclEntry[] {
    // Most files have no list: that is cheaper to see here than to catch.
    const has = this.#fs.listxattr(ino).some((name) =>
      name.length === ACCESS_ACL.length &&
      name.every((byte, i) => byte === ACCESS_ACL[i])
    );
    return has ? decodeAcl(this.#fs.getxattr(ino, ACCESS_ACL)) : [];
  }

  /** The attributes of `ino`, which has to be a directory: `ENOTDIR`. */
  directory(ino: number): Attributes {
    const file = this.#fs.getattr(ino);
    if ((file.mode & S_IFMT) === S_IFDIR) return file;
    throw new FsError("ENOTDIR");
  }

  /** Throws `EROFS` if changes are refused. */
  checkWritable(): void {
    if (this.readOnly) throw new FsError("EROFS");
  }

  /**
   * Throws `EROFS` if a file is to be written and may not change. What goes
   * into a special file does not go to the volume.
   */
  checkNotReadOnly({ mode }: Attributes, wanted: number): void {
    const kind = mode & S_IFMT;
    const isHere = kind === S_IFREG || kind === S_IFDIR || kind === S_IFLNK;
    if ((wanted & MAY_WRITE) !== 0 && isHere) this.checkWritable();
  }

  /** Throws unless directory `dir` may be searched. */
  checkSearch(dir: number): void {
    if (this.isSuperuser) return;
    checkPermitted(this.directory(dir), MAY_EXECUTE, this.asker(dir));
  }

  /**
   * Throws unless the contents of file `ino` may be read, or be written. That
   * something has none is for the engine to say.
   */
  checkContents(ino: number, wanted: number): void {
    this.within?.admit(ino);
    if (wanted === MAY_WRITE) this.checkWritable();
    if (this.isSuperuser) return;
    const file = this.#fs.getattr(ino);
    if ((file.mode & S_IFMT) !== S_IFREG) return;
    checkPermitted(file, wanted, this.asker(ino));
  }

  /** Throws unless the extended attribute may be read, or be changed. */
  checkXattr(ino: number, name: Name, isWrite: boolean): void {
    this.within?.admit(ino);
    if (isWrite) this.checkWritable();
    if (this.isSuperuser) return;
    const what = { name: nameBytes(name), isWrite };
    checkXattr(this.#fs.getattr(ino), what, this.asker(ino));
  }

  /** What a new file called `name` is made with, if it may be made. */
  newFile(
    dir: number,
    name: Name,
    special: { kind: number; mode?: number; rdev?: DeviceNumber },
  ): CreateOptions {
    const { credentials } = this;
    const { kind, mode } = special;
    const directory = this.checkNewName(dir, name, special);
    if (directory === null || mode === undefined) return { mode, credentials };
    const permitted = permittedMode(directory, { kind, mode }, credentials);
    return { mode: permitted, credentials };
  }

  /**
   * Throws unless `name` may be made in directory `dir`: if it is there
   * already, then that is the reason. `special` is what it is to be, if it is
   * to be new. Returns the directory where it was looked at.
   */
  checkNewName(
    dir: number,
    name: Name,
    special?: { kind: number; rdev?: DeviceNumber },
  ): Attributes | null {
    this.within?.admit(dir);
    if (this.isSuperuser && !this.readOnly) return null;
    this.checkSearch(dir);
    const directory = this.directory(dir);
    try {
      this.checkWritable();
      this.#checkDirectory(directory);
      if (special) checkSpecial(special, this.credentials);
    } catch (refusal) {
      if (this.#find(dir, name) === null) throw refusal;
      throw new FsError("EEXIST");
    }
    return directory;
  }

  /** Throws unless the names in `dir` may be looked up, and may change. */
  checkNaming(dir: number): void {
    this.within?.admit(dir);
    this.checkSearch(dir);
    this.checkWritable();
  }

  /**
   * Throws unless the names in a directory may be changed: a list has to give
   * both permissions by the same entry.
   */
  #checkDirectory(dir: Attributes): void {
    if (this.isSuperuser) return;
    checkPermitted(dir, MAY_WRITE | MAY_EXECUTE, this.asker(dir.ino));
  }

  /** Throws unless `name` may be taken from directory `dir`. `ENOENT`. */
  checkRemoval(dir: number, name: Uint8Array): void {
    if (this.isSuperuser) return;
    const ino = this.#fs.lookup(dir, name);
    const directory = this.#fs.getattr(dir);
    this.#checkDirectory(directory);
    checkRemovable(directory, this.#fs.getattr(ino), this.credentials);
  }

  /** Throws unless what is called `from` may get the place of `to`. */
  checkMove(
    from: { dir: number; name: Uint8Array; ino: number },
    to: { dir: number; name: Uint8Array; noReplace?: boolean },
  ): void {
    if (this.isSuperuser) return;
    const target = this.#find(to.dir, to.name);
    if (target !== null && to.noReplace) throw new FsError("EEXIST");
    // Two names of one file: nothing is going to happen.
    if (target === from.ino) return;
    this.checkRemoval(from.dir, from.name);
    if (target === null) this.#checkDirectory(this.#fs.getattr(to.dir));
    else this.checkRemoval(to.dir, to.name);
    const source = this.#fs.getattr(from.ino);
    if (from.dir === to.dir || (source.mode & S_IFMT) !== S_IFDIR) return;
    checkPermitted(source, MAY_WRITE, this.asker(from.ino));
  }

  #find(dir: number, name: Name): number | null {
    try {
      return this.#fs.lookup(dir, name);
    } catch (error) {
      if (error instanceof FsError && error.code === "ENOENT") return null;
      throw error;
    }
  }
}
