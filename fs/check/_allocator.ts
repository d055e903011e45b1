/**
 * Blocks and inodes for repairs: taken from what the passes have found to be
 * free, whatever the bitmaps say. Bitmaps and counters follow at once, so that
 * the last pass finds nothing wrong about them.
 *
 * @module
 */

import { setBits, testBit } from "../bitmap.ts";
import { GROUP_DESCRIPTOR } from "../block_group.ts";
import type { U16, U32 } from "../layout.ts";
import { SUPERBLOCK } from "../superblock.ts";
import type { Check } from "./_check.ts";

/** Takes a free block, in the group of `ino` if it can; 0 if there is none. */
export function takeBlock(check: Check, ino: number): number {
  const { geometry } = check;
  const near = geometry.groupOfInode(ino);
  for (let i = 0; i < geometry.groupCount; i++) {
    const group = (near + i) % geometry.groupCount;
    const block = findFree(check, group);
    if (block === 0) continue;
    check.used.add(block);
    markBlock(check, group, block);
    return block;
  }
  check.lacksSpace = true;
  return 0;
}

/** The first block of `group` that nothing uses; 0 if there is none. */
function findFree(check: Check, group: number): number {
  const { geometry } = check;
  const start = geometry.groupStart(group);
  const end = start + geometry.groupSize(group);
  const hint = check.freeHints.get(group);
  const used = check.used.chunk(group);
  const first = start + geometry.superblockOverhead(group);
  for (let block = hint ?? first; block < end; block++) {
    const index = block - start;
    if (used !== undefined && testBit(used, index)) continue;
    if (!check.isDataBlock(block)) continue;
    if (!check.store.isWritable(block)) continue;
    check.freeHints.set(group, block + 1);
    return block;
  }
  check.freeHints.set(group, end);
  return 0;
}

/** Marks `block` in its bitmap, if that can be read, and counts it. */
function markBlock(check: Check, group: number, block: number): void {
  const index = block - check.geometry.groupStart(group);
  if (!mark(check, check.blockBitmaps[group], index)) return;
  count(check, group, GROUP_DESCRIPTOR.bg_free_blocks_count);
  countWhole(check, SUPERBLOCK.s_free_blocks_count);
}

/** A free inode, which stays free until it is marked; 0 if there is none. */
export function findInode(check: Check): number {
  const { groupCount, inodesPerGroup, firstInode } = check.geometry;
  for (let group = 0; group < groupCount; group++) {
    const kinds = check.kindsOf(group);
    for (let i = 0; i < inodesPerGroup; i++) {
      const ino = group * inodesPerGroup + i + 1;
      if (ino < firstInode || kinds !== undefined && kinds[i] !== 0) continue;
      if (!check.store.isWritable(check.inodePlace(ino).block)) continue;
      return ino;
    }
  }
  check.lacksSpace = true;
  return 0;
}

/** Marks inode `ino` in its bitmap, if that can be read, and counts it. */
export function markInode(check: Check, ino: number): void {
  const group = check.geometry.groupOfInode(ino);
  const index = (ino - 1) % check.geometry.inodesPerGroup;
  if (!mark(check, check.inodeBitmaps[group], index)) return;
  count(check, group, GROUP_DESCRIPTOR.bg_free_inodes_count);
  countWhole(check, SUPERBLOCK.s_free_inodes_count);
}

/** Sets a bit of the bitmap in `block`; whether that changed anything. */
function mark(check: Check, block: number, index: number): boolean {
  const bitmap = check.store.tryView(block);
  if (bitmap === null || testBit(bitmap, index)) return false;
  setBits(check.store.modify(block), index, 1);
  return true;
}

function count(check: Check, group: number, field: U16): void {
  const value = check.descriptor(group, field);
  check.setDescriptor(group, field, Math.max(0, value - 1));
}

function countWhole(check: Check, field: U32): void {
  check.setSuperblock(field, Math.max(0, check.superblock(field) - 1));
}
