/**
 * The inode tables: each inode in use, its fields, its blocks.
 *
 * @module
 */

import { isZero } from "../../bd/bytes.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../attributes.ts";
import { GROUP_DESCRIPTOR } from "../block_group.ts";
import { fileTypeOf } from "../directory_entry.ts";
import { COMPAT } from "../features.ts";
import { ROOT_INODE } from "../geometry.ts";
import { INODE } from "../inode.ts";
import { SUPERBLOCK } from "../superblock.ts";
import { checkAttributes, finishAttributes } from "./_attributes.ts";
import { claimMap, fileSizeMax, type MapSummary } from "./_block_map.ts";
import type { Check } from "./_check.ts";
import {
  checkDisguise,
  checkExtraSize,
  checkFlags,
  checkHighParts,
  checkSpecial,
  symlinkProblem,
} from "./_inode_fields.ts";
import { isUnreadable } from "./_store.ts";

/** Inode of the list of bad blocks. */
const BAD_BLOCKS_INODE = 1;
/** Inode of a boot loader. */
const BOOT_LOADER_INODE = 5;
/** Inode that keeps blocks for the growth of the descriptor table. */
const RESIZE_INODE = 7;
/** Inode of the journal of ext3. */
const JOURNAL_INODE = 8;
/** What is zero in an inode that is not in use, besides its pointers. */
const CONTENTS = [
  INODE.i_links_count,
  INODE.i_blocks,
  INODE.i_file_acl,
  INODE.i_size,
  INODE.i_size_high,
  INODE.i_flags,
  INODE.i_dtime,
] as const;
/** Files of this size and more need the feature large_file. */
const LARGE_FILE_SIZE = 2 ** 31;
/** Bytes of inode tables up to which all of them are read. */
const TABLES_READ_MAX = 2 ** 30;
/** Bytes of an inode table that are read at once. */
const RUN_BYTES = 1 << 20;

/** Checks all inodes, in steps of a block or less. */
export function* checkInodes(check: Check): Generator<void> {
  const { groupCount, inodeTableBlocks, blockSize } = check.geometry;
  const run = new Uint8Array(RUN_BYTES);
  const maySkip = !check.isThorough &&
    groupCount * inodeTableBlocks * blockSize > TABLES_READ_MAX;
  for (let group = 0; group < groupCount; group++) {
    if (maySkip && isFresh(check, group)) {
      check.skipped.add(group);
      yield;
    } else yield* checkTable(check, group, run);
  }
  if (check.isDoubtful) return;
  checkRoot(check);
  finishAttributes(check);
}

/**
 * Whether bitmap and counters of a group agree that no inode of it was ever in
 * use. The tables of a large volume that is nearly empty take longer to read
 * than all the rest.
 */
function isFresh(check: Check, group: number): boolean {
  const { inodesPerGroup, firstInode } = check.geometry;
  const d = GROUP_DESCRIPTOR;
  if (
    group * inodesPerGroup < firstInode ||
    check.descriptor(group, d.bg_free_inodes_count) !== inodesPerGroup ||
    check.descriptor(group, d.bg_used_dirs_count) !== 0
  ) return false;
  const bitmap = check.store.tryView(check.inodeBitmaps[group]);
  return bitmap !== null && isZero(bitmap.subarray(0, inodesPerGroup >>> 3)) &&
    !hasUnreadable(check, group);
}

/** Whether a block of the inode table of `group` is known as unreadable. */
function hasUnreadable(check: Check, group: number): boolean {
  const { unreadable } = check.store;
  if (unreadable.size === 0) return false;
  const table = check.inodeTables[group];
  for (let i = 0; i < check.geometry.inodeTableBlocks; i++) {
    if (unreadable.has(table + i)) return true;
  }
  return false;
}

function checkRoot(check: Check): void {
  const kind = check.kind(ROOT_INODE);
  if (kind === fileTypeOf(S_IFDIR)) return;
  check.rootProblem = kind === 0
    ? "its inode is not in use"
    : "it is not a directory";
}

function* checkTable(
  check: Check,
  group: number,
  buffer: Uint8Array,
): Generator<void> {
  const { geometry, store } = check;
  const { inodeTableBlocks, blockSize, inodesPerBlock } = geometry;
  const table = check.inodeTables[group];
  const most = RUN_BYTES / blockSize;
  for (let done = 0; done < inodeTableBlocks; done += most) {
    const count = Math.min(most, inodeTableBlocks - done);
    const run = buffer.subarray(0, count * blockSize);
    readTable(check, table + done, run);
    for (let i = 0; i < count; i++) {
      const bytes = run.subarray(i * blockSize, (i + 1) * blockSize);
      const block = table + done + i;
      if (store.unreadable.has(block)) {
        replaceTableBlock(check, group, block);
      } else if (!isZero(bytes)) {
        if (!store.isDirty(block)) store.keep(block, bytes.slice());
        const index = (done + i) * inodesPerBlock;
        yield* checkBlock(check, group, index);
      }
    }
    yield;
  }
}

