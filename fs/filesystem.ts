/**
 * The filesystem by inode number: the engine's own face, on which the RPC, the
 * mount and the path face stand.
 *
 * Every call is synchronous and runs to its end, so every gap between calls is
 * a consistent state. A call that throws leaves no trace on the volume. Only
 * {@link Filesystem.sync} and {@link Filesystem.close} wait, for the host.
 *
 * @module
 */

import type { BlockDevice } from "../bd/block_device.ts";
import type { CacheStatistics } from "../bd/cache.ts";
import {
  type AttributeChanges,
  type Attributes,
  type Credentials,
  type DirectoryEntry,
  S_IFDIR,
  S_IFREG,
  type VolumeStatistics,
} from "./attributes.ts";
import { makeInode, makeSpecial, makeSymlink } from "./create.ts";
import { listEntries } from "./directory.ts";
import { FsError } from "./errors.ts";
import { checkOffset } from "./file.ts";
import {
  allocateFile,
  copyFile,
  readFile,
  setAttributes,
  writeFile,
} from "./file_calls.ts";
import { ROOT_INODE } from "./geometry.ts";
import { seekContents } from "./holes.ts";
import { checkMutable, Inode } from "./inode.ts";
import { beginWriting, checkFeatures, endWriting } from "./mount.ts";
import {
  checkedName,
  linkInode,
  type Name,
  nameBytes,
  namedInode,
  removeDirectory,
  renameEntry,
  requireEntry,
  unlinkName,
} from "./namespace.ts";
import type {
  AllocateOptions,
  CopyRangeOptions,
  CreateOptions,
  FilesystemOptions,
  NodeOptions,
} from "./options.ts";
import { finishAll, finishLater } from "./reclaim.ts";
import { type AtimePolicy, touchAtime } from "./setattr.ts";
import { volumeStatistics } from "./statfs.ts";
import { readTarget } from "./symlink.ts";
import { Volume } from "./volume.ts";
import { getXattr, listXattr, removeXattr, setXattr } from "./xattr.ts";

/** Entries that `readdir` returns where no limit is given. */
const READDIR_LIMIT = 1024;

/** See the module. */
export class Filesystem {
  /** What the user should be told about the volume. */
  readonly warnings: readonly string[];
  readonly #volume: Volume;
  readonly #atime: AtimePolicy;
  #stateAtOpen = 0;
  #namespaceVersion = 0;
  #closing: Promise<void> | null = null;

