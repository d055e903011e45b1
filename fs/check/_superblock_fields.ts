/**
 * The fields of the superblock on which no place depends.
 *
 * @module
 */

import { S_IFMT, S_IFREG } from "../attributes.ts";
import { COMPAT } from "../features.ts";
import { INODE } from "../inode.ts";
import { SUPERBLOCK, superblockAt, superblockBlock } from "../superblock.ts";
import type { Check } from "./_check.ts";

/** Descriptors are not larger, on whatever volume. */
const DESCRIPTOR_SIZE_MAX = 1024;
/** Inode of the journal of ext3. */
const JOURNAL_INODE = 8;

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
  const size = check.superblock(s.s_desc_size);
  if (size > DESCRIPTOR_SIZE_MAX || (size & size - 1) !== 0) {
    findings.add("superblock.descriptor_size", {}, { stored: size });
    check.setSuperblock(s.s_desc_size, 0);
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
 * Checks what is said of a journal, which the original's images have and
 * nobody here uses.
 */
export function checkJournal(check: Check): void {
  const s = SUPERBLOCK;
  const reason = journalProblem(check);
  if (reason === null) return;
  check.findings.add("superblock.journal", {}, { reason });
  const features = check.superblock(s.s_feature_compat);
  check.setSuperblock(s.s_feature_compat, features & ~COMPAT.has_journal);
  check.setSuperblock(s.s_journal_inum, 0);
  check.setSuperblock(s.s_journal_dev, 0);
  const { blockSize } = check.geometry;
  const block = check.store.modify(superblockBlock(blockSize));
  s.s_journal_uuid.set(block, superblockAt(blockSize), new Uint8Array(0));
}

function journalProblem(check: Check): string | null {
  const inum = check.superblock(SUPERBLOCK.s_journal_inum);
  if (!check.hasCompat(COMPAT.has_journal)) {
    const { blockSize } = check.geometry;
    const uuid = SUPERBLOCK.s_journal_uuid.get(
      check.store.view(superblockBlock(blockSize)),
      superblockAt(blockSize),
    );
    const isNone = inum === 0 && uuid.every((byte) => byte === 0) &&
      check.superblock(SUPERBLOCK.s_journal_dev) === 0;
    return isNone ? null : "the feature has_journal is not set";
  }
  if (inum !== JOURNAL_INODE) return `it is said to be inode ${inum}`;
  const { block } = check.inodePlace(inum);
  if (check.store.tryView(block) === null) return "its inode cannot be read";
  const isFile = (check.inode(inum, INODE.i_mode) & S_IFMT) === S_IFREG &&
    check.inode(inum, INODE.i_links_count) !== 0;
  return isFile ? null : "its inode is no file";
}
