/**
 * The block map: which device block holds block `i` of a file.
 *
 * An inode points to the first 12 blocks itself; its next three pointers lead
 * to an indirect block (pointers to blocks), a double (pointers to indirect
 * blocks) and a triple indirect block. A pointer of 0 is a hole, at any level.
 * (Linux kernel, "ext4 Data Structures and Algorithms", 3.1.2, "Direct/
 * Indirect Block Addressing".)
 *
 * @module
 */

import {
  allocateBlocks,
  type BlockRun,
  freeBlocks,
} from "./block_allocator.ts";
import { FsError } from "./errors.ts";
import { DIRECT_POINTERS } from "./geometry.ts";
import type { Inode } from "./inode.ts";
import { readU32, writeU32 } from "./layout.ts";
import type { Volume } from "./volume.ts";

/** A run of a file's blocks: in a row on the device, or a hole. */
export interface MappedRun {
  /** First device block, or 0 for a hole. */
  readonly start: number;
  /** Number of blocks, at least 1. */
  readonly count: number;
}

/** A run that is certainly on the device. */
export interface AllocatedRun extends BlockRun {
  /** Whether the blocks were taken just now: they hold nothing yet. */
  readonly fresh: boolean;
}

/** The run that block `index` of the file starts, of at most `count` blocks. */
export function mapRun(inode: Inode, index: number, count: number): MappedRun {
  const { volume } = inode;
  const { level, inner } = locate(volume, index);
  if (level === 0) {
    return runOfPointers(inode, 0, index, Math.min(count, 12 - index));
  }
  const n = volume.geometry.pointersPerBlock;
  let holder = inode.pointer(DIRECT_POINTERS + level - 1);
  for (let span = n ** level;;) {
    if (holder === 0) {
      return { start: 0, count: Math.min(count, span - inner % span) };
    }
    volume.checkDataBlocks(holder, 1, inode.number);
    span /= n;
    const slot = Math.floor(inner / span) % n;
    if (span === 1) {
      return runOfPointers(inode, holder, slot, Math.min(count, n - slot));
    }
    holder = readPointer(inode, holder, slot);
  }
}

/**
 * The run that block `index` of the file starts, of at most `count` blocks;
 * where there is a hole, blocks are taken for it, and indirect blocks for
 * their pointers. The contents of a fresh run are for the caller to write.
 */
export function allocateRun(
  inode: Inode,
  index: number,
  count: number,
): AllocatedRun {
  const { volume } = inode;
  const present = mapRun(inode, index, count);
  if (present.start !== 0) return { ...present, fresh: false };
  const { level, inner } = locate(volume, index);
  const n = volume.geometry.pointersPerBlock;
  let goal = goalFor(inode, index);
  let holder = 0;
  let slot = level === 0 ? index : DIRECT_POINTERS + level - 1;
  for (let span = n ** level; span > 1;) {
    let next = readPointer(inode, holder, slot);
    if (next === 0) {
      next = allocateIndirectBlock(inode, goal);
      writePointer(inode, holder, slot, next);
      goal = next + 1;
    }
    holder = next;
    span /= n;
    slot = Math.floor(inner / span) % n;
  }
  const room = level === 0 ? DIRECT_POINTERS - slot : n - slot;
  const run = allocateBlocks(volume, goal, Math.min(present.count, room));
  for (let i = 0; i < run.count; i++) {
    writePointer(inode, holder, slot + i, run.start + i);
  }
  inode.addBlocks(run.count);
  return { ...run, fresh: true };
}

/**
 * Frees the file's blocks from block `keep` on, the last one first, but no
 * more than about `budget` blocks. Returns true if none is left to free.
 */
export function cutBlocks(inode: Inode, keep: number, budget: number): boolean {
  const cut = new Cut(inode, budget);
  const n = inode.volume.geometry.pointersPerBlock;
  for (let level = 3; level > 0; level--) {
    const base = firstOfLevel(n, level);
    if (!cut.slot(DIRECT_POINTERS + level - 1, level, keep - base)) break;
  }
  for (let i = DIRECT_POINTERS - 1; i >= keep && !cut.exhausted; i--) {
    cut.slot(i, 0, 0);
  }
  return cut.finish();
}

/** One pass of freeing: collects runs, and stops when its budget is spent. */
class Cut {
  #start = 0;
  #count = 0;
  #freed = 0;
  #interrupted = false;

  constructor(readonly inode: Inode, readonly budget: number) {}

