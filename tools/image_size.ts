/**
 * How large an image must be to hold given files.
 *
 * @module
 */

import { MemoryDevice } from "../bd/mod.ts";
import { Filesystem, format, type FormatOptions, FsError } from "../fs/mod.ts";

/** Longest target of a symbolic link that its inode holds (fast link). */
const FAST_LINK_BYTES = 59;
/** Direct blocks of an inode. */
const DIRECT_BLOCKS = 12;
/** Bytes of a directory entry in front of its name. */
const ENTRY_HEADER = 8;
/** mke2fs makes an inode for each so many bytes, too. */
const BYTES_PER_INODE = 16384;
/** Free space behind the files, as a part of them. */
const SLACK = 0.1;
const SLACK_BLOCKS = 64;
/** After so many rounds it is not the size that makes formatting fail. */
const ROUNDS_MAX = 40;

/** Adds up what files take on a volume of `blockSize`. */
export class SizeEstimate {
  readonly #blockSize: number;
  #blocks = 0;
  #inodes = 0;
  #directories = new Map<unknown, number>();

  /** Starts at nothing. */
  constructor(blockSize: number) {
    this.#blockSize = blockSize;
  }

  /** Blocks of everything added, maps and directories included. */
  get blocks(): number {
    let blocks = this.#blocks;
    for (const bytes of this.#directories.values()) {
      // An entry does not cross blocks: up to a long name is lost in each.
      blocks += 1 + this.#ceil(bytes * 1.1);
    }
    return blocks;
  }

  /** Inodes of everything added. */
  get inodes(): number {
    return this.#inodes;
  }

  /**
   * Adds a file of `bytes` bytes, of which `stored`, in so many `pieces`, are
   * not holes.
   */
  addFile(bytes: number, stored: number, pieces: number = 1): void {
    this.#inodes++;
    const all = this.#ceil(bytes);
    const blocks = Math.min(all, this.#ceil(stored) + pieces);
    // Each piece behind a hole may have a map of its own on all three levels.
    const maps = pieces > 1 && blocks < all ? 3 * pieces : 0;
    this.#blocks += blocks + mapBlocks(blocks, this.#blockSize / 4) + maps;
  }

  /** Adds a symbolic link whose target has `bytes` bytes. */
  addSymlink(bytes: number): void {
    this.#inodes++;
    if (bytes > FAST_LINK_BYTES) this.#blocks++;
  }

  /** Adds an inode without data: a device node, or an empty directory. */
  addInode(): void {
    this.#inodes++;
  }

  /** Adds a block of extended attributes. */
  addXattrs(): void {
    this.#blocks++;
  }

  /** Adds a name of `bytes` bytes to the directory known as `directory`. */
  addName(directory: unknown, bytes: number): void {
    const before = this.#directories.get(directory) ?? 0;
    const entry = (ENTRY_HEADER + bytes + 3) & ~3;
    this.#directories.set(directory, before + entry);
  }

  #ceil(bytes: number): number {
    return Math.ceil(bytes / this.#blockSize);
  }
}

/** Indirect blocks of a file of `blocks` blocks, `perBlock` pointers each. */
function mapBlocks(blocks: number, perBlock: number): number {
  let rest = Math.max(0, blocks - DIRECT_BLOCKS);
  let count = 0;
  while (rest > 0) {
    rest = Math.ceil(rest / perBlock);
    count += rest;
    if (rest === 1) break;
  }
  // The last level of each tree is not shared: at most one block a level.
  return count === 0 ? 0 : count + 2;
}

/** Size and number of inodes of a volume. */
export interface VolumePlan {
  /** Blocks of the image. */
  blockCount: number;
  /** Inodes; as asked for, if that was given. */
  inodeCount: number;
}

/**
 * The size of a volume that has room for `estimate` and about a tenth more.
 * What the format itself takes is found by formatting in memory.
 */
export function planVolume(
  estimate: SizeEstimate,
  blockSize: number,
  options: FormatOptions,
): VolumePlan {
  const needed = Math.ceil(estimate.blocks * (1 + SLACK)) + SLACK_BLOCKS;
  const inodes = Math.ceil(estimate.inodes * (1 + SLACK)) + 32;
  let blockCount = Math.max(
    needed,
    blocksForInodes(options.inodeCount ?? inodes, blockSize),
  );
  for (let round = 1;; round++) {
    const bySize = Math.ceil(blockCount * blockSize / BYTES_PER_INODE);
    const inodeCount = options.inodeCount ?? Math.max(inodes, bySize);
    const plan = { ...options, inodeCount };
    const strict = round === ROUNDS_MAX;
    const free = freeBlocks(blockSize, blockCount, { plan, strict });
    if (free >= needed) return { blockCount, inodeCount };
    // A little more than what is missing, for the tables of what is added.
    blockCount += Math.ceil((needed - free) * 1.05) + 8;
  }
}

/** The size of a volume whose groups have places for so many inodes. */
function blocksForInodes(inodes: number, blockSize: number): number {
  // One block is the bitmap of a group's inodes, and one that of its blocks.
  const groups = Math.ceil(inodes / (8 * blockSize));
  return (groups - 1) * 8 * blockSize;
}

/**
 * Free blocks of a new volume that users may take; 0 if it is too small to be
 * formatted so. With `strict`, that is an error.
 */
function freeBlocks(
  blockSize: number,
  blockCount: number,
  { plan, strict }: { plan: FormatOptions; strict: boolean },
): number {
  const device = new MemoryDevice(blockSize, blockCount);
  try {
    format(device, { ...plan, blank: true });
  } catch (error) {
    if (strict || !(error instanceof FsError)) throw error;
    return 0;
  }
  return Filesystem.open(device, { readOnly: true }).statfs().blocksAvailable;
}
