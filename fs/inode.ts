/**
 * The inode: what is known of one file, and where its blocks are.
 *
 * After the Linux kernel's "ext4 Data Structures and Algorithms", section 3.1
 * (Index Nodes). Of 256-byte inodes the part behind the first 128 bytes holds
 * nanoseconds and the time of birth, then extended attributes.
 *
 * @module
 */

import {
  type Attributes,
  type DeviceNumber,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  type Timestamp,
} from "./attributes.ts";
import { CorruptError, FsError } from "./errors.ts";
import { bytes, readU32, u16, u32, type U8, writeU32 } from "./layout.ts";
import type { U16, U32 } from "./layout.ts";
import type { Volume } from "./volume.ts";

/** Size of the part of an inode that every revision has, in bytes. */
export const INODE_BASE_SIZE = 128;
/** `i_extra_isize` of new inodes: everything up to `i_projid`. */
export const INODE_EXTRA_SIZE = 32;

/** The fields of an inode. */
export const INODE = {
  /** Kind and permissions. */
  i_mode: u16(0),
  /** Owner, low half. */
  i_uid: u16(2),
  /** Size in bytes, low half. */
  i_size: u32(4),
  /** Last read, seconds. */
  i_atime: u32(8),
  /** Last change of attributes, seconds. */
  i_ctime: u32(12),
  /** Last change of contents, seconds. */
  i_mtime: u32(16),
  /** Deletion, seconds; on the orphan list, the next inode of the list. */
  i_dtime: u32(20),
  /** Group, low half. */
  i_gid: u16(24),
  /** Number of names. */
  i_links_count: u16(26),
  /** Space taken, in units of 512 bytes. */
  i_blocks: u32(28),
  /** Flags. */
  i_flags: u32(32),
  /** Version, low half; for NFS. */
  i_version: u32(36),
  /** 12 direct pointers, then indirect, double, triple; or a symlink. */
  i_block: bytes(40, 60),
  /** Generation. */
  i_generation: u32(100),
  /** Block of extended attributes. */
  i_file_acl: u32(104),
  /** Size in bytes, high half; of directories, unused. */
  i_size_high: u32(108),
  /** Fragment address; unused. */
  i_faddr: u32(112),
  /** Space taken, high part, with huge_file. */
  i_blocks_high: u16(116),
  /** Attribute block, high part, with 64bit. */
  i_file_acl_high: u16(118),
  /** Owner, high half. */
  i_uid_high: u16(120),
  /** Group, high half. */
  i_gid_high: u16(122),
  /** Checksum, low half, with metadata_csum. */
  i_checksum_lo: u16(124),
  /** Reserved. */
  i_reserved: u16(126),
  /** Bytes in use behind the first 128. */
  i_extra_isize: u16(128),
  /** Checksum, high half, with metadata_csum. */
  i_checksum_hi: u16(130),
  /** ctime: 30 bits of nanoseconds, 2 bits of epoch. */
  i_ctime_extra: u32(132),
  /** mtime: likewise. */
  i_mtime_extra: u32(136),
  /** atime: likewise. */
  i_atime_extra: u32(140),
  /** Creation, seconds. */
  i_crtime: u32(144),
  /** Creation: nanoseconds and epoch. */
  i_crtime_extra: u32(148),
  /** Version, high half. */
  i_version_hi: u32(152),
  /** Project, with project quotas. */
  i_projid: u32(156),
} as const;

/** `i_flags`: cannot be changed. */
export const IMMUTABLE_FL = 0x10;
/** `i_flags`: can only be appended to. */
export const APPEND_FL = 0x20;
/** `i_flags`: atime is not kept. */
export const NOATIME_FL = 0x80;
/** `i_flags`: the directory has a hash tree. */
export const INDEX_FL = 0x1000;
/** The flags a user may set (`EXT2_FL_USER_MODIFIABLE`). */
export const USER_FLAGS = 0x000380ff;

/** The times of an inode. */
export type TimeName = "atime" | "ctime" | "mtime" | "crtime";

const TIME_FIELDS = {
  atime: { sec: INODE.i_atime, extra: INODE.i_atime_extra },
  ctime: { sec: INODE.i_ctime, extra: INODE.i_ctime_extra },
  mtime: { sec: INODE.i_mtime, extra: INODE.i_mtime_extra },
  crtime: { sec: INODE.i_crtime, extra: INODE.i_crtime_extra },
} as const;

