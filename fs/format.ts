/**
 * Making an empty volume.
 *
 * Each group holds, in this order: a copy of the superblock and the group
 * descriptor table (in the groups that have one), the bitmap of its blocks,
 * the bitmap of its inodes, its inode table, and data. The root directory and
 * `lost+found` are the first data of group 0.
 *
 * After the Linux kernel's "ext4 Data Structures and Algorithms", chapter 2
 * (Global Structures); what is free to choose is as mke2fs(8) has it.
 *
 * @module
 */

import type { BlockDevice } from "../bd/block_device.ts";
import { systemTime, type Timestamp } from "./attributes.ts";
import { setBits } from "./bitmap.ts";
import { GROUP_DESCRIPTOR, GROUP_DESCRIPTOR_SIZE } from "./block_group.ts";
import { FsError } from "./errors.ts";
import { Geometry } from "./geometry.ts";
import {
  buildSuperblock,
  type FormatSettings,
  lostAndFoundBlocks,
} from "./_format_plan.ts";
import { FirstDirectories } from "./_format_directories.ts";
import { SUPERBLOCK, superblockAt } from "./superblock.ts";

/** What a new volume is to be like. */
export interface FormatOptions {
  /** 0 for the original format without features; 1 if absent. */
  revision?: 0 | 1;
  /** Size of an inode in bytes; 256 if absent, always 128 in revision 0. */
  inodeSize?: 128 | 256;
  /**
   * Least number of inodes. If absent, one for each 8 KiB of a volume below
   * 512 MiB, one for each 16 KiB of a larger one.
   */
  inodeCount?: number;
  /** Blocks kept for the superuser, in percent, 0 to 50; 5 if absent. */
  reservedPercent?: number;
  /** Label, at most 16 bytes of UTF-8; empty if absent. */
  label?: string;
  /** UUID, 16 bytes; random if absent. */
  uuid?: Uint8Array;
  /** Seed of the directory hash, 16 bytes; random if absent. */
  hashSeed?: Uint8Array;
  /** Stamp of superblock, root and `lost+found`; the present if absent. */
  now?: Timestamp;
  /** The device reads as zeros everywhere: zeros need not be written. */
  blank?: boolean;
}

/** Bytes of one write of zeros at most. */
const ZERO_RUN_MAX = 1 << 20;
/** Inodes that belong to the format or to the first two directories. */
const INODES_USED = 11;

/**
 * Makes an empty volume on `device`, with the device's block size and at most
 * its size: a last group too short to be of use is left out. It holds the root
 * directory and an empty `lost+found`, both owned by the superuser. What was
 * on the device is lost. The caller flushes the device.
 *
 * Throws {@link FsError} `EINVAL` for options that make no volume, `ENOSPC`
 * for a device that is too small, and what the device throws.
 *
 * @example A volume in memory
 * ```ts
 * import { MemoryDevice } from "../bd/memory.ts";
 * import { format } from "./format.ts";
 *
 * const device = new MemoryDevice(4096, 4096);
 * format(device, { label: "scratch", blank: true });
 * ```
 */
export function format(device: BlockDevice, options: FormatOptions = {}): void {
  if (device.readOnly) {
    throw new FsError("EROFS", "Cannot format: the device is read-only");
  }
  const settings = checkOptions(device, options);
  const superblock = buildSuperblock(device.blockCount, settings);
  const geometry = new Geometry(superblock, 0);
  const directories = new FirstDirectories(geometry, settings.now);
  const descriptors = buildDescriptors(geometry);
  let free = 0;
  for (let group = 0; group < geometry.groupCount; group++) {
    free += GROUP_DESCRIPTOR.bg_free_blocks_count.get(
      descriptors,
      group * GROUP_DESCRIPTOR_SIZE,
    );
  }
  SUPERBLOCK.s_free_blocks_count.set(superblock, 0, free);
  SUPERBLOCK.s_free_inodes_count.set(
    superblock,
    0,
    geometry.inodesCount - INODES_USED,
  );
  const writer = new GroupWriter(device, geometry, superblock, descriptors);
  // The primary superblock comes last, and an old one is wiped first: a volume
  // that is half made is not taken for one.
  if (!options.blank) writer.zero(0, geometry.firstDataBlock + 1);
  for (let group = geometry.groupCount - 1; group >= 0; group--) {
    if (!options.blank) writer.zeroInodeTable(group);
    if (group === 0) directories.write(device);
    writer.writeHead(group);
  }
}

function checkOptions(
  device: BlockDevice,
  options: FormatOptions,
): FormatSettings {
  const check = (holds: boolean, rule: string): void => {
    if (!holds) throw new FsError("EINVAL", `Cannot format: ${rule}`);
  };
  const { revision = 1, reservedPercent = 5 } = options;
  const inodeSize = options.inodeSize ?? (revision === 0 ? 128 : 256);
  const label = new TextEncoder().encode(options.label ?? "");
  const uuid = options.uuid ?? randomUuid();
  const hashSeed = options.hashSeed ?? randomUuid();
  check(
    [1024, 2048, 4096].includes(device.blockSize),
    `blocks of ${device.blockSize} bytes; use 1024, 2048 or 4096`,
  );
  check(revision === 0 || revision === 1, `revision ${revision}; use 0 or 1`);
  check(
    inodeSize === 128 || inodeSize === 256 && revision === 1,
    `inodes of ${inodeSize} bytes; revision 1 has 128 or 256, revision 0 128`,
  );
  check(
    reservedPercent >= 0 && reservedPercent <= 50,
    `${reservedPercent} percent reserved; use 0 to 50`,
  );
  check(label.length <= 16, "the label is longer than 16 bytes");
  check(!label.includes(0), "the label holds a NUL");
  check(uuid.length === 16, "the UUID is not 16 bytes long");
  check(hashSeed.length === 16, "the hash seed is not 16 bytes long");
  const { inodeCount } = options;
  check(
    inodeCount === undefined || Number.isInteger(inodeCount) && inodeCount > 0,
    `${inodeCount} inodes; use a whole number from 1`,
  );
  return {
    blockSize: device.blockSize,
    revision,
    inodeSize,
    inodeCount,
    reservedPercent,
    label,
    uuid,
    hashSeed,
    now: options.now ?? systemTime(),
  };
}

