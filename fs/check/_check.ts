/**
 * The state of one round of the check: what the passes have found out about
 * the volume so far, and how they read and change its structures.
 *
 * Invariants: `used` holds the blocks that inodes claim, and none of the
 * volume's own structures, whose places follow from the geometry and from
 * `places`. Memory is a bit for each block and three bytes for each inode, in
 * groups that have any, and 16 bytes for each directory.
 *
 * @module
 */

import { S_IFDIR, S_IFLNK, S_IFREG, type Timestamp } from "../attributes.ts";
import { fileTypeOf } from "../directory_entry.ts";
import { GROUP_DESCRIPTOR_SIZE } from "../block_group.ts";
import type { Geometry } from "../geometry.ts";
import { INODE } from "../inode.ts";
import { readU32, type U16, type U32, type U8, writeU32 } from "../layout.ts";
import { SUPERBLOCK, superblockAt, superblockBlock } from "../superblock.ts";
import { DirectoryTable } from "./_directory_table.ts";
import type { Findings } from "./_findings.ts";
import { SparseBits } from "./_sparse_bits.ts";
import type { BlockStore } from "./_store.ts";

/** What a round works with. */
export interface CheckParts {
  /** The blocks. */
  readonly store: BlockStore;
  /** The volume's geometry. */
  readonly geometry: Geometry;
  /** Takes the problems. */
  readonly findings: Findings;
  /** The clock. */
  readonly now: () => Timestamp;
  /** True if nothing will be written. */
  readonly isTrial: boolean;
  /** True if inode tables are read that seem to be unused. */
  readonly isThorough: boolean;
}

/** Where an inode is. */
export interface InodePlace {
  /** Block of the inode table. */
  readonly block: number;
  /** Byte in that block. */
  readonly at: number;
}

/** Claims of blocks, compared to the number of blocks, that are followed. */
const CLAIMS_FACTOR = 2;

/** See the module. */
export class Check implements CheckParts {
  readonly store: BlockStore;
  readonly geometry: Geometry;
  readonly findings: Findings;
  readonly now: () => Timestamp;
  readonly isTrial: boolean;
  readonly isThorough: boolean;
  /** Groups whose inode tables were not read, as nothing is in use there. */
  readonly skipped: SparseBits;
  /** Whether a directory leads to an inode in one of them after all. */
  hasMissed = false;
  /** Block of each group's block bitmap. */
  readonly blockBitmaps: Uint32Array;
  /** Block of each group's inode bitmap. */
  readonly inodeBitmaps: Uint32Array;
  /** First block of each group's inode table. */
  readonly inodeTables: Uint32Array;
  /** Blocks that inodes claim. */
  readonly used: SparseBits;
  /** Those of them that are claimed more than once. */
  readonly shared: SparseBits;
  /** Those of them that hold attributes. */
  readonly attributes: SparseBits;
  /**
   * Of blocks of attributes that say they are shared, or are: how many more
   * inodes should name them.
   */
  readonly attributeCounts: Map<number, number> = new Map();
  /** Of groups in which blocks were taken: where to look for the next. */
  readonly freeHints: Map<number, number> = new Map();
  /** Inodes that were given a name in lost+found. */
  readonly adopted: SparseBits;
  /** The directories. */
  readonly directories: DirectoryTable = new DirectoryTable();
  /** Claims that may still be followed. */
  claimsLeft: number;
  /** Whether there are files that need the feature large_file. */
  hasLargeFiles = false;
  /** Whether a repair has found no free block, or no free inode. */
  lacksSpace = false;
  /** Why the root cannot be used; empty if it can. */
  rootProblem = "";
  readonly #kinds: (Uint8Array | undefined)[] = [];
  readonly #links: (Uint16Array | undefined)[] = [];
  readonly #superblockBlock: number;
  readonly #superblockAt: number;

