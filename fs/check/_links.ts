/**
 * Link counts: as many as there are names; what has none gets one.
 *
 * @module
 */

import { ROOT_INODE } from "../geometry.ts";
import { INODE } from "../inode.ts";
import type { Check } from "./_check.ts";
import type { LostAndFound } from "./_lost_and_found.ts";

/** Checks all inodes in use, in steps of one. */
export function* checkLinks(
  check: Check,
  lost: LostAndFound,
): Generator<void> {
  for (const ino of check.inodesInUse()) {
    if (ino < check.geometry.firstInode && ino !== ROOT_INODE) continue;
    if (check.links(ino) === 0 && !connect(check, ino, lost)) continue;
    const stored = check.inode(ino, INODE.i_links_count);
    const found = check.links(ino);
    if (stored !== found && found > 0) {
      check.findings.add("links.count", { inode: ino }, { stored, found });
      check.setInode(ino, INODE.i_links_count, found);
    }
    yield;
  }
}

/** Gives a file a name; false if it was cleared instead. */
function connect(check: Check, ino: number, lost: LostAndFound): boolean {
  const isEmpty = check.inode(ino, INODE.i_size) === 0 &&
    check.inode(ino, INODE.i_size_high) === 0 &&
    check.inode(ino, INODE.i_blocks) === 0 && check.hasBlockMap(ino);
  if (isEmpty) {
    check.findings.add("connect.empty_file", { inode: ino });
    check.clearInode(ino);
    return false;
  }
  check.findings.add("connect.file", { inode: ino });
  lost.adopt(ino);
  return true;
}
