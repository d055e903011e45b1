/**
 * Blocks that several inodes claim: the first inode keeps them, the others get
 * copies. Which of them had the contents cannot be told.
 *
 * @module
 */

import { S_IFDIR } from "../attributes.ts";
import { fileTypeOf } from "../directory_entry.ts";
import { DIRECT_POINTERS } from "../geometry.ts";
import { INODE } from "../inode.ts";
import { readU32, writeU32 } from "../layout.ts";
import { XATTR_HEADER } from "../xattr_entries.ts";
import { takeBlock } from "./_allocator.ts";
import type { Check } from "./_check.ts";
import { SparseBits } from "./_sparse_bits.ts";

/** Gives every inode blocks of its own, in steps of an indirect block. */
export function* separateBlocks(check: Check): Generator<void> {
  if (check.shared.size === 0) return;
  const { blocksPerGroup, firstDataBlock } = check.geometry;
  const kept = new SparseBits(blocksPerGroup, firstDataBlock);
  const attributes = new SparseBits(blocksPerGroup, firstDataBlock);
  for (const ino of check.inodesInUse()) {
    yield* new Separation(check, ino, { kept, attributes }).run();
  }
}

/** Shared blocks that have found their owner. */
interface Kept {
  /** All of them. */
  readonly kept: SparseBits;
  /** Those that hold attributes, which inodes may share. */
  readonly attributes: SparseBits;
}

class Separation {
  readonly #check: Check;
  readonly #ino: number;
  readonly #kept: Kept;
  readonly #isDirectory: boolean;
  #count = 0;
  #first = 0;
  #lost = 0;

  constructor(check: Check, ino: number, kept: Kept) {
    this.#check = check;
    this.#ino = ino;
    this.#kept = kept;
    this.#isDirectory = check.kind(ino) === fileTypeOf(S_IFDIR);
  }

  *run(): Generator<void> {
    const check = this.#check;
    if (check.hasBlockMap(this.#ino)) {
      for (let i = 0; i < DIRECT_POINTERS; i++) this.#slot(0, i, 0);
      for (let level = 1; level <= 3; level++) {
        yield* this.#subtree(0, DIRECT_POINTERS + level - 1, level);
      }
    }
    this.#attributes();
    if (this.#count === 0) return;
    check.findings.add("map.duplicate", { inode: this.#ino }, {
      count: this.#count,
      block: this.#first,
    });
    if (this.#lost === 0) return;
    const units = this.#lost * (check.geometry.blockSize / 512);
    const blocks = check.inode(this.#ino, INODE.i_blocks);
    check.setInode(this.#ino, INODE.i_blocks, Math.max(0, blocks - units));
  }

  *#subtree(holder: number, slot: number, level: number): Generator<void> {
    const block = this.#slot(holder, slot, level);
    if (block === 0) return;
    yield;
    const n = this.#check.geometry.pointersPerBlock;
    for (let i = 0; i < n; i++) {
      if (level === 1) this.#slot(block, i, 0);
      else if (this.#get(block, i) !== 0) {
        yield* this.#subtree(block, i, level - 1);
      }
    }
  }

  /** Settles the block that a pointer leads to; its number, then. */
  #slot(holder: number, slot: number, level: number): number {
    const block = this.#get(holder, slot);
    if (block === 0 || this.#keeps(block)) return block;
    const copy = this.#copy(block, level > 0 || this.#isDirectory);
    this.#set(holder, slot, copy);
    return copy;
  }

  /** Whether the inode may keep `block`: it is not shared, or it comes first. */
  #keeps(block: number): boolean {
    return !this.#check.shared.has(block) || this.#kept.kept.add(block);
  }

  /** A copy of `block`; 0 if there is no room for one. */
  #copy(block: number, isStructure: boolean): number {
    const { store, isTrial } = this.#check;
    this.#count++;
    this.#first ||= block;
    const copy = takeBlock(this.#check, this.#ino);
    if (copy === 0) {
      this.#lost++;
      return 0;
    }
    // Nobody looks at the contents of files in a trial.
    if (isTrial && !isStructure) return copy;
    const bytes = store.tryView(block);
    const target = store.replace(copy);
    if (bytes !== null) target.set(bytes);
    return copy;
  }

  #attributes(): void {
    const check = this.#check;
    const block = check.inode(this.#ino, INODE.i_file_acl);
    if (block === 0 || !check.shared.has(block)) return;
    const { kept, attributes } = this.#kept;
    if (attributes.has(block)) return;
    if (kept.add(block)) {
      attributes.add(block);
      return;
    }
    const copy = this.#copy(block, true);
    check.setInode(this.#ino, INODE.i_file_acl, copy);
    if (copy === 0) return;
    XATTR_HEADER.h_refcount.set(check.store.modify(copy), 0, 1);
  }

  #get(holder: number, slot: number): number {
    const check = this.#check;
    if (holder === 0) return check.pointer(this.#ino, slot);
    return readU32(check.store.view(holder), 4 * slot);
  }

  #set(holder: number, slot: number, value: number): void {
    const check = this.#check;
    if (holder === 0) check.setPointer(this.#ino, slot, value);
    else writeU32(check.store.modify(holder), 4 * slot, value);
  }
}