/** Reads blocks of an inode table; zeros for those that cannot be read. */
function readTable(check: Check, block: number, run: Uint8Array): void {
  const { store } = check;
  const { blockSize } = store;
  try {
    store.read(block, run);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    for (let at = 0; at < run.length; at += blockSize) {
      const bytes = store.tryView(block + at / blockSize);
      if (bytes === null) run.fill(0, at, at + blockSize);
      else run.set(bytes, at);
    }
  }
}

function replaceTableBlock(check: Check, group: number, block: number): void {
  const { inodesPerGroup, inodesPerBlock } = check.geometry;
  const first = group * inodesPerGroup + 1 +
    (block - check.inodeTables[group]) * inodesPerBlock;
  const last = Math.min(
    first + inodesPerBlock - 1,
    (group + 1) * inodesPerGroup,
  );
  check.findings.add("inode.unreadable", { group, block }, { first, last });
  check.store.replace(block);
}

/** Checks the inodes of a block of a table, the first being `index` in it. */
function* checkBlock(
  check: Check,
  group: number,
  index: number,
): Generator<void> {
  const { inodesPerGroup, inodesPerBlock, firstInode } = check.geometry;
  const end = Math.min(index + inodesPerBlock, inodesPerGroup);
  for (let i = index; i < end; i++) {
    const ino = group * inodesPerGroup + i + 1;
    if (ino < firstInode && ino !== ROOT_INODE) yield* checkOwn(check, ino);
    else if (isInUse(check, ino)) yield* checkInode(check, ino);
  }
}

/** Whether inode `ino` is in use: whether it has links, or is the root. */
function isInUse(check: Check, ino: number): boolean {
  const isRoot = ino === ROOT_INODE &&
    (check.inode(ino, INODE.i_mode) & S_IFMT) === S_IFDIR;
  if (isRoot || check.inode(ino, INODE.i_links_count) !== 0) {
    if (check.inode(ino, INODE.i_dtime) !== 0) {
      check.findings.add("inode.dtime", { inode: ino });
      check.setInode(ino, INODE.i_dtime, 0);
    }
    return true;
  }
  if (
    check.inode(ino, INODE.i_mode) !== 0 &&
    check.inode(ino, INODE.i_dtime) === 0
  ) {
    check.findings.add("inode.zero_links", { inode: ino });
    check.setInode(ino, INODE.i_dtime, Math.max(1, check.now().sec));
  }
  if (isLeftover(check, check.inode(ino, INODE.i_dtime))) {
    check.findings.add("orphan.leftover", { inode: ino });
    check.setInode(ino, INODE.i_dtime, Math.max(1, check.now().sec));
  }
  return false;
}

/**
 * Whether a time of deletion is the number of an inode: of the next one in a
 * list of orphans that has been dropped. The volume is younger than that.
 */
function isLeftover(check: Check, dtime: number): boolean {
  const { inodesCount } = check.geometry;
  if (dtime === 0 || dtime >= inodesCount) return false;
  const { s_wtime, s_mtime, s_mkfs_time } = SUPERBLOCK;
  return [s_wtime, s_mtime, s_mkfs_time].every((field) => {
    const time = check.superblock(field);
    return time === 0 || time >= inodesCount;
  }) && check.now().sec >= inodesCount;
}

/** Checks an inode of the format, which no directory leads to. */
function* checkOwn(check: Check, ino: number): Generator<void> {
  const reason = ownProblem(check, ino);
  if (reason !== null) {
    check.findings.add("inode.reserved", { inode: ino }, { reason });
    check.modifyInode(ino).fill(0);
  } else if (isLeftover(check, check.inode(ino, INODE.i_dtime))) {
    check.findings.add("inode.dtime", { inode: ino });
    check.setInode(ino, INODE.i_dtime, 0);
  }
  const kind = check.inode(ino, INODE.i_mode) & S_IFMT;
  if (ino !== BAD_BLOCKS_INODE && kind !== S_IFREG) return;
  if (kind === S_IFREG) {
    checkFlags(check, ino, kind);
    checkHighParts(check, ino, kind);
    checkExtraSize(check, ino);
  }
  check.setKind(ino, fileTypeOf(S_IFREG));
  const isOwn = ino === RESIZE_INODE;
  const summary = yield* claimMap(check, { ino, isDirectory: false, isOwn });
  if (ino === BAD_BLOCKS_INODE) return;
  checkSize(check, ino, summary);
  const attributes = checkAttributes(check, ino);
  checkBlockCount(check, ino, summary, attributes);
}

