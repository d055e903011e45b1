/**
 * Every problem that the check can find: what it is called, what is said of
 * it, what is done about it, and whether that is safe to do unasked.
 *
 * A repair is safe ("preen") if it can lose nothing: counters and bitmaps that
 * follow from the rest of the structure, and fields that mean nothing.
 *
 * @module
 */

/** A kind of problem. */
export interface ProblemKind {
  /**
   * What is wrong, behind the place where it is ("inode 12"). A name in braces
   * stands for a value of the case.
   */
  readonly message: string;
  /** What the repair does. */
  readonly repair: string;
  /** Whether `preen` does it. */
  readonly preen: boolean;
  /**
   * True for what is not damage: it is reported and put in order, but a volume
   * on which there is nothing else is clean.
   */
  readonly note?: true;
  /** True for what no repair can bring back: it stays, and stays a problem. */
  readonly lost?: true;
}

const kind = (message: string, repair: string): ProblemKind => ({
  message,
  repair,
  preen: false,
});
const safe = (message: string, repair: string): ProblemKind => ({
  message,
  repair,
  preen: true,
});

/** All kinds of problems, in about the order in which they are looked for. */
export const PROBLEMS = {
  // The superblock.
  "superblock.primary": kind(
    "the primary superblock is of no use ({reason}); there is a copy in " +
      "group {copy}",
    "the copy takes its place",
  ),
  "superblock.inodes_count": kind(
    "s_inodes_count is {stored}, the groups have {found}",
    "set to that of the groups",
  ),
  "superblock.blocks_count": kind(
    "s_blocks_count is {stored}, but there are {found}",
    "set to that of the device, or of a copy",
  ),
  "superblock.first_inode": kind(
    "s_first_ino is {stored}, but should be {found}",
    "set to that of a copy, or to the usual one",
  ),
  "superblock.reserved": kind(
    "s_r_blocks_count is {stored}, more than half of the volume",
    "set to 5 percent",
  ),
  "superblock.fragments": kind(
    "the fragment size is not that of the blocks",
    "set to that of the blocks",
  ),
  "superblock.descriptor_size": safe(
    "s_desc_size is {stored}, which no volume has",
    "cleared; the size is that of ext2",
  ),
  "superblock.free_blocks": safe(
    "{found} free blocks counted, {stored} stored",
    "set to what was counted",
  ),
  "superblock.free_inodes": safe(
    "{found} free inodes counted, {stored} stored",
    "set to what was counted",
  ),
  "superblock.large_file": safe(
    "there are files of 2 GiB or more, but not the feature large_file",
    "the feature is set",
  ),
  "superblock.journal": kind(
    "a journal is named, but there is none ({reason})",
    "its fields and its feature are cleared",
  ),
  "superblock.ext_attr": safe(
    "there are extended attributes, but not the feature ext_attr",
    "the feature is set",
  ),
  "superblock.reserved_descriptors": kind(
    "{stored} blocks are kept for descriptors, but there is no feature " +
      "resize_inode",
    "none are kept",
  ),
  "superblock.resize_inode": kind(
    "inode 7, which keeps blocks for descriptors, is broken ({reason})",
    "inode and feature are cleared; the volume cannot grow while mounted",
  ),
  "superblock.state": {
    ...safe("the volume was not closed cleanly", "marked clean"),
    note: true,
  },
  // Copies of superblock and descriptors, and the descriptors.
  "group.copy_unreadable": safe(
    "a copy of superblock or descriptors cannot be read",
    "written anew",
  ),
  "group.descriptors": kind(
    "the descriptors cannot be read",
    "taken from a copy, or from the usual places",
  ),
  "group.block_bitmap_place": kind(
    "the block bitmap is said to be at block {stored}, where it cannot be",
    "sought at block {found}",
  ),
  "group.inode_bitmap_place": kind(
    "the inode bitmap is said to be at block {stored}, where it cannot be",
    "sought at block {found}",
  ),
  "group.inode_table_place": kind(
    "the inode table is said to be at block {stored}, where it cannot be",
    "sought at block {found}",
  ),
  "group.flags": safe(
    "flags are set ({stored}), which this volume has not",
    "cleared",
  ),
  "group.free_blocks": safe(
    "{found} free blocks counted, {stored} stored",
    "set to what was counted",
  ),
  "group.free_inodes": safe(
    "{found} free inodes counted, {stored} stored",
    "set to what was counted",
  ),
  "group.used_dirs": safe(
    "{found} directories counted, {stored} stored",
    "set to what was counted",
  ),
  // The orphan list.
  "orphan.unfinished": {
    ...safe(
      "removed or cut while it was open; the work is unfinished",
      "finished",
    ),
    note: true,
  },
  "orphan.list": kind(
    "the orphan list is broken ({reason})",
    "the list is dropped",
  ),
  "orphan.leftover": safe(
    "deleted, but its time of deletion is a place in the orphan list",
    "the time is set to the present",
  ),
  // Inodes.
  "inode.unreadable": kind(
    "inodes {first} to {last} cannot be read",
    "their block is filled with zeros",
  ),
  "inode.root": kind("the root is missing ({reason})", "a new one is made"),
  "inode.reserved": safe(
    "an inode of the format holds what it should not ({reason})",
    "cleared",
  ),
  "inode.disguise": kind(
    "mode {stored}, but it holds a directory",
    "it becomes a directory",
  ),
  "inode.mode": kind(
    "mode {stored} is of no kind of file",
    "the inode is cleared",
  ),
  "inode.dtime": safe(
    "in use, but with a time of deletion",
    "the time is cleared",
  ),
  "inode.zero_links": safe(
    "without links, but without a time of deletion",
    "marked as deleted",
  ),
  "inode.extents": kind(
    "marked as mapped by extents, which this volume has not",
    "the mark is cleared",
  ),
  "inode.inline_data": kind(
    "marked as holding its data, which this volume's inodes cannot",
    "the mark is cleared",
  ),
  "inode.foreign_flags": kind(
    "flags are set ({stored}), which this volume has not",
    "cleared",
  ),
  "inode.index_flag": safe(
    "marked as having a hash tree, which it cannot have",
    "the mark is cleared",
  ),
  "inode.high_parts": safe(
    "high parts of counters are set, which this volume does not use",
    "cleared",
  ),
  "inode.dir_size_high": safe(
    "a directory's size has a high half of {stored}",
    "cleared",
  ),
  "inode.fragment": safe("i_faddr is {stored}", "cleared"),
  "inode.symlink": kind(
    "a symbolic link without a target ({reason})",
    "the inode is cleared",
  ),
  "inode.special": kind(
    "a device, pipe or socket with pointers to blocks",
    "the inode is cleared",
  ),
  "inode.special_size": safe(
    "a device, pipe or socket of {stored} bytes",
    "the size is cleared",
  ),
  "inode.special_flags": safe(
    "a device, pipe or socket that is immutable or append-only",
    "the flags are cleared",
  ),
  "inode.size": safe(
    "i_size is {stored}, but should be {found}",
    "set to what the blocks hold",
  ),
  "inode.block_count": safe(
    "i_blocks is {stored}, but should be {found}",
    "set to what was counted",
  ),
  "inode.extra_size": safe(
    "i_extra_isize is {stored}",
    "set to {found}",
  ),
  // Block maps.
  "map.pointer": kind(
    "block {index} is said to be at {pointer}, which is no block for data",
    "the pointer is cleared",
  ),
  "map.indirect": kind(
    "an indirect block is said to be at {pointer}, which is no block for " +
      "data",
    "the pointer is cleared",
  ),
  "map.too_far": kind(
    "there are blocks behind the largest size of a file",
    "the pointers are cleared",
  ),
  "map.unreadable": kind(
    "indirect block {pointer} cannot be read",
    "the pointer is cleared; what it led to is a hole",
  ),
  "map.duplicate": kind(
    "shares {count} blocks with others, the first being {block}",
    "it gets copies of its own",
  ),
  "data.unreadable": {
    ...kind(
      "{count} blocks of its data cannot be read, the first being {block}",
      "remove the file, or read around them ('get --skip-bad')",
    ),
    lost: true,
  },
  // Extended attributes.
  "xattr.block_place": kind(
    "extended attributes are said to be at block {pointer}, which is no " +
      "block for data",
    "the attributes are dropped",
  ),
  "xattr.block_unreadable": kind(
    "block {pointer} of extended attributes cannot be read",
    "the attributes are dropped",
  ),
  "xattr.block": kind(
    "block {pointer} of extended attributes is broken ({reason})",
    "the attributes are dropped",
  ),
  "xattr.reference_count": safe(
    "extended attributes shared by {found} inodes, {stored} stored",
    "set to what was counted",
  ),
  "xattr.padding": safe(
    "the values of extended attributes have no zeros behind them",
    "filled with zeros",
  ),
  "xattr.inode": kind(
    "the extended attributes in the inode are broken ({reason})",
    "the attributes are dropped",
  ),
  // Directories.
  "directory.unreadable": kind(
    "block {index} of the directory cannot be read",
    "an empty one takes its place; its files go to lost+found",
  ),
  "directory.hole": kind(
    "block {index} of the directory is missing",
    "an empty one takes its place",
  ),
  "directory.chain": kind(
    "the entry at byte {at} of the directory breaks the chain",
    "passed over up to the next whole entry",
  ),
  "directory.dot": kind(
    "the first entry is not '.' of the directory itself",
    "it becomes so",
  ),
  "directory.dot_padding": safe(
    "the names '.' and '..' have no zeros behind them",
    "filled with zeros",
  ),
  "directory.dotdot": kind("the second entry is not '..'", "it becomes so"),
  "directory.parent": kind(
    "'..' is inode {stored}, but should be {found}",
    "set to the directory that has it",
  ),
  "directory.name": kind(
    "an entry has the impossible name '{name}'",
    "renamed, or removed if it has no name",
  ),
  "directory.inode_range": kind(
    "entry '{name}' leads to inode {target}, which cannot be a file",
    "removed",
  ),
  "directory.inode_unused": kind(
    "entry '{name}' leads to inode {target}, which is not in use",
    "removed",
  ),
  "directory.second_parent": kind(
    "entry '{name}' is a second name of directory {target}",
    "removed",
  ),
  "directory.file_type": safe(
    "entry '{name}' has file type {stored}, but should have {found}",
    "set to that of the inode",
  ),
  "directory.duplicate": kind(
    "there are two entries '{name}'",
    "the second is renamed, or removed if it is of the same inode",
  ),
  "directory.hash_tree": kind(
    "the hash tree of the directory is broken ({reason})",
    "dropped; look-ups scan the directory",
  ),
  // Connectivity and link counts.
  "connect.directory": kind(
    "no directory leads to this one",
    "it goes to lost+found",
  ),
  "connect.loop": kind(
    "the directory is inside itself",
    "it goes to lost+found",
  ),
  "connect.file": kind(
    "no directory leads to this file",
    "it goes to lost+found",
  ),
  "connect.empty_file": safe(
    "no directory leads to this file, and it is empty",
    "the inode is cleared",
  ),
  "connect.lost_found": kind(
    "lost+found is missing or cannot be used ({reason})",
    "the old one gets its name back, or a new one is made",
  ),
  "links.count": safe(
    "{found} links counted, {stored} stored",
    "set to what was counted",
  ),
  // Bitmaps.
  "bitmap.block_unused": safe(
    "{count} blocks are marked but not used, the first being {block}",
    "marked as free",
  ),
  "bitmap.block_unmarked": safe(
    "{count} blocks are used but not marked, the first being {block}",
    "marked",
  ),
  "bitmap.block_padding": safe(
    "the block bitmap is not padded with ones",
    "padded",
  ),
  "bitmap.block_unreadable": safe(
    "the block bitmap cannot be read",
    "written anew",
  ),
  "bitmap.inode_unused": safe(
    "{count} inodes are marked but not used, the first being {first}",
    "marked as free",
  ),
  "bitmap.inode_unmarked": safe(
    "{count} inodes are used but not marked, the first being {first}",
    "marked",
  ),
  "bitmap.inode_padding": safe(
    "the inode bitmap is not padded with ones",
    "padded",
  ),
  "bitmap.inode_unreadable": safe(
    "the inode bitmap cannot be read",
    "written anew",
  ),
  "block.unreadable": safe(
    "{count} blocks that are not in use cannot be read, the first being " +
      "{block}",
    "filled with zeros",
  ),
} as const satisfies Record<string, ProblemKind>;

/** The name of a kind of problem, such as `"inode.block_count"`. */
export type ProblemCode = keyof typeof PROBLEMS;

/** The same table, for access by a code that is known only at run time. */
export const PROBLEM_KINDS: Readonly<Record<ProblemCode, ProblemKind>> =
  PROBLEMS;

/** Values for the names in braces of a message. */
export type ProblemValues = Readonly<Record<string, string | number>>;

/** The message of `code` with `values` in the place of the names in braces. */
export function problemMessage(
  code: ProblemCode,
  values: ProblemValues,
): string {
  return PROBLEM_KINDS[code].message.replace(
    /\{(\w+)\}/g,
    (_, name) => String(values[name] ?? "?"),
  );
}