  /** Starts a round. */
  constructor(parts: CheckParts) {
    const { store, geometry } = parts;
    this.store = store;
    this.geometry = geometry;
    this.findings = parts.findings;
    this.now = parts.now;
    this.isTrial = parts.isTrial;
    this.isThorough = parts.isThorough;
    this.skipped = new SparseBits(geometry.groupCount);
    this.blockBitmaps = new Uint32Array(geometry.groupCount);
    this.inodeBitmaps = new Uint32Array(geometry.groupCount);
    this.inodeTables = new Uint32Array(geometry.groupCount);
    const { blocksPerGroup, firstDataBlock } = geometry;
    this.used = new SparseBits(blocksPerGroup, firstDataBlock);
    this.shared = new SparseBits(blocksPerGroup, firstDataBlock);
    this.attributes = new SparseBits(blocksPerGroup, firstDataBlock);
    this.adopted = new SparseBits(geometry.inodesPerGroup, 1);
    this.claimsLeft = CLAIMS_FACTOR * geometry.blocksCount;
    this.#superblockBlock = superblockBlock(geometry.blockSize);
    this.#superblockAt = superblockAt(geometry.blockSize);
  }

  /**
   * Whether tables were skipped that should be read: only where all else is in
   * order is it sure that nothing is in them.
   */
  get isDoubtful(): boolean {
    return this.skipped.size > 0 &&
      (this.hasMissed || this.findings.found > 0);
  }

