/**
 * The directory: a file whose blocks are chains of entries.
 *
 * An entry never moves while its name exists, so the byte behind it serves as
 * a cookie for `readdir` that stays right whatever else comes and goes. A
 * removed entry becomes slack of the one before it in its block.
 *
 * Volumes with dir_index may carry a hash tree in a directory; its blocks look
 * like empty ones to a linear scan. When a directory is changed here, the flag
 * that announces the tree is cleared, and the next checker may build it again.
 *
 * @module
 */

import type { DirectoryEntry } from "./attributes.ts";
import { allocateRun, mapRun } from "./block_map.ts";
import {
  DIRECTORY_ENTRY,
  ENTRY_HEADER_SIZE,
  entrySize,
  fileTypeOf,
  kindOf,
} from "./directory_entry.ts";
import { CorruptError, FsError } from "./errors.ts";
import { INCOMPAT } from "./features.ts";
import { INDEX_FL, INODE, type Inode } from "./inode.ts";
import { DirectoryIndex, NAMES_MAX } from "./name_index.ts";
import { SUPERBLOCK } from "./superblock.ts";

const { inode: INO, rec_len, name_len, file_type } = DIRECTORY_ENTRY;

/** Directories with more blocks than this get an index in memory. */
const INDEX_FROM_BLOCKS = 2;

/** Blocks that a scan visits before it lets go of the ones behind it. */
const SCAN_WINDOW_BLOCKS = 64;

/** Where in its directory an entry is. */
export interface EntryPlace {
  /** Inode the entry names. */
  readonly ino: number;
  /** Byte of the directory at which it starts. */
  readonly offset: number;
}

/** A step of a walk over the entries of a block; `at` is its first byte. */
type Visitor = (block: Uint8Array, at: number, length: number) => boolean;

/** The entry called `name` in `directory`, or null. */
export function findEntry(
  directory: Inode,
  name: Uint8Array,
): EntryPlace | null {
  const index = indexOf(directory);
  if (index !== undefined) {
    const { blockSize } = directory.volume.geometry;
    const hash = directory.volume.names.hash(name);
    for (const offset of index.places(hash)) {
      const block = readBlock(directory, Math.floor(offset / blockSize));
      const at = offset % blockSize;
      if (isNamed(block, at, name)) return { ino: INO.get(block, at), offset };
    }
    return null;
  }
  const blocks = blockCount(directory);
  for (let i = 0; i < blocks; i++) {
    leaveBehind(directory, i);
    const place = findInBlock(directory, i, name);
    if (place !== null) return place;
  }
  return null;
}

/** Adds an entry; that none has this `name` is for the caller to know. */
export function addEntry(
  directory: Inode,
  name: Uint8Array,
  ino: number,
  kind: number,
): void {
  const size = entrySize(name.length);
  const index = indexOf(directory);
  const blocks = blockCount(directory);
  let i = index?.blockWithRoom(size) ?? 0;
  if (i < 0) i = blocks;
  // Without an index every block is tried; with one, the first that has room.
  for (; i < blocks && roomIn(directory, i) < size; i++) {
    leaveBehind(directory, i);
  }
  if (i === blocks) appendBlock(directory, i);
  const { cache, names, geometry: { blockSize } } = directory.volume;
  const block = cache.modify(blockAt(directory, i));
  let placed = -1;
  walk(directory, i, block, (_, at, length) => {
    const used = INO.get(block, at) === 0 ? 0 : usedSize(block, at);
    if (length - used < size) return true;
    if (used > 0) rec_len.set(block, at, used);
    placed = at + used;
    rec_len.set(block, placed, length - used);
    return false;
  });
  writeEntry(directory, block, placed, { name, ino, kind });
  if (index !== undefined) {
    names.addName(index, names.hash(name), i * blockSize + placed);
    names.setRoom(index, i, roomIn(directory, i));
  }
  changed(directory);
}

