/**
 * Reclaiming: what an inode still holds when its last name is gone, or when
 * its file was cut short. Large files are freed in steps, each an operation of
 * its own, with the inode on the orphan list until the last.
 *
 * @module
 */

import { DeviceError } from "../bd/block_device.ts";
import { S_IFDIR, S_IFLNK, S_IFREG } from "./attributes.ts";
import { cutBlocks } from "./block_cut.ts";
import { CorruptError, FsError } from "./errors.ts";
import { CUT_BLOCKS_MAX, cutContents } from "./file.ts";
import { INODE, Inode } from "./inode.ts";
import { freeInode, isInodeAllocated } from "./inode_allocator.ts";
import { addOrphan, orphans, removeOrphan } from "./orphan_list.ts";
import { STATE_ERROR, SUPERBLOCK } from "./superblock.ts";
import { isFastSymlink } from "./symlink.ts";
import type { Volume } from "./volume.ts";
import { releaseXattrBlock } from "./xattr.ts";

/**
 * Takes one name from `inode`. With the last it is freed, or put on the orphan
 * list: because it is open, or because it is too large for one operation.
 * Returns true if {@link reclaimStep} has to go on.
 */
export function dropLink(inode: Inode): boolean {
  const links = inode.links;
  if (links === 0) {
    throw new CorruptError("a name of an inode without links", {
      inode: inode.number,
    });
  }
  inode.links = links - 1;
  inode.touch("ctime");
  return links === 1 && dispose(inode);
}

/** As {@link dropLink}, of a directory, with its own `.` as well. */
export function dropDirectory(inode: Inode): boolean {
  inode.links = 0;
  inode.touch("ctime");
  return dispose(inode);
}

function dispose(inode: Inode): boolean {
  const { volume, number } = inode;
  // Being cut in steps, it is on the list already.
  if (volume.unfinished.has(number)) return true;
  const isOpen = volume.openFiles.has(number);
  if (!isOpen && freeContents(inode)) {
    freeEmptied(inode);
    return false;
  }
  addOrphan(inode);
  return !isOpen;
}

/**
 * Does one step of the work for which `inode` is on the orphan list, and
 * returns true if it was the last. The inode is off the list then, unless it
 * has no names but is open.
 */
export function reclaimStep(inode: Inode): boolean {
  if (inode.links === 0) {
    if (inode.volume.openFiles.has(inode.number)) return cutContents(inode);
    if (!freeContents(inode)) return false;
    removeOrphan(inode);
    freeEmptied(inode);
    return true;
  }
  if (inode.kind === S_IFREG && !cutContents(inode)) return false;
  removeOrphan(inode);
  return true;
}

/** Does the work for which `ino` is on the orphan list, if it is. */
export function finish(volume: Volume, ino: number): void {
  if (!volume.unfinished.has(ino)) return;
  const inode = new Inode(volume, ino);
  while (!volume.transact(() => reclaimStep(inode)));
  volume.unfinished.delete(ino);
}

/**
 * As {@link finish}, for an inode that an operation has just put there. That
 * operation has succeeded; where the host fails now, the work waits.
 */
export function finishLater(volume: Volume, ino: number): void {
  volume.unfinished.add(ino);
  try {
    finish(volume, ino);
  } catch (error) {
    if (!(error instanceof DeviceError || error instanceof FsError)) {
      throw error;
    }
  }
}

/** As {@link finishLater}, for all that waits. */
export function finishAll(volume: Volume): void {
  for (const ino of volume.unfinished) finishLater(volume, ino);
}

/**
 * Finishes the work of everything on the orphan list, as after a crash. What
 * cannot be finished stays on the list, and waits; a list that is broken is
 * dropped, and what it held stays allocated until a checker finds it.
 */
export function reclaimOrphans(volume: Volume): void {
  try {
    for (const ino of [...orphans(volume)]) {
      if (!isInodeAllocated(volume, ino)) {
        throw new CorruptError("a free inode is on the orphan list", {
          inode: ino,
        });
      }
      volume.unfinished.add(ino);
    }
  } catch (error) {
    if (!(error instanceof CorruptError)) throw error;
    volume.unfinished.clear();
    const state = volume.superblock(SUPERBLOCK.s_state) | STATE_ERROR;
    volume.transact(() => {
      volume.setSuperblock(SUPERBLOCK.s_last_orphan, 0);
      volume.setSuperblock(SUPERBLOCK.s_state, state);
    });
  }
  finishAll(volume);
}

/** Frees the blocks of a deleted file; true if none is left. */
function freeContents(inode: Inode): boolean {
  const { kind } = inode;
  const hasBlocks = kind === S_IFREG || kind === S_IFDIR ||
    kind === S_IFLNK && !isFastSymlink(inode);
  return !hasBlocks || cutBlocks(inode, 0, CUT_BLOCKS_MAX);
}

/** Frees an inode that has no blocks any more but for its attributes'. */
function freeEmptied(inode: Inode): void {
  const { volume, number } = inode;
  releaseXattrBlock(inode);
  inode.set(INODE.i_dtime, volume.now().sec);
  if (inode.isDirectory) volume.names.delete(number);
  freeInode(volume, number, inode.isDirectory);
}
