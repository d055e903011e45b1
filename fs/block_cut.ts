/**
 * Freeing a file's blocks: from some block on, or in the middle.
 *
 * Invariants:
 * - Blocks are freed in the order of the file, so that a pass which stops early
 *   has done the beginning of its range, and another can go on from there.
 * - An indirect block goes with the last block that it leads to: none is left
 *   that leads nowhere within the range.
 * - One pass changes few blocks besides those it frees: the bitmaps of a
 *   bounded number of groups, and the indirect blocks at its two ends.
 *
 * @module
 */

import { freeBlocks } from "./block_allocator.ts";
import { firstOfLevel } from "./block_map.ts";
import { DIRECT_POINTERS } from "./geometry.ts";
import type { Inode } from "./inode.ts";
import { readU32 } from "./layout.ts";

/** Groups from which one pass frees blocks, before it stops. */
const GROUPS_MAX = 16;

/** Which blocks of a file to free, and how many at once. */
export interface CutOptions {
  /** First block of the range. */
  readonly from: number;
  /** Behind its last one; `Infinity` for all that follow. */
  readonly end: number;
  /** Blocks after which to stop, more or less. */
  readonly budget: number;
}

/**
 * Frees the file's blocks in a range, and makes a hole of it. Returns the
 * first block of the range that it did not look at; `end` if all is done.
 */
export function cutRange(inode: Inode, options: CutOptions): number {
  return new Cut(inode, options).run();
}

/**
 * Frees the file's blocks from block `keep` on, but no more than about
 * `budget` blocks. Returns true if none is left to free.
 */
export function cutBlocks(inode: Inode, keep: number, budget: number): boolean {
  return cutRange(inode, { from: keep, end: Infinity, budget }) === Infinity;
}

/** One pass of freeing: collects runs, and stops when its budget is spent. */
class Cut {
  readonly #inode: Inode;
  readonly #from: number;
  readonly #end: number;
  readonly #budget: number;
  readonly #groups = new Set<number>();
  #start = 0;
  #count = 0;
  #freed = 0;
  /** Where the pass stopped; -1 while it goes on. */
  #stop = -1;

  constructor(inode: Inode, { from, end, budget }: CutOptions) {
    this.#inode = inode;
    this.#from = from;
    this.#end = end;
    this.#budget = budget;
  }

  run(): number {
    const inode = this.#inode;
    const n = inode.volume.geometry.pointersPerBlock;
    for (let slot = 0; slot < DIRECT_POINTERS + 3; slot++) {
      const level = Math.max(slot - DIRECT_POINTERS + 1, 0);
      const base = level === 0 ? slot : firstOfLevel(n, level);
      if (base + n ** level <= this.#from) continue;
      if (base >= this.#end) break;
      const block = inode.pointer(slot);
      if (block === 0) continue;
      if (this.#stopsAt(base)) break;
      if (this.#subtree(block, level, base)) inode.setPointer(slot, 0);
    }
    this.#flush();
    if (this.#freed > 0) inode.addBlocks(-this.#freed);
    return this.#stop < 0 ? this.#end : this.#stop;
  }

  /** Whether the pass ends before what starts at block `base` of the file. */
  #stopsAt(base: number): boolean {
    if (this.#stop >= 0) return true;
    const isSpent = this.#freed >= this.#budget ||
      this.#groups.size >= GROUPS_MAX;
    if (isSpent) this.#stop = Math.max(base, this.#from);
    return isSpent;
  }

  /**
   * Frees the part of the range that is under `block`, which has `level`
   * levels of pointers and leads to block `base` of the file first. Returns
   * true if nothing is left under it, and `block` is freed as well.
   */
  #subtree(block: number, level: number, base: number): boolean {
    if (level === 0) return this.#free(block);
    const { volume, number } = this.#inode;
    volume.checkDataBlocks(block, 1, number);
    const n = volume.geometry.pointersPerBlock;
    const span = n ** (level - 1);
    const first = Math.max(Math.floor((this.#from - base) / span), 0);
    const last = Math.min(Math.ceil((this.#end - base) / span), n);
    let kept = false;
    // Those that are cut follow each other: only the first and the last of the
    // range can be there in part, and where the pass stops is the last.
    let cutFrom = n;
    let cutEnd = 0;
    for (let slot = first; slot < last; slot++) {
      const pointer = readU32(volume.cache.read(block), 4 * slot);
      if (pointer === 0) continue;
      const at = base + slot * span;
      if (this.#stopsAt(at) || !this.#subtree(pointer, level - 1, at)) {
        kept = true;
        if (this.#stop >= 0) break;
        continue;
      }
      cutFrom = Math.min(cutFrom, slot);
      cutEnd = slot + 1;
    }
    kept ||= hasPointers(volume.cache.read(block), 0, first) ||
      hasPointers(volume.cache.read(block), last, n);
    if (!kept) return this.#free(block);
    if (cutEnd > 0) {
      volume.cache.modify(block).fill(0, 4 * cutFrom, 4 * cutEnd);
    }
    return false;
  }

  #free(block: number): true {
    this.#freed++;
    if (this.#count > 0 && block === this.#start - 1) {
      this.#start--;
      this.#count++;
    } else if (this.#count > 0 && block === this.#start + this.#count) {
      this.#count++;
    } else {
      this.#flush();
      this.#start = block;
      this.#count = 1;
      this.#groups.add(this.#inode.volume.geometry.groupOfBlock(block));
    }
    return true;
  }

  #flush(): void {
    if (this.#count === 0) return;
    const { volume, number } = this.#inode;
    volume.checkDataBlocks(this.#start, this.#count, number);
    freeBlocks(volume, this.#start, this.#count);
    this.#count = 0;
  }
}

/** Whether one of the pointers `from` to `end - 1` leads anywhere. */
function hasPointers(block: Uint8Array, from: number, end: number): boolean {
  for (let i = 4 * from; i < 4 * end; i++) if (block[i] !== 0) return true;
  return false;
}
