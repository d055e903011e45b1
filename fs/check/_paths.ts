/**
 * Names for inodes in which something is wrong, as far as directories lead to
 * them.
 *
 * @module
 */

import { DIRECTORY_ENTRY } from "../directory_entry.ts";
import { ROOT_INODE } from "../geometry.ts";
import type { Check } from "./_check.ts";
import { directoryBlocks, mappedBlock } from "./_directory_blocks.ts";
import { isDots, nameAt } from "./_entry_names.ts";

/** Inodes for which a path is sought at most. */
const WANTED_MAX = 1000;
/** Directories on a path at most. */
const DEPTH_MAX = 1024;

/** A name, and the directory that has it. */
interface Place {
  readonly directory: number;
  readonly name: Uint8Array;
}

/** See the module. */
export class PathFinder {
  readonly #wanted = new Set<number>();
  readonly #places = new Map<number, Place>();

  /** Says that the path of inode `ino` is wanted. */
  want(ino: number): void {
    if (this.#wanted.size < WANTED_MAX) this.#wanted.add(ino);
  }

  /** Notes that `directory` has an entry `name` for inode `ino`. */
  note(ino: number, directory: number, name: Uint8Array): void {
    if (!this.#wanted.has(ino) || this.#places.has(ino)) return;
    this.#places.set(ino, { directory, name: name.slice() });
  }

  /** Looks for what was not noted on the way, in steps of a block. */
  *search(check: Check): Generator<void> {
    const isMissing = [...this.#wanted].some((ino) =>
      ino !== ROOT_INODE && !this.#places.has(ino)
    );
    if (!isMissing) return;
    for (let i = 0; i < check.directories.count; i++) {
      const directory = check.directories.inode(i);
      for (const _ of this.#entries(check, directory)) yield;
    }
  }

  *#entries(check: Check, directory: number): Generator<void> {
    const { inode: INO, rec_len } = DIRECTORY_ENTRY;
    const blocks = directoryBlocks(check, directory);
    for (let index = 0; index < blocks; index++) {
      const block = mappedBlock(check, directory, index);
      const bytes = block === 0 ? null : check.store.tryView(block);
      if (bytes === null) continue;
      for (let at = 0; at + 8 <= bytes.length;) {
        const name = nameAt(bytes, at);
        const ino = INO.get(bytes, at);
        if (ino !== 0 && !isDots(name)) this.note(ino, directory, name);
        at += Math.max(8, rec_len.get(bytes, at));
      }
      yield;
    }
  }

  /** The path of inode `ino`; undefined if none is known. */
  path(check: Check, ino: number): Uint8Array | undefined {
    const names: Uint8Array[] = [];
    for (let at = ino; at !== ROOT_INODE;) {
      // What a trial has named has no name.
      if (check.isTrial && check.adopted.has(at)) return undefined;
      const place = this.#places.get(at) ?? this.#find(check, at);
      if (place === null || names.length > DEPTH_MAX) return undefined;
      names.unshift(place.name);
      at = place.directory;
    }
    if (names.length === 0) return Uint8Array.of(0x2f);
    return new Uint8Array(names.flatMap((name) => [0x2f, ...name]));
  }

  /** The place of a directory, by its parent. */
  #find(check: Check, ino: number): Place | null {
    const parent = check.directories.parent(ino);
    if (parent === 0 || ino === ROOT_INODE) return null;
    this.#wanted.add(ino);
    for (const _ of this.#entries(check, parent)) {
      if (this.#places.has(ino)) break;
    }
    return this.#places.get(ino) ?? null;
  }
}
