/**
 * The inode allocator: which inodes are free, and which to take.
 *
 * A file's inode goes into its directory's group, so that the two are close; a
 * directory's into a group with room to spare, so that trees do not crowd: at
 * the top of the volume into one with few directories, further down into the
 * parent's unless that has less than half its share of free inodes or blocks. (After M.
 * McKusick et al., "A Fast File System for UNIX", 1984, and G. Orlov's
 * refinement in the BSDs.)
 *
 * Every change keeps bitmap, group counters and superblock counter exact.
 *
 * @module
 */

import { clearBits, findClear, setBits, testBit } from "./bitmap.ts";
import { GROUP_DESCRIPTOR } from "./block_group.ts";
import { CorruptError, FsError } from "./errors.ts";
import { ROOT_INODE } from "./geometry.ts";
import { SUPERBLOCK } from "./superblock.ts";
import type { Volume } from "./volume.ts";

const { bg_free_inodes_count, bg_free_blocks_count, bg_used_dirs_count } =
  GROUP_DESCRIPTOR;

/** Groups that are compared at most to place a directory. */
const GROUPS_COMPARED_MAX = 64;

/**
 * Takes a free inode for a child of directory `parent` and returns its number.
 * Throws {@link FsError} `ENOSPC` if there is none.
 */
export function allocateInode(
  volume: Volume,
  parent: number,
  isDirectory: boolean,
): number {
  const { geometry } = volume;
  if (volume.superblock(SUPERBLOCK.s_free_inodes_count) === 0) {
    throw new FsError("ENOSPC", "every inode is in use");
  }
  const first = isDirectory
    ? groupForDirectory(volume, parent)
    : geometry.groupOfInode(parent);
  for (let i = 0; i < geometry.groupCount; i++) {
    const group = (first + i) % geometry.groupCount;
    const ino = takeFromGroup(volume, group);
    if (ino === 0) continue;
    adjustFree(volume, group, -1, isDirectory);
    return ino;
  }
  throw new CorruptError("free inodes are counted that no bitmap shows");
}

/** Gives back inode `ino`. */
export function freeInode(
  volume: Volume,
  ino: number,
  isDirectory: boolean,
): void {
  const { geometry } = volume;
  const group = geometry.groupOfInode(ino);
  const index = (ino - 1) % geometry.inodesPerGroup;
  const bitmapBlock = volume.groupMetadata(group).inodeBitmap;
  if (!testBit(volume.cache.read(bitmapBlock), index)) {
    throw new CorruptError("an inode in use is marked free", { inode: ino });
  }
  clearBits(volume.cache.modify(bitmapBlock), index, 1);
  adjustFree(volume, group, 1, isDirectory);
}

/** Whether the bitmap says that inode `ino` is in use. */
export function isInodeAllocated(volume: Volume, ino: number): boolean {
  const { geometry } = volume;
  const bitmap = volume.groupMetadata(geometry.groupOfInode(ino)).inodeBitmap;
  const index = (ino - 1) % geometry.inodesPerGroup;
  return testBit(volume.cache.read(bitmap), index);
}

/** Takes the first free inode of `group`; 0 if it has none. */
function takeFromGroup(volume: Volume, group: number): number {
  const { geometry } = volume;
  if (volume.descriptor(group, bg_free_inodes_count) === 0) return 0;
  const bitmapBlock = volume.groupMetadata(group).inodeBitmap;
  const bitmap = volume.cache.read(bitmapBlock);
  const base = group * geometry.inodesPerGroup + 1;
  const reserved = Math.max(0, geometry.firstInode - base);
  const index = findClear(bitmap, reserved, geometry.inodesPerGroup);
  if (index < 0) return 0;
  setBits(volume.cache.modify(bitmapBlock), index, 1);
  return base + index;
}

function groupForDirectory(volume: Volume, parent: number): number {
  const { geometry } = volume;
  const near = geometry.groupOfInode(parent);
  const groups = geometry.groupCount;
  const averageInodes = volume.superblock(SUPERBLOCK.s_free_inodes_count) /
    groups;
  const averageBlocks = volume.superblock(SUPERBLOCK.s_free_blocks_count) /
    groups;
  const hasRoom = (group: number): boolean =>
    volume.descriptor(group, bg_free_inodes_count) >= averageInodes / 2 &&
    volume.descriptor(group, bg_free_blocks_count) >= averageBlocks / 2;
  if (parent !== ROOT_INODE && hasRoom(near)) return near;
  let best = -1;
  let fewest = Infinity;
  const start = volume.generation() % groups;
  for (let i = 0; i < Math.min(groups, GROUPS_COMPARED_MAX); i++) {
    const group = (start + i) % groups;
    if (volume.descriptor(group, bg_free_inodes_count) < averageInodes) {
      continue;
    }
    if (volume.descriptor(group, bg_free_blocks_count) < averageBlocks) {
      continue;
    }
    const directories = volume.descriptor(group, bg_used_dirs_count);
    if (directories < fewest) {
      best = group;
      fewest = directories;
    }
  }
  return best < 0 ? near : best;
}

/** Counts `delta` more free inodes, and as many fewer directories if one. */
function adjustFree(
  volume: Volume,
  group: number,
  delta: number,
  isDirectory: boolean,
): void {
  volume.addToDescriptor(group, bg_free_inodes_count, delta);
  volume.addToSuperblock(SUPERBLOCK.s_free_inodes_count, delta);
  if (isDirectory) volume.addToDescriptor(group, bg_used_dirs_count, -delta);
}
