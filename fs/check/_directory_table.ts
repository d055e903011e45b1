/**
 * What is known of each directory: who has it, and whom it calls its parent.
 *
 * @module
 */

/** Directories for which there is room at first. */
const ROOM_FIRST = 64;

/** A table of directories, which are added in the order of their inodes. */
export class DirectoryTable {
  /** How many there are. */
  count = 0;
  #inodes = new Uint32Array(ROOM_FIRST);
  #parents = new Uint32Array(ROOM_FIRST);
  #dotdots = new Uint32Array(ROOM_FIRST);
  #marks = new Uint32Array(ROOM_FIRST);

  /** Adds directory `ino`; if it is less than the last one, in its place. */
  add(ino: number): void {
    if (this.count === this.#inodes.length) this.#grow();
    let at = this.count++;
    for (; at > 0 && this.#inodes[at - 1] > ino; at--) {
      this.#inodes[at] = this.#inodes[at - 1];
      this.#parents[at] = this.#parents[at - 1];
      this.#dotdots[at] = this.#dotdots[at - 1];
      this.#marks[at] = this.#marks[at - 1];
    }
    this.#inodes[at] = ino;
    this.#parents[at] = 0;
    this.#dotdots[at] = 0;
    this.#marks[at] = 0;
  }

  #grow(): void {
    const larger = (old: Uint32Array): Uint32Array<ArrayBuffer> => {
      const array = new Uint32Array(2 * old.length);
      array.set(old);
      return array;
    };
    this.#inodes = larger(this.#inodes);
    this.#parents = larger(this.#parents);
    this.#dotdots = larger(this.#dotdots);
    this.#marks = larger(this.#marks);
  }

  /** Inode of directory `at`. */
  inode(at: number): number {
    return this.#inodes[at];
  }

  /** Which directory has inode `ino`; -1 if none. */
  find(ino: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = low + high >>> 1;
      if (this.#inodes[middle] < ino) low = middle + 1;
      else high = middle;
    }
    return low < this.count && this.#inodes[low] === ino ? low : -1;
  }

  /** Directory that has an entry for `ino`; 0 if none was found so far. */
  parent(ino: number): number {
    const at = this.find(ino);
    return at < 0 ? 0 : this.#parents[at];
  }

  /** Notes which directory has an entry for `ino`. */
  setParent(ino: number, parent: number): void {
    const at = this.find(ino);
    if (at >= 0) this.#parents[at] = parent;
  }

  /** What '..' of directory `ino` says. */
  dotdot(ino: number): number {
    const at = this.find(ino);
    return at < 0 ? 0 : this.#dotdots[at];
  }

  /** Notes what '..' of directory `ino` says. */
  setDotdot(ino: number, dotdot: number): void {
    const at = this.find(ino);
    if (at >= 0) this.#dotdots[at] = dotdot;
  }

  /** The mark of directory `ino`; 0 if it has none, or there is none. */
  mark(ino: number): number {
    const at = this.find(ino);
    return at < 0 ? 0 : this.#marks[at];
  }

  /** Marks directory `ino`. */
  setMark(ino: number, mark: number): void {
    const at = this.find(ino);
    if (at >= 0) this.#marks[at] = mark;
  }
}
