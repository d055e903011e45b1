/**
 * The orphan list: inodes with work left to do, which a crash must not make
 * anyone forget. One without names is to be freed; one with names was being
 * cut to its size. The list starts at `s_last_orphan` and goes on through the
 * `i_dtime` of each inode. (Linux kernel, `fs/ext4/orphan.c`, and e2fsck,
 * which both act on it.)
 *
 * @module
 */

import { CorruptError } from "./errors.ts";
import { INODE, Inode } from "./inode.ts";
import { SUPERBLOCK } from "./superblock.ts";
import type { Volume } from "./volume.ts";

const { s_last_orphan } = SUPERBLOCK;

/** Puts `inode` at the head of the list. */
export function addOrphan(inode: Inode): void {
  const { volume } = inode;
  inode.set(INODE.i_dtime, volume.superblock(s_last_orphan));
  volume.setSuperblock(s_last_orphan, inode.number);
}

/** Takes `inode` out of the list. */
export function removeOrphan(inode: Inode): void {
  const { volume } = inode;
  const next = inode.get(INODE.i_dtime);
  let previous: Inode | null = null;
  for (const ino of orphans(volume)) {
    if (ino === inode.number) {
      if (previous === null) volume.setSuperblock(s_last_orphan, next);
      else previous.set(INODE.i_dtime, next);
      inode.set(INODE.i_dtime, 0);
      return;
    }
    previous = new Inode(volume, ino);
  }
  throw new CorruptError("inode is missing from the orphan list", {
    inode: inode.number,
  });
}

/** The inodes of the list, its head first. */
export function* orphans(volume: Volume): Generator<number> {
  const seen = new Set<number>();
  let ino = volume.superblock(s_last_orphan);
  while (ino !== 0) {
    if (seen.has(ino) || ino < volume.geometry.firstInode) {
      throw new CorruptError("the orphan list is broken", { inode: ino });
    }
    seen.add(ino);
    const next = new Inode(volume, ino).get(INODE.i_dtime);
    yield ino;
    ino = next;
  }
}