  get exhausted(): boolean {
    if (this.#freed >= this.budget) this.#interrupted = true;
    return this.#interrupted;
  }

  /** Cuts what the inode's pointer `index` leads to; false to stop. */
  slot(index: number, level: number, keep: number): boolean {
    const n = this.inode.volume.geometry.pointersPerBlock;
    if (keep >= n ** level) return true;
    const block = this.inode.pointer(index);
    if (block === 0) return true;
    if (this.exhausted) return false;
    if (this.#subtree(block, level, Math.max(keep, 0))) {
      this.inode.setPointer(index, 0);
    }
    return !this.#interrupted;
  }

  /**
   * Frees blocks `keep` and up of the subtree under `block`, which has `level`
   * levels of pointers. Returns true if that was all of it, `block` included.
   */
  #subtree(block: number, level: number, keep: number): boolean {
    if (level === 0) return this.#free(block);
    const { volume, number } = this.inode;
    volume.checkDataBlocks(block, 1, number);
    const n = volume.geometry.pointersPerBlock;
    const span = n ** (level - 1);
    let kept = keep > 0;
    let changed = false;
    let slot = n;
    for (; slot > 0 && slot * span > keep; slot--) {
      const pointer = readU32(volume.cache.read(block), 4 * (slot - 1));
      if (pointer === 0) continue;
      const inner = Math.max(keep - (slot - 1) * span, 0);
      if (this.exhausted || !this.#subtree(pointer, level - 1, inner)) {
        kept = true;
        break;
      }
      changed = true;
    }
    if (!kept) return this.#free(block);
    if (changed) volume.cache.modify(block).fill(0, 4 * slot);
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
    }
    return true;
  }

  #flush(): void {
    if (this.#count === 0) return;
    const { volume, number } = this.inode;
    volume.checkDataBlocks(this.#start, this.#count, number);
    freeBlocks(volume, this.#start, this.#count);
    this.#count = 0;
  }

  finish(): boolean {
    this.#flush();
    if (this.#freed > 0) this.inode.addBlocks(-this.#freed);
    return !this.#interrupted;
  }
}

/** Which of the four trees holds block `index`, and where in it. */
function locate(
  volume: Volume,
  index: number,
): { level: number; inner: number } {
  const n = volume.geometry.pointersPerBlock;
  let level = 0;
  while (level < 3 && index >= firstOfLevel(n, level + 1)) level++;
  const inner = index - firstOfLevel(n, level);
  if (level === 3 && inner >= n ** 3) throw new FsError("EFBIG");
  return { level, inner };
}

/** The first block of a file that needs `level` levels of indirection. */
function firstOfLevel(n: number, level: number): number {
  if (level === 0) return 0;
  if (level === 1) return DIRECT_POINTERS;
  if (level === 2) return DIRECT_POINTERS + n;
  return DIRECT_POINTERS + n + n * n;
}

/** The run that starts with pointer `slot` of `holder` (0: the inode). */
function runOfPointers(
  inode: Inode,
  holder: number,
  slot: number,
  most: number,
): MappedRun {
  const start = readPointer(inode, holder, slot);
  const step = start === 0 ? 0 : 1;
  let count = 1;
  while (
    count < most &&
    readPointer(inode, holder, slot + count) === start + step * count
  ) count++;
  if (start !== 0) inode.volume.checkDataBlocks(start, count, inode.number);
  return { start, count };
}

function readPointer(inode: Inode, holder: number, slot: number): number {
  if (holder === 0) return inode.pointer(slot);
  return readU32(inode.volume.cache.read(holder), 4 * slot);
}

function writePointer(
  inode: Inode,
  holder: number,
  slot: number,
  value: number,
): void {
  if (holder === 0) inode.setPointer(slot, value);
  else writeU32(inode.volume.cache.modify(holder), 4 * slot, value);
}

/** Behind the file's previous block, or at the start of its inode's group. */
function goalFor(inode: Inode, index: number): number {
  if (index > 0) {
    const previous = mapRun(inode, index - 1, 1);
    if (previous.start !== 0) return previous.start + 1;
  }
  const { geometry } = inode.volume;
  return geometry.groupStart(geometry.groupOfInode(inode.number));
}

function allocateIndirectBlock(inode: Inode, goal: number): number {
  const { start } = allocateBlocks(inode.volume, goal, 1);
  inode.volume.cache.replace(start).fill(0);
  inode.addBlocks(1);
  return start;
}