  private constructor(device: BlockDevice, options: FilesystemOptions) {
    this.#volume = new Volume(device, options);
    this.#atime = options.atime ?? "relatime";
    this.warnings = checkFeatures(this.#volume);
    if (!this.readOnly) this.#stateAtOpen = beginWriting(this.#volume);
  }

  /**
   * Opens the volume on `device`, which must have its block size. Throws
   * {@link FsError} `EINVAL` for one that is not ext2 or has features that are
   * not known, and `EUCLEAN` for one whose superblock makes no sense.
   */
  static open(device: BlockDevice, options?: FilesystemOptions): Filesystem {
    return new Filesystem(device, options ?? {});
  }

  /** True if changes are refused. */
  get readOnly(): boolean {
    return this.#volume.readOnly;
  }

  /** Size of a block, in bytes. */
  get blockSize(): number {
    return this.#volume.geometry.blockSize;
  }

  /** The most bytes that {@link Filesystem.write} writes as a whole. */
  get transferMax(): number {
    return this.#volume.transferMax;
  }

  /** Hits and misses of the block cache. */
  get cacheStatistics(): CacheStatistics {
    return this.#volume.cache.statistics;
  }

  /**
   * Grows with every name that is taken away or moved: while it stays the
   * same, what a name stood for is where it was. New names change nothing.
   */
  get namespaceVersion(): number {
    return this.#namespaceVersion;
  }

  /** Inode number of `name` in directory `dir`. `ENOENT`, `ENOTDIR`. */
  lookup(dir: number, name: Name): number {
    const directory = this.#directory(dir);
    if (directory.links === 0) throw new FsError("ENOENT", "it was removed");
    const place = requireEntry(directory, checkedName(name));
    return namedInode(this.#volume, place).number;
  }

  /** The attributes of inode `ino`. `ESTALE` if it is not in use. */
  getattr(ino: number): Attributes {
    return this.#inode(ino).attributes();
  }

  /** A copy of inode `ino` as the volume has it, of its inodes' size. */
  rawInode(ino: number): Uint8Array {
    return this.#inode(ino).bytes().slice();
  }

  /** Changes attributes; returns all of them as they are then. */
  setattr(
    ino: number,
    changes: AttributeChanges,
    credentials?: Credentials,
  ): Attributes {
    const { size } = changes;
    const inode = size === undefined ? this.#inode(ino) : this.#file(ino);
    setAttributes(inode, changes, credentials);
    return inode.attributes();
  }

  /**
   * Reads up to `into.length` bytes of file `ino` from byte `offset` on.
   * Returns how many there were: fewer at the end of the file, 0 behind it.
   */
  read(ino: number, offset: number, into: Uint8Array): number {
    const inode = this.#file(ino);
    const done = readFile(inode, offset, into);
    if (into.length > 0) touchAtime(inode, this.#atime);
    return done;
  }

  /**
   * Writes `from` at byte `offset` of file `ino`. Returns how many bytes were
   * written: all of them, unless there are more than 1 MiB and the volume
   * fails in the middle. `EFBIG`, `ENOSPC`.
   */
  write(
    ino: number,
    offset: number,
    from: Uint8Array,
    credentials?: Credentials,
  ): number {
    return writeFile(this.#file(ino), { offset, from }, credentials);
  }

  /**
   * Takes blocks for a part of file `ino`, or gives them back, as fallocate(2)
   * does. Returns how many bytes are done, from the offset on: at least one,
   * but no more than one operation can do; call again for what is behind.
   * `EOPNOTSUPP` for what ext2 cannot hold, `EFBIG`, `ENOSPC`.
   */
  allocate(
    ino: number,
    options: AllocateOptions,
    credentials?: Credentials,
  ): number {
    return allocateFile(this.#file(ino), options, credentials);
  }

  /**
   * The first byte of file `ino` from byte `offset` on that is in a hole, or
   * in none: `SEEK_HOLE` and `SEEK_DATA` of lseek(2), with a hole behind the
   * end. `ENXIO` if there is none, or `offset` is not before the end.
   */
  seekData(ino: number, offset: number, what: { hole: boolean }): number {
    const inode = this.#file(ino);
    checkOffset(offset);
    return seekContents(inode, offset, what);
  }

  /**
   * Copies from file to file, holes as holes. Returns how many bytes: no more
   * than one operation can do, 0 at or behind the end of the source. `EINVAL`
   * if the ranges are of one file and overlap, `EFBIG`, `ENOSPC`.
   */
  copyRange(options: CopyRangeOptions, credentials?: Credentials): number {
    const from = this.#file(options.from);
    const to = this.#file(options.to);
    const done = copyFile({ ...options, from, to }, credentials);
    if (done > 0) touchAtime(from, this.#atime);
    return done;
  }

  /** Makes a regular file; returns its inode number. `EEXIST`. */
  create(dir: number, name: Name, options: CreateOptions = {}): number {
    const directory = this.#directory(dir);
    return makeInode(directory, name, { ...options, kind: S_IFREG });
  }

  /** Makes a directory; returns its inode number. `EEXIST`, `EMLINK`. */
  mkdir(dir: number, name: Name, options: CreateOptions = {}): number {
    const directory = this.#directory(dir);
    const mode = options.mode ?? 0o755;
    return makeInode(directory, name, { ...options, kind: S_IFDIR, mode });
  }

  /** Makes a device node, fifo or socket; returns its inode number. */
  mknod(dir: number, name: Name, options: NodeOptions): number {
    return makeSpecial(this.#directory(dir), name, options);
  }

  /** Makes a symbolic link to `target`; returns its inode number. */
  symlink(
    dir: number,
    name: Name,
    target: Name,
    options: CreateOptions = {},
  ): number {
    return makeSymlink(this.#directory(dir), name, { ...options, target });
  }

  /** Gives file `ino` one more name. `EPERM` for a directory, `EMLINK`. */
  link(ino: number, dir: number, name: Name, credentials?: Credentials): void {
    const inode = this.#inode(ino);
    const directory = this.#directory(dir);
    const bytes = checkedName(name);
    const link = (): void => linkInode(inode, directory, bytes);
    this.#volume.transact(link, credentials);
  }

  /** Takes the name of a file away. `EISDIR` for a directory. */
  unlink(dir: number, name: Name): void {
    const directory = this.#directory(dir);
    const bytes = checkedName(name);
    this.#reclaim(
      this.#volume.transact(() => unlinkName(directory, bytes)),
    );
  }

  /** Removes an empty directory. `ENOTDIR`, `ENOTEMPTY`. */
  rmdir(dir: number, name: Name): void {
    const directory = this.#directory(dir);
    const bytes = checkedName(name);
    this.#reclaim(
      this.#volume.transact(() => removeDirectory(directory, bytes)),
    );
  }

  /**
   * Renames a file or directory; what had the new name loses it, unless
   * `noReplace` is set. `EINVAL` if a directory would move into itself.
   */
  rename(
    fromDir: number,
    fromName: Name,
    toDir: number,
    toName: Name,
    options: { noReplace?: boolean; credentials?: Credentials } = {},
  ): void {
    const directories = [this.#directory(fromDir), this.#directory(toDir)];
    const names = [checkedName(fromName), checkedName(toName)];
    const [from, to] = directories.map((directory, i) => {
      return { directory, name: names[i] };
    });
    this.#reclaim(this.#volume.transact(() => {
      return renameEntry(from, to, options.noReplace ?? false);
    }, options.credentials));
  }

  /**
   * Up to `limit` entries of directory `dir`, `.` and `..` included, from
   * `cookie` on: 0 for the first, else the cookie of the last entry seen. An
   * empty array is the end.
   */
  readdir(dir: number, cookie: number, limit?: number): DirectoryEntry[] {
    const directory = this.#directory(dir);
    checkOffset(cookie);
    // A removed directory has no entries, not even its own two.
    const entries = directory.links === 0
      ? []
      : listEntries(directory, cookie, limit ?? READDIR_LIMIT);
    touchAtime(directory, this.#atime);
    return entries;
  }

  /** The target of symbolic link `ino`. `EINVAL` if it is none. */
  readlink(ino: number): Uint8Array {
    const inode = this.#inode(ino);
    const target = readTarget(inode);
    touchAtime(inode, this.#atime);
    return target;
  }

  /** Use of the whole volume. */
  statfs(): VolumeStatistics {
    this.#begin();
    return volumeStatistics(this.#volume);
  }

  /** The extended attribute `name` of inode `ino`. `ENODATA`. */
  getxattr(ino: number, name: Name): Uint8Array {
    return getXattr(this.#inode(ino), nameBytes(name));
  }

  /**
   * Sets an extended attribute. With `create` it must be new (`EEXIST`), with
   * `replace` it must be there (`ENODATA`). `ENOSPC` if there is no room.
   */
  setxattr(
    ino: number,
    name: Name,
    value: Uint8Array,
    flags: {
      create?: boolean;
      replace?: boolean;
      credentials?: Credentials;
    } = {},
  ): void {
    const inode = this.#inode(ino);
    this.#volume.transact(() => {
      checkMutable(inode);
      setXattr(inode, nameBytes(name), value, flags);
    }, flags.credentials);
  }

  /** The names of the extended attributes of inode `ino`. */
  listxattr(ino: number): Uint8Array[] {
    return listXattr(this.#inode(ino));
  }

  /** Removes an extended attribute. `ENODATA`. */
  removexattr(ino: number, name: Name): void {
    const inode = this.#inode(ino);
    this.#volume.transact(() => {
      checkMutable(inode);
      removeXattr(inode, nameBytes(name));
    });
  }

  /** Opens file `ino`: it lives until {@link Filesystem.release}. */
  retain(ino: number): void {
    const { openFiles } = this.#volume;
    // What is open is in use: there is nothing to read that could fail.
    if (!openFiles.has(ino)) this.#inode(ino);
    openFiles.retain(ino);
  }

  /**
   * Closes file `ino`; without names it goes with the last close. Closes it
   * although it throws: then whether it has names left could not be read, and
   * if it has none, the next opening of the volume reclaims it.
   */
  release(ino: number): void {
    this.#begin();
    if (!this.#volume.openFiles.release(ino) || this.readOnly) return;
    const { links } = new Inode(this.#volume, ino);
    if (links === 0) finishLater(this.#volume, ino);
  }

  /**
   * Null if a change may be begun at once. Otherwise what has been changed is
   * about to be as much as one commit can hold: resolves when there is room.
   * Never rejects.
   */
  room(): Promise<void> | null {
    return this.#closing ? null : this.#volume.room();
  }

  /** Resolves when every call that returned is on stable storage. */
  async sync(): Promise<void> {
    this.#begin();
    if (this.readOnly) return;
    finishAll(this.#volume);
    await this.#volume.flush();
  }

  /**
   * Finishes everything, marks the volume clean and gives up the device. If
   * the host fails, the device is given up all the same and the error goes on.
   * No call is accepted from the moment of this one.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    try {
      if (!this.readOnly) await endWriting(this.#volume, this.#stateAtOpen);
    } finally {
      this.#volume.close();
    }
  }

  /** Starts a call: nothing of the one before is in use any more. */
  #begin(): void {
    if (this.#closing) throw new FsError("EIO", "the filesystem is closed");
    this.#volume.cache.safePoint();
  }

  /** Inode `ino` if it is in use and not the format's own. */
  #inode(ino: number): Inode {
    this.#begin();
    const { geometry, openFiles } = this.#volume;
    const isAddressable = ino === ROOT_INODE ||
      Number.isInteger(ino) && ino >= geometry.firstInode &&
        ino <= geometry.inodesCount;
    if (!isAddressable) throw new FsError("ESTALE");
    const inode = new Inode(this.#volume, ino);
    if (inode.links === 0 && !openFiles.has(ino)) throw new FsError("ESTALE");
    return inode;
  }

  #directory(ino: number): Inode {
    const inode = this.#inode(ino);
    if (!inode.isDirectory) throw new FsError("ENOTDIR");
    return inode;
  }

  #file(ino: number): Inode {
    const inode = this.#inode(ino);
    if (inode.isDirectory) throw new FsError("EISDIR");
    if (inode.kind !== S_IFREG) throw new FsError("EINVAL", "not a file");
    return inode;
  }

  /** After a name was taken away: frees `ino`, if it is not 0. */
  #reclaim(ino: number): void {
    this.#namespaceVersion++;
    if (ino !== 0) finishLater(this.#volume, ino);
  }
}
