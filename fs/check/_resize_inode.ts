/**
 * Inode 7, which keeps blocks for the growth of the descriptor table: its
 * double indirect block leads to those behind the table, each of which leads
 * to its copies in the groups that have any.
 *
 * Everything in it follows from the geometry, so that it can be made anew.
 * (After the layout that mke2fs(8) makes with resize_inode.)
 *
 * @module
 */

import { S_IFMT, S_IFREG } from "../attributes.ts";
import { COMPAT } from "../features.ts";
import { DIRECT_POINTERS } from "../geometry.ts";
import { INODE } from "../inode.ts";
import { readU32, writeU32 } from "../layout.ts";
import { SUPERBLOCK } from "../superblock.ts";
import type { Check } from "./_check.ts";

const RESIZE_INODE = 7;
const DOUBLE = DIRECT_POINTERS + 1;

/**
 * Checks inode 7. True if it had to be given up: the geometry has changed, and
 * the round must start anew.
 */
export function checkResizeInode(check: Check): boolean {
  if (!check.hasCompat(COMPAT.resize_inode)) return false;
  const reason = inodeProblem(check);
  if (reason !== null) {
    check.findings.add("superblock.resize_inode", {}, { reason });
    giveUp(check);
    return true;
  }
  const problem = contentsProblem(check);
  if (problem === null) return false;
  check.findings.add("superblock.resize_inode", {}, { reason: problem });
  writeContents(check);
  return false;
}

/** What is wrong with the inode itself; null if nothing is. */
function inodeProblem(check: Check): string | null {
  const { block } = check.inodePlace(RESIZE_INODE);
  if (check.store.tryView(block) === null) return "it cannot be read";
  const kind = check.inode(RESIZE_INODE, INODE.i_mode) & S_IFMT;
  if (kind !== S_IFREG) return "it is no file";
  if (check.inode(RESIZE_INODE, INODE.i_links_count) === 0) {
    return "it is not in use";
  }
  for (let i = 0; i < DIRECT_POINTERS + 3; i++) {
    const pointer = check.pointer(RESIZE_INODE, i);
    if (i === DOUBLE ? check.isDataBlock(pointer) : pointer === 0) continue;
    return "its pointers are not those of such an inode";
  }
  return null;
}

/** A block of pointers as it should be. */
interface Pointers {
  readonly block: number;
  readonly pointers: readonly [slot: number, pointer: number][];
}

/** The double indirect block and those below it. */
function* contents(check: Check): Generator<Pointers> {
  const { geometry } = check;
  const n = geometry.pointersPerBlock;
  const { descriptorBlocks, reservedDescriptorBlocks } = geometry;
  const first = geometry.firstDataBlock + 1 + descriptorBlocks;
  const kept = Array.from({ length: reservedDescriptorBlocks }, (_, i) => i);
  yield {
    block: check.pointer(RESIZE_INODE, DOUBLE),
    pointers: kept.map((i) => [(descriptorBlocks + i) % n, first + i]),
  };
  const groups: number[] = [];
  for (let group = 1; group < geometry.groupCount; group++) {
    if (geometry.hasSuperblock(group)) groups.push(group);
  }
  for (const i of kept) {
    yield {
      block: first + i,
      pointers: groups.map((group, slot) => [
        slot,
        first + i + group * geometry.blocksPerGroup,
      ]),
    };
  }
}

/** What is wrong with the blocks; null if nothing is. */
function contentsProblem(check: Check): string | null {
  for (const { block, pointers } of contents(check)) {
    const bytes = check.store.tryView(block);
    if (bytes === null) return `block ${block} cannot be read`;
    let isRight = true;
    let set = 0;
    for (let at = 0; at < bytes.length; at += 4) {
      if (readU32(bytes, at) !== 0) set++;
    }
    for (const [slot, pointer] of pointers) {
      isRight &&= readU32(bytes, 4 * slot) === pointer;
    }
    if (!isRight || set !== pointers.length) {
      return `block ${block} has not the right pointers`;
    }
  }
  return null;
}

function writeContents(check: Check): void {
  for (const { block, pointers } of contents(check)) {
    const bytes = check.store.replace(block);
    for (const [slot, pointer] of pointers) {
      writeU32(bytes, 4 * slot, pointer);
    }
  }
}

/** Clears the inode, the feature, and the number of blocks that it keeps. */
function giveUp(check: Check): void {
  const { store } = check;
  const { block } = check.inodePlace(RESIZE_INODE);
  if (store.tryView(block) !== null) check.modifyInode(RESIZE_INODE).fill(0);
  const { s_feature_compat, s_reserved_gdt_blocks } = SUPERBLOCK;
  const features = check.superblock(s_feature_compat);
  check.setSuperblock(s_feature_compat, features & ~COMPAT.resize_inode);
  check.setSuperblock(s_reserved_gdt_blocks, 0);
}