/** Removes the entry called `name` at `place`. */
export function removeEntry(
  directory: Inode,
  name: Uint8Array,
  { offset }: EntryPlace,
): void {
  const { cache, names, geometry: { blockSize } } = directory.volume;
  const i = Math.floor(offset / blockSize);
  const target = offset % blockSize;
  const block = cache.modify(blockAt(directory, i));
  let previous = -1;
  walk(directory, i, block, (_, at) => {
    if (at === target) return false;
    previous = at;
    return true;
  });
  const length = rec_len.get(block, target);
  if (previous < 0) INO.set(block, target, 0);
  else {
    rec_len.set(block, previous, rec_len.get(block, previous) + length);
    // The name of a removed file is nobody's business any more.
    block.fill(0, target, target + length);
  }
  const index = directory.volume.names.get(directory.number);
  if (index !== undefined) {
    names.removeName(index, names.hash(name), offset);
    names.setRoom(index, i, roomIn(directory, i));
  }
  changed(directory);
}

/** Makes the entry at `place` name another inode. */
export function replaceEntry(
  directory: Inode,
  place: EntryPlace,
  ino: number,
  kind: number,
): void {
  pointEntry(directory, place, ino, kind);
  changed(directory);
}

/** Makes `..` name another directory; what is in it has not changed. */
export function replaceParent(directory: Inode, parent: Inode): void {
  const place = parentEntry(directory);
  pointEntry(directory, place, parent.number, parent.kind);
}

/** The entry `..` of `directory`, which every directory has. */
export function parentEntry(directory: Inode): EntryPlace {
  const place = findEntry(directory, DOT_DOT);
  if (place !== null) return place;
  throw new CorruptError("a directory has no entry '..'", {
    inode: directory.number,
  });
}

function pointEntry(
  directory: Inode,
  { offset }: EntryPlace,
  ino: number,
  kind: number,
): void {
  const { cache, geometry: { blockSize } } = directory.volume;
  const i = Math.floor(offset / blockSize);
  const block = cache.modify(blockAt(directory, i));
  INO.set(block, offset % blockSize, ino);
  file_type.set(block, offset % blockSize, typeByte(directory, kind));
}

/** Gives a new, empty directory its `.` and `..`. */
export function initDirectory(directory: Inode, parent: number): void {
  appendBlock(directory, 0);
  const { cache, geometry: { blockSize } } = directory.volume;
  const block = cache.modify(blockAt(directory, 0));
  const kind = directory.kind;
  const second = entrySize(1);
  rec_len.set(block, 0, second);
  writeEntry(directory, block, 0, { name: DOT, ino: directory.number, kind });
  rec_len.set(block, second, blockSize - second);
  writeEntry(directory, block, second, { name: DOT_DOT, ino: parent, kind });
}

/** The name of a directory in itself. */
const DOT: Uint8Array = Uint8Array.of(0x2e);
/** The name of a directory's parent in it. */
const DOT_DOT: Uint8Array = Uint8Array.of(0x2e, 0x2e);

/** Whether `directory` holds nothing but `.` and `..`. */
export function isEmptyDirectory(directory: Inode): boolean {
  return listEntries(directory, 0, 3).every(({ name }) => isDots(name));
}

/** Whether `name` is `.` or `..`. */
export function isDots(name: Uint8Array): boolean {
  return name[0] === 0x2e &&
    (name.length === 1 || name.length === 2 && name[1] === 0x2e);
}

/** Whether `name` is `..`. */
export function isParentName(name: Uint8Array): boolean {
  return name.length === 2 && isDots(name);
}

/**
 * Up to `limit` entries from `cookie` on: 0 for the first, else the cookie of
 * the entry after which to go on.
 */
