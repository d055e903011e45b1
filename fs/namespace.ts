/**
 * The namespace: giving names to inodes and taking them away, with the rules
 * of POSIX. Everything here runs inside a transaction of its caller.
 *
 * @module
 */

import {
  type Credentials,
  S_IFDIR,
  S_IFREG,
  S_ISGID,
  SUPERUSER,
} from "./attributes.ts";
import {
  addEntry,
  type EntryPlace,
  findEntry,
  initDirectory,
  isDots,
  isEmptyDirectory,
  parentEntry,
  removeEntry,
  replaceEntry,
  replaceParent,
} from "./directory.ts";
import { CorruptError, FsError } from "./errors.ts";
import { LINK_MAX, NAME_MAX, ROOT_INODE } from "./geometry.ts";
import {
  checkMutable,
  INODE,
  Inode,
  INODE_BASE_SIZE,
  INODE_EXTRA_SIZE,
} from "./inode.ts";
import { allocateInode } from "./inode_allocator.ts";
import { dropDirectory, dropLink } from "./reclaim.ts";
import type { Volume } from "./volume.ts";
import { inheritAcl } from "./xattr.ts";

/** A name as its bytes, or as a string that is encoded in UTF-8. */
export type Name = Uint8Array | string;

/** What a new inode is to be. */
export interface NewInode {
  /** Kind and permissions. */
  readonly mode: number;
  /** Whose it is; the superuser's if absent. */
  readonly credentials?: Credentials;
}

/**
 * Flags that directories take from their directory: secrm, unrm, compr, sync,
 * nodump, noatime, nocompr, journal_data, notail, dirsync (`fs/ext4/ext4.h`).
 */
const INHERITED_FLAGS = 0x0001c4cf;
/** Those of a regular file: dirsync is for directories. */
const INHERITED_BY_FILES = INHERITED_FLAGS & ~0x00010000;
/** Those of anything else: nodump and noatime. */
const INHERITED_BY_OTHERS = 0x000000c0;

const encoder = new TextEncoder();

/** The bytes of `name`. */
export function nameBytes(name: Name): Uint8Array {
  return typeof name === "string" ? encoder.encode(name) : name;
}

/** The bytes of `name` if it can be a name in a directory; else throws. */
export function checkedName(name: Name): Uint8Array {
  const bytes = nameBytes(name);
  if (bytes.length === 0) throw new FsError("ENOENT", "an empty name");
  if (bytes.length > NAME_MAX) {
    throw new FsError("ENAMETOOLONG", `a name has at most ${NAME_MAX} bytes`);
  }
  if (bytes.includes(0x2f) || bytes.includes(0)) {
    throw new FsError("EINVAL", "a name holds neither '/' nor NUL");
  }
  return bytes;
}

/** The place of `name` in `directory`; throws `ENOENT` if there is none. */
export function requireEntry(directory: Inode, name: Uint8Array): EntryPlace {
  const place = findEntry(directory, name);
  if (place === null) throw new FsError("ENOENT");
  return place;
}

/**
 * The inode an entry names. Throws {@link CorruptError} if it is not in use,
 * or is one of those the format keeps for itself.
 */
export function namedInode(
  volume: Volume,
  { ino }: Pick<EntryPlace, "ino">,
): Inode {
  const inode = new Inode(volume, ino);
  const isReserved = ino !== ROOT_INODE && ino < volume.geometry.firstInode;
  if (isReserved || inode.links === 0) {
    throw new CorruptError("a directory entry names an inode not in use", {
      inode: ino,
    });
  }
  return inode;
}

/** Makes an inode and gives it `name` in `directory`. */
export function createInode(
  directory: Inode,
  name: Uint8Array,
  { mode, credentials = SUPERUSER }: NewInode,
): Inode {
  checkVacant(directory, name);
  const { volume } = directory;
  const isDirectory = (mode & 0o170000) === S_IFDIR;
  if (isDirectory && directory.links >= LINK_MAX) throw tooManyLinks();
  const number = allocateInode(volume, directory.number, isDirectory);
  const inode = new Inode(volume, number);
  inode.modify().fill(0);
  if (volume.geometry.inodeSize >= INODE_BASE_SIZE + INODE_EXTRA_SIZE) {
    inode.set(INODE.i_extra_isize, INODE_EXTRA_SIZE);
  }
  const inheritsGroup = (directory.mode & S_ISGID) !== 0;
  inode.mode = isDirectory && inheritsGroup ? mode | S_ISGID : mode;
  inode.uid = credentials.uid;
  inode.gid = inheritsGroup ? directory.gid : credentials.gid;
  inode.links = isDirectory ? 2 : 1;
  inode.set(INODE.i_generation, volume.generation());
  const flags = directory.get(INODE.i_flags) & inheritedFlags(inode.kind);
  inode.set(INODE.i_flags, flags);
  inheritAcl(directory, inode);
  inode.touch("atime", "mtime", "ctime", "crtime");
  addEntry(directory, name, number, inode.kind);
  if (isDirectory) {
    initDirectory(inode, directory.number);
    directory.links++;
  }
  return inode;
}

function inheritedFlags(kind: number): number {
  if (kind === S_IFDIR) return INHERITED_FLAGS;
  return kind === S_IFREG ? INHERITED_BY_FILES : INHERITED_BY_OTHERS;
}

/** Gives `inode` one more name. */
export function linkInode(
  inode: Inode,
  directory: Inode,
  name: Uint8Array,
): void {
  if (inode.isDirectory) throw new FsError("EPERM", "a link to a directory");
  checkVacant(directory, name);
  checkMutable(inode);
  if (inode.links === 0) throw new FsError("ENOENT", "the file was removed");
  if (inode.links >= LINK_MAX) throw tooManyLinks();
  addEntry(directory, name, inode.number, inode.kind);
  inode.links++;
  inode.touch("ctime");
}

