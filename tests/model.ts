/**
 * A filesystem as POSIX describes it, in the simplest form: maps of names and
 * arrays of bytes. It knows nothing of ext2 but its limit of links, so that
 * what it agrees on with the engine is not the engine's own mistake.
 *
 * The rules of times are those of Linux: `relatime`, and the changes of mtime
 * and ctime of its virtual filesystem.
 *
 * @module
 */

import {
  type AttributeChanges,
  type CreateOptions,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_ISGID,
  S_ISUID,
  type Timestamp,
} from "../fs/mod.ts";
import { type ModelNode, newNode } from "./support/model_node.ts";

/** The most names a file, or subdirectories and names a directory, has. */
const LINK_MAX = 32_000;
/** The longest name, in bytes. */
const NAME_MAX = 255;
/** A last read as old as this is always renewed, in seconds. */
const RELATIME_AGE = 24 * 60 * 60;

/** The model refuses an operation, for one of `codes`: any may be reported. */
export class ModelError extends Error {
  /** Makes a refusal. */
  constructor(readonly codes: readonly string[]) {
    super(codes.join(" or "));
  }
}

function refuse(...codes: string[]): never {
  throw new ModelError(codes);
}

/** A name as the key of a map: one character per byte. */
export const nameKey = (name: Uint8Array): string =>
  String.fromCharCode(...name);

const isDirectory = (node: ModelNode): boolean =>
  (node.mode & S_IFMT) === S_IFDIR;

const order = (a: Timestamp, b: Timestamp): number =>
  a.sec - b.sec || a.nsec - b.nsec;

/** A filesystem in maps. */
export class Model {
  /** The clock: what "now" is, for the next operation. */
  now: Timestamp;
  /** All files that exist, by inode number. */
  readonly nodes = new Map<number, ModelNode>();
  /** Whether the volume can store extended attributes. */
  storesXattrs = true;

  /** Makes an empty filesystem whose root has inode number `root`. */
  constructor(root: ModelNode) {
    this.now = root.ctime;
    this.nodes.set(root.ino, root);
  }

  /** The file of that number; `ESTALE` if there is none. */
  node(ino: number): ModelNode {
    return this.nodes.get(ino) ?? refuse("ESTALE");
  }

  /** Files that have no name but are retained. */
  orphans(): ModelNode[] {
    return [...this.nodes.values()].filter((node) => node.nlink === 0);
  }

  /** Inode number of a name. */
  lookup(dir: number, name: Uint8Array): number {
    const parent = this.#directory(dir);
    checkName(name);
    return parent.entries.get(nameKey(name)) ?? refuse("ENOENT");
  }

  /** Makes a file of any kind, which gets inode number `ino`. */
  create(
    dir: number,
    name: Uint8Array,
    ino: () => number,
    options: CreateOptions & { kind: number },
  ): ModelNode {
    const parent = this.#directory(dir);
    const key = this.#vacant(parent, name);
    const directory = options.kind === S_IFDIR;
    if (directory && parent.nlink >= LINK_MAX) refuse("EMLINK");
    const inherits = (parent.mode & S_ISGID) !== 0;
    let mode = options.kind | (options.mode ?? 0);
    if (inherits && directory) mode |= S_ISGID;
    const node = newNode(ino(), mode, this.now);
    node.uid = options.credentials?.uid ?? 0;
    node.gid = inherits ? parent.gid : options.credentials?.gid ?? 0;
    node.nlink = directory ? 2 : 1;
    node.parent = dir;
    if (directory) parent.nlink++;
    if (this.nodes.has(node.ino)) throw new Error(`Inode ${node.ino} is taken`);
    this.nodes.set(node.ino, node);
    parent.entries.set(key, node.ino);
    this.#changed(parent);
    return node;
  }

  /** Gives a file one more name. */
  link(ino: number, dir: number, name: Uint8Array): void {
    const node = this.node(ino);
    const parent = this.#directory(dir);
    checkName(name);
    if (isDirectory(node)) refuse("EPERM");
    const key = this.#vacant(parent, name);
    if (node.nlink === 0) refuse("ENOENT");
    if (node.nlink >= LINK_MAX) refuse("EMLINK");
    node.nlink++;
    node.ctime = this.now;
    parent.entries.set(key, ino);
    this.#changed(parent);
  }

