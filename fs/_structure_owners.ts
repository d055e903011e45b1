/**
 * The owners of blocks that can be told from where they are: structures of
 * fixed place, and blocks that a bitmap calls free.
 *
 * @module
 */

import type { OwnerClaims } from "./_owner_claims.ts";
import { countClear, findClear } from "./bitmap.ts";
import type { StructureOwner } from "./block_owner.ts";
import { expected } from "./inode_blocks.ts";
import type { Volume } from "./volume.ts";

/** Claims them, a group in each step. */
export function* claimStructures(
  volume: Volume,
  claims: OwnerClaims,
): Generator<void> {
  const { geometry } = volume;
  const { firstDataBlock, blocksCount } = geometry;
  claims.claim(blocksCount, Infinity, () => ({ kind: "outside" }));
  claims.claim(0, firstDataBlock, () => ({ kind: "boot block" }));
  for (let next = firstDataBlock;;) {
    const wanted = claims.firstFrom(next);
    if (wanted === null) return;
    const group = geometry.groupOfBlock(wanted);
    volume.cache.safePoint();
    claimGroup(volume, group, claims);
    yield;
    next = geometry.groupStart(group) + geometry.groupSize(group);
  }
}

function claimGroup(volume: Volume, group: number, claims: OwnerClaims): void {
  const { geometry } = volume;
  const claim = (
    kind: StructureOwner["kind"],
    start: number,
    count = 1,
  ): void => claims.claim(start, count, () => ({ kind, group }));
  const start = geometry.groupStart(group);
  if (geometry.hasSuperblock(group)) {
    const { descriptorBlocks, reservedDescriptorBlocks } = geometry;
    claim("superblock", start);
    claim("group descriptors", start + 1, descriptorBlocks);
    const reserved = start + 1 + descriptorBlocks;
    claim("reserved group descriptors", reserved, reservedDescriptorBlocks);
  }
  try {
    const places = volume.groupMetadata(group);
    claim("block bitmap", places.blockBitmap);
    claim("inode bitmap", places.inodeBitmap);
    claimTable(volume, { group, table: places.inodeTable }, claims);
    claimFree(volume, { group, bitmap: places.blockBitmap }, claims);
  } catch (error) {
    claims.note(expected(error), { path: () => null, ino: 0 });
  }
}

function claimTable(
  { geometry }: Volume,
  { group, table }: { group: number; table: number },
  claims: OwnerClaims,
): void {
  const { inodesPerBlock, inodesPerGroup, inodeTableBlocks } = geometry;
  const first = group * inodesPerGroup + 1;
  claims.claim(table, inodeTableBlocks, (start, count) => ({
    kind: "inode table",
    group,
    firstInode: first + (start - table) * inodesPerBlock,
    lastInode: first - 1 +
      Math.min((start - table + count) * inodesPerBlock, inodesPerGroup),
  }));
}

function claimFree(
  { cache, geometry }: Volume,
  { group, bitmap }: { group: number; bitmap: number },
  claims: OwnerClaims,
): void {
  const bits = cache.read(bitmap);
  const start = geometry.groupStart(group);
  const size = geometry.groupSize(group);
  for (let at = 0; at < size;) {
    at = findClear(bits, at, size);
    if (at < 0) break;
    const count = countClear(bits, at, size);
    claims.claim(start + at, count, () => FREE);
    at += count;
  }
}

/** The owner of free blocks, all of them. */
const FREE = { kind: "free" } as const;
