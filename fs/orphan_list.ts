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
  const { volume, number } = inode;
  const head = volume.superblock(s_last_orphan);
  inode.set(INODE.i_dtime, head);
  volume.setSuperblock(s_last_orphan, number);
  volume.orphanLinks.set(number, 0);
  if (head !== 0) volume.orphanLinks.set(head, number);
}

/** Takes `inode` out of the list. */
export function removeOrphan(inode: Inode): void {
  const { volume, number } = inode;
  const links = volume.orphanLinks;
  if (!links.has(number)) readLinks(volume);
  const previous = links.get(number);
  if (previous === undefined) {
    throw new CorruptError("inode is missing from the orphan list", {
      inode: number,
    });
  }
  const next = inode.get(INODE.i_dtime);
  if (previous === 0) volume.setSuperblock(s_last_orphan, next);
  else new Inode(volume, previous).set(INODE.i_dtime, next);
  inode.set(INODE.i_dtime, 0);
  links.delete(number);
  if (next !== 0) links.set(next, previous);
}

/** Finds what comes before each inode of the list. */
function readLinks(volume: Volume): void {
  volume.orphanLinks.clear();
  let previous = 0;
  for (const ino of orphans(volume)) {
    volume.orphanLinks.set(ino, previous);
    previous = ino;
  }
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
