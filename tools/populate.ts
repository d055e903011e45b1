/**
 * Puts files into a volume with all their attributes.
 *
 * Directories get their times last: every name made in one changes them.
 *
 * @module
 */

import {
  type DeviceNumber,
  type Filesystem,
  FsError,
  S_IFDIR,
  S_IFMT,
  type Timestamp,
} from "../fs/mod.ts";
import { printable } from "./names.ts";
import type { Progress } from "./progress.ts";
import type { Extent } from "./tar_header.ts";

/** What every file has. */
export interface FileMeta {
  /** Kind (`S_IF…`) and permissions. */
  mode: number;
  /** Owner. */
  uid: number;
  /** Group. */
  gid: number;
  /** Last read. */
  atime: Timestamp;
  /** Last change of the contents. */
  mtime: Timestamp;
  /** Extended attributes by their full names. */
  xattrs?: Map<string, Uint8Array>;
}

/** The contents of a regular file. */
export interface Contents {
  /** Size, holes included, in bytes. */
  size: number;
  /** Where the data lies, ascending. */
  extents: Extent[];
  /** Reads the data, extent after extent; 0 at its end. */
  read: (into: Uint8Array) => number;
}

const BUFFER_BYTES = 1 << 20;

/** Puts files into one volume. */
export class Populator {
  readonly #fs: Filesystem;
  readonly #progress: Progress;
  readonly #blockSize: number;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #words = new Uint32Array(this.#buffer.buffer);
  readonly #directories = new Map<number, FileMeta>();
  readonly #leftOut = new Set<string>();

  /** Fills `fs` and counts in `progress`. */
  constructor(fs: Filesystem, progress: Progress) {
    this.#fs = fs;
    this.#progress = progress;
    this.#blockSize = fs.blockSize;
  }

  /** Makes a directory, or takes the one that is there. */
  directory(dir: number, name: Uint8Array | string, meta: FileMeta): number {
    const ino = this.#makeDirectory(dir, name, meta.mode & 0o7777);
    this.adopt(ino, meta);
    return ino;
  }

  /** Gives the directory `ino` these attributes in the end. */
  adopt(ino: number, meta: FileMeta): void {
    this.#directories.set(ino, meta);
  }

  /** Makes a symbolic link. */
  symlink(
    dir: number,
    name: Uint8Array | string,
    { target, meta }: { target: Uint8Array | string; meta: FileMeta },
  ): number {
    const ino = this.#fs.symlink(dir, name, target);
    this.#setMeta(ino, meta);
    return ino;
  }

  /** Makes a device node, pipe or socket. */
  node(
    dir: number,
    name: Uint8Array | string,
    { rdev, meta }: { rdev: DeviceNumber; meta: FileMeta },
  ): number {
    const kind = meta.mode & S_IFMT;
    const mode = meta.mode & 0o7777;
    const ino = this.#fs.mknod(dir, name, { kind, mode, rdev });
    this.#setMeta(ino, meta);
    return ino;
  }

  /** Makes a regular file. Blocks of zeros become holes. */
  async file(
    dir: number,
    name: Uint8Array | string,
    { contents, meta }: { contents: Contents; meta: FileMeta },
  ): Promise<number> {
    const ino = this.#fs.create(dir, name, { mode: meta.mode & 0o7777 });
    let written = 0;
    for (const { offset, length } of contents.extents) {
      let at = offset;
      const end = offset + length;
      while (at < end) {
        const wanted = Math.min(BUFFER_BYTES, end - at);
        const count = this.#fill(contents.read, wanted);
        const stop = this.#writeData(ino, at, count);
        if (stop > 0) written = stop;
        at += count;
        await this.breathe(count);
        // The file has become shorter since its size was taken.
        if (count < wanted) {
          contents.size = Math.min(contents.size, at);
          break;
        }
      }
    }
    const size = contents.size > written ? contents.size : undefined;
    this.#setMeta(ino, meta, size);
    return ino;
  }

