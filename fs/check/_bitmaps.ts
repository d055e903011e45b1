/**
 * Bitmaps and counters: all that follows from which inodes and blocks are in
 * use.
 *
 * @module
 */

import { S_IFDIR } from "../attributes.ts";
import { setBits, testBit } from "../bitmap.ts";
import { GROUP_DESCRIPTOR } from "../block_group.ts";
import { fileTypeOf } from "../directory_entry.ts";
import { RO_COMPAT } from "../features.ts";
import type { U16 } from "../layout.ts";
import { SUPERBLOCK } from "../superblock.ts";
import type { Check } from "./_check.ts";
import type { ProblemCode } from "./problems.ts";

/** What is counted. */
export interface Totals {
  /** Blocks that nothing uses. */
  freeBlocks: number;
  /** Inodes that are not in use, and not the format's. */
  freeInodes: number;
}

/** Checks all of them, in steps of a group, and counts. */
export function* checkBitmaps(check: Check): Generator<void, Totals> {
  const totals: Totals = { freeBlocks: 0, freeInodes: 0 };
  for (let group = 0; group < check.geometry.groupCount; group++) {
    checkUnreadable(check, group);
    totals.freeBlocks += checkBlocks(check, group);
    totals.freeInodes += checkInodeBitmap(check, group);
    yield;
  }
  checkOutside(check);
  const s = SUPERBLOCK;
  const counters = [
    [s.s_free_blocks_count, "superblock.free_blocks", totals.freeBlocks],
    [s.s_free_inodes_count, "superblock.free_inodes", totals.freeInodes],
  ] as const;
  for (const [field, code, found] of counters) {
    const stored = check.superblock(field);
    if (stored === found) continue;
    check.findings.add(code, {}, { stored, found });
    check.setSuperblock(field, found);
  }
  checkLargeFiles(check);
  return totals;
}

function checkLargeFiles(check: Check): void {
  const { s_feature_ro_compat } = SUPERBLOCK;
  const features = check.superblock(s_feature_ro_compat);
  if (!check.hasLargeFiles || check.geometry.revision === 0) return;
  if ((features & RO_COMPAT.large_file) !== 0) return;
  check.findings.add("superblock.large_file");
  check.setSuperblock(s_feature_ro_compat, features | RO_COMPAT.large_file);
}

/** Fills blocks with zeros that cannot be read, and are in no group. */
function checkOutside(check: Check): void {
  const { store, geometry } = check;
  const isOutside = (block: number): boolean =>
    block < geometry.firstDataBlock || block >= geometry.blocksCount;
  const blocks = [...store.unreadable].filter(isOutside);
  if (blocks.length === 0) return;
  for (const block of blocks) store.clear(block);
  check.findings.add("block.unreadable", {}, {
    count: blocks.length,
    block: blocks[0],
  });
}

/** Fills free blocks of a group with zeros that cannot be read. */
function checkUnreadable(check: Check, group: number): void {
  const { store, geometry } = check;
  if (store.unreadable.size === 0) return;
  const start = geometry.groupStart(group);
  const end = start + geometry.groupSize(group);
  let count = 0;
  let first = 0;
  for (let block = start; block < end; block++) {
    if (!store.unreadable.has(block)) continue;
    if (check.used.has(block) || !check.isDataBlock(block)) continue;
    first ||= block;
    count++;
    store.clear(block);
  }
  if (count === 0) return;
  check.findings.add("block.unreadable", { group }, { count, block: first });
}

/** Checks the bitmap of a group's blocks; how many are free. */
function checkBlocks(check: Check, group: number): number {
  const { geometry } = check;
  const { blockSize, inodeTableBlocks } = geometry;
  const start = geometry.groupStart(group);
  const size = geometry.groupSize(group);
  const bitmap = new Uint8Array(blockSize);
  const used = check.used.chunk(group);
  if (used !== undefined) bitmap.set(used);
  setBits(bitmap, 0, geometry.superblockOverhead(group));
  setBits(bitmap, check.blockBitmaps[group] - start, 1);
  setBits(bitmap, check.inodeBitmaps[group] - start, 1);
  setBits(bitmap, check.inodeTables[group] - start, inodeTableBlocks);
  const free = size - countSet(bitmap, size);
  compare(check, bitmap, {
    group,
    block: check.blockBitmaps[group],
    bits: size,
    first: start,
    name: "block",
  });
  count(check, group, {
    field: GROUP_DESCRIPTOR.bg_free_blocks_count,
    code: "group.free_blocks",
    found: free,
  });
  return free;
}

