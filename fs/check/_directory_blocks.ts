/**
 * The blocks of a directory: which one is where, and a new one in the place of
 * a missing one.
 *
 * @module
 */

import { DIRECTORY_ENTRY } from "../directory_entry.ts";
import { DIRECT_POINTERS } from "../geometry.ts";
import { INODE } from "../inode.ts";
import { readU32, writeU32 } from "../layout.ts";
import { takeBlock } from "./_allocator.ts";
import type { Check } from "./_check.ts";
import { isDots, nameAt } from "./_entry_names.ts";

/** Blocks of directory `ino`, by its size. */
export function directoryBlocks(check: Check, ino: number): number {
  const { blockSize } = check.geometry;
  return Math.floor(check.inode(ino, INODE.i_size) / blockSize);
}

/** The slots that lead to block `index` of a file, from the inode down. */
function slotsOf(check: Check, index: number): number[] {
  if (index < DIRECT_POINTERS) return [index];
  const n = check.geometry.pointersPerBlock;
  let inner = index - DIRECT_POINTERS;
  for (let level = 1; level <= 3; level++) {
    if (inner >= n ** level) {
      inner -= n ** level;
      continue;
    }
    const slots = [DIRECT_POINTERS + level - 1];
    for (let span = n ** (level - 1); span >= 1; span /= n) {
      slots.push(Math.floor(inner / span) % n);
    }
    return slots;
  }
  return [];
}

/** Device block that holds block `index` of `ino`; 0 for a hole. */
export function mappedBlock(check: Check, ino: number, index: number): number {
  if (index < DIRECT_POINTERS) return check.pointer(ino, index);
  const [first, ...rest] = slotsOf(check, index);
  if (first === undefined) return 0;
  let block = check.pointer(ino, first);
  for (const slot of rest) {
    if (block === 0) return 0;
    block = readU32(check.store.view(block), 4 * slot);
  }
  return block;
}

/**
 * Gives directory `ino` an empty block `index`, where it has none. Returns its
 * device block; 0 if there is no room.
 */
export function addBlock(check: Check, ino: number, index: number): number {
  const slots = slotsOf(check, index);
  let holder = 0;
  let taken = 0;
  let block = 0;
  for (let depth = 0; depth < slots.length; depth++) {
    const slot = slots[depth];
    block = holder === 0
      ? check.pointer(ino, slot)
      : readU32(check.store.view(holder), 4 * slot);
    if (block === 0) {
      block = takeBlock(check, ino);
      if (block === 0) break;
      taken++;
      check.store.replace(block);
      if (holder === 0) check.setPointer(ino, slot, block);
      else writeU32(check.store.modify(holder), 4 * slot, block);
    }
    holder = block;
  }
  const units = taken * (check.geometry.blockSize / 512);
  const blocks = check.inode(ino, INODE.i_blocks);
  if (taken > 0) check.setInode(ino, INODE.i_blocks, blocks + units);
  if (block !== 0) clearBlock(check, block);
  return block;
}

/** Makes `block` one of a directory that holds nothing. */
export function clearBlock(check: Check, block: number): void {
  const bytes = check.store.replace(block);
  DIRECTORY_ENTRY.rec_len.set(bytes, 0, bytes.length);
}

/** What '..' of directory `ino` says, as far as it can be read; 0 if not. */
export function dotdotOf(check: Check, ino: number): number {
  const block = mappedBlock(check, ino, 0);
  const bytes = block === 0 ? null : check.store.tryView(block);
  if (bytes === null) return 0;
  const at = DIRECTORY_ENTRY.rec_len.get(bytes, 0);
  return at + 12 > bytes.length ? 0 : DIRECTORY_ENTRY.inode.get(bytes, at);
}

/** An entry of a directory, and where it is. */
export interface PlacedEntry {
  /** Device block. */
  readonly block: number;
  /** Byte in that block. */
  readonly at: number;
  /** Inode number. */
  readonly ino: number;
  /** A view of its name. */
  readonly name: Uint8Array;
}

/** The entries in use of `directory`, which has been checked. */
export function* entriesOf(
  check: Check,
  directory: number,
): Generator<PlacedEntry> {
  const { inode: INO, rec_len } = DIRECTORY_ENTRY;
  const blocks = directoryBlocks(check, directory);
  for (let index = 0; index < blocks; index++) {
    const block = mappedBlock(check, directory, index);
    if (block === 0) continue;
    const bytes = check.store.view(block);
    for (let at = 0; at < bytes.length; at += rec_len.get(bytes, at)) {
      const ino = INO.get(bytes, at);
      if (ino !== 0) yield { block, at, ino, name: nameAt(bytes, at) };
    }
  }
}

/**
 * Removes the entry for `ino` from `directory`, which has been checked.
 * Returns its name; null if there is none.
 */
export function removeEntry(
  check: Check,
  directory: number,
  ino: number,
): Uint8Array | null {
  for (const { block, at, ...entry } of entriesOf(check, directory)) {
    if (entry.ino !== ino || isDots(entry.name)) continue;
    DIRECTORY_ENTRY.inode.set(check.store.modify(block), at, 0);
    check.addLinks(ino, -1);
    return entry.name;
  }
  return null;
}