  /**
   * Counts `bytes`, and lets signals through if it is time to. Each file needs
   * it, as many have no data.
   */
  async breathe(bytes: number = 0): Promise<void> {
    if (this.#progress.add(bytes)) await this.#progress.rest();
  }

  /** Gives the directories their attributes: the last thing to do. */
  async finish(): Promise<void> {
    await this.#progress.rest();
    for (const [ino, meta] of this.#directories) {
      this.#setMeta(ino, meta);
      await this.breathe();
    }
    this.#directories.clear();
  }

  #makeDirectory(dir: number, name: Uint8Array | string, mode: number): number {
    try {
      return this.#fs.mkdir(dir, name, { mode });
    } catch (error) {
      if (!(error instanceof FsError && error.code === "EEXIST")) throw error;
      const ino = this.#fs.lookup(dir, name);
      if ((this.#fs.getattr(ino).mode & S_IFMT) !== S_IFDIR) throw error;
      return ino;
    }
  }

  #setMeta(ino: number, meta: FileMeta, size?: number): void {
    const { mode, uid, gid, atime, mtime, xattrs } = meta;
    for (const [name, value] of xattrs ?? []) {
      this.#setXattr(ino, name, value);
    }
    this.#fs.setattr(ino, {
      mode: mode & 0o7777,
      uid,
      gid,
      atime,
      mtime,
      ...(size === undefined ? {} : { size }),
    });
  }

  /** Attributes of kinds that ext2 does not have are left out, with a word. */
  #setXattr(ino: number, name: string, value: Uint8Array): void {
    try {
      this.#fs.setxattr(ino, name, value);
    } catch (error) {
      if (!(error instanceof FsError && error.code === "EOPNOTSUPP")) {
        throw error;
      }
      if (this.#leftOut.has(name)) return;
      this.#leftOut.add(name);
      this.#progress.warn(
        `Extended attributes '${printable(name)}' are left out: ` +
          error.message,
      );
    }
  }

  /** Reads up to `wanted` bytes into the buffer; fewer only at the end. */
  #fill(read: Contents["read"], wanted: number): number {
    let count = 0;
    while (count < wanted) {
      const more = read(this.#buffer.subarray(count, wanted));
      if (more === 0) break;
      count += more;
    }
    return count;
  }

  /**
   * Writes the first `count` bytes of the buffer at `offset`, except for
   * blocks of zeros. Returns the end of what was written, or 0.
   */
  #writeData(ino: number, offset: number, count: number): number {
    let end = 0;
    let start = -1;
    for (let at = 0; at < count;) {
      // Steps end on block borders of the file, which need not be the buffer's.
      const step = this.#blockSize - (offset + at) % this.#blockSize;
      const stop = Math.min(count, at + step);
      if (this.#isZero(at, stop)) {
        if (start >= 0) {
          this.#fs.write(ino, offset + start, this.#view(start, at));
        }
        start = -1;
      } else {
        if (start < 0) start = at;
        end = offset + stop;
      }
      at = stop;
    }
    if (start >= 0) {
      this.#fs.write(ino, offset + start, this.#view(start, count));
    }
    return end;
  }

  #view(start: number, end: number): Uint8Array {
    return this.#buffer.subarray(start, end);
  }

  #isZero(start: number, end: number): boolean {
    const buffer = this.#buffer;
    if (buffer[start] !== 0 || buffer[end - 1] !== 0) return false;
    let at = start;
    while (at < end && at % 4 !== 0) if (buffer[at++] !== 0) return false;
    const words = this.#words;
    const last = end >>> 2;
    for (let i = at >>> 2; i < last; i++) if (words[i] !== 0) return false;
    for (at = Math.max(at, last * 4); at < end; at++) {
      if (buffer[at] !== 0) return false;
    }
    return true;
  }
}