  /** A field of the superblock. */
  superblock(field: U8 | U16 | U32): number {
    return field.get(
      this.store.view(this.#superblockBlock),
      this.#superblockAt,
    );
  }

  /** Stores a field of the superblock. */
  setSuperblock(field: U8 | U16 | U32, value: number): void {
    const block = this.store.modify(this.#superblockBlock);
    field.set(block, this.#superblockAt, value);
  }

  /** Whether a feature of `s_feature_compat` is set. */
  hasCompat(flag: number): boolean {
    return (this.superblock(SUPERBLOCK.s_feature_compat) & flag) !== 0;
  }

  /** Whether a feature of `s_feature_incompat` is set. */
  hasIncompat(flag: number): boolean {
    return (this.superblock(SUPERBLOCK.s_feature_incompat) & flag) !== 0;
  }

  /** A field of the descriptor of `group`. */
  descriptor(group: number, field: U16 | U32): number {
    const { block, at } = this.#descriptorPlace(group);
    return field.get(this.store.view(block), at);
  }

  /** Stores a field of the descriptor of `group`. */
  setDescriptor(group: number, field: U16 | U32, value: number): void {
    const { block, at } = this.#descriptorPlace(group);
    field.set(this.store.modify(block), at, value);
  }

  #descriptorPlace(group: number): InodePlace {
    const byte = group * GROUP_DESCRIPTOR_SIZE;
    const { blockSize, firstDataBlock } = this.geometry;
    return {
      block: firstDataBlock + 1 + Math.floor(byte / blockSize),
      at: byte % blockSize,
    };
  }

  /** Whether there is an inode of number `ino`. */
  isInode(ino: number): boolean {
    return ino >= 1 && ino <= this.geometry.inodesCount;
  }

  /** Where inode `ino`, which there is, is to be found. */
  inodePlace(ino: number): InodePlace {
    const { geometry } = this;
    const index = (ino - 1) % geometry.inodesPerGroup;
    return {
      block: this.inodeTables[geometry.groupOfInode(ino)] +
        Math.floor(index / geometry.inodesPerBlock),
      at: (index % geometry.inodesPerBlock) * geometry.inodeSize,
    };
  }

  /** A field of inode `ino`. */
  inode(ino: number, field: U8 | U16 | U32): number {
    const { block, at } = this.inodePlace(ino);
    return field.get(this.store.view(block), at);
  }

  /** Stores a field of inode `ino`. */
  setInode(ino: number, field: U8 | U16 | U32, value: number): void {
    const { block, at } = this.inodePlace(ino);
    field.set(this.store.modify(block), at, value);
  }

  /** View of inode `ino`, for reading. */
  inodeBytes(ino: number): Uint8Array {
    const { block, at } = this.inodePlace(ino);
    return this.store.view(block).subarray(at, at + this.geometry.inodeSize);
  }

  /** View of inode `ino`, for changing. */
  modifyInode(ino: number): Uint8Array {
    const { block, at } = this.inodePlace(ino);
    return this.store.modify(block).subarray(at, at + this.geometry.inodeSize);
  }

  /** Pointer `index` of the 15 of inode `ino`. */
  pointer(ino: number, index: number): number {
    const { block, at } = this.inodePlace(ino);
    const place = at + INODE.i_block.offset + 4 * index;
    return readU32(this.store.view(block), place);
  }

  /** Stores pointer `index` of the 15 of inode `ino`. */
  setPointer(ino: number, index: number, value: number): void {
    const { block, at } = this.inodePlace(ino);
    const place = at + INODE.i_block.offset + 4 * index;
    writeU32(this.store.modify(block), place, value);
  }

  /**
   * Marks inode `ino` as deleted. Its blocks, if it has claimed any, stay
   * claimed until the next round.
   */
  clearInode(ino: number): void {
    const bytes = this.modifyInode(ino);
    bytes.fill(0);
    INODE.i_dtime.set(bytes, 0, Math.max(1, this.now().sec));
    this.setKind(ino, 0);
  }

  /** `file_type` of inode `ino`; 0 if it is not in use. */
  kind(ino: number): number {
    const { inodesPerGroup } = this.geometry;
    const kinds = this.#kinds[Math.floor((ino - 1) / inodesPerGroup)];
    return kinds === undefined ? 0 : kinds[(ino - 1) % inodesPerGroup];
  }

  /** Notes the `file_type` of inode `ino`. */
  setKind(ino: number, kind: number): void {
    const { inodesPerGroup } = this.geometry;
    const group = Math.floor((ino - 1) / inodesPerGroup);
    if (kind === 0 && this.#kinds[group] === undefined) return;
    const kinds = this.#kinds[group] ??= new Uint8Array(inodesPerGroup);
    kinds[(ino - 1) % inodesPerGroup] = kind;
  }

  /** The kinds of the inodes of `group`; undefined if none is in use. */
  kindsOf(group: number): Uint8Array | undefined {
    return this.#kinds[group];
  }

  /** Whether the pointers of inode `ino`, which is in use, are pointers. */
  hasBlockMap(ino: number): boolean {
    const kind = this.kind(ino);
    return kind === fileTypeOf(S_IFREG) || kind === fileTypeOf(S_IFDIR) ||
      kind === fileTypeOf(S_IFLNK) &&
        this.inode(ino, INODE.i_size) >= INODE.i_block.size;
  }

  /** Entries that lead to inode `ino`. */
  links(ino: number): number {
    const { inodesPerGroup } = this.geometry;
    const links = this.#links[Math.floor((ino - 1) / inodesPerGroup)];
    return links === undefined ? 0 : links[(ino - 1) % inodesPerGroup];
  }

  /** Counts `delta` more entries that lead to inode `ino`. */
  addLinks(ino: number, delta: number): void {
    const { inodesPerGroup } = this.geometry;
    const group = Math.floor((ino - 1) / inodesPerGroup);
    const links = this.#links[group] ??= new Uint16Array(inodesPerGroup);
    const index = (ino - 1) % inodesPerGroup;
    links[index] = Math.min(Math.max(links[index] + delta, 0), 0xffff);
  }

  /** The inodes in use, in ascending order, those of the format included. */
  *inodesInUse(): Generator<number> {
    const { groupCount, inodesPerGroup } = this.geometry;
    for (let group = 0; group < groupCount; group++) {
      const kinds = this.#kinds[group];
      if (kinds === undefined) continue;
      const base = group * inodesPerGroup + 1;
      for (let i = 0; i < inodesPerGroup; i++) {
        if (kinds[i] !== 0) yield base + i;
      }
    }
  }

  /** Whether `block` is inside the volume and none of its own structures. */
  isDataBlock(block: number): boolean {
    const { geometry } = this;
    return block > geometry.firstDataBlock && block < geometry.blocksCount &&
      !this.isMetadata(block);
  }

  /** Whether `block`, which is inside the volume, is one of its structures. */
  isMetadata(block: number): boolean {
    const { geometry } = this;
    const group = geometry.groupOfBlock(block);
    const table = this.inodeTables[group];
    return block >= table && block < table + geometry.inodeTableBlocks ||
      block === this.blockBitmaps[group] ||
      block === this.inodeBitmaps[group] ||
      block - geometry.groupStart(group) < geometry.superblockOverhead(group);
  }
}