/**
 * A view of one inode. It holds no copy: each access goes to the cached block
 * of the inode table, so a view is right at any time within an operation.
 */
export class Inode {
  /** The volume. */
  readonly volume: Volume;
  /** Inode number. */
  readonly number: number;
  /** Block of the inode table that holds it. */
  readonly tableBlock: number;
  /** Byte in that block at which it starts. */
  readonly at: number;

  /** Finds inode `number`; whether it is in use is not looked at. */
  constructor(volume: Volume, number: number) {
    const { geometry } = volume;
    if (!(number >= 1 && number <= geometry.inodesCount)) {
      throw new CorruptError("inode number out of range", { inode: number });
    }
    const index = (number - 1) % geometry.inodesPerGroup;
    const inTable = Math.floor(index / geometry.inodesPerBlock);
    this.volume = volume;
    this.number = number;
    this.tableBlock =
      volume.groupMetadata(geometry.groupOfInode(number)).inodeTable +
      inTable;
    this.at = (index % geometry.inodesPerBlock) * geometry.inodeSize;
  }

  /** A field. */
  get(field: U8 | U16 | U32): number {
    return field.get(this.volume.cache.read(this.tableBlock), this.at);
  }

  /** Stores a field. */
  set(field: U8 | U16 | U32, value: number): void {
    field.set(this.volume.cache.modify(this.tableBlock), this.at, value);
  }

  /** View of the whole inode, for reading. */
  bytes(): Uint8Array {
    const block = this.volume.cache.read(this.tableBlock);
    return block.subarray(this.at, this.at + this.volume.geometry.inodeSize);
  }

  /** View of the whole inode, for changing. */
  modify(): Uint8Array {
    const block = this.volume.cache.modify(this.tableBlock);
    return block.subarray(this.at, this.at + this.volume.geometry.inodeSize);
  }

  /** Kind, set-id bits and permissions. */
  get mode(): number {
    return this.get(INODE.i_mode);
  }
  set mode(value: number) {
    this.set(INODE.i_mode, value);
  }

  /** `S_IF…`. */
  get kind(): number {
    return this.mode & S_IFMT;
  }

  /** True for a directory. */
  get isDirectory(): boolean {
    return this.kind === S_IFDIR;
  }

  /** Number of names. */
  get links(): number {
    return this.get(INODE.i_links_count);
  }
  set links(value: number) {
    this.set(INODE.i_links_count, value);
  }

  /** Owner, 32 bits. */
  get uid(): number {
    return this.get(INODE.i_uid) + this.get(INODE.i_uid_high) * 0x10000;
  }
  set uid(value: number) {
    this.set(INODE.i_uid, value & 0xffff);
    this.set(INODE.i_uid_high, value >>> 16);
  }

  /** Group, 32 bits. */
  get gid(): number {
    return this.get(INODE.i_gid) + this.get(INODE.i_gid_high) * 0x10000;
  }
  set gid(value: number) {
    this.set(INODE.i_gid, value & 0xffff);
    this.set(INODE.i_gid_high, value >>> 16);
  }

  /** Size in bytes. Of all but regular files only the low half counts. */
  get size(): number {
    const low = this.get(INODE.i_size);
    if (this.kind !== S_IFREG) return low;
    const size = low + this.get(INODE.i_size_high) * 2 ** 32;
    if (size > this.volume.geometry.fileSizeMax) {
      throw new CorruptError("i_size is beyond the format's limit", {
        inode: this.number,
      });
    }
    return size;
  }
  set size(value: number) {
    this.set(INODE.i_size, value % 2 ** 32);
    if (this.kind === S_IFREG) {
      this.set(INODE.i_size_high, Math.floor(value / 2 ** 32));
    }
  }

  /** Adds to the space taken, counted in blocks of the volume. */
  addBlocks(count: number): void {
    const units = count * (this.volume.geometry.blockSize / 512);
    const value = this.get(INODE.i_blocks) + units;
    if (value < 0 || value > 0xffffffff) {
      throw new CorruptError("i_blocks is off", { inode: this.number });
    }
    this.set(INODE.i_blocks, value);
  }

  /** Pointer `index` of the 15 in `i_block`. */
  pointer(index: number): number {
    const block = this.volume.cache.read(this.tableBlock);
    return readU32(block, this.at + INODE.i_block.offset + 4 * index);
  }

