/**
 * An index of the names in large directories, kept in memory.
 *
 * A linear directory of 100,000 names would take a scan of a thousand blocks
 * for each look-up. The index maps a hash of a name to the places of entries
 * with that hash; the entry itself is always compared. It also knows how long
 * an entry each block of the directory could take.
 *
 * Invariants: an index is complete or absent; it is changed with its
 * directory, and dropped with every operation that is undone. All indexes
 * together hold at most {@link NAMES_MAX} names; the one used least recently
 * goes first.
 *
 * @module
 */

/** Names that all indexes together hold at most: about 32 MB. */
export const NAMES_MAX = 400_000;

/** The index of one directory. */
export class DirectoryIndex {
  /** Longest entry that fits into each block, in bytes; may be too high. */
  readonly room: number[] = [];
  #names = 0;
  readonly #places: Map<number, number | number[]> = new Map();

  /** Number of names. */
  get size(): number {
    return this.#names;
  }

  /** Adds a name with `hash` whose entry is at byte `place`. */
  add(hash: number, place: number): void {
    const known = this.#places.get(hash);
    if (known === undefined) this.#places.set(hash, place);
    else if (typeof known === "number") this.#places.set(hash, [known, place]);
    else known.push(place);
    this.#names++;
  }

  /** Removes the name with `hash` whose entry is at byte `place`. */
  remove(hash: number, place: number): void {
    const known = this.#places.get(hash);
    if (typeof known === "number") this.#places.delete(hash);
    else known?.splice(known.indexOf(place), 1);
    this.#names--;
  }

  /** Places of the entries whose name may have `hash`. */
  places(hash: number): readonly number[] {
    const known = this.#places.get(hash);
    if (known === undefined) return [];
    return typeof known === "number" ? [known] : known;
  }

  /** The first block with room for an entry of `size` bytes, or -1. */
  blockWithRoom(size: number): number {
    const { room } = this;
    for (let i = 0; i < room.length; i++) if (room[i] >= size) return i;
    return -1;
  }
}

/** The indexes of a volume's directories. */
export class NameIndex {
  // In the order of use: a Map keeps the order of insertion.
  readonly #directories: Map<number, DirectoryIndex> = new Map();
  // So that nobody can choose names that all have one hash.
  readonly #seed: number = Math.floor(Math.random() * 2 ** 32);

  /** The index of directory `ino`, if there is one. */
  get(ino: number): DirectoryIndex | undefined {
    const index = this.#directories.get(ino);
    if (index !== undefined && this.#directories.size > 1) {
      this.#directories.delete(ino);
      this.#directories.set(ino, index);
    }
    return index;
  }

  /** Keeps `index` for directory `ino`, and drops others to make room. */
  set(ino: number, index: DirectoryIndex): void {
    this.#directories.delete(ino);
    let names = index.size;
    for (const other of this.#directories.values()) names += other.size;
    for (const [other, { size }] of this.#directories) {
      if (names <= NAMES_MAX) break;
      this.#directories.delete(other);
      names -= size;
    }
    if (names <= NAMES_MAX) this.#directories.set(ino, index);
  }

  /** Drops the index of directory `ino`. */
  delete(ino: number): void {
    this.#directories.delete(ino);
  }

  /** Drops every index. */
  clear(): void {
    this.#directories.clear();
  }

  /** Hash of a name: FNV-1a, 32 bits, from a start that is this volume's. */
  hash(name: Uint8Array): number {
    let hash = this.#seed ^ 0x811c9dc5;
    for (let i = 0; i < name.length; i++) {
      hash = Math.imul(hash ^ name[i], 0x01000193);
    }
    return hash;
  }
}
