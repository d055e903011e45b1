/**
 * The primary superblock and its copies, and which of them make sense.
 *
 * @module
 */

import type { BlockDevice } from "../../bd/block_device.ts";
import { GROUP_DESCRIPTOR_SIZE } from "../block_group.ts";
import { FsError } from "../errors.ts";
import { Geometry } from "../geometry.ts";
import {
  EXT2_MAGIC,
  SUPERBLOCK,
  SUPERBLOCK_SIZE,
  superblockAt,
  superblockBlock,
} from "../superblock.ts";
import { arePossible, placesAt } from "./_group_places.ts";
import { BlockStore } from "./_store.ts";

/** Blocks have at most 4096 bytes. */
const LOG_BLOCK_SIZE_MAX = 2;
/** Groups in which a copy of the superblock is looked for, from 1 on. */
const COPY_GROUPS_MAX = 128;

/** A superblock that makes sense. */
export interface Candidate {
  /** Its 1024 bytes, a copy. */
  readonly bytes: Uint8Array;
  /** What follows from it. */
  readonly geometry: Geometry;
  /** Group in which it is. */
  readonly group: number;
}

/**
 * Whether a copy of a superblock is on `device`, for blocks of its size: then
 * a volume without a primary one can be repaired.
 */
export function hasSuperblockCopy(device: BlockDevice): boolean {
  return findCopy(new BlockStore(device)) !== null;
}

/** A copy of the primary superblock; null if it cannot be read. */
export function readPrimary(store: BlockStore): Uint8Array | null {
  const { blockSize } = store;
  if (store.blockCount <= superblockBlock(blockSize)) return null;
  const block = store.tryView(superblockBlock(blockSize));
  const at = superblockAt(blockSize);
  return block && block.slice(at, at + SUPERBLOCK_SIZE);
}

/** Puts `bytes` in the place of the primary superblock. */
export function writePrimary(store: BlockStore, bytes: Uint8Array): void {
  const { blockSize } = store;
  const number = superblockBlock(blockSize);
  const block = store.tryView(number) === null
    ? store.replace(number)
    : store.modify(number);
  block.set(bytes, superblockAt(blockSize));
}

/** What is wrong with a superblock; null if it makes sense. */
export function problemOf(bytes: Uint8Array, store: BlockStore): string | null {
  if (SUPERBLOCK.s_magic.get(bytes, 0) !== EXT2_MAGIC) {
    return "it has not the number of ext2";
  }
  const log = SUPERBLOCK.s_log_block_size.get(bytes, 0);
  if (log > LOG_BLOCK_SIZE_MAX || 1024 << log !== store.blockSize) {
    return "its blocks are of another size";
  }
  try {
    const { blocksCount, reservedDescriptorBlocks, pointersPerBlock } =
      new Geometry(bytes, 0);
    if (reservedDescriptorBlocks > pointersPerBlock) {
      return "it keeps too many blocks for descriptors";
    }
    return blocksCount <= store.blockCount
      ? null
      : `it counts ${blocksCount} blocks, the device has ${store.blockCount}`;
  } catch (error) {
    if (error instanceof FsError) return error.message;
    throw error;
  }
}

/** The first copy that makes sense, where copies usually are. */
export function findCopy(store: BlockStore): Candidate | null {
  const { blockSize, blockCount } = store;
  const first = superblockBlock(blockSize);
  const primary = readPrimary(store);
  const sizes = new Set([8 * blockSize]);
  const claimed = primary && SUPERBLOCK.s_blocks_per_group.get(primary, 0);
  if (claimed && claimed % 8 === 0 && claimed < 8 * blockSize) {
    sizes.add(claimed);
  }
  for (const size of sizes) {
    for (let group = 1; group < COPY_GROUPS_MAX; group++) {
      const block = first + group * size;
      if (block >= blockCount) break;
      const bytes = store.tryView(block)?.slice(0, SUPERBLOCK_SIZE);
      if (!bytes || problemOf(bytes, store) !== null) continue;
      const geometry = new Geometry(bytes, 0);
      const number = SUPERBLOCK.s_block_group_nr.get(bytes, 0);
      const isOwn = geometry.revision === 0 || number === group;
      if (!isOwn || geometry.blocksPerGroup !== size) continue;
      return { bytes, geometry, group };
    }
  }
  return null;
}

/** Whether bitmaps and tables of group 0 are where the superblock has room. */
export function isUsual(bytes: Uint8Array, store: BlockStore): boolean {
  return misplaced(new Geometry(bytes, 0), store) === 0;
}

/**
 * Whether `copy` says better than `primary`, which makes sense as well, where
 * bitmaps and tables can be.
 */
export function isBetter(
  copy: Candidate | null,
  primary: Uint8Array,
  store: BlockStore,
): boolean {
  return copy !== null &&
    misplaced(copy.geometry, store) <
      misplaced(new Geometry(primary, 0), store);
}

/** How many of the first groups have descriptors that cannot be right. */
function misplaced(geometry: Geometry, store: BlockStore): number {
  const { firstDataBlock, blockSize } = geometry;
  const table = store.tryView(firstDataBlock + 1);
  if (table === null) return 0;
  const groups = Math.min(
    geometry.groupCount,
    blockSize / GROUP_DESCRIPTOR_SIZE,
  );
  let count = 0;
  for (let group = 0; group < groups; group++) {
    const at = group * GROUP_DESCRIPTOR_SIZE;
    const places = placesAt(table, at);
    if (!arePossible(geometry, group, places)) count++;
  }
  return count;
}
