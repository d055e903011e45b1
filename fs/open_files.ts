/**
 * The open files: how often each inode is open. An inode without names lives
 * until it is closed for the last time.
 *
 * @module
 */

/** See the module. */
export class OpenFiles {
  readonly #counts: Map<number, number> = new Map();

  /** Whether inode `ino` is open. */
  has(ino: number): boolean {
    return this.#counts.has(ino);
  }

  /** The inodes that are open. */
  inodes(): number[] {
    return [...this.#counts.keys()];
  }

  /** Opens inode `ino` once more. */
  retain(ino: number): void {
    this.#counts.set(ino, (this.#counts.get(ino) ?? 0) + 1);
  }

  /** Closes every inode. */
  clear(): void {
    this.#counts.clear();
  }

  /** Closes inode `ino` once; tells whether that was the last time. */
  release(ino: number): boolean {
    const count = this.#counts.get(ino);
    if (count === undefined) throw new Error(`Inode ${ino} is not open`);
    if (count > 1) this.#counts.set(ino, count - 1);
    else this.#counts.delete(ino);
    return count === 1;
  }
}
