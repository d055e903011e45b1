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
import { EXT2_MAGIC, REVISION_DYNAMIC, SUPERBLOCK } from "../superblock.ts";
import type { Findings } from "./_findings.ts";
import type { BlockStore } from "./_store.ts";
import {
  blocksByBitmap,
  type Candidate,
  findCopy,
  isBetter,
  problemOf,
  readPrimary,
  writePrimary,
} from "./_superblock_copies.ts";

/** `s_first_ino`, of every program that makes volumes. */
const FIRST_INODE = 11;
/** Features of which the check would have to know more than it does. */
const REFUSED_COMPAT: number = COMPAT.orphan_file |
  ~Object.values<number>(COMPAT).reduce((all, flag) => all | flag);

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
  if (primary !== null) checkReservedDescriptors(primary, store, findings);
  const reason = primary === null
    ? "it cannot be read"
    : problemOf(primary, store);
  const copy = findCopy(store);
  if (primary !== null && reason === null && !isBetter(copy, primary, store)) {
    checkFeatures(primary);
    checkAgainstCopy(primary, store, { copy, findings });
    return new Geometry(primary, 0);
  }
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
    reason: reason ?? "what it says is elsewhere is not there",
    copy: copy.group,
  });
  if (copy.geometry.revision === REVISION_DYNAMIC) {
    SUPERBLOCK.s_block_group_nr.set(copy.bytes, 0, 0);
  }
  writePrimary(store, copy.bytes);
  return copy.geometry;
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

/** What the primary superblock is compared to. */
interface Comparison {
  readonly copy: Candidate | null;
  readonly findings: Findings;
}

/**
 * Sets right what makes sense, but is not what it was when the copies were
 * written, although it never changes.
 */
function checkAgainstCopy(
  primary: Uint8Array,
  store: BlockStore,
  { copy, findings }: Comparison,
): void {
  const { s_blocks_count, s_first_ino } = SUPERBLOCK;
  const fix = (
    code: "superblock.blocks_count" | "superblock.first_inode",
    found: number,
  ): void => {
    const field = code === "superblock.blocks_count"
      ? s_blocks_count
      : s_first_ino;
    const bytes = primary.slice();
    field.set(bytes, 0, found);
    if (problemOf(bytes, store) !== null) return;
    findings.add(code, {}, { stored: field.get(primary, 0), found });
    field.set(primary, 0, found);
    writePrimary(store, primary);
  };
  const blocks = copy?.geometry.blocksCount ??
    blocksByBitmap(new Geometry(primary, 0), store);
  // Of too many blocks the last ones are lost on nobody.
  if (blocks > s_blocks_count.get(primary, 0)) {
    fix("superblock.blocks_count", blocks);
  }
  const first = copy?.geometry.firstInode ?? FIRST_INODE;
  if (new Geometry(primary, 0).firstInode !== first) {
    fix("superblock.first_inode", first);
  }
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
  const compat = s.s_feature_compat.get(bytes, 0);
  const names = [
    ...featureNames(compat & REFUSED_COMPAT, COMPAT),
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

/**
 * Checks that blocks are kept for descriptors only with the feature that has a
 * use for them: they decide where everything else in a group can be.
 */
function checkReservedDescriptors(
  primary: Uint8Array,
  store: BlockStore,
  findings: Findings,
): void {
  const { s_magic, s_reserved_gdt_blocks, s_feature_compat } = SUPERBLOCK;
  if (s_magic.get(primary, 0) !== EXT2_MAGIC) return;
  const stored = s_reserved_gdt_blocks.get(primary, 0);
  const features = s_feature_compat.get(primary, 0);
  if (stored === 0 || (features & COMPAT.resize_inode) !== 0) return;
  findings.add("superblock.reserved_descriptors", {}, { stored });
  s_reserved_gdt_blocks.set(primary, 0, 0);
  writePrimary(store, primary);
}
