/**
 * The volume: what every part of the engine stands on. It gives the
 * superblock, the group descriptors and the blocks, and it owns
 * {@link Volume.transact}, the only way to change any of them.
 *
 * Invariants:
 * - Nothing decoded outlives an operation but the {@link Geometry}, which
 *   never changes. Counters and bitmaps are read from cached blocks each time,
 *   so undoing a block undoes everything that was in it.
 * - A change happens inside `transact` or not at all.
 *
 * @module
 */

import { BlockCache } from "../bd/cache.ts";
import { Committer } from "../bd/committer.ts";
import type { BlockDevice } from "../bd/block_device.ts";
import { type Credentials, SUPERUSER, type Timestamp } from "./attributes.ts";
import { systemTime } from "./attributes.ts";
import { GROUP_DESCRIPTOR, GROUP_DESCRIPTOR_SIZE } from "./block_group.ts";
import { CorruptError, FsError } from "./errors.ts";
import { Geometry } from "./geometry.ts";
import type { U16, U32, U8 } from "./layout.ts";
import { NameIndex } from "./name_index.ts";
import { OpenFiles } from "./open_files.ts";
import {
  probeBlockSize,
  SUPERBLOCK,
  superblockAt,
  superblockBlock,
} from "./superblock.ts";

/** How a volume is to be opened. */
export interface VolumeOptions {
  /** Refuse changes; implied by a read-only device. */
  readOnly?: boolean;
  /** Size of the block cache, in bytes; 64 MiB if absent. */
  cacheSize?: number;
  /** The clock; the system's if absent. */
  now?: () => Timestamp;
  /** Source of inode generations, 32 bits each; random if absent. */
  generation?: () => number;
}

/** Where the fixed metadata of a group is. */
export interface GroupMetadata {
  /** Block of the bitmap of its blocks. */
  readonly blockBitmap: number;
  /** Block of the bitmap of its inodes. */
  readonly inodeBitmap: number;
  /** First block of its inode table. */
  readonly inodeTable: number;
}

/** Most bytes that one operation writes, in bytes. */
const TRANSFER_MAX = 1 << 20;
/** Size of the block cache where none is given, in bytes. */
const CACHE_SIZE_DEFAULT = 64 << 20;

/** See the module. */
export class Volume {
  /** What never changes. */
  readonly geometry: Geometry;
  /** The cached blocks. */
  readonly cache: BlockCache;
  /** Names of large directories. */
  readonly names: NameIndex = new NameIndex();
  /** Files that are open. */
  readonly openFiles: OpenFiles = new OpenFiles();
  /** What comes before each inode of the orphan list, 0 for its head. */
  readonly orphanLinks: Map<number, number> = new Map();
  /** Inodes on the orphan list whose work is to be finished. */
  readonly unfinished: Set<number> = new Set();
  /** The clock. */
  readonly now: () => Timestamp;
  /** The generation of the next inode, 32 bits. */
  readonly generation: () => number;
  /** True if changes are refused; a reason to refuse may be found later. */
  readOnly: boolean;
  readonly #device: BlockDevice;
  readonly #superblockBlock: number;
  readonly #superblockAt: number;
  readonly #committer: Committer;
  #credentials: Credentials = SUPERUSER;

