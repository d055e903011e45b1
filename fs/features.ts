/**
 * The feature flags of the superblock, and what each means for opening it.
 *
 * Names and values follow the Linux kernel's "ext4 Data Structures and
 * Algorithms", section 2.1; names are those that `tune2fs -O` uses.
 *
 * @module
 */

/** Features that a driver may ignore (`s_feature_compat`). */
export const COMPAT = {
  dir_prealloc: 0x1,
  imagic_inodes: 0x2,
  has_journal: 0x4,
  ext_attr: 0x8,
  resize_inode: 0x10,
  dir_index: 0x20,
  sparse_super2: 0x200,
  fast_commit: 0x400,
  stable_inodes: 0x800,
  orphan_file: 0x1000,
} as const;

/** Features without which a volume must not be opened. */
export const INCOMPAT = {
  compression: 0x1,
  filetype: 0x2,
  needs_recovery: 0x4,
  journal_dev: 0x8,
  meta_bg: 0x10,
  extent: 0x40,
  "64bit": 0x80,
  mmp: 0x100,
  flex_bg: 0x200,
  ea_inode: 0x400,
  dirdata: 0x1000,
  metadata_csum_seed: 0x2000,
  large_dir: 0x4000,
  inline_data: 0x8000,
  encrypt: 0x10000,
  casefold: 0x20000,
} as const;

/** Features without which a volume must not be written. */
export const RO_COMPAT = {
  sparse_super: 0x1,
  large_file: 0x2,
  btree_dir: 0x4,
  huge_file: 0x8,
  uninit_bg: 0x10,
  dir_nlink: 0x20,
  extra_isize: 0x40,
  quota: 0x100,
  bigalloc: 0x200,
  metadata_csum: 0x400,
  read_only: 0x1000,
  project: 0x2000,
  shared_blocks: 0x4000,
  verity: 0x8000,
  orphan_present: 0x10000,
} as const;

/** The incompatible features this engine understands. */
export const SUPPORTED_INCOMPAT: number = INCOMPAT.filetype;

/** The read-only features with which this engine may write. */
export const SUPPORTED_RO_COMPAT: number = RO_COMPAT.sparse_super |
  RO_COMPAT.large_file | RO_COMPAT.extra_isize;

/**
 * The names of the set bits of `flags` by `table`, such as
 * `["extent", "64bit"]`; an unknown bit is given as `"0x…"`.
 */
export function featureNames(
  flags: number,
  table: Readonly<Record<string, number>>,
): string[] {
  const names: string[] = [];
  for (let bit = 0; bit < 32; bit++) {
    const flag = (1 << bit) >>> 0;
    if ((flags & flag) === 0) continue;
    const known = Object.keys(table).find((name) => table[name] === flag);
    names.push(known ?? `0x${flag.toString(16)}`);
  }
  return names;
}