/** Checks the bitmap of a group's inodes; how many are free. */
function checkInodeBitmap(check: Check, group: number): number {
  const { blockSize, inodesPerGroup, firstInode } = check.geometry;
  const bitmap = new Uint8Array(blockSize);
  const kinds = check.kindsOf(group);
  const base = group * inodesPerGroup + 1;
  let directories = 0;
  for (let i = 0; kinds !== undefined && i < inodesPerGroup; i++) {
    if (kinds[i] === 0) continue;
    setBits(bitmap, i, 1);
    if (kinds[i] === fileTypeOf(S_IFDIR)) directories++;
  }
  const own = Math.min(firstInode - base, inodesPerGroup);
  if (own > 0) setBits(bitmap, 0, own);
  const free = inodesPerGroup - countSet(bitmap, inodesPerGroup);
  compare(check, bitmap, {
    group,
    block: check.inodeBitmaps[group],
    bits: inodesPerGroup,
    first: base,
    name: "inode",
  });
  count(check, group, {
    field: GROUP_DESCRIPTOR.bg_free_inodes_count,
    code: "group.free_inodes",
    found: free,
  });
  count(check, group, {
    field: GROUP_DESCRIPTOR.bg_used_dirs_count,
    code: "group.used_dirs",
    found: directories,
  });
  return free;
}

/** Which bitmap is compared. */
interface Bitmap {
  readonly group: number;
  /** Where it is. */
  readonly block: number;
  /** How many of its bits stand for something. */
  readonly bits: number;
  /** What the first one stands for. */
  readonly first: number;
  readonly name: "block" | "inode";
}

/** Compares a bitmap to what it should be, and writes that if it differs. */
function compare(check: Check, right: Uint8Array, bitmap: Bitmap): void {
  const { group, block, bits, first, name } = bitmap;
  const { store, findings } = check;
  setBits(right, bits, 8 * right.length - bits);
  const stored = store.tryView(block);
  const found = (problem: string, values = {}): void =>
    findings.add(`bitmap.${name}_${problem}` as ProblemCode, { group }, values);
  if (stored === null) {
    found("unreadable");
    store.replace(block).set(right);
    return;
  }
  if (right.every((byte, i) => byte === stored[i])) return;
  const differences = { unused: [0, 0], unmarked: [0, 0] };
  for (let i = 0; i < bits; i++) {
    if (testBit(right, i) === testBit(stored, i)) continue;
    const difference = differences[testBit(stored, i) ? "unused" : "unmarked"];
    if (difference[0]++ === 0) difference[1] = first + i;
  }
  for (const problem of ["unused", "unmarked"] as const) {
    const [count, at] = differences[problem];
    if (count > 0) found(problem, { count, block: at, first: at });
  }
  for (let i = bits; i < 8 * right.length; i++) {
    if (testBit(stored, i)) continue;
    found("padding");
    break;
  }
  store.modify(block).set(right);
}

/** Compares a counter of a group. */
function count(
  check: Check,
  group: number,
  { field, code, found }: { field: U16; code: ProblemCode; found: number },
): void {
  const stored = check.descriptor(group, field);
  if (stored === found) return;
  check.findings.add(code, { group }, { stored, found });
  check.setDescriptor(group, field, found);
}

/** How many of the first `bits` bits are set. */
function countSet(bitmap: Uint8Array, bits: number): number {
  let set = 0;
  const whole = bits >>> 3;
  for (let i = 0; i < whole; i++) {
    let byte = bitmap[i];
    for (; byte !== 0; byte &= byte - 1) set++;
  }
  for (let i = whole << 3; i < bits; i++) if (testBit(bitmap, i)) set++;
  return set;
}
