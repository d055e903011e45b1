/**
 * The hash tree of a directory, which Linux makes of large ones: whether its
 * index leads to every other block once, in the order of the hashes.
 *
 * After the Linux kernel's "ext4 Data Structures and Algorithms", section 3.3
 * (Directory Entries, Hash Tree Directories).
 *
 * @module
 */

import { DIRECTORY_ENTRY, ENTRY_HEADER_SIZE } from "../directory_entry.ts";
import { readU32, u16, u32, u8 } from "../layout.ts";
import type { Check } from "./_check.ts";
import { directoryBlocks, mappedBlock } from "./_directory_blocks.ts";

/** The head of the tree, behind '.' and the first 12 bytes of '..'. */
const ROOT = {
  /** Zero. */
  reserved_zero: u32(0x18),
  /** How names are hashed. */
  hash_version: u8(0x1c),
  /** Length of this head. */
  info_length: u8(0x1d),
  /** Levels of index blocks below the root. */
  indirect_levels: u8(0x1e),
  /** Zero. */
  unused_flags: u8(0x1f),
} as const;

/** The head of a list of index entries, in the place of the first hash. */
const LIST = {
  /** Entries that there is room for. */
  limit: u16(0),
  /** Entries there are. */
  count: u16(2),
} as const;

const ROOT_LIST_AT = 0x20;
const NODE_LIST_AT = ENTRY_HEADER_SIZE;
const INFO_LENGTH = 8;
const INDEX_ENTRY_SIZE = 8;
/** Legacy, half MD4 and TEA. */
const HASH_VERSION_MAX = 2;
const LEVELS_MAX = 1;
/** The part of an index entry that is a block's number. */
const BLOCK_MASK = 0x0fffffff;

/** What is wrong with the hash tree of directory `ino`; null if nothing is. */
export function hashTreeProblem(check: Check, ino: number): string | null {
  const root = check.store.view(mappedBlock(check, ino, 0));
  const { rec_len } = DIRECTORY_ENTRY;
  if (
    rec_len.get(root, 0) !== 12 ||
    rec_len.get(root, 12) !== root.length - 12 ||
    ROOT.reserved_zero.get(root, 0) !== 0 ||
    ROOT.info_length.get(root, 0) !== INFO_LENGTH
  ) return "there is no root";
  if (
    ROOT.hash_version.get(root, 0) > HASH_VERSION_MAX ||
    ROOT.unused_flags.get(root, 0) !== 0
  ) return "its hash is not known";
  const levels = ROOT.indirect_levels.get(root, 0);
  if (levels > LEVELS_MAX) return "it is too deep";
  const walk = new TreeWalk(check, ino);
  return walk.list(0, ROOT_LIST_AT, levels) ?? walk.finish();
}

class TreeWalk {
  readonly #check: Check;
  readonly #ino: number;
  readonly #blocks: number;
  /** Blocks that the index leads to. */
  readonly #seen: Uint8Array;
  #lastHash = 0;

  constructor(check: Check, ino: number) {
    this.#check = check;
    this.#ino = ino;
    this.#blocks = directoryBlocks(check, ino);
    this.#seen = new Uint8Array(this.#blocks);
    this.#seen[0] = 1;
  }

  /** Checks the list at byte `at` of block `index`, and what is below. */
  list(index: number, at: number, levels: number): string | null {
    const { store } = this.#check;
    const block = mappedBlock(this.#check, this.#ino, index);
    const bytes = store.view(block).slice();
    const limit = LIST.limit.get(bytes, at);
    const count = LIST.count.get(bytes, at);
    if (limit !== Math.floor((bytes.length - at) / INDEX_ENTRY_SIZE)) {
      return "the limit of a list is wrong";
    }
    if (count === 0 || count > limit) return "the length of a list is wrong";
    for (let i = 0; i < count; i++) {
      const entry = at + i * INDEX_ENTRY_SIZE;
      const hash = i === 0 ? this.#lastHash : readU32(bytes, entry);
      if (hash < this.#lastHash) return "hashes are not in order";
      this.#lastHash = hash;
      const below = readU32(bytes, entry + 4) & BLOCK_MASK;
      if (below >= this.#blocks || this.#seen[below] !== 0) {
        return `it leads to block ${below} wrongly`;
      }
      this.#seen[below] = 1;
      const reason = levels === 0 ? null : this.#node(below, levels - 1);
      if (reason !== null) return reason;
    }
    return null;
  }

  #node(index: number, levels: number): string | null {
    const block = mappedBlock(this.#check, this.#ino, index);
    const bytes = this.#check.store.view(block);
    const { inode, rec_len } = DIRECTORY_ENTRY;
    if (inode.get(bytes, 0) !== 0 || rec_len.get(bytes, 0) !== bytes.length) {
      return "an index block is none";
    }
    return this.list(index, NODE_LIST_AT, levels);
  }

  /** Whether it led to all blocks. */
  finish(): string | null {
    const missing = this.#seen.indexOf(0);
    return missing < 0 ? null : `it does not lead to block ${missing}`;
  }
}