  /** Removes a name of a file that is not a directory. */
  unlink(dir: number, name: Uint8Array): void {
    const parent = this.#directory(dir);
    const node = this.node(this.lookup(dir, name));
    if (isDirectory(node)) refuse("EISDIR");
    parent.entries.delete(nameKey(name));
    this.#changed(parent);
    this.#dropName(node);
  }

  /** Removes an empty directory. */
  rmdir(dir: number, name: Uint8Array): void {
    const parent = this.#directory(dir);
    const node = this.node(this.lookup(dir, name));
    if (!isDirectory(node)) refuse("ENOTDIR");
    if (node.entries.size > 0) refuse("ENOTEMPTY");
    parent.entries.delete(nameKey(name));
    this.#changed(parent);
    this.#dropDirectory(node, parent);
  }

  /** Gives a file another name, by the rules of POSIX `rename()`. */
  rename(
    from: { dir: number; name: Uint8Array },
    to: { dir: number; name: Uint8Array },
    noReplace: boolean,
  ): void {
    const source = this.#directory(from.dir);
    const parent = this.#directory(to.dir);
    checkName(from.name);
    checkName(to.name);
    const node = this.node(this.lookup(from.dir, from.name));
    if (parent.nlink === 0) refuse("ENOENT");
    const targetIno = parent.entries.get(nameKey(to.name));
    const old = targetIno === undefined ? null : this.node(targetIno);
    const codes = [];
    if (old && noReplace) codes.push("EEXIST");
    if (isDirectory(node) && this.#isWithin(to.dir, node.ino)) {
      codes.push("EINVAL");
    }
    if (codes.length > 0) refuse(...codes);
    if (old === node) return;
    if (old) this.#checkReplaced(node, old);
    const moves = isDirectory(node) && source !== parent;
    if (moves && !old && parent.nlink >= LINK_MAX) refuse("EMLINK");

    source.entries.delete(nameKey(from.name));
    parent.entries.set(nameKey(to.name), node.ino);
    if (moves) {
      source.nlink--;
      parent.nlink++;
    }
    if (isDirectory(node)) node.parent = parent.ino;
    this.#changed(source);
    this.#changed(parent);
    node.ctime = this.now;
    if (old && isDirectory(old)) this.#dropDirectory(old, parent);
    else if (old) this.#dropName(old);
  }

  /** Reads from a regular file. */
  read(ino: number, offset: number, length: number): Uint8Array {
    const node = this.#regular(ino);
    if (length > 0) this.accessed(node);
    return node.data.read(offset, length);
  }

  /** Writes to a regular file. */
  write(ino: number, offset: number, from: Uint8Array): void {
    const node = this.#regular(ino);
    if (from.length === 0) return;
    node.data.write(offset, from);
    this.#changed(node);
  }

  /** Changes attributes. */
  setattr(ino: number, changes: AttributeChanges): void {
    const node = this.node(ino);
    if (changes.size !== undefined) {
      if (isDirectory(node)) refuse("EISDIR");
      if ((node.mode & S_IFMT) !== S_IFREG) refuse("EINVAL");
      node.data.resize(changes.size);
      node.mtime = this.now;
    }
    node.ctime = changes.ctime ?? this.now;
    if (changes.uid !== undefined || changes.gid !== undefined) {
      dropSetId(node);
    }
    if (changes.mode !== undefined) {
      node.mode = node.mode & S_IFMT | changes.mode;
    }
    node.uid = changes.uid ?? node.uid;
    node.gid = changes.gid ?? node.gid;
    const time = (t: Timestamp | "now"): Timestamp =>
      t === "now" ? this.now : t;
    if (changes.atime) node.atime = time(changes.atime);
    if (changes.mtime) node.mtime = time(changes.mtime);
    if (changes.birthtime) node.birthtime = changes.birthtime;
  }

  /** Names in a directory. */
  readdir(dir: number): Map<string, number> {
    const node = this.#directory(dir);
    this.accessed(node);
    return node.entries;
  }

  /** Target of a symbolic link. */
  readlink(ino: number): Uint8Array {
    const node = this.node(ino);
    if ((node.mode & S_IFMT) !== S_IFLNK) refuse("EINVAL");
    this.accessed(node);
    return node.target;
  }

