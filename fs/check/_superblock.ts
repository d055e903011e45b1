/**
 * The superblock: found, or replaced by one of its copies, and in line with
 * itself and with the device.
 *
 * @module
 */

import { FsError } from "../errors.ts";
import {
  COMPAT,
  featureNames,
  INCOMPAT,
  RO_COMPAT,
  SUPPORTED_INCOMPAT,
  SUPPORTED_RO_COMPAT,
} from "../features.ts";
import { Geometry } from "../geometry.ts";
import {
  EXT2_MAGIC,
  REVISION_DYNAMIC,
  SUPERBLOCK,
  SUPERBLOCK_SIZE,
  superblockAt,
  superblockBlock,
} from "../superblock.ts";
import type { Check } from "./_check.ts";
import type { Findings } from "./_findings.ts";
import type { BlockStore } from "./_store.ts";

/** Groups in which a copy of the superblock is looked for, from 1 on. */
const COPY_GROUPS_MAX = 128;

/** A superblock that makes sense. */
interface Candidate {
  /** Its 1024 bytes, a copy. */
  readonly bytes: Uint8Array;
  readonly geometry: Geometry;
  /** Group in which it is. */
  readonly group: number;
}

/**
 * The geometry of the volume in `store`, whose superblock is put in order if
 * need be. Throws {@link FsError} `EINVAL` if there is no volume, or one that
 * this engine does not know.
 */
export function openSuperblock(
  store: BlockStore,
  findings: Findings,
): Geometry {
  const primary = readPrimary(store);
  const reason = primary === null
    ? "it cannot be read"
    : problemOf(primary, store);
  if (primary !== null && reason === null) {
    checkFeatures(primary);
    return new Geometry(primary, 0);
  }
  const copy = findCopy(store);
  const patched = primary && patch(primary, store, copy, findings);
  if (patched !== null) {
    checkFeatures(patched);
    writePrimary(store, patched);
    return new Geometry(patched, 0);
  }
  if (copy === null) {
    throw new FsError(
      "EINVAL",
      `the superblock is of no use (${reason}), and no copy of it was found`,
    );
  }
  checkFeatures(copy.bytes);
  findings.add("superblock.primary", {}, {
    reason: reason!,
    copy: copy.group,
  });
  if (copy.geometry.revision === REVISION_DYNAMIC) {
    SUPERBLOCK.s_block_group_nr.set(copy.bytes, 0, 0);
  }
  writePrimary(store, copy.bytes);
  return copy.geometry;
}

/** Whether a copy of a superblock is on `device`, for blocks of its size. */
export function hasSuperblockCopy(store: BlockStore): boolean {
  return findCopy(store) !== null;
}

/** A copy of the primary superblock; null if it cannot be read. */
function readPrimary(store: BlockStore): Uint8Array | null {
  const { blockSize } = store;
  if (store.blockCount <= superblockBlock(blockSize)) return null;
  const block = store.tryView(superblockBlock(blockSize));
  const at = superblockAt(blockSize);
  return block && block.slice(at, at + SUPERBLOCK_SIZE);
}

function writePrimary(store: BlockStore, bytes: Uint8Array): void {
  const { blockSize } = store;
  const number = superblockBlock(blockSize);
  const block = store.tryView(number) === null
    ? store.replace(number)
    : store.modify(number);
  block.set(bytes, superblockAt(blockSize));
}

/** What is wrong with a superblock; null if it makes sense. */
function problemOf(bytes: Uint8Array, store: BlockStore): string | null {
  if (SUPERBLOCK.s_magic.get(bytes, 0) !== EXT2_MAGIC) {
    return "it has not the number of ext2";
  }
  if (1024 << SUPERBLOCK.s_log_block_size.get(bytes, 0) !== store.blockSize) {
    return "its blocks are of another size";
  }
  try {
    const { blocksCount } = new Geometry(bytes, 0);
    return blocksCount <= store.blockCount
      ? null
      : `it counts ${blocksCount} blocks, the device has ${store.blockCount}`;
  } catch (error) {
    if (error instanceof FsError) return error.message;
    throw error;
  }
}

