/**
 * The primary superblock and its copies, and which of them make sense.
 *
 * @module
 */

import type { BlockDevice } from "../../bd/block_device.ts";
import { testBit } from "../bitmap.ts";
import { GROUP_DESCRIPTOR, GROUP_DESCRIPTOR_SIZE } from "../block_group.ts";
import { FsError } from "../errors.ts";
import { S_IFDIR, S_IFMT } from "../attributes.ts";
import { Geometry, ROOT_INODE } from "../geometry.ts";
import { INODE } from "../inode.ts";
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
    faults(copy.geometry, store) < faults(new Geometry(primary, 0), store);
}

/** How much is not where `geometry` says that it is. */
function faults(geometry: Geometry, store: BlockStore): number {
  return misplaced(geometry, store) + (hasRoot(geometry, store) ? 0 : 1);
}

/** Whether the root is where it should be. */
function hasRoot(geometry: Geometry, store: BlockStore): boolean {
  const { firstDataBlock, inodesPerBlock, inodeSize } = geometry;
  const table = store.tryView(firstDataBlock + 1);
  if (table === null) return false;
  const { inodeTable } = placesAt(table, 0);
  const block = inodeTable + Math.floor((ROOT_INODE - 1) / inodesPerBlock);
  const bytes = block < store.blockCount ? store.tryView(block) : null;
  if (bytes === null) return false;
  const at = (ROOT_INODE - 1) % inodesPerBlock * inodeSize;
  return (INODE.i_mode.get(bytes, at) & S_IFMT) === S_IFDIR;
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

/**
 * The blocks that the volume must have had by the bitmap of its last group, if
 * that agrees with its counter; 0 if it says nothing against the superblock.
 */
export function blocksByBitmap(geometry: Geometry, store: BlockStore): number {
  const last = geometry.groupCount - 1;
  const start = geometry.groupStart(last);
  const size = geometry.groupSize(last);
  const room = Math.min(store.blockCount - start, geometry.blocksPerGroup);
  const byte = last * GROUP_DESCRIPTOR_SIZE;
  const { blockSize, firstDataBlock } = geometry;
  const table = store.tryView(
    firstDataBlock + 1 + Math.floor(byte / blockSize),
  );
  if (room <= size || table === null) return 0;
  const at = byte % blockSize;
  const { blockBitmap } = placesAt(table, at);
  if (blockBitmap < start || blockBitmap >= start + room) return 0;
  const bitmap = store.tryView(blockBitmap);
  if (bitmap === null) return 0;
  const free = GROUP_DESCRIPTOR.bg_free_blocks_count.get(table, at);
  const beyond = countFree(bitmap, size, room);
  const isLarger = beyond > 0 && free === countFree(bitmap, 0, size) + beyond;
  return isLarger ? start + room : 0;
}

/** How many bits in `[from, end)` are clear. */
function countFree(bitmap: Uint8Array, from: number, end: number): number {
  let free = 0;
  for (let i = from; i < end; i++) if (!testBit(bitmap, i)) free++;
  return free;
}