  /** Stores pointer `index` of the 15 in `i_block`. */
  setPointer(index: number, value: number): void {
    const block = this.volume.cache.modify(this.tableBlock);
    writeU32(block, this.at + INODE.i_block.offset + 4 * index, value);
  }

  /** Bytes in use behind the first 128; 0 where there are none. */
  get extraSize(): number {
    const room = this.volume.geometry.inodeSize - INODE_BASE_SIZE;
    if (room === 0) return 0;
    const size = this.get(INODE.i_extra_isize);
    if (size > room || size % 4 !== 0) {
      throw new CorruptError("i_extra_isize is off", { inode: this.number });
    }
    return size;
  }

  /** Whether the inode has room for `field` of its extra part. */
  #holds(field: U32): boolean {
    return INODE_BASE_SIZE + this.extraSize >= field.offset + field.size;
  }

  /** One of the four times; null where the inode has no room for it. */
  time(name: TimeName): Timestamp | null {
    const { sec, extra } = TIME_FIELDS[name];
    if (name === "crtime" && !this.#holds(sec)) return null;
    const seconds = this.get(sec) | 0;
    if (!this.#holds(extra)) return { sec: seconds, nsec: 0 };
    const more = this.get(extra);
    const nsec = Math.min(more >>> 2, 999_999_999);
    return { sec: seconds + (more & 3) * 2 ** 32, nsec };
  }

  /**
   * Stores one of the four times, as far as the inode has room. A point in
   * time the inode cannot hold becomes the nearest that it can.
   */
  setTime(name: TimeName, time: Timestamp): void {
    const { sec, extra } = TIME_FIELDS[name];
    if (name === "crtime" && !this.#holds(sec)) return;
    const fine = this.#holds(extra);
    const last = fine ? 2 ** 34 - 2 ** 31 - 1 : 2 ** 31 - 1;
    const seconds = Math.min(Math.max(time.sec, -(2 ** 31)), last);
    this.set(sec, seconds >>> 0);
    if (!fine) return;
    const epoch = Math.floor((seconds + 2 ** 31) / 2 ** 32);
    this.set(extra, (time.nsec << 2 | epoch) >>> 0);
  }

  /** Sets the named times to the present. */
  touch(...names: TimeName[]): void {
    const now = this.volume.now();
    for (const name of names) this.setTime(name, now);
  }

  /** Number of a device node, in either of the two encodings ext2 has. */
  get rdev(): DeviceNumber {
    if (this.kind !== S_IFBLK && this.kind !== S_IFCHR) {
      return { major: 0, minor: 0 };
    }
    const old = this.pointer(0);
    if (old !== 0) return { major: old >>> 8 & 0xff, minor: old & 0xff };
    const dev = this.pointer(1);
    return {
      major: dev >>> 8 & 0xfff,
      minor: dev & 0xff | dev >>> 12 & 0xfff00,
    };
  }
  set rdev({ major, minor }: DeviceNumber) {
    if (!(major >= 0 && major < 1 << 12 && minor >= 0 && minor < 1 << 20)) {
      throw new FsError("EINVAL", `device number ${major}:${minor}`);
    }
    const isOld = major < 256 && minor < 256;
    const dev = minor & 0xff | major << 8 | (minor & 0xfff00) << 12;
    this.setPointer(0, isOld ? major << 8 | minor : 0);
    this.setPointer(1, isOld ? 0 : dev);
  }

  /** Everything `stat` tells. */
  attributes(): Attributes {
    return {
      ino: this.number,
      generation: this.get(INODE.i_generation),
      mode: this.mode,
      nlink: this.links,
      uid: this.uid,
      gid: this.gid,
      rdev: this.rdev,
      size: this.size,
      blocks: this.get(INODE.i_blocks),
      atime: this.time("atime")!,
      mtime: this.time("mtime")!,
      ctime: this.time("ctime")!,
      birthtime: this.time("crtime"),
      flags: this.get(INODE.i_flags),
    };
  }
}

/**
 * Throws {@link FsError} `EPERM` if the flags of `inode` forbid to change it;
 * `isAppend` says that the change only adds to the end of the file.
 */
export function checkMutable(inode: Inode, isAppend = false): void {
  const frozen = isAppend ? IMMUTABLE_FL : IMMUTABLE_FL | APPEND_FL;
  if ((inode.get(INODE.i_flags) & frozen) !== 0) {
    throw new FsError("EPERM", "the file is immutable or append-only");
  }
}