/** What an inode of the format holds that it should not; null if nothing. */
function ownProblem(check: Check, ino: number): string | null {
  const mode = check.inode(ino, INODE.i_mode);
  if (ino === BAD_BLOCKS_INODE) {
    const isFile = mode !== 0 || check.inode(ino, INODE.i_uid) !== 0 ||
      check.inode(ino, INODE.i_gid) !== 0 ||
      check.inode(ino, INODE.i_links_count) !== 0 ||
      check.inode(ino, INODE.i_file_acl) !== 0 ||
      check.inode(ino, INODE.i_flags) !== 0;
    return isFile ? "the list of bad blocks is no file" : null;
  }
  if (mode !== 0 && (mode & S_IFMT) !== S_IFREG) {
    return `its mode is ${octal(mode)}`;
  }
  const isEmpty = CONTENTS.every((field) => check.inode(ino, field) === 0) &&
    isZero(INODE.i_block.get(check.inodeBytes(ino), 0));
  if (mode === 0 && isEmpty) return null;
  if (isUnused(check, ino)) return "the feature that it is for is not set";
  return mode === 0 ? "it has no mode" : null;
}

/** Whether inode `ino` is for a feature that the volume has not. */
function isUnused(check: Check, ino: number): boolean {
  if (ino === RESIZE_INODE) return !check.hasCompat(COMPAT.resize_inode);
  if (ino === JOURNAL_INODE) return !check.hasCompat(COMPAT.has_journal);
  // A boot loader may be anywhere; all others are for features unknown here.
  return ino !== BOOT_LOADER_INODE || check.inode(ino, INODE.i_flags) !== 0;
}

function* checkInode(check: Check, ino: number): Generator<void> {
  checkDisguise(check, ino);
  const kind = check.inode(ino, INODE.i_mode) & S_IFMT;
  if (fileTypeOf(kind) === 0) {
    check.findings.add("inode.mode", { inode: ino }, {
      stored: octal(check.inode(ino, INODE.i_mode)),
    });
    return check.clearInode(ino);
  }
  checkFlags(check, ino, kind);
  checkHighParts(check, ino, kind);
  checkExtraSize(check, ino);
  if (kind === S_IFLNK) {
    const reason = symlinkProblem(check, ino);
    if (reason !== null) {
      check.findings.add("inode.symlink", { inode: ino }, { reason });
      return check.clearInode(ino);
    }
  }
  const hasMap = kind === S_IFREG || kind === S_IFDIR ||
    kind === S_IFLNK &&
      check.inode(ino, INODE.i_size) >= INODE.i_block.size;
  if (kind !== S_IFLNK && !hasMap && !checkSpecial(check, ino)) return;
  const isDirectory = kind === S_IFDIR;
  check.setKind(ino, fileTypeOf(kind));
  if (isDirectory) check.directories.add(ino);
  let summary: MapSummary | null = null;
  if (hasMap) {
    summary = yield* claimMap(check, { ino, isDirectory, isOwn: false });
  }
  if (summary !== null && kind !== S_IFLNK) checkSize(check, ino, summary);
  const attributes = checkAttributes(check, ino);
  checkBlockCount(check, ino, summary, attributes);
  if (summary === null || summary.lost === 0) return;
  check.findings.add("data.unreadable", { inode: ino }, {
    count: summary.lost,
    block: summary.firstLost,
  });
}

/** Checks the size of a file or directory against its blocks. */
function checkSize(check: Check, ino: number, { last }: MapSummary): void {
  const { blockSize } = check.geometry;
  const most = fileSizeMax(check);
  const isDirectory = check.kind(ino) === fileTypeOf(S_IFDIR);
  const low = check.inode(ino, INODE.i_size);
  const high = isDirectory ? 0 : check.inode(ino, INODE.i_size_high);
  const stored = low + high * 2 ** 32;
  const end = (last + 1) * blockSize;
  // The last block of a file may lie behind its end: taken, and not written.
  const isRight = isDirectory
    ? stored === end && end > 0
    : stored >= last * blockSize && stored <= most;
  const found = isDirectory ? Math.max(end, blockSize) : Math.min(end, most);
  if (!isRight && found !== stored) {
    check.findings.add("inode.size", { inode: ino }, { stored, found });
    check.setInode(ino, INODE.i_size, found % 2 ** 32);
    if (!isDirectory) {
      check.setInode(ino, INODE.i_size_high, Math.floor(found / 2 ** 32));
    }
  }
  if ((isRight ? stored : found) >= LARGE_FILE_SIZE) check.hasLargeFiles = true;
}

/** Checks the space that an inode is said to take. */
export function checkBlockCount(
  check: Check,
  ino: number,
  map: MapSummary | null,
  attributes = 0,
): void {
  const blocks = attributes + (map === null ? 0 : map.data + map.indirect);
  const found = blocks * (check.geometry.blockSize / 512);
  const stored = check.inode(ino, INODE.i_blocks);
  if (found === stored || found > 0xffffffff) return;
  check.findings.add("inode.block_count", { inode: ino }, { stored, found });
  check.setInode(ino, INODE.i_blocks, found);
}

const octal = (mode: number): string => mode.toString(8).padStart(6, "0");