export function listEntries(
  directory: Inode,
  cookie: number,
  limit: number,
): DirectoryEntry[] {
  const { blockSize } = directory.volume.geometry;
  const entries: DirectoryEntry[] = [];
  const blocks = blockCount(directory);
  const first = Math.floor(cookie / blockSize);
  for (let i = first; i < blocks && entries.length < limit; i++) {
    leaveBehind(directory, i);
    const block = readBlock(directory, i);
    const options = { cookie, limit: limit - entries.length };
    for (const entry of entriesInBlock(directory, i, { block, ...options })) {
      entries.push(entry);
    }
  }
  return entries;
}

/**
 * Up to `limit` entries of block `i` of `directory`, which holds `block`, from
 * `cookie` on. Throws {@link CorruptError} if the block breaks a rule.
 */
export function entriesInBlock(
  directory: Inode,
  i: number,
  { block, cookie = 0, limit = Infinity }: {
    block: Uint8Array;
    cookie?: number;
    limit?: number;
  },
): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  const typed = hasTypes(directory);
  const start = i * block.length;
  // One copy of the block serves all its names.
  walk(directory, i, block.slice(), (block, at, length) => {
    const ino = INO.get(block, at);
    if (ino === 0 || start + at < cookie) return true;
    const name = nameAt(block, at);
    checkName(directory, name);
    const kind = kindOf(typed ? file_type.get(block, at) : 0);
    entries.push({ name, ino, kind, cookie: start + at + length });
    return entries.length < limit;
  });
  return entries;
}

/** The index of `directory` if it is large; made if there is none yet. */
function indexOf(directory: Inode): DirectoryIndex | undefined {
  const { names, geometry: { blockSize } } = directory.volume;
  const known = names.get(directory.number);
  if (known !== undefined) return known;
  const blocks = blockCount(directory);
  if (blocks <= INDEX_FROM_BLOCKS || names.isTooLarge(directory.number)) {
    return undefined;
  }
  const index = new DirectoryIndex();
  for (let i = 0; i < blocks; i++) {
    if (index.size > NAMES_MAX) {
      names.refuse(directory.number);
      return undefined;
    }
    leaveBehind(directory, i);
    let room = 0;
    walk(directory, i, readBlock(directory, i), (block, at, length) => {
      const isUsed = INO.get(block, at) !== 0;
      if (isUsed) index.add(names.hash(nameAt(block, at)), i * blockSize + at);
      room = Math.max(room, isUsed ? length - usedSize(block, at) : length);
      return true;
    });
    index.room.push(room);
  }
  names.set(directory.number, index);
  return names.get(directory.number);
}

/** Lets go of the blocks that a scan, now at block `i`, has passed. */
function leaveBehind({ volume }: Inode, i: number): void {
  if (i % SCAN_WINDOW_BLOCKS === 0) volume.cache.safePoint();
}

function findInBlock(
  directory: Inode,
  i: number,
  name: Uint8Array,
): EntryPlace | null {
  let place: EntryPlace | null = null;
  walk(directory, i, readBlock(directory, i), (block, at) => {
    if (!isNamed(block, at, name)) return true;
    const offset = i * directory.volume.geometry.blockSize + at;
    place = { ino: INO.get(block, at), offset };
    return false;
  });
  return place;
}

/** Longest entry that fits into block `i`, in bytes. */
function roomIn(directory: Inode, i: number): number {
  let room = 0;
  walk(directory, i, readBlock(directory, i), (block, at, length) => {
    const used = INO.get(block, at) === 0 ? 0 : usedSize(block, at);
    room = Math.max(room, length - used);
    return true;
  });
  return room;
}

/**
 * Visits the entries of block `i`, unused ones too, until `visit` returns
 * false. Throws {@link CorruptError} at an entry that breaks the chain.
 */
