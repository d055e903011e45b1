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
import { SUPERBLOCK, superblockAt, superblockBlock } from "../superblock.ts";
import type { Check } from "./_check.ts";
import { directoryBlocks, mappedBlock } from "./_directory_blocks.ts";
import { nameAt } from "./_entry_names.ts";
import { type NameHash, nameHash } from "./_name_hash.ts";

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
/** `s_flags`: hashes are of unsigned characters. */
const UNSIGNED_HASH = 2;

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
  const version = ROOT.hash_version.get(root, 0);
  const walk = new TreeWalk(check, ino, hashOf(check, version));
  const range = { from: 0, to: 0xffffffff };
  return walk.list(0, { at: ROOT_LIST_AT, levels, ...range }) ?? walk.finish();
}

function hashOf({ store }: Check, version: number): NameHash {
  const { blockSize } = store;
  const at = superblockAt(blockSize);
  const bytes = store.view(superblockBlock(blockSize));
  const seed = SUPERBLOCK.s_hash_seed.get(bytes, at);
  return {
    version,
    seed: Uint32Array.from([0, 4, 8, 12], (i) => readU32(seed, i)),
    isSigned: (SUPERBLOCK.s_flags.get(bytes, at) & UNSIGNED_HASH) === 0,
  };
}

/** The hashes that a part of the tree may have. */
interface HashRange {
  readonly from: number;
  readonly to: number;
}

/** A list of index entries. */
interface List extends HashRange {
  /** Byte at which it starts in its block. */
  readonly at: number;
  /** Levels of index blocks below it. */
  readonly levels: number;
}

class TreeWalk {
  readonly #check: Check;
  readonly #ino: number;
  readonly #blocks: number;
  readonly #hash: NameHash;
  /** Blocks that the index leads to. */
  readonly #seen: Uint8Array;

  constructor(check: Check, ino: number, hash: NameHash) {
    this.#check = check;
    this.#ino = ino;
    this.#hash = hash;
    this.#blocks = directoryBlocks(check, ino);
    this.#seen = new Uint8Array(this.#blocks);
    this.#seen[0] = 1;
  }

  #bytes(index: number): Uint8Array {
    const block = mappedBlock(this.#check, this.#ino, index);
    return this.#check.store.view(block);
  }

  /** Checks the list in block `index`, and what is below. */
  list(index: number, { at, levels, from, to }: List): string | null {
    const bytes = this.#bytes(index).slice();
    const limit = LIST.limit.get(bytes, at);
    const count = LIST.count.get(bytes, at);
    if (limit !== Math.floor((bytes.length - at) / INDEX_ENTRY_SIZE)) {
      return "the limit of a list is wrong";
    }
    if (count === 0 || count > limit) return "the length of a list is wrong";
    const hashAt = (i: number): number => {
      if (i === count) return to;
      return i === 0 ? from : readU32(bytes, at + i * INDEX_ENTRY_SIZE);
    };
    for (let i = 0; i < count; i++) {
      const range = { from: hashAt(i), to: hashAt(i + 1) };
      if (range.to < range.from) return "hashes are not in order";
      const entry = at + i * INDEX_ENTRY_SIZE;
      const below = readU32(bytes, entry + 4) & BLOCK_MASK;
      if (below >= this.#blocks || this.#seen[below] !== 0) {
        return `it leads to block ${below} wrongly`;
      }
      this.#seen[below] = 1;
      const reason = levels === 0
        ? this.#leaf(below, range)
        : this.#node(below, levels - 1, range);
      if (reason !== null) return reason;
    }
    return null;
  }

  #node(index: number, levels: number, range: HashRange): string | null {
    const bytes = this.#bytes(index);
    const { inode, rec_len } = DIRECTORY_ENTRY;
    if (inode.get(bytes, 0) !== 0 || rec_len.get(bytes, 0) !== bytes.length) {
      return "an index block is none";
    }
    return this.list(index, { at: NODE_LIST_AT, levels, ...range });
  }

  /** Checks that the names in block `index` belong there. */
  #leaf(index: number, { from, to }: HashRange): string | null {
    const bytes = this.#bytes(index);
    const { inode, rec_len } = DIRECTORY_ENTRY;
    for (let at = 0; at < bytes.length; at += rec_len.get(bytes, at)) {
      if (inode.get(bytes, at) === 0) continue;
      const hash = nameHash(nameAt(bytes, at), this.#hash);
      // Names of one hash may go on in the next block, which is marked so by
      // the lowest bit of its hash.
      if (hash >= (from & ~1) >>> 0 && hash <= to) continue;
      return `a name is in block ${index} wrongly`;
    }
    return null;
  }

  /** Whether it led to all blocks. */
  finish(): string | null {
    const missing = this.#seen.indexOf(0);
    return missing < 0 ? null : `it does not lead to block ${missing}`;
  }
}