  /** Opens the volume on `device`; throws if there is none that fits. */
  constructor(device: BlockDevice, options: VolumeOptions = {}) {
    this.#device = device;
    this.readOnly = device.readOnly || (options.readOnly ?? false);
    this.now = options.now ?? systemTime;
    this.generation = options.generation ?? randomGeneration;
    const { cacheSize = CACHE_SIZE_DEFAULT } = options;
    this.cache = new BlockCache(device, cacheSize);
    const cacheBlocks = cacheSize / device.blockSize;
    this.#committer = new Committer(this.cache, device, { cacheBlocks });
    const head = new Uint8Array(4096);
    device.read(0, head.subarray(0, Math.max(device.blockSize, 2048)));
    const blockSize = probeBlockSize(head);
    if (blockSize !== device.blockSize) {
      throw new FsError(
        "EINVAL",
        `the volume has blocks of ${blockSize} bytes, ` +
          `the device is opened with ${device.blockSize}`,
      );
    }
    this.#superblockBlock = superblockBlock(blockSize);
    this.#superblockAt = superblockAt(blockSize);
    this.geometry = new Geometry(this.#superblock(), this.#superblockAt);
    if (this.geometry.blocksCount > device.blockCount) {
      throw new CorruptError(
        `the superblock counts ${this.geometry.blocksCount} blocks, ` +
          `the device has ${device.blockCount}: it was cut short`,
      );
    }
  }

  /**
   * Runs one operation that may change the volume. If `fn` throws, every block
   * it touched is put back as it was, and the error goes on. Transactions
   * do not nest.
   */
  transact<T>(fn: () => T, credentials: Credentials = SUPERUSER): T {
    this.#admit();
    this.cache.begin();
    this.#credentials = credentials;
    let done = false;
    try {
      const result = fn();
      done = true;
      return result;
    } finally {
      if (done) {
        this.cache.commit();
        this.names.commit();
      } else {
        this.cache.rollback();
        this.names.rollback();
        this.orphanLinks.clear();
      }
    }
  }

  /** Makes room for what an operation may dirty; refuses it if it cannot. */
  #admit(): void {
    if (this.readOnly) throw new FsError("EROFS");
    const { failure, isAtomic } = this.#committer;
    if (failure && isAtomic) {
      throw new FsError(
        "EROFS",
        "the last commit failed: read-only until one succeeds (sync)",
      );
    }
    this.cache.safePoint();
    if (this.#committer.admit()) return;
    throw new FsError(
      "EAGAIN",
      "more changes are waiting than one commit holds: wait for room()",
    );
  }

  /** For whom the running operation is done. */
  get credentials(): Credentials {
    return this.#credentials;
  }

  /** Whether the running operation may take blocks from the reserve. */
  get mayUseReserve(): boolean {
    const { uid, gid, groups = [] } = this.#credentials;
    if (uid === 0 || uid === this.superblock(SUPERBLOCK.s_def_resuid)) {
      return true;
    }
    const reserved = this.superblock(SUPERBLOCK.s_def_resgid);
    return reserved !== 0 && (gid === reserved || groups.includes(reserved));
  }

  /** Whether a flush takes effect as a whole or not at all. */
  get isAtomic(): boolean {
    return this.#committer.isAtomic;
  }

  /** The most bytes that one operation may write. */
  get transferMax(): number {
    const { operationBlocksMax } = this.#committer;
    return Math.min(TRANSFER_MAX, operationBlocksMax * this.#device.blockSize);
  }

  /** See {@link Committer.room}. */
  room(): Promise<void> | null {
    return this.#committer.room();
  }

  /**
   * Makes every change durable; see {@link Committer.commit}. A block that
   * cannot be written makes this fail, and keeps no other from it.
   */
  flush(): Promise<void> {
    return this.#committer.commit();
  }

  /** Brings what was flushed to its place, where the device puts that off. */
  async settle(): Promise<void> {
    await this.#device.settle?.();
  }

  /** Gives up the device. */
  close(): void {
    this.#device.close();
  }

  /** A field of the superblock. */
  superblock(field: U8 | U16 | U32): number {
    return field.get(this.#superblock(), this.#superblockAt);
  }

  /** A field of the superblock that is an array of bytes; a copy. */
  superblockBytes(field: keyof typeof SUPERBLOCK): Uint8Array {
    const { offset, size } = SUPERBLOCK[field];
    const at = this.#superblockAt + offset;
    return this.#superblock().slice(at, at + size);
  }

  /** Stores a field of the superblock. */
  setSuperblock(field: U8 | U16 | U32, value: number): void {
    const block = this.cache.modify(this.#superblockBlock);
    field.set(block, this.#superblockAt, value);
  }

  /** Adds `delta` to a counter of the superblock. */
  addToSuperblock(field: U32, delta: number): void {
    const value = this.superblock(field) + delta;
    if (value < 0) throw new CorruptError("superblock: a counter is too low");
    this.setSuperblock(field, value);
  }

  /** A field of the descriptor of `group`. */
  descriptor(group: number, field: U16 | U32): number {
    const { block, at } = this.#descriptorPlace(group);
    return field.get(this.cache.read(block), at);
  }

  /** Adds `delta` to a counter of the descriptor of `group`. */
  addToDescriptor(group: number, field: U16, delta: number): void {
    const { block, at } = this.#descriptorPlace(group);
    const bytes = this.cache.modify(block);
    const value = field.get(bytes, at) + delta;
    if (value < 0 || value > 0xffff) {
      throw new CorruptError("group descriptor: a counter is off", { group });
    }
    field.set(bytes, at, value);
  }

  /**
   * Where the bitmaps and the inode table of `group` are. Throws
   * {@link CorruptError} unless they lie in the group and apart.
   */
  groupMetadata(group: number): GroupMetadata {
    const { geometry } = this;
    const { block, at } = this.#descriptorPlace(group);
    const bytes = this.cache.read(block);
    const blockBitmap = GROUP_DESCRIPTOR.bg_block_bitmap.get(bytes, at);
    const inodeBitmap = GROUP_DESCRIPTOR.bg_inode_bitmap.get(bytes, at);
    const inodeTable = GROUP_DESCRIPTOR.bg_inode_table.get(bytes, at);
    const tableEnd = inodeTable + geometry.inodeTableBlocks;
    const start = geometry.groupStart(group);
    const first = start + geometry.superblockOverhead(group);
    const end = start + geometry.groupSize(group);
    const isInside = blockBitmap >= first && blockBitmap < end &&
      inodeBitmap >= first && inodeBitmap < end &&
      inodeTable >= first && tableEnd <= end;
    const isApart = blockBitmap !== inodeBitmap &&
      !(blockBitmap >= inodeTable && blockBitmap < tableEnd) &&
      !(inodeBitmap >= inodeTable && inodeBitmap < tableEnd);
    if (isInside && isApart) return { blockBitmap, inodeBitmap, inodeTable };
    throw new CorruptError("group descriptor: metadata in a wrong place", {
      block,
      group,
    });
  }

  /**
   * Throws {@link CorruptError} unless the `count` blocks from `block` on can
   * hold a file's data: inside the volume, and not where its own structures
   * are. `inode` is named in the error.
   */
  checkDataBlocks(block: number, count: number, inode: number): void {
    const { geometry } = this;
    const end = block + count;
    if (block <= geometry.firstDataBlock || end > geometry.blocksCount) {
      throw new CorruptError("block pointer outside the volume", {
        block,
        inode,
      });
    }
    const last = geometry.groupOfBlock(end - 1);
    for (let group = geometry.groupOfBlock(block); group <= last; group++) {
      if (this.#touchesMetadata(group, block, end)) {
        throw new CorruptError("block pointer into the volume's metadata", {
          block,
          inode,
        });
      }
    }
  }

  #touchesMetadata(group: number, block: number, end: number): boolean {
    const { geometry } = this;
    const overhead = geometry.superblockOverhead(group);
    const start = geometry.groupStart(group);
    const { blockBitmap, inodeBitmap, inodeTable } = this.groupMetadata(group);
    return block < start + overhead && end > start ||
      block <= blockBitmap && blockBitmap < end ||
      block <= inodeBitmap && inodeBitmap < end ||
      block < inodeTable + geometry.inodeTableBlocks && inodeTable < end;
  }

  #descriptorPlace(group: number): { block: number; at: number } {
    const byte = group * GROUP_DESCRIPTOR_SIZE;
    const { blockSize, firstDataBlock } = this.geometry;
    return {
      block: firstDataBlock + 1 + Math.floor(byte / blockSize),
      at: byte % blockSize,
    };
  }

  #superblock(): Uint8Array {
    return this.cache.read(this.#superblockBlock);
  }
}

function randomGeneration(): number {
  return Math.floor(Math.random() * 2 ** 32);
}