function walk(
  directory: Inode,
  i: number,
  block: Uint8Array,
  visit: Visitor,
): void {
  const end = block.length;
  for (let at = 0; at < end;) {
    const length = at + ENTRY_HEADER_SIZE <= end ? rec_len.get(block, at) : 0;
    if (
      length < ENTRY_HEADER_SIZE || (length & 3) !== 0 || at + length > end ||
      INO.get(block, at) !== 0 && usedSize(block, at) > length
    ) {
      throw new CorruptError(
        `directory entry at byte ${i * end + at} breaks the chain`,
        { inode: directory.number },
      );
    }
    if (!visit(block, at, length)) return;
    at += length;
  }
}

function usedSize(block: Uint8Array, at: number): number {
  return entrySize(name_len.get(block, at));
}

function nameAt(block: Uint8Array, at: number): Uint8Array {
  const start = at + ENTRY_HEADER_SIZE;
  return block.subarray(start, start + name_len.get(block, at));
}

function isNamed(block: Uint8Array, at: number, name: Uint8Array): boolean {
  if (name_len.get(block, at) !== name.length) return false;
  if (INO.get(block, at) === 0) return false;
  const start = at + ENTRY_HEADER_SIZE;
  for (let i = 0; i < name.length; i++) {
    if (block[start + i] !== name[i]) return false;
  }
  return true;
}

function checkName(directory: Inode, name: Uint8Array): void {
  if (name.length > 0 && !name.includes(0x2f) && !name.includes(0)) return;
  throw new CorruptError("a directory entry has an impossible name", {
    inode: directory.number,
  });
}

/** Writes an entry into the stretch at `at`, whose length is set already. */
function writeEntry(
  directory: Inode,
  block: Uint8Array,
  at: number,
  { name, ino, kind }: { name: Uint8Array; ino: number; kind: number },
): void {
  INO.set(block, at, ino);
  name_len.set(block, at, name.length);
  file_type.set(block, at, typeByte(directory, kind));
  block.set(name, at + ENTRY_HEADER_SIZE);
}

function typeByte(directory: Inode, kind: number): number {
  return hasTypes(directory) ? fileTypeOf(kind) : 0;
}

function hasTypes({ volume }: Inode): boolean {
  const features = volume.superblock(SUPERBLOCK.s_feature_incompat);
  return (features & INCOMPAT.filetype) !== 0;
}

function blockCount(directory: Inode): number {
  const { geometry } = directory.volume;
  const size = directory.size;
  const blocks = size / geometry.blockSize;
  if (!Number.isInteger(blocks) || blocks > geometry.blocksCount) {
    throw new CorruptError(`a directory has a size of ${size} bytes`, {
      inode: directory.number,
    });
  }
  return blocks;
}

/** The device block of block `i` of `directory`, which has no holes. */
function blockAt(directory: Inode, i: number): number {
  const { start } = mapRun(directory, i, 1);
  if (start !== 0) return start;
  throw new CorruptError(`a directory has a hole at block ${i}`, {
    inode: directory.number,
  });
}

function readBlock(directory: Inode, i: number): Uint8Array {
  return directory.volume.cache.read(blockAt(directory, i));
}

/** Adds block `i` to the end of `directory`: one unused stretch. */
function appendBlock(directory: Inode, i: number): void {
  const { cache, names, geometry: { blockSize } } = directory.volume;
  const size = (i + 1) * blockSize;
  if (size >= 2 ** 31) throw new FsError("ENOSPC", "the directory is full");
  const run = allocateRun(directory, i, 1);
  const block = cache.replace(run.start).fill(0);
  rec_len.set(block, 0, blockSize);
  directory.set(INODE.i_size, size);
  const index = names.get(directory.number);
  if (index !== undefined) names.setRoom(index, i, blockSize);
  names.touch(directory.number);
}

/** Notes a change of the directory's contents. */
function changed(directory: Inode): void {
  directory.volume.names.touch(directory.number);
  directory.touch("mtime", "ctime");
  const flags = directory.get(INODE.i_flags);
  if ((flags & INDEX_FL) !== 0) directory.set(INODE.i_flags, flags & ~INDEX_FL);
}
