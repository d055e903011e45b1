/**
 * The first two directories of a new volume: the root and `lost+found`.
 *
 * @module
 */

import type { BlockDevice } from "../bd/block_device.ts";
import { S_IFDIR, type Timestamp } from "./attributes.ts";
import {
  DIRECTORY_ENTRY,
  ENTRY_HEADER_SIZE,
  entrySize,
  fileTypeOf,
} from "./directory_entry.ts";
import { type Geometry, ROOT_INODE } from "./geometry.ts";
import { INODE, INODE_BASE_SIZE, INODE_EXTRA_SIZE } from "./inode.ts";
import { writeU32 } from "./layout.ts";
import { lostAndFoundBlocks } from "./_format_plan.ts";

/** Inode of `lost+found`: the first that is not reserved. */
const LOST_AND_FOUND_INODE = 11;

/** What is written down of a directory. */
interface FirstDirectory {
  readonly ino: number;
  readonly permissions: number;
  readonly links: number;
  readonly start: number;
  readonly blocks: number;
}

/** The two directories; their blocks are the first data of group 0. */
export class FirstDirectories {
  readonly #geometry: Geometry;
  readonly #now: Timestamp;
  readonly #root: FirstDirectory;
  readonly #lostAndFound: FirstDirectory;

  /** Plans the directories of a volume of `geometry`. */
  constructor(geometry: Geometry, now: Timestamp) {
    const start = geometry.groupStart(0) + geometry.groupOverhead(0);
    this.#geometry = geometry;
    this.#now = now;
    this.#root = {
      ino: ROOT_INODE,
      permissions: 0o755,
      links: 3,
      start,
      blocks: 1,
    };
    this.#lostAndFound = {
      ino: LOST_AND_FOUND_INODE,
      permissions: 0o700,
      links: 2,
      start: start + 1,
      blocks: lostAndFoundBlocks(geometry.blockSize),
    };
  }

  /** Writes their blocks and the inode table's blocks that they are in. */
  write(device: BlockDevice): void {
    const { blockSize, inodeSize } = this.#geometry;
    const root = this.#root;
    const lost = this.#lostAndFound;
    const data = new Uint8Array((root.blocks + lost.blocks) * blockSize);
    this.#fillBlock(data.subarray(0, blockSize), [
      { name: ".", ino: root.ino },
      { name: "..", ino: root.ino },
      { name: "lost+found", ino: lost.ino },
    ]);
    for (let i = 0; i < lost.blocks; i++) {
      const at = (root.blocks + i) * blockSize;
      this.#fillBlock(
        data.subarray(at, at + blockSize),
        i > 0
          ? []
          : [{ name: ".", ino: lost.ino }, { name: "..", ino: root.ino }],
      );
    }
    const tableBlocks = Math.ceil(lost.ino * inodeSize / blockSize);
    const table = new Uint8Array(tableBlocks * blockSize);
    this.#fillInode(table, root);
    this.#fillInode(table, lost);
    device.write(root.start - this.#geometry.inodeTableBlocks, table);
    device.write(root.start, data);
  }

  /** Fills a directory's block; the last entry takes what is left. */
  #fillBlock(
    block: Uint8Array,
    entries: { name: string; ino: number }[],
  ): void {
    const d = DIRECTORY_ENTRY;
    if (entries.length === 0) d.rec_len.set(block, 0, block.length);
    let at = 0;
    entries.forEach(({ name, ino }, i) => {
      const bytes = new TextEncoder().encode(name);
      const isLast = i === entries.length - 1;
      const length = isLast ? block.length - at : entrySize(bytes.length);
      d.inode.set(block, at, ino);
      d.rec_len.set(block, at, length);
      d.name_len.set(block, at, bytes.length);
      if (this.#geometry.revision > 0) {
        d.file_type.set(block, at, fileTypeOf(S_IFDIR));
      }
      block.set(bytes, at + ENTRY_HEADER_SIZE);
      at += length;
    });
  }

  #fillInode(table: Uint8Array, directory: FirstDirectory): void {
    const { blockSize, inodeSize } = this.#geometry;
    const { sec, nsec } = this.#now;
    const at = (directory.ino - 1) * inodeSize;
    const size = directory.blocks * blockSize;
    INODE.i_mode.set(table, at, S_IFDIR | directory.permissions);
    INODE.i_links_count.set(table, at, directory.links);
    INODE.i_size.set(table, at, size);
    INODE.i_blocks.set(table, at, size / 512);
    for (let i = 0; i < directory.blocks; i++) {
      const pointer = at + INODE.i_block.offset + 4 * i;
      writeU32(table, pointer, directory.start + i);
    }
    INODE.i_atime.set(table, at, sec);
    INODE.i_ctime.set(table, at, sec);
    INODE.i_mtime.set(table, at, sec);
    if (inodeSize === INODE_BASE_SIZE) return;
    // Two bits of epoch below the nanoseconds: seconds past 2038.
    const extra = nsec << 2 | Math.floor((sec + 2 ** 31) / 2 ** 32) & 3;
    INODE.i_extra_isize.set(table, at, INODE_EXTRA_SIZE);
    INODE.i_atime_extra.set(table, at, extra);
    INODE.i_ctime_extra.set(table, at, extra);
    INODE.i_mtime_extra.set(table, at, extra);
    INODE.i_crtime.set(table, at, sec);
    INODE.i_crtime_extra.set(table, at, extra);
  }
}
