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

/** Names and blocks that all indexes together count at most: about 40 MB. */
export const NAMES_MAX = 1_500_000;

/** Slots of a new table; always a power of two. */
const SLOTS_FIRST = 256;
/** Names after which the bound on all indexes is looked at again. */
const GROWTH_CHECKED = 4096;

/**
 * The index of one directory: a hash table with open addressing, in one array
 * of pairs: a hash, and a quarter of the place plus one (0: a free slot).
 */
export class DirectoryIndex {
  /** Longest entry that fits into each block, in bytes; may be too high. */
  readonly room: number[] = [];
  #names = 0;
  #table: Uint32Array = new Uint32Array(2 * SLOTS_FIRST);

  /** Names and blocks: what counts towards {@link NAMES_MAX}. */
  get size(): number {
    return this.#names + this.room.length;
  }

  /** Adds a name with `hash` whose entry is at byte `place`. */
  add(hash: number, place: number): void {
    const table = this.#table;
    if (8 * this.#names >= 5 * (table.length / 2)) this.#grow();
    this.#insert(hash >>> 0, place / 4 + 1);
    this.#names++;
  }

  /** Removes the name with `hash` whose entry is at byte `place`. */
  remove(hash: number, place: number): void {
    const table = this.#table;
    const mask = table.length / 2 - 1;
    let slot = hash & mask;
    while (table[2 * slot + 1] !== place / 4 + 1) {
      if (table[2 * slot + 1] === 0) return;
      slot = slot + 1 & mask;
    }
    this.#names--;
    // What follows moves up, so that no probe ends early (Knuth, "The Art of
    // Computer Programming" vol. 3, 6.4, algorithm R).
    for (let next = slot + 1 & mask; table[2 * next + 1] !== 0;) {
      const home = table[2 * next] & mask;
      if ((next - home & mask) >= (next - slot & mask)) {
        table[2 * slot] = table[2 * next];
        table[2 * slot + 1] = table[2 * next + 1];
        slot = next;
      }
      next = next + 1 & mask;
    }
    table[2 * slot + 1] = 0;
  }

  /** Places of the entries whose name may have `hash`. */
  places(hash: number): number[] {
    const table = this.#table;
    const mask = table.length / 2 - 1;
    const wanted = hash >>> 0;
    const places: number[] = [];
    for (let slot = hash & mask; table[2 * slot + 1] !== 0;) {
      if (table[2 * slot] === wanted) {
        places.push(4 * (table[2 * slot + 1] - 1));
      }
      slot = slot + 1 & mask;
    }
    return places;
  }

  /** The first block with room for an entry of `size` bytes, or -1. */
  blockWithRoom(size: number): number {
    const { room } = this;
    for (let i = 0; i < room.length; i++) if (room[i] >= size) return i;
    return -1;
  }

  #insert(hash: number, value: number): void {
    const table = this.#table;
    const mask = table.length / 2 - 1;
    let slot = hash & mask;
    while (table[2 * slot + 1] !== 0) slot = slot + 1 & mask;
    table[2 * slot] = hash;
    table[2 * slot + 1] = value;
  }

  #grow(): void {
    const old = this.#table;
    this.#table = new Uint32Array(2 * old.length);
    for (let i = 0; i < old.length; i += 2) {
      if (old[i + 1] !== 0) this.#insert(old[i], old[i + 1]);
    }
  }
}

/** The indexes of a volume's directories. */
export class NameIndex {
  // In the order of use: a Map keeps the order of insertion.
  readonly #directories: Map<number, DirectoryIndex> = new Map();
  /** What undoes the changes of the open transaction, the last one last. */
  readonly #undo: (() => void)[] = [];
  /** Directories with more names than an index may have. */
  readonly #tooLarge: Set<number> = new Set();
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
    if (index.size % GROWTH_CHECKED === 0) this.#trim();
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
    this.#directories.set(ino, index);
    // It was made of blocks that a roll-back would change.
    if (this.#changed.has(ino)) this.#undo.push(() => this.delete(ino));
    this.#trim();
  }

  /** Whether directory `ino` is known to be too large for an index. */
  isTooLarge(ino: number): boolean {
    return this.#tooLarge.has(ino);
  }

  /** Notes that directory `ino` is too large for an index, and drops it. */
  refuse(ino: number): void {
    this.#tooLarge.add(ino);
    this.#directories.delete(ino);
  }

  /** Drops indexes until the rest is within the bound, the oldest first. */
  #trim(): void {
    let names = 0;
    for (const { size } of this.#directories.values()) names += size;
    for (const [ino, { size }] of this.#directories) {
      if (names <= NAMES_MAX) break;
      names -= size;
      if (size > NAMES_MAX) this.refuse(ino);
      else this.#directories.delete(ino);
    }
  }

  /** Drops the index of directory `ino`. */
  delete(ino: number): void {
    this.#directories.delete(ino);
    this.#tooLarge.delete(ino);
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
