/**
 * `lost+found`: where what no directory leads to gets a name again, `#` and
 * its inode number.
 *
 * Without one, the one that came with the volume is sought: it may have lost
 * no more than its name, and on a full volume there is no room for another.
 *
 * @module
 */

import { S_IFDIR } from "../attributes.ts";
import { fileTypeOf } from "../directory_entry.ts";
import { ROOT_INODE } from "../geometry.ts";
import { INDEX_FL, INODE } from "../inode.ts";
import { findInode, markInode } from "./_allocator.ts";
import type { Check } from "./_check.ts";
import { entriesOf, removeEntry } from "./_directory_blocks.ts";
import { isDots } from "./_entry_names.ts";
import { addEntry, makeDirectory } from "./_new_directory.ts";

const NAME = new TextEncoder().encode("lost+found");
/** Permissions of a `lost+found`. */
const MODE = 0o700;
const FIRST = "#".charCodeAt(0);
const DIRECTORY = fileTypeOf(S_IFDIR);

/** See the module. */
export class LostAndFound {
  /** Whether '..' of each directory was counted as a link of its parent. */
  areParentsCounted = false;
  readonly #check: Check;
  #ino = 0;
  /** Whether it was looked for; it may have been in vain. */
  #isSought = false;
  /** Names of the kind that are there already. */
  readonly #names = new Set<string>();
  /** Its blocks before this one are full. */
  #from = 0;

  /** Nothing is looked for or made before it is needed. */
  constructor(check: Check) {
    this.#check = check;
  }

  /**
   * Gives inode `ino` a name; false if there is no room for one. It counts as
   * a link, and as the parent of a directory.
   */
  adopt(ino: number): boolean {
    const check = this.#check;
    const directory = this.#directory(ino);
    if (directory === 0) return false;
    // It is the old one, which has its name back.
    if (directory === ino) return true;
    let text = `#${ino}`;
    for (let i = 1; this.#names.has(text); i++) text = `#${ino}~${i}`;
    const kind = check.kind(ino);
    const name = new TextEncoder().encode(text);
    const from = this.#from;
    const index = addEntry(check, directory, { name, ino, kind, from });
    if (index < 0) return false;
    this.#from = index;
    this.#names.add(text);
    check.addLinks(ino, 1);
    check.adopted.add(ino);
    if (kind === DIRECTORY) check.directories.setParent(ino, directory);
    return true;
  }

  /** Its inode; 0 if there is none, and no room for one. */
  #directory(orphan: number): number {
    if (this.#isSought) return this.#ino;
    this.#isSought = true;
    const { ino, name } = this.#find();
    const check = this.#check;
    // It cannot be inside of what it is to hold.
    const isUsable = ino !== 0 && check.kind(ino) === DIRECTORY &&
      check.directories.parent(ino) === ROOT_INODE && ino !== orphan;
    if (isUsable) {
      this.#ino = ino;
      this.#prepare();
    } else {
      const reason = ino === 0 ? "there is none" : "it is no directory";
      check.findings.add("connect.lost_found", {}, { reason });
      if (ino === 0 && this.#isOld()) this.#restore(name);
      else this.#make(name);
    }
    return this.#ino;
  }

  /**
   * Whether the first inode is a `lost+found` without a name: one that nobody
   * else may enter, that was in the root, and that holds no names but those
   * that are given here.
   */
  #isOld(): boolean {
    const check = this.#check;
    const { directories, geometry: { firstInode } } = check;
    if (check.kind(firstInode) !== DIRECTORY) return false;
    if (directories.parent(firstInode) !== 0) return false;
    if (directories.dotdot(firstInode) !== ROOT_INODE) return false;
    if ((check.inode(firstInode, INODE.i_mode) & 0o777) !== MODE) return false;
    for (const { name } of entriesOf(this.#check, firstInode)) {
      if (name[0] !== FIRST && !isDots(name)) return false;
    }
    return true;
  }

  /** The entry of the root; a name that is free if it cannot be used. */
  #find(): { ino: number; name: Uint8Array } {
    let found = 0;
    for (const { ino, name } of entriesOf(this.#check, ROOT_INODE)) {
      const isIt = name.length === NAME.length &&
        NAME.every((byte, i) => byte === name[i]);
      if (isIt) found = ino;
    }
    const other = new TextEncoder().encode("lost+found~");
    return { ino: found, name: found === 0 ? NAME : other };
  }

  /** Notes the names that are there; a hash tree would not know new ones. */
  #prepare(): void {
    const check = this.#check;
    for (const { name } of entriesOf(this.#check, this.#ino)) {
      if (name[0] === FIRST) this.#names.add(String.fromCharCode(...name));
    }
    const flags = check.inode(this.#ino, INODE.i_flags);
    if ((flags & INDEX_FL) === 0) return;
    check.setInode(this.#ino, INODE.i_flags, (flags & ~INDEX_FL) >>> 0);
  }

  #make(name: Uint8Array): void {
    const check = this.#check;
    const ino = findInode(check);
    // Its name comes first: where there is no room, nothing is taken.
    if (ino === 0 || !this.#name(name, ino)) return;
    const parent = ROOT_INODE;
    if (!makeDirectory(check, { ino, parent, mode: MODE })) {
      removeEntry(check, ROOT_INODE, ino);
      this.#ino = 0;
      return;
    }
    markInode(check, ino);
    linkRoot(check);
    if (this.areParentsCounted) check.addLinks(ROOT_INODE, 1);
  }

  /** Gives the old one its name back. */
  #restore(name: Uint8Array): void {
    const check = this.#check;
    if (!this.#name(name, check.geometry.firstInode)) return;
    this.#prepare();
    // A root that was made just now does not count it.
    if (check.rootProblem !== "") linkRoot(check);
  }

  /** Makes `ino` the one, under `name`; false if there is no room for that. */
  #name(name: Uint8Array, ino: number): boolean {
    const check = this.#check;
    const entry = { name, ino, kind: DIRECTORY };
    if (addEntry(check, ROOT_INODE, entry) < 0) return false;
    const flags = check.inode(ROOT_INODE, INODE.i_flags);
    check.setInode(ROOT_INODE, INODE.i_flags, (flags & ~INDEX_FL) >>> 0);
    check.addLinks(ino, 1);
    check.adopted.add(ino);
    if (check.kind(ino) === DIRECTORY) {
      check.directories.setParent(ino, ROOT_INODE);
    }
    this.#ino = ino;
    return true;
  }
}

/** Counts '..' of a new directory in the root. */
function linkRoot(check: Check): void {
  const links = check.inode(ROOT_INODE, INODE.i_links_count);
  check.setInode(ROOT_INODE, INODE.i_links_count, links + 1);
}
