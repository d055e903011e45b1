/**
 * The exported tree: a directory below which is all that a session can reach.
 *
 * A client names files by inode number. It may guess one, or keep one from
 * before the file moved away. So a number counts only while there is proof
 * that it lies in the tree:
 *
 * - a directory proves it by its entries `..`, which lead up to the root;
 * - of anything else the tree remembers under which names it was shown to the
 *   session; a directory of the tree must have it under one of them still.
 *
 * A proof holds until a name is taken away or moved somewhere on the volume
 * (`Filesystem.namespaceVersion`), and is made anew then when it is needed.
 *
 * Invariants: what is in `#inside` was in the tree at `#version`; the names of
 * `#places` are at most `namesMax`; once the root was removed nothing is in
 * the tree, whatever gets its number.
 *
 * A file that another client renames within the tree is `ESTALE` for this one
 * until it looks the new name up, and so is one whose names had to be forgotten
 * for others: a client tries again by name.
 *
 * @module
 */

import { S_IFDIR, S_IFMT } from "../fs/attributes.ts";
import { FsError } from "../fs/errors.ts";
import { type Confinement, type Filesystem, ROOT_INODE } from "../fs/mod.ts";

/** Names that a tree remembers unless another limit is given. */
const NAMES_MAX = 65_536;
/** Names of one file that are remembered. */
const NAMES_OF_FILE_MAX = 16;
/** Deepest directory that is reached: no path can name a deeper one. */
const DEPTH_MAX = 2048;

/** What is exported, and how much is remembered of it. */
export interface ExportedTreeOptions {
  /** The directory. It must exist, and not be the volume's root. */
  readonly root: number;
  /** Names that are remembered at most, about 150 bytes each. */
  readonly namesMax?: number;
}

/** A name under which a file was shown. */
interface Place {
  readonly dir: number;
  /** One character per byte, which takes less room than bytes. */
  readonly name: string;
}

/** See the module. One for each session. */
export class ExportedTree implements Confinement {
  /** The directory: an inode number. */
  readonly root: number;
  readonly #fs: Filesystem;
  readonly #namesMax: number;
  readonly #generation: number;
  /** By inode; the ones shown or proved last are the last. */
  readonly #places = new Map<number, Place[]>();
  readonly #inside = new Set<number>();
  /** How often the session has each inode open. */
  readonly #opens = new Map<number, number>();
  #names = 0;
  #version: number;
  #isGone = false;

  /** Exports a directory of `fs`. Throws {@link FsError} `ENOTDIR`. */
  constructor(fs: Filesystem, options: ExportedTreeOptions) {
    const { root, namesMax = NAMES_MAX } = options;
    const { mode, generation } = fs.getattr(root);
    if ((mode & S_IFMT) !== S_IFDIR) throw new FsError("ENOTDIR");
    this.root = root;
    this.#fs = fs;
    this.#namesMax = namesMax;
    this.#generation = generation;
    this.#version = fs.namespaceVersion;
    this.#inside.add(root);
  }

  /**
   * What keeps a session to directory `root`: null, which costs nothing, where
   * that is the volume's own root.
   */
  static of(fs: Filesystem, root: number): ExportedTree | null {
    return root === ROOT_INODE ? null : new ExportedTree(fs, { root });
  }

  /** Number of names that are remembered. */
  get names(): number {
    return this.#names;
  }

