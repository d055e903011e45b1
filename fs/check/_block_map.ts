/**
 * The block map of an inode: every pointer checked, every block claimed.
 *
 * A pointer that leads nowhere is cleared, and with it all that it would have
 * led to. That a block is claimed twice is only noted: who keeps it is settled
 * when all claims are known.
 *
 * @module
 */

import { DIRECT_POINTERS } from "../geometry.ts";
import { readU32, writeU32 } from "../layout.ts";
import { REVISION_ORIGINAL } from "../superblock.ts";
import type { Check } from "./_check.ts";

/** Directories are smaller than this, in bytes. */
export const DIRECTORY_SIZE_MAX = 2 ** 31;

/** What was found of an inode's blocks. */
export interface MapSummary {
  /** Blocks of data. */
  data: number;
  /** Indirect blocks. */
  indirect: number;
  /** The last block of the file that is there; -1 if none is. */
  last: number;
  /** Blocks of data that cannot be read. */
  lost: number;
  /** The first of these, on the device. */
  firstLost: number;
}

/** Whose map it is. */
export interface MapOwner {
  /** Inode number. */
  readonly ino: number;
  /** Whether it is a directory. */
  readonly isDirectory: boolean;
  /** Whether it is the format's own, and may name the volume's structures. */
  readonly isOwn: boolean;
}

/** Claims the blocks of an inode, in steps of an indirect block. */
export function* claimMap(
  check: Check,
  owner: MapOwner,
): Generator<void, MapSummary> {
  const walk = new MapWalk(check, owner);
  yield* walk.run();
  return walk.summary;
}

/** The largest index of a block, plus one. */
function blocksMax(check: Check, { isDirectory, isOwn }: MapOwner): number {
  if (isOwn) return Infinity;
  const most = isDirectory ? DIRECTORY_SIZE_MAX : fileSizeMax(check);
  return Math.ceil(most / check.geometry.blockSize);
}

/** Size of the largest file, in bytes. */
export function fileSizeMax({ geometry }: Check): number {
  return geometry.revision === REVISION_ORIGINAL
    ? 2 ** 31 - 1
    : geometry.fileSizeMax;
}

/** A pointer: slot `slot` of the block `holder`, or of the inode if that is 0. */
interface Slot {
  readonly holder: number;
  readonly slot: number;
  readonly level: number;
  /** First block of the file that it leads to. */
  readonly index: number;
}

class MapWalk {
  readonly summary: MapSummary = {
    data: 0,
    indirect: 0,
    last: -1,
    lost: 0,
    firstLost: 0,
  };
  readonly #check: Check;
  readonly #owner: MapOwner;
  readonly #max: number;
  /** Indirect blocks of this inode, so that there are no loops. */
  readonly #indirect = new Set<number>();
  #isTooFar = false;

  constructor(check: Check, owner: MapOwner) {
    this.#check = check;
    this.#owner = owner;
    this.#max = blocksMax(check, owner);
  }

  *run(): Generator<void> {
    const { pointersPerBlock } = this.#check.geometry;
    this.#leaves(0, DIRECT_POINTERS, 0);
    let index = DIRECT_POINTERS;
    for (let level = 1; level <= 3; level++) {
      const slot = DIRECT_POINTERS + level - 1;
      yield* this.#subtree({ holder: 0, slot, level, index });
      index += pointersPerBlock ** level;
    }
  }

  /** Claims an indirect block, and what it leads to. */
  *#subtree({ holder, slot, level, index }: Slot): Generator<void> {
    const pointer = this.#get(holder, slot);
    if (pointer === 0) return;
    if (index >= this.#max) return this.#tooFar(holder, slot);
    const { geometry, store, findings } = this.#check;
    const place = { inode: this.#owner.ino };
    if (!this.#isIndirect(pointer)) {
      findings.add("map.indirect", place, { pointer });
      return this.#set(holder, slot, 0);
    }
    if (store.tryView(pointer) === null) {
      findings.add("map.unreadable", { ...place, block: pointer }, { pointer });
      return this.#set(holder, slot, 0);
    }
    this.#claim(pointer);
    this.#indirect.add(pointer);
    this.summary.indirect++;
    const n = geometry.pointersPerBlock;
    yield;
    if (level === 1) return this.#leaves(pointer, n, index);
    const span = n ** (level - 1);
    for (let i = 0; i < n; i++) {
      if (this.#get(pointer, i) === 0) continue;
      yield* this.#subtree({
        holder: pointer,
        slot: i,
        level: level - 1,
        index: index + i * span,
      });
    }
  }

  /** Claims the data that the first `count` pointers of `holder` lead to. */
  #leaves(holder: number, count: number, index: number): void {
    const { findings, store } = this.#check;
    const { ino, isDirectory } = this.#owner;
    const { summary } = this;
    const mayBeLost = store.unreadable.size > 0 && !isDirectory;
    for (let i = 0; i < count; i++) {
      const pointer = this.#get(holder, i);
      if (pointer === 0) continue;
      if (index + i >= this.#max) {
        this.#tooFar(holder, i);
        continue;
      }
      if (!this.#isPossible(pointer)) {
        findings.add("map.pointer", { inode: ino }, {
          index: index + i,
          pointer,
        });
        this.#set(holder, i, 0);
        continue;
      }
      this.#claim(pointer);
      summary.data++;
      summary.last = index + i;
      if (mayBeLost && store.unreadable.has(pointer)) {
        summary.lost++;
        summary.firstLost ||= pointer;
      }
    }
  }

  /** Whether `pointer` can lead to an indirect block. */
  #isIndirect(pointer: number): boolean {
    if (!this.#isPossible(pointer) || this.#indirect.has(pointer)) return false;
    // Files that share what they point to could make this go on for ever.
    return this.#check.claimsLeft > 0 || !this.#check.used.has(pointer);
  }

  #isPossible(pointer: number): boolean {
    const check = this.#check;
    if (check.isDataBlock(pointer)) return true;
    const { firstDataBlock, blocksCount } = check.geometry;
    return this.#owner.isOwn && pointer > firstDataBlock &&
      pointer < blocksCount;
  }

  #claim(block: number): void {
    const check = this.#check;
    check.claimsLeft--;
    if (this.#owner.isOwn && check.isMetadata(block)) return;
    if (!check.used.add(block)) check.shared.add(block);
  }

  #tooFar(holder: number, slot: number): void {
    if (!this.#isTooFar) {
      this.#check.findings.add("map.too_far", { inode: this.#owner.ino });
    }
    this.#isTooFar = true;
    this.#set(holder, slot, 0);
  }

  #get(holder: number, slot: number): number {
    const check = this.#check;
    if (holder === 0) return check.pointer(this.#owner.ino, slot);
    return readU32(check.store.view(holder), 4 * slot);
  }

  #set(holder: number, slot: number, value: number): void {
    const check = this.#check;
    if (holder === 0) check.setPointer(this.#owner.ino, slot, value);
    else writeU32(check.store.modify(holder), 4 * slot, value);
  }
}