/** A random UUID, of version 4 (RFC 9562, section 5.4). */
function randomUuid(): Uint8Array {
  const uuid = crypto.getRandomValues(new Uint8Array(16));
  uuid[6] = uuid[6] & 0x0f | 0x40;
  uuid[8] = uuid[8] & 0x3f | 0x80;
  return uuid;
}

/** The descriptor table, filled up to whole blocks. */
function buildDescriptors(geometry: Geometry): Uint8Array {
  const { descriptorBlocks, blockSize } = geometry;
  const table = new Uint8Array(descriptorBlocks * blockSize);
  const d = GROUP_DESCRIPTOR;
  for (let group = 0; group < geometry.groupCount; group++) {
    const at = group * GROUP_DESCRIPTOR_SIZE;
    const bitmaps = geometry.groupStart(group) +
      geometry.superblockOverhead(group);
    d.bg_block_bitmap.set(table, at, bitmaps);
    d.bg_inode_bitmap.set(table, at, bitmaps + 1);
    d.bg_inode_table.set(table, at, bitmaps + 2);
    d.bg_free_blocks_count.set(
      table,
      at,
      geometry.groupSize(group) - blocksUsed(geometry, group),
    );
    d.bg_free_inodes_count.set(
      table,
      at,
      geometry.inodesPerGroup - (group === 0 ? INODES_USED : 0),
    );
    d.bg_used_dirs_count.set(table, at, group === 0 ? 2 : 0);
  }
  return table;
}

/** Blocks at the start of `group` that a new volume uses. */
function blocksUsed(geometry: Geometry, group: number): number {
  const overhead = geometry.groupOverhead(group);
  if (group > 0) return overhead;
  return overhead + 1 + lostAndFoundBlocks(geometry.blockSize);
}

/** Writes the metadata of groups. */
class GroupWriter {
  readonly #device: BlockDevice;
  readonly #geometry: Geometry;
  readonly #superblock: Uint8Array;
  readonly #descriptors: Uint8Array;
  #zeros: Uint8Array | null = null;

  constructor(
    device: BlockDevice,
    geometry: Geometry,
    superblock: Uint8Array,
    descriptors: Uint8Array,
  ) {
    this.#device = device;
    this.#geometry = geometry;
    this.#superblock = superblock;
    this.#descriptors = descriptors;
  }

  /** Writes what lies before the inode table of `group`, in one write. */
  writeHead(group: number): void {
    const geometry = this.#geometry;
    const { blockSize } = geometry;
    const overhead = geometry.superblockOverhead(group);
    const head = new Uint8Array((overhead + 2) * blockSize);
    if (overhead > 0) {
      const at = group === 0 ? superblockAt(blockSize) : 0;
      head.set(this.#superblock, at);
      if (group > 0) this.#markBackup(head, group);
      head.set(this.#descriptors, blockSize);
    }
    const blockBitmap = head.subarray(overhead * blockSize).subarray(
      0,
      blockSize,
    );
    setBits(blockBitmap, 0, blocksUsed(geometry, group));
    // The bits past the group's end are padding, and set.
    setRest(blockBitmap, geometry.groupSize(group));
    const inodeBitmap = head.subarray((overhead + 1) * blockSize);
    if (group === 0) setBits(inodeBitmap, 0, INODES_USED);
    setRest(inodeBitmap, geometry.inodesPerGroup);
    this.#device.write(geometry.groupStart(group), head);
  }

  /**
   * Marks the superblock copy at the start of `head` as one. A backup is not
   * marked clean: its counters age, so a volume that is recovered from one
   * must be checked.
   */
  #markBackup(head: Uint8Array, group: number): void {
    SUPERBLOCK.s_state.set(head, 0, 0);
    if (this.#geometry.revision === 0) return;
    SUPERBLOCK.s_block_group_nr.set(head, 0, group);
  }

  /** Fills the inode table of `group` with zeros. */
  zeroInodeTable(group: number): void {
    const geometry = this.#geometry;
    const start = geometry.groupStart(group) +
      geometry.superblockOverhead(group) + 2;
    this.zero(start, geometry.inodeTableBlocks);
  }

  /** Fills `count` blocks from `start` on with zeros. */
  zero(start: number, count: number): void {
    const { blockSize } = this.#geometry;
    this.#zeros ??= new Uint8Array(ZERO_RUN_MAX);
    const most = ZERO_RUN_MAX / blockSize;
    for (let done = 0; done < count;) {
      const run = Math.min(count - done, most);
      this.#device.write(
        start + done,
        this.#zeros.subarray(0, run * blockSize),
      );
      done += run;
    }
  }
}

/** Sets every bit from `index` on. */
function setRest(bitmap: Uint8Array, index: number): void {
  setBits(bitmap, index, 8 * bitmap.length - index);
}