/**
 * Takes the name of a file away. Returns its inode number if there is work
 * left to reclaim it, else 0.
 */
export function unlinkName(directory: Inode, name: Uint8Array): number {
  const place = requireEntry(directory, name);
  const inode = namedInode(directory.volume, place);
  checkRemovable(directory, inode);
  if (inode.isDirectory) throw new FsError("EISDIR");
  removeEntry(directory, name, place);
  return dropLink(inode) ? inode.number : 0;
}

/** Removes an empty directory; returns as {@link unlinkName}. */
export function removeDirectory(directory: Inode, name: Uint8Array): number {
  if (isDots(name)) {
    throw name.length === 1
      ? new FsError("EINVAL", "'.' cannot be removed")
      : new FsError("ENOTEMPTY");
  }
  const place = requireEntry(directory, name);
  const inode = namedInode(directory.volume, place);
  checkRemovable(directory, inode);
  if (!inode.isDirectory) throw new FsError("ENOTDIR");
  if (!isEmptyDirectory(inode)) throw new FsError("ENOTEMPTY");
  removeEntry(directory, name, place);
  lowerLinks(directory);
  return dropDirectory(inode) ? inode.number : 0;
}

/** One end of a renaming. */
export interface RenameEnd {
  /** The directory. */
  readonly directory: Inode;
  /** The name in it. */
  readonly name: Uint8Array;
}

/**
 * Renames `from` to `to`; what was called `to` loses that name. Returns as
 * {@link unlinkName}, for what was replaced.
 */
export function renameEntry(
  from: RenameEnd,
  to: RenameEnd,
  noReplace: boolean,
): number {
  if (isDots(from.name) || isDots(to.name)) {
    throw new FsError("EINVAL", "'.' and '..' cannot be renamed");
  }
  const { volume } = from.directory;
  const source = requireEntry(from.directory, from.name);
  const inode = namedInode(volume, source);
  const target = findEntry(to.directory, to.name);
  if (target !== null && noReplace) throw new FsError("EEXIST");
  if (inode.isDirectory) checkOutside(inode, to.directory);
  if (target?.ino === source.ino) return 0;
  checkRemovable(from.directory, inode);
  const replaced = target && namedInode(volume, target);
  checkReplaceable(inode, to.directory, replaced);
  const moves = from.directory.number !== to.directory.number;
  if (inode.isDirectory && moves && !replaced?.isDirectory) {
    if (to.directory.links >= LINK_MAX) throw tooManyLinks();
  }

  if (target) replaceEntry(to.directory, target, inode.number, inode.kind);
  else addEntry(to.directory, to.name, inode.number, inode.kind);
  removeEntry(from.directory, from.name, source);
  inode.touch("ctime");
  if (replaced?.isDirectory) lowerLinks(to.directory);
  if (inode.isDirectory && moves) {
    replaceParent(inode, to.directory);
    lowerLinks(from.directory);
    to.directory.links++;
  }
  if (!replaced) return 0;
  const drop = replaced.isDirectory ? dropDirectory : dropLink;
  return drop(replaced) ? replaced.number : 0;
}

/** Throws unless `name` is free in `directory`, and `directory` still one. */
function checkVacant(directory: Inode, name: Uint8Array): void {
  checkThere(directory);
  if (isDots(name) || findEntry(directory, name) !== null) {
    throw new FsError("EEXIST");
  }
  checkMutable(directory, true);
}

/** Throws if `directory` was removed. */
function checkThere(directory: Inode): void {
  if (directory.links === 0) throw new FsError("ENOENT", "directory removed");
}

function checkReplaceable(
  inode: Inode,
  directory: Inode,
  replaced: Inode | null,
): void {
  checkThere(directory);
  checkMutable(directory, true);
  if (replaced === null) return;
  if (inode.isDirectory && !replaced.isDirectory) throw new FsError("ENOTDIR");
  if (!inode.isDirectory && replaced.isDirectory) throw new FsError("EISDIR");
  checkRemovable(directory, replaced);
  if (replaced.isDirectory && !isEmptyDirectory(replaced)) {
    throw new FsError("ENOTEMPTY");
  }
}

/** Throws if `directory` is `inode` or lies below it. */
function checkOutside(inode: Inode, directory: Inode): void {
  const { volume } = inode;
  if (inode.number === ROOT_INODE) throw new FsError("EBUSY", "the root");
  const seen = new Set<number>();
  let above = directory;
  while (above.number !== ROOT_INODE) {
    if (above.number === inode.number) {
      throw new FsError("EINVAL", "a directory cannot move into itself");
    }
    if (seen.has(above.number)) {
      throw new CorruptError("directories form a loop", {
        inode: above.number,
      });
    }
    seen.add(above.number);
    // That it was removed is for the caller to find; its `..` says nothing.
    if (above.links === 0) return;
    above = namedInode(volume, parentEntry(above));
  }
}

/** Throws if flags of `directory` or of `inode` forbid to take its name. */
function checkRemovable(directory: Inode, inode: Inode): void {
  checkMutable(directory);
  checkMutable(inode);
}

function lowerLinks(directory: Inode): void {
  const links = directory.links;
  if (links <= 2) {
    throw new CorruptError("a directory's link count is too low", {
      inode: directory.number,
    });
  }
  directory.links = links - 1;
}

function tooManyLinks(): FsError {
  return new FsError("EMLINK", `at most ${LINK_MAX} links`);
}
