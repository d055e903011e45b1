/**
 * The filesystem by path: resolution as POSIX has it (4.16, "Pathname
 * Resolution"), and the calls that programs make most, on top of the face by
 * inode number.
 *
 * @module
 */

import {
  type Attributes,
  type DirectoryEntry,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
} from "./attributes.ts";
import { isDots, isParentName } from "./directory.ts";
import { FsError } from "./errors.ts";
import type { Filesystem } from "./filesystem.ts";
import type { CreateOptions } from "./options.ts";
import { ROOT_INODE } from "./geometry.ts";
import { type Name, nameBytes } from "./namespace.ts";

/** Symbolic links that one resolution follows at most, as on Linux. */
export const SYMLINKS_MAX = 40;
/**
 * Names that one resolution looks up at most: twice those of the longest path.
 * Links whose targets are long paths themselves could ask for many more.
 */
const LOOKUPS_MAX = 4096;
/** Longest path, in bytes. */
export const PATH_MAX = 4095;

const SLASH = 0x2f;
/** The name of a directory in itself. */
const DOT: Uint8Array = Uint8Array.of(0x2e);

/** How a path is to be resolved. */
export interface ResolveOptions {
  /** Directory in which a relative path starts; the root if absent. */
  from?: number;
  /** Whether a link that the path ends in is followed; true if absent. */
  follow?: boolean;
}

/** The last step of a path. */
export interface ResolvedParent {
  /** The directory. */
  readonly dir: number;
  /** The name in it. */
  readonly name: Uint8Array;
  /** Whether a slash follows, so that nothing but a directory will do. */
  readonly mustBeDirectory: boolean;
}

/**
 * The calls by inode number that paths are made of. `lookup` decides whether a
 * directory may be searched, the others whether what they do may be done.
 */
export type PathSource = Pick<
  Filesystem,
  | "create"
  | "getattr"
  | "link"
  | "lookup"
  | "mkdir"
  | "read"
  | "readdir"
  | "readlink"
  | "rename"
  | "rmdir"
  | "setattr"
  | "symlink"
  | "unlink"
  | "write"
>;

/** Where paths begin. */
export interface PathsOptions {
  /**
   * The directory that `/` stands for, in paths and in symbolic links; the
   * volume's root if absent. No path that starts there or below leaves it, as
   * after chroot(2).
   */
  root?: number;
}

/** See the module. */
export class Paths<F extends PathSource = Filesystem> {
  /** The directory that `/` stands for. */
  readonly root: number;

  /** Makes the path face of `fs`. */
  constructor(readonly fs: F, options: PathsOptions = {}) {
    this.root = options.root ?? ROOT_INODE;
  }

