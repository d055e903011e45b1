/**
 * Connectivity: a root, a way from it to every directory, and one parent for
 * each, which '..' names.
 *
 * @module
 */

import { S_IFDIR, S_IFMT } from "../attributes.ts";
import { DIRECTORY_ENTRY } from "../directory_entry.ts";
import { ROOT_INODE } from "../geometry.ts";
import { INODE } from "../inode.ts";
import { markInode } from "./_allocator.ts";
import type { Check } from "./_check.ts";
import { mappedBlock, removeEntry } from "./_directory_blocks.ts";
import { makeDirectory } from "./_new_directory.ts";
import type { LostAndFound } from "./_lost_and_found.ts";

/** Makes a root, if there is none that can be used. */
export function restoreRoot(check: Check): void {
  if (check.rootProblem === "") return;
  check.findings.add("inode.root", { inode: ROOT_INODE }, {
    reason: check.rootProblem,
  });
  // One that is kept in memory only would have all others moved below it.
  if (!check.isTrial) {
    check.store.checkWritable(check.inodePlace(ROOT_INODE).block);
  }
  // What is there is no directory; if it was one, its files are lost+found's.
  const mode = check.inode(ROOT_INODE, INODE.i_mode) & S_IFMT;
  if (mode !== S_IFDIR) check.clearInode(ROOT_INODE);
  markInode(check, ROOT_INODE);
  const root = { ino: ROOT_INODE, parent: ROOT_INODE, mode: 0o755 };
  if (!makeDirectory(check, root)) check.clearInode(ROOT_INODE);
  // Its '.' is counted when the directories are looked at.
  check.addLinks(ROOT_INODE, -1);
}

/** Connects all directories, in steps of one. */
export function* connectDirectories(
  check: Check,
  lost: LostAndFound,
): Generator<void> {
  const { directories } = check;
  directories.setParent(ROOT_INODE, ROOT_INODE);
  directories.setMark(ROOT_INODE, CONNECTED);
  let climb = CONNECTED;
  for (let i = 0; i < directories.count; i++) {
    const end = climbFrom(check, directories.inode(i), ++climb);
    if (end !== 0) {
      const isLoop = directories.parent(end) !== 0;
      check.findings.add(
        isLoop ? "connect.loop" : "connect.directory",
        { inode: end },
      );
      if (isLoop) removeEntry(check, directories.parent(end), end);
      directories.setParent(end, 0);
      lost.adopt(end);
    }
    yield;
  }
  for (let i = 0; i < directories.count; i++) {
    checkParent(check, directories.inode(i));
    yield;
  }
  lost.areParentsCounted = true;
}

/** The mark of directories that are known to be below the root. */
const CONNECTED = 1;

/**
 * Climbs from `ino` towards the root, and marks what it passes with `climb`.
 * Returns 0 if it gets there, or else the directory at which it ends: one
 * without a parent, or one in a loop. Once that one is in lost+found, all of
 * them are connected.
 */
function climbFrom(check: Check, ino: number, climb: number): number {
  const { directories } = check;
  let end = 0;
  for (let at = ino; directories.mark(at) !== CONNECTED;) {
    const parent = directories.parent(at);
    if (parent === 0 || directories.mark(at) === climb) {
      end = at;
      break;
    }
    directories.setMark(at, climb);
    at = parent;
  }
  if (end !== 0) directories.setMark(end, CONNECTED);
  for (let at = ino; directories.mark(at) === climb;) {
    directories.setMark(at, CONNECTED);
    at = directories.parent(at);
  }
  return end;
}

/** Checks '..' of a directory, and counts it as a link of its parent. */
function checkParent(check: Check, ino: number): void {
  const { directories, store } = check;
  const found = directories.parent(ino);
  if (found === 0) return;
  check.addLinks(found, 1);
  const stored = directories.dotdot(ino);
  if (stored === found) return;
  // What was written by a repair just now is no problem.
  if (stored !== 0) {
    check.findings.add("directory.parent", { inode: ino }, { stored, found });
  }
  const block = mappedBlock(check, ino, 0);
  if (block === 0) return;
  const bytes = store.modify(block);
  const at = DIRECTORY_ENTRY.rec_len.get(bytes, 0);
  DIRECTORY_ENTRY.inode.set(bytes, at, found);
  directories.setDotdot(ino, found);
}