  /** See {@link Confinement.admit}. */
  admit(ino: number): void {
    if (!this.#isInside(ino) && !this.#isHeldOpen(ino)) throw stale();
  }

  /** See {@link Confinement.admitNamed}. */
  admitNamed(ino: number): void {
    if (!this.#isInside(ino)) throw stale();
  }

  /** See {@link Confinement.note}; `dir` was admitted. */
  note(ino: number, dir: number, name: Uint8Array): void {
    const text = textOf(name);
    if (text === "." || text === "..") return;
    const places = this.#places.get(ino) ?? [];
    const isNew = !places.some((one) => one.dir === dir && one.name === text);
    if (isNew) {
      if (places.length === NAMES_OF_FILE_MAX) this.#drop(places, 0);
      places.push({ dir, name: text });
      this.#names++;
    }
    this.#moveToEnd(ino, places);
    this.#renew();
    if (this.#inside.has(dir)) this.#addInside(ino);
    this.#forgetOldest();
  }

  /** See {@link Confinement.retain}. */
  retain(ino: number): void {
    this.#opens.set(ino, (this.#opens.get(ino) ?? 0) + 1);
  }

  /** See {@link Confinement.release}. */
  release(ino: number): void {
    const count = this.#opens.get(ino) ?? 0;
    if (count > 1) this.#opens.set(ino, count - 1);
    else this.#opens.delete(ino);
  }

  #isInside(ino: number): boolean {
    this.#renew();
    if (this.#isGone) return false;
    if (this.#inside.has(ino)) return true;
    const { mode } = this.#fs.getattr(ino);
    return (mode & S_IFMT) === S_IFDIR
      ? this.#leadsToRoot(ino)
      : this.#isWhereNoted(ino);
  }

  /** Drops proofs that may not hold any more. */
  #renew(): void {
    const version = this.#fs.namespaceVersion;
    if (version === this.#version) return;
    this.#version = version;
    this.#inside.clear();
    if (!this.#rootExists()) this.#isGone = true;
    if (!this.#isGone) this.#inside.add(this.root);
  }

  #rootExists(): boolean {
    try {
      const { generation, nlink } = this.#fs.getattr(this.root);
      return generation === this.#generation && nlink > 0;
    } catch (error) {
      if (isAbsence(error)) return false;
      throw error;
    }
  }

  /** Walks up from directory `ino`. */
  #leadsToRoot(ino: number): boolean {
    const passed: number[] = [];
    let at = ino;
    while (!this.#inside.has(at)) {
      if (at === ROOT_INODE || passed.length === DEPTH_MAX) return false;
      passed.push(at);
      const above = this.#find(at, "..");
      if (above === null) return false;
      at = above;
    }
    for (const one of passed) this.#addInside(one);
    return true;
  }

  /** Whether a directory of the tree still has `ino` under a name noted. */
  #isWhereNoted(ino: number): boolean {
    const places = this.#places.get(ino);
    if (places === undefined) return false;
    while (places.length > 0) {
      // The name noted last is the likeliest to be right.
      const { dir, name } = places[places.length - 1];
      if (this.#find(dir, name) === ino && this.#leadsToRoot(dir)) {
        this.#moveToEnd(ino, places);
        this.#addInside(ino);
        return true;
      }
      this.#drop(places, places.length - 1);
    }
    this.#places.delete(ino);
    return false;
  }

  /**
   * Whether the session has `ino` open. That gives no way on: a directory, if
   * it is not in the tree, must be removed and so be empty.
   */
  #isHeldOpen(ino: number): boolean {
    if (!this.#opens.has(ino)) return false;
    const { mode, nlink } = this.#fs.getattr(ino);
    return (mode & S_IFMT) !== S_IFDIR || nlink === 0;
  }

  #find(dir: number, name: string): number | null {
    try {
      return this.#fs.lookup(dir, bytesOf(name));
    } catch (error) {
      if (isAbsence(error)) return null;
      throw error;
    }
  }

  #addInside(ino: number): void {
    if (this.#inside.size >= 2 * this.#namesMax) {
      this.#inside.clear();
      this.#inside.add(this.root);
    }
    this.#inside.add(ino);
  }

  #moveToEnd(ino: number, places: Place[]): void {
    this.#places.delete(ino);
    this.#places.set(ino, places);
  }

  #drop(places: Place[], index: number): void {
    places.splice(index, 1);
    this.#names--;
  }

  /**
   * Keeps to the limit: an eighth of it is forgotten at once, those shown
   * longest ago first, for each walk along the map passes what was deleted.
   */
  #forgetOldest(): void {
    if (this.#names <= this.#namesMax) return;
    const enough = this.#namesMax - Math.floor(this.#namesMax / 8);
    for (const [ino, places] of this.#places) {
      if (this.#names <= enough) return;
      this.#places.delete(ino);
      this.#names -= places.length;
    }
  }
}

/** Whether an error says that something is not there (any more). */
function isAbsence(error: unknown): boolean {
  return error instanceof FsError &&
    (error.code === "ENOENT" || error.code === "ESTALE" ||
      error.code === "ENOTDIR");
}

function stale(): FsError {
  return new FsError("ESTALE", "not in the exported directory: look it up");
}

function textOf(name: Uint8Array): string {
  let text = "";
  for (const byte of name) text += String.fromCharCode(byte);
  return text;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