/** The first copy that makes sense, where copies usually are. */
function findCopy(store: BlockStore): Candidate | null {
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
 * The primary superblock with one counter set right, if that is all it needs
 * and `copy`, if there is one, does not say otherwise; else null.
 */
function patch(
  primary: Uint8Array,
  store: BlockStore,
  copy: Candidate | null,
  findings: Findings,
): Uint8Array | null {
  const s = SUPERBLOCK;
  if (s.s_magic.get(primary, 0) !== EXT2_MAGIC) return null;
  const perGroup = s.s_blocks_per_group.get(primary, 0);
  const first = s.s_first_data_block.get(primary, 0);
  const blocks = s.s_blocks_count.get(primary, 0);
  const groups = (count: number): number =>
    Math.ceil((count - first) / perGroup);
  const fix = (
    code: "superblock.inodes_count" | "superblock.blocks_count",
    value: number,
  ): Uint8Array | null => {
    const field = code === "superblock.inodes_count"
      ? s.s_inodes_count
      : s.s_blocks_count;
    const bytes = primary.slice();
    field.set(bytes, 0, value);
    if (problemOf(bytes, store) !== null) return null;
    if (copy !== null && !isSameVolume(bytes, copy.bytes)) return null;
    const stored = field.get(primary, 0);
    findings.add(code, {}, { stored, found: value });
    return bytes;
  };
  if (!(perGroup > 0) || !Number.isFinite(groups(blocks))) return null;
  const inodes = groups(blocks) * s.s_inodes_per_group.get(primary, 0);
  if (inodes < 2 ** 32 && inodes !== s.s_inodes_count.get(primary, 0)) {
    return fix("superblock.inodes_count", inodes);
  }
  const { blockCount } = store;
  if (blocks > blockCount && groups(blocks) === groups(blockCount)) {
    return fix("superblock.blocks_count", blockCount);
  }
  return null;
}

/** Whether two superblocks agree on what decides where everything is. */
function isSameVolume(a: Uint8Array, b: Uint8Array): boolean {
  const s = SUPERBLOCK;
  return [
    s.s_blocks_per_group,
    s.s_inodes_per_group,
    s.s_first_data_block,
    s.s_rev_level,
    s.s_inodes_count,
  ].every((field) => field.get(a, 0) === field.get(b, 0));
}

/** Throws {@link FsError} for features without which the check is wrong. */
function checkFeatures(bytes: Uint8Array): void {
  const s = SUPERBLOCK;
  const incompat = s.s_feature_incompat.get(bytes, 0);
  if ((incompat & INCOMPAT.needs_recovery) !== 0) {
    throw new FsError(
      "EINVAL",
      "Cannot check the volume: its journal, of ext3 or ext4, needs recovery " +
        "(e2fsck does that)",
    );
  }
  const names = [
    ...featureNames(incompat & ~SUPPORTED_INCOMPAT, INCOMPAT),
    ...featureNames(
      s.s_feature_ro_compat.get(bytes, 0) & ~SUPPORTED_RO_COMPAT,
      RO_COMPAT,
    ),
  ];
  if (names.length === 0) return;
  throw new FsError(
    "EINVAL",
    `Cannot check the volume: it has features not known: ${names.join(", ")}`,
  );
}

/** Checks the fields on which no place depends. */
export function checkSuperblockFields(check: Check): void {
  const { geometry, findings } = check;
  const s = SUPERBLOCK;
  const reserved = check.superblock(s.s_r_blocks_count);
  if (reserved > geometry.blocksCount / 2) {
    findings.add("superblock.reserved", {}, { stored: reserved });
    const fair = Math.floor(geometry.blocksCount / 20);
    check.setSuperblock(s.s_r_blocks_count, fair);
  }
  const log = check.superblock(s.s_log_block_size);
  if (
    check.superblock(s.s_log_frag_size) !== log ||
    check.superblock(s.s_frags_per_group) !== geometry.blocksPerGroup
  ) {
    findings.add("superblock.fragments");
    check.setSuperblock(s.s_log_frag_size, log);
    check.setSuperblock(s.s_frags_per_group, geometry.blocksPerGroup);
  }
}

/**
 * Checks that blocks are kept for descriptors only with the feature. True if
 * the geometry has changed, and the round must start anew.
 */
export function checkReservedDescriptors(check: Check): boolean {
  const stored = check.geometry.reservedDescriptorBlocks;
  if (stored === 0 || check.hasCompat(COMPAT.resize_inode)) return false;
  check.findings.add("superblock.reserved_descriptors", {}, { stored });
  check.setSuperblock(SUPERBLOCK.s_reserved_gdt_blocks, 0);
  return true;
}
