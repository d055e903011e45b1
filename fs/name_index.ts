/**
 * An index of the names in large directories, kept in memory.
 *
 * A linear directory of 100,000 names would take a scan of a thousand blocks
 * for each look-up. The index maps a hash of a name to the places of entries
 * with that hash; the entry itself is always compared. It also knows how long
 * an entry each block of the directory could take.
 *
 * Invariants: an index is complete or absent; it is changed with its
 * directory, and changed back when the operation is undone, so that nobody can
 * make others wait for it to be built again. All indexes together hold at most
 * {@link NAMES_MAX} names; the one used least recently goes first.
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
    if (known === undefined) return;
    if (typeof known === "number") this.#places.delete(hash);
    else known.splice(known.indexOf(place), 1);
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
  /** What undoes the changes of the open transaction, the last one last. */
  readonly #undo: (() => void)[] = [];
  /** Directories that the open transaction has changed. */
  readonly #changed: Set<number> = new Set();
  // So that nobody can choose names that all have one hash.
  readonly #seed: number = Math.floor(Math.random() * 2 ** 32);

  /** Keeps what the open transaction did. */
  commit(): void {
    this.#undo.length = 0;
    this.#changed.clear();
  }

  /** Undoes what the open transaction did. */
  rollback(): void {
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop()) undo();
    this.#changed.clear();
  }

  /** Notes that the open transaction changes directory `ino`. */
  touch(ino: number): void {
    this.#changed.add(ino);
  }

  /** Adds a name to `index`, until the transaction is undone. */
  addName(index: DirectoryIndex, hash: number, place: number): void {
    index.add(hash, place);
    this.#undo.push(() => index.remove(hash, place));
  }

  /** Removes a name from `index`, until the transaction is undone. */
  removeName(index: DirectoryIndex, hash: number, place: number): void {
    index.remove(hash, place);
    this.#undo.push(() => index.add(hash, place));
  }

  /** Sets the room in block `i`, until the transaction is undone. */
  setRoom(index: DirectoryIndex, i: number, room: number): void {
    const { length } = index.room;
    const old = index.room[i];
    index.room[i] = room;
    this.#undo.push(() => {
      if (i < length) index.room[i] = old;
      else index.room.length = length;
    });
  }

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
    if (names > NAMES_MAX) return;
    this.#directories.set(ino, index);
    // It was made of blocks that a roll-back would change.
    if (this.#changed.has(ino)) this.#undo.push(() => this.delete(ino));
  }

  /** Drops the index of directory `ino`. */
  delete(ino: number): void {
    this.#directories.delete(ino);
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
