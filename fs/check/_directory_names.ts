/**
 * Names that a directory has twice. Of each name four bytes are kept; where
 * two are alike, the names themselves are compared in a second pass.
 *
 * @module
 */

import { DIRECTORY_ENTRY } from "../directory_entry.ts";
import type { Check } from "./_check.ts";
import { isDots, nameAt, showName } from "./_entry_names.ts";

/** Names for which there is room at first. */
const ROOM_FIRST = 256;
const TILDE = 0x7e;
/** What tells a renamed entry from others: letters and digits. */
const SUFFIX_BASE = 36;

/** The names of one directory. */
export class NameCollector {
  /** Whether a name was changed. */
  hasRenamed = false;
  readonly #check: Check;
  readonly #ino: number;
  #hashes = new Uint32Array(ROOM_FIRST);
  #count = 0;
  /** Hashes that occur more than once. */
  readonly #doubtful = new Set<number>();
  /** Names with such a hash that were met in the second pass, and inodes. */
  readonly #seen = new Map<string, number>();
  /** The suffix to try next. */
  #suffix = 0;

  /** Starts with directory `ino`. */
  constructor(check: Check, ino: number) {
    this.#check = check;
    this.#ino = ino;
  }

  /** Adds a name. */
  add(name: Uint8Array): void {
    if (this.#count === this.#hashes.length) {
      const larger = new Uint32Array(2 * this.#count);
      larger.set(this.#hashes);
      this.#hashes = larger;
    }
    this.#hashes[this.#count++] = hashOf(name);
  }

  /** Whether a second pass is needed. */
  hasDuplicates(): boolean {
    const hashes = this.#hashes.subarray(0, this.#count).sort();
    for (let i = 1; i < hashes.length; i++) {
      if (hashes[i] === hashes[i - 1]) this.#doubtful.add(hashes[i]);
    }
    return this.#doubtful.size > 0;
  }

  /** The second pass over a block: renames or removes the second of two. */
  resolve(block: number): void {
    const { store, directories } = this.#check;
    const { inode: INO, rec_len } = DIRECTORY_ENTRY;
    let bytes = store.view(block);
    for (let at = 0; at < bytes.length; at += rec_len.get(bytes, at)) {
      const name = nameAt(bytes, at);
      const ino = INO.get(bytes, at);
      if (ino === 0 || isDots(name)) continue;
      if (!this.#doubtful.has(hashOf(name))) continue;
      const key = keyOf(name);
      const other = this.#seen.get(key);
      this.#seen.set(key, other ?? ino);
      if (other === undefined) continue;
      this.#check.findings.add(
        "directory.duplicate",
        { inode: this.#ino, block },
        { name: showName(name) },
      );
      bytes = store.modify(block);
      const fresh = other === ino ? null : this.#freeName(name);
      if (fresh !== null) {
        nameAt(bytes, at).set(fresh);
        this.hasRenamed = true;
        continue;
      }
      INO.set(bytes, at, 0);
      this.#check.addLinks(ino, -1);
      if (directories.parent(ino) === this.#ino) directories.setParent(ino, 0);
    }
  }

  /** A name of the same length that the directory has not; null if none is. */
  #freeName(name: Uint8Array): Uint8Array | null {
    for (; this.#suffix < SUFFIX_BASE ** 4; this.#suffix++) {
      const suffix = `~${this.#suffix.toString(SUFFIX_BASE)}`;
      if (suffix.length > name.length) break;
      const fresh = name.slice();
      fresh.set(new TextEncoder().encode(suffix), name.length - suffix.length);
      if (this.#take(fresh)) return fresh;
    }
    // A single byte leaves no room for a suffix.
    for (let byte = TILDE; name.length === 1 && byte > 0x60; byte--) {
      const fresh = Uint8Array.of(byte);
      if (this.#take(fresh)) return fresh;
    }
    return null;
  }

  #take(name: Uint8Array): boolean {
    const key = keyOf(name);
    if (this.#seen.has(key) || this.#hasHash(hashOf(name))) return false;
    this.#seen.set(key, 0);
    return true;
  }

  /** Whether a name with `hash` was there at first. */
  #hasHash(hash: number): boolean {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = low + high >>> 1;
      if (this.#hashes[middle] < hash) low = middle + 1;
      else high = middle;
    }
    return low < this.#count && this.#hashes[low] === hash;
  }
}

/** FNV-1a, 32 bits. */
function hashOf(name: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) {
    hash = Math.imul(hash ^ name[i], 0x01000193);
  }
  return hash >>> 0;
}

/** A name as a key, byte by byte. */
function keyOf(name: Uint8Array): string {
  return String.fromCharCode(...name);
}