  /** The inode `path` leads to. `ENOENT`, `ENOTDIR`, `ELOOP`. */
  resolve(path: Name, options: ResolveOptions = {}): number {
    const bytes = checkedPath(path);
    return this.#walk(bytes, options.from ?? this.root, {
      follow: options.follow ?? true,
      links: 0,
      lookups: 0,
    });
  }

  /**
   * The directory and the name that `path` ends in; there need not be such a
   * name. `EINVAL` where the path ends in no name: `/`, `.` or `..`.
   */
  resolveParent(path: Name, from: number = this.root): ResolvedParent {
    const bytes = checkedPath(path);
    let end = bytes.length;
    while (end > 0 && bytes[end - 1] === SLASH) end--;
    const start = bytes.lastIndexOf(SLASH, end - 1) + 1;
    const name = bytes.slice(end === 0 ? 0 : start, end);
    if (name.length === 0 || isDots(name)) {
      throw new FsError("EINVAL", "the path ends in no name");
    }
    const parent = bytes.subarray(0, start);
    const dir = start === 0
      ? from
      : this.#walk(parent, from, { follow: true, links: 0, lookups: 0 });
    return { dir, name, mustBeDirectory: end < bytes.length };
  }

  /** Attributes of the file at `path`. */
  stat(path: Name): Attributes {
    return this.fs.getattr(this.resolve(path));
  }

  /** Attributes of the file at `path`, or of the link that it is. */
  lstat(path: Name): Attributes {
    return this.fs.getattr(this.resolve(path, { follow: false }));
  }

  /** The contents of the file at `path`. */
  readFile(path: Name): Uint8Array {
    const ino = this.resolve(path);
    const into = new Uint8Array(this.fs.getattr(ino).size);
    return into.subarray(0, this.fs.read(ino, 0, into));
  }

  /** Makes the file at `path`, or replaces its contents; returns its inode. */
  writeFile(
    path: Name,
    data: Uint8Array | string,
    options?: CreateOptions,
  ): number {
    let ino: number;
    try {
      ino = this.resolve(path);
      this.fs.setattr(ino, { size: 0 });
    } catch (error) {
      if (!(error instanceof FsError && error.code === "ENOENT")) throw error;
      const { dir, name } = this.#parentOfFile(path);
      ino = this.fs.create(dir, name, options);
    }
    const bytes = nameBytes(data);
    const written = this.fs.write(ino, 0, bytes, options?.credentials);
    if (written < bytes.length) throw new FsError("ENOSPC");
    return ino;
  }

  /** Makes the directory at `path`; returns its inode number. */
  mkdir(path: Name, options?: CreateOptions): number {
    const { dir, name } = this.resolveParent(path);
    return this.fs.mkdir(dir, name, options);
  }

  /** Makes the directory at `path` and those above it; returns its inode. */
  mkdirAll(path: Name, options?: CreateOptions): number {
    let dir = this.root;
    for (const name of components(checkedPath(path))) {
      dir = this.#openOrMakeDirectory(dir, name, options);
    }
    return dir;
  }

  /** Makes a symbolic link at `path`; returns its inode number. */
  symlink(target: Name, path: Name, options?: CreateOptions): number {
    const { dir, name } = this.#parentOfFile(path);
    return this.fs.symlink(dir, name, target, options);
  }

  /** Gives the file at `existing` the name `path` too. */
  link(existing: Name, path: Name): void {
    const ino = this.resolve(existing, { follow: false });
    const { dir, name } = this.#parentOfFile(path);
    this.fs.link(ino, dir, name);
  }

  /** Removes the file or the empty directory at `path`. */
  remove(path: Name): void {
    const { dir, name } = this.#existing(path);
    this.#remove(dir, name);
  }

  /** Removes what is at `path` with all below it. */
  removeAll(path: Name): void {
    const { dir, name } = this.#existing(path);
    const ino = this.fs.lookup(dir, name);
    if (isDirectory(this.fs.getattr(ino))) this.#empty(ino);
    this.#remove(dir, name);
  }

  /** Renames `from` to `to`, in place of what has that name. */
  rename(from: Name, to: Name): void {
    const source = this.#existing(from);
    const target = this.resolveParent(to);
    if (target.mustBeDirectory) this.#checkDirectory(source);
    this.fs.rename(source.dir, source.name, target.dir, target.name);
  }

  /** The target of the symbolic link at `path`. */
  readlink(path: Name): Uint8Array {
    return this.fs.readlink(this.resolve(path, { follow: false }));
  }

  /** The entries of the directory at `path` but `.` and `..`. */
  readDir(path: Name): DirectoryEntry[] {
    return this.#entries(this.resolve(path));
  }

  /** Makes the file at `path` `size` bytes long. */
  truncate(path: Name, size: number): void {
    this.fs.setattr(this.resolve(path), { size });
  }

  /** As {@link resolveParent}, of what is there already. */
  #existing(path: Name): ResolvedParent {
    const parent = this.resolveParent(path);
    if (parent.mustBeDirectory) this.#checkDirectory(parent);
    return parent;
  }

  /** As {@link resolveParent}, of what is not to be a directory. */
  #parentOfFile(path: Name): ResolvedParent {
    const parent = this.resolveParent(path);
    if (parent.mustBeDirectory) throw new FsError("EISDIR");
    return parent;
  }

  #checkDirectory({ dir, name }: ResolvedParent): void {
    const attributes = this.fs.getattr(this.fs.lookup(dir, name));
    if (!isDirectory(attributes)) throw new FsError("ENOTDIR");
  }

  #entries(dir: number): DirectoryEntry[] {
    const all: DirectoryEntry[] = [];
    let cookie = 0;
    for (;;) {
      const some = this.fs.readdir(dir, cookie);
      if (some.length === 0) return all;
      cookie = some[some.length - 1].cookie;
      for (const entry of some) if (!isDots(entry.name)) all.push(entry);
    }
  }

  #remove(dir: number, name: Uint8Array): void {
    const attributes = this.fs.getattr(this.fs.lookup(dir, name));
    if (isDirectory(attributes)) this.fs.rmdir(dir, name);
    else this.fs.unlink(dir, name);
  }

  /** Removes all below directory `top`, without recursion. */
  #empty(top: number): void {
    const stack = [{ dir: top, entries: this.#entries(top) }];
    while (stack.length > 0) {
      const { dir, entries } = stack[stack.length - 1];
      const entry = entries[entries.length - 1];
      if (entry === undefined) {
        stack.pop();
        continue;
      }
      const below = isDirectory(this.fs.getattr(entry.ino))
        ? this.#entries(entry.ino)
        : [];
      if (below.length > 0) {
        if (stack.some(({ dir }) => dir === entry.ino)) {
          throw new FsError("ELOOP", "directories form a loop");
        }
        stack.push({ dir: entry.ino, entries: below });
        continue;
      }
      entries.pop();
      this.#remove(dir, entry.name);
    }
  }

  #openOrMakeDirectory(
    dir: number,
    name: Uint8Array,
    options?: CreateOptions,
  ): number {
    try {
      return this.fs.mkdir(dir, name, options);
    } catch (error) {
      if (!(error instanceof FsError && error.code === "EEXIST")) throw error;
      const ino = this.resolve(name, { from: dir });
      if (isDirectory(this.fs.getattr(ino))) return ino;
      throw new FsError("ENOTDIR");
    }
  }

  #walk(
    path: Uint8Array,
    from: number,
    state: { follow: boolean; links: number; lookups: number },
  ): number {
    let ino = path[0] === SLASH ? this.root : from;
    const names = components(path);
    const mustBeDirectory = path[path.length - 1] === SLASH;
    for (let i = 0; i < names.length; i++) {
      if (++state.lookups > LOOKUPS_MAX) throw new FsError("ELOOP");
      const parent = ino;
      // Above the root is the root; whether it may be searched still counts.
      const isAbove = parent === this.root && isParentName(names[i]);
      ino = this.fs.lookup(parent, isAbove ? DOT : names[i]);
      const isLast = i === names.length - 1;
      const isLink = (this.fs.getattr(ino).mode & S_IFMT) === S_IFLNK;
      if (!isLink || isLast && !state.follow && !mustBeDirectory) continue;
      if (++state.links > SYMLINKS_MAX) throw new FsError("ELOOP");
      const target = this.fs.readlink(ino);
      const below = { ...state, follow: true };
      ino = this.#walk(target, parent, below);
      state.links = below.links;
      state.lookups = below.lookups;
    }
    if (mustBeDirectory && !isDirectory(this.fs.getattr(ino))) {
      throw new FsError("ENOTDIR");
    }
    return ino;
  }
}

function checkedPath(path: Name): Uint8Array {
  const bytes = nameBytes(path);
  if (bytes.length === 0) throw new FsError("ENOENT", "an empty path");
  if (bytes.length > PATH_MAX) {
    throw new FsError("ENAMETOOLONG", `a path has at most ${PATH_MAX} bytes`);
  }
  return bytes;
}

/** The names in `path`. */
function components(path: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (let start = 0; start < path.length;) {
    let end = path.indexOf(SLASH, start);
    if (end < 0) end = path.length;
    if (end > start) names.push(path.subarray(start, end));
    start = end + 1;
  }
  return names;
}

function isDirectory({ mode }: Attributes): boolean {
  return (mode & S_IFMT) === S_IFDIR;
}