  /** Value of an extended attribute. */
  getxattr(ino: number, name: string): Uint8Array {
    return this.node(ino).xattrs.get(name) ?? refuse("ENODATA");
  }

  /** Sets an extended attribute. */
  setxattr(
    ino: number,
    name: string,
    value: Uint8Array,
    flags: { create?: boolean; replace?: boolean },
  ): void {
    const node = this.#withXattr(ino, name);
    if (flags.create && node.xattrs.has(name)) refuse("EEXIST");
    if (flags.replace && !node.xattrs.has(name)) refuse("ENODATA");
    if (!this.storesXattrs) refuse("EOPNOTSUPP");
    node.xattrs.set(name, value);
    node.ctime = this.now;
  }

  /** Removes an extended attribute. */
  removexattr(ino: number, name: string): void {
    const node = this.#withXattr(ino, name);
    if (!node.xattrs.delete(name)) refuse("ENODATA");
    node.ctime = this.now;
  }

  /** Keeps a file alive though it may lose its last name. */
  retain(ino: number): void {
    this.node(ino).opens++;
  }

  /** Undoes {@link Model.retain}. */
  release(ino: number): void {
    const node = this.node(ino);
    node.opens--;
    this.#reclaim(node);
  }

  /** What a crash and the next writable open make of it. */
  crash(): void {
    for (const node of this.nodes.values()) {
      node.opens = 0;
      this.#reclaim(node);
    }
  }

  /** A read: renews the last one by the rules of `relatime`. */
  accessed(node: ModelNode): void {
    const { now } = this;
    const stale = order(node.atime, node.mtime) <= 0 ||
      order(node.atime, node.ctime) <= 0 ||
      now.sec - node.atime.sec >= RELATIME_AGE;
    if (stale) node.atime = now;
  }

  #changed(node: ModelNode): void {
    node.mtime = this.now;
    node.ctime = this.now;
  }

  #regular(ino: number): ModelNode {
    const node = this.node(ino);
    if (isDirectory(node)) refuse("EISDIR");
    if ((node.mode & S_IFMT) !== S_IFREG) refuse("EINVAL");
    return node;
  }

  /** A file whose attribute `name` may be changed (xattr(7)). */
  #withXattr(ino: number, name: string): ModelNode {
    const node = this.node(ino);
    const holdsData = isDirectory(node) || (node.mode & S_IFMT) === S_IFREG;
    if (name.startsWith("user.") && !holdsData) refuse("EPERM");
    return node;
  }

  #directory(ino: number): ModelNode {
    const node = this.node(ino);
    return isDirectory(node) ? node : refuse("ENOTDIR");
  }

  #vacant(parent: ModelNode, name: Uint8Array): string {
    checkName(name);
    if (parent.nlink === 0) refuse("ENOENT");
    const key = nameKey(name);
    return parent.entries.has(key) ? refuse("EEXIST") : key;
  }

  #checkReplaced(node: ModelNode, old: ModelNode): void {
    if (isDirectory(node) && !isDirectory(old)) refuse("ENOTDIR");
    if (!isDirectory(node) && isDirectory(old)) refuse("EISDIR");
    if (old.entries.size > 0) refuse("ENOTEMPTY");
  }

  #isWithin(dir: number, ancestor: number): boolean {
    for (let ino = dir;; ino = this.node(ino).parent) {
      if (ino === ancestor) return true;
      if (ino === this.node(ino).parent) return false;
    }
  }

  #dropName(node: ModelNode): void {
    node.nlink--;
    node.ctime = this.now;
    this.#reclaim(node);
  }

  #dropDirectory(node: ModelNode, parent: ModelNode): void {
    parent.nlink--;
    node.nlink = 0;
    node.ctime = this.now;
    this.#reclaim(node);
  }

  #reclaim(node: ModelNode): void {
    if (node.nlink === 0 && node.opens === 0) this.nodes.delete(node.ino);
  }
}

/** A new owner does not inherit set-id bits (POSIX `chown()`). */
function dropSetId(node: ModelNode): void {
  if ((node.mode & S_IFMT) !== S_IFREG) return;
  node.mode &= ~S_ISUID;
  if (node.mode & 0o010) node.mode &= ~S_ISGID;
}

function checkName(name: Uint8Array): void {
  if (name.length > NAME_MAX) refuse("ENAMETOOLONG");
}
