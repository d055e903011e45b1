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
import type { BlockDevice } from "../bd/block_device.ts";
import { type Credentials, SUPERUSER, type Timestamp } from "./attributes.ts";
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
  #inTransaction = false;
  #credentials: Credentials = SUPERUSER;

  /** Opens the volume on `device`; throws if there is none that fits. */
  constructor(device: BlockDevice, options: VolumeOptions = {}) {
    this.#device = device;
    this.readOnly = device.readOnly || (options.readOnly ?? false);
    this.now = options.now ?? systemClock;
    this.generation = options.generation ?? randomGeneration;
    this.cache = new BlockCache(
      device,
      options.cacheSize ?? CACHE_SIZE_DEFAULT,
    );
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
   * it touched is put back as it was, and the error goes on. An operation that
   * is already inside another one is part of it.
   */
  transact<T>(fn: () => T, credentials: Credentials = SUPERUSER): T {
    if (this.#inTransaction) return fn();
    if (this.readOnly) throw new FsError("EROFS");
    this.#admit();
    this.cache.begin();
    this.#inTransaction = true;
    this.#credentials = credentials;
    let done = false;
    try {
      const result = fn();
      done = true;
      return result;
    } finally {
      this.#inTransaction = false;
      if (done) this.cache.commit();
      else if (this.cache.rollback()) this.names.clear();
    }
  }

  /** Makes room for what an operation may dirty; refuses it if it cannot. */
  #admit(): void {
    this.cache.safePoint();
    if (this.cache.overDirtyLimit) this.cache.writeBack();
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

  /** Writes every change to the device and waits until it is stable. */
  async flush(): Promise<void> {
    await this.cache.flush();
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

  /** Block of the bitmap of the blocks of `group`. */
  blockBitmap(group: number): number {
    return this.#metadata(group, GROUP_DESCRIPTOR.bg_block_bitmap, 1);
  }

  /** Block of the bitmap of the inodes of `group`. */
  inodeBitmap(group: number): number {
    return this.#metadata(group, GROUP_DESCRIPTOR.bg_inode_bitmap, 1);
  }

  /** First block of the inode table of `group`. */
  inodeTable(group: number): number {
    const length = this.geometry.inodeTableBlocks;
    return this.#metadata(group, GROUP_DESCRIPTOR.bg_inode_table, length);
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
    const table = this.inodeTable(group);
    const blockBitmap = this.blockBitmap(group);
    const inodeBitmap = this.inodeBitmap(group);
    return block < start + overhead && end > start ||
      block <= blockBitmap && blockBitmap < end ||
      block <= inodeBitmap && inodeBitmap < end ||
      block < table + geometry.inodeTableBlocks && table < end;
  }

  #metadata(group: number, field: U32, length: number): number {
    const { geometry } = this;
    const block = this.descriptor(group, field);
    const start = geometry.groupStart(group);
    if (
      block < start + geometry.superblockOverhead(group) ||
      block + length > start + geometry.groupSize(group)
    ) {
      throw new CorruptError("group descriptor: metadata outside its group", {
        block,
        group,
      });
    }
    return block;
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

function systemClock(): Timestamp {
  const ms = Date.now();
  const sec = Math.floor(ms / 1000);
  return { sec, nsec: (ms - sec * 1000) * 1_000_000 };
}
