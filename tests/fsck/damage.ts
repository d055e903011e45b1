/**
 * What can be done to the bytes of a volume: fields of its structures, bits of
 * its bitmaps, entries of its directories, pointers of its maps.
 *
 * It reads the volume by the tables of the format alone, so that damage can be
 * done to what is damaged already.
 *
 * @module
 */

import type { BlockDevice } from "../../bd/block_device.ts";
import { GROUP_DESCRIPTOR } from "../../fs/block_group.ts";
import { DIRECTORY_ENTRY, entrySize } from "../../fs/directory_entry.ts";
import { Geometry } from "../../fs/geometry.ts";
import { INODE } from "../../fs/inode.ts";
import {
  type Bytes,
  readU32,
  type U16,
  type U32,
  type U8,
  writeU32,
} from "../../fs/layout.ts";
import { SUPERBLOCK, superblockAt } from "../../fs/superblock.ts";
import type { Specimen } from "./specimen.ts";

/** A new value, or what makes it of the old one. */
export type Value = number | ((old: number) => number);
/** The numbers of a table of fields. */
type Numbers<T> = {
  [K in keyof T]: T[K] extends Bytes ? never : K;
}[keyof T];
/** A field that is a number. */
type NumberField = U8 | U16 | U32;

/** A place on the volume. */
export interface Place {
  /** The block. */
  readonly block: number;
  /** The byte in it. */
  readonly at: number;
}

/** A volume that is being damaged. */
export class Damage {
  /** How the volume is laid out. */
  readonly geometry: Geometry;
  /** Inode numbers by path. */
  readonly inodes: Readonly<Record<string, number>>;
  /** Size of a block, in bytes. */
  readonly blockSize: number;

  /** Damages `device`, which holds what the specimen does. */
  constructor(
    readonly device: BlockDevice,
    readonly specimen: Pick<Specimen, "inodes" | "hasFeatures">,
  ) {
    this.blockSize = device.blockSize;
    this.inodes = specimen.inodes;
    const at = superblockAt(this.blockSize);
    const { firstDataBlock } = this;
    this.geometry = new Geometry(this.read(firstDataBlock), at);
  }

  /** The block of the superblock. */
  get firstDataBlock(): number {
    return this.blockSize === 1024 ? 1 : 0;
  }

  /** Pointers in a block. */
  get pointers(): number {
    return this.blockSize / 4;
  }

  /** The first block behind the volume's end. */
  get end(): number {
    return this.geometry.blocksCount;
  }

  /** Reads a block. */
  read(block: number): Uint8Array {
    const bytes = new Uint8Array(this.blockSize);
    this.device.read(block, bytes);
    return bytes;
  }

  /** Changes a block. */
  edit(block: number, change: (bytes: Uint8Array) => void): void {
    const bytes = this.read(block);
    change(bytes);
    this.device.write(block, bytes);
  }

  /** Sets a field of the superblock; of a backup, in group `group`. */
  superblock(
    field: Numbers<typeof SUPERBLOCK>,
    value: Value,
    group = 0,
  ): void {
    const at = group === 0 ? superblockAt(this.blockSize) : 0;
    const block = this.geometry.groupStart(group);
    this.#set(SUPERBLOCK[field], { block, at }, value);
  }

  /** Sets a field of a group's descriptor; of a backup, in group `copy`. */
  descriptor(
    group: number,
    field: keyof typeof GROUP_DESCRIPTOR,
    value: Value,
    copy = 0,
  ): void {
    const block = this.geometry.groupStart(copy) + 1;
    this.#set(GROUP_DESCRIPTOR[field], { block, at: 32 * group }, value);
  }

  /** A field of a group's descriptor. */
  descriptorField(
    group: number,
    field: keyof typeof GROUP_DESCRIPTOR,
  ): number {
    const block = this.geometry.groupStart(0) + 1;
    return GROUP_DESCRIPTOR[field].get(this.read(block), 32 * group);
  }

  /** Number of the inode at `path`; a number is taken as it is. */
  number(file: string | number): number {
    const ino = typeof file === "number" ? file : this.inodes[file];
    if (ino === undefined) throw new Error(`the specimen has no ${file}`);
    return ino;
  }

  /** Where an inode is. */
  inodePlace(file: string | number): Place {
    const index = this.number(file) - 1;
    const { inodesPerGroup, inodeSize } = this.geometry;
    const group = Math.floor(index / inodesPerGroup);
    const table = this.descriptorField(group, "bg_inode_table");
    const byte = index % inodesPerGroup * inodeSize;
    return {
      block: table + Math.floor(byte / this.blockSize),
      at: byte % this.blockSize,
    };
  }

  /** Sets a field of an inode. */
  inode(
    file: string | number,
    field: Numbers<typeof INODE>,
    value: Value,
  ): void {
    this.#set(INODE[field], this.inodePlace(file), value);
  }

  /** A field of an inode. */
  inodeField(file: string | number, field: Numbers<typeof INODE>): number {
    const { block, at } = this.inodePlace(file);
    return INODE[field].get(this.read(block), at);
  }

  /** Changes the bytes of an inode. */
  inodeBytes(file: string | number, change: (bytes: Uint8Array) => void): void {
    const { block, at } = this.inodePlace(file);
    const { inodeSize } = this.geometry;
    this.edit(block, (bytes) => change(bytes.subarray(at, at + inodeSize)));
  }

  /** Pointer `index` of the 15 of an inode. */
  pointer(file: string | number, index: number): number {
    const { block, at } = this.inodePlace(file);
    return readU32(this.read(block), at + INODE.i_block.offset + 4 * index);
  }

  /** Sets pointer `index` of the 15 of an inode. */
  setPointer(file: string | number, index: number, value: Value): void {
    const { block, at } = this.inodePlace(file);
    this.setWord({ block, at: at + INODE.i_block.offset + 4 * index }, value);
  }

  /** The number of 32 bits at a place. */
  word({ block, at }: Place): number {
    return readU32(this.read(block), at);
  }

  /** Sets the number of 32 bits at a place. */
  setWord({ block, at }: Place, value: Value): void {
    this.edit(block, (bytes) => {
      const old = readU32(bytes, at);
      writeU32(bytes, at, typeof value === "number" ? value : value(old));
    });
  }

  /** Device block of block `index` of a file, through up to two levels. */
  blockOf(file: string | number, index: number): number {
    if (index < 12) return this.pointer(file, index);
    const { pointers } = this;
    const below = index - 12;
    if (below < pointers) {
      return this.word({ block: this.pointer(file, 12), at: 4 * below });
    }
    const double = this.pointer(file, 13);
    const [i, j] = [
      Math.floor((below - pointers) / pointers),
      below % pointers,
    ];
    return this.word({
      block: this.word({ block: double, at: 4 * i }),
      at: 4 * j,
    });
  }

  /** Where the entry `name` of a directory is; throws if it is not there. */
  entry(dir: string, name: string): Place {
    const count = this.inodeField(dir, "i_size") / this.blockSize;
    for (let index = 0; index < count; index++) {
      const block = this.blockOf(dir, index);
      for (const at of this.entriesIn(block)) {
        if (this.entryName({ block, at }) === name) return { block, at };
      }
    }
    throw new Error(`no ${name} in ${dir}`);
  }

  /** Where the entries of a directory's block start. */
  entriesIn(block: number): number[] {
    const bytes = this.read(block);
    const starts: number[] = [];
    for (let at = 0; at < bytes.length;) {
      starts.push(at);
      at += DIRECTORY_ENTRY.rec_len.get(bytes, at);
    }
    return starts;
  }

  /** The name of an entry, one character for each byte. */
  entryName({ block, at }: Place): string {
    const bytes = this.read(block);
    const length = DIRECTORY_ENTRY.name_len.get(bytes, at);
    return String.fromCharCode(...bytes.subarray(at + 8, at + 8 + length));
  }

  /** Sets a field of an entry. */
  setEntry(
    place: Place,
    field: keyof typeof DIRECTORY_ENTRY,
    value: Value,
  ): void {
    this.#set(DIRECTORY_ENTRY[field], place, value);
  }

  /** Overwrites the name of an entry; its length stays. */
  setName({ block, at }: Place, name: string): void {
    const { length } = this.entryName({ block, at });
    if (name.length !== length) throw new Error("a name of another length");
    this.edit(block, (bytes) => {
      for (let i = 0; i < length; i++) bytes[at + 8 + i] = name.charCodeAt(i);
    });
  }

  /** Takes an entry out of its block. */
  unlink(dir: string, name: string): void {
    const { block, at } = this.entry(dir, name);
    const starts = this.entriesIn(block);
    const index = starts.indexOf(at);
    if (index === 0) this.setEntry({ block, at }, "inode", 0);
    else {
      const length = DIRECTORY_ENTRY.rec_len.get(this.read(block), at);
      const before = { block, at: starts[index - 1] };
      this.setEntry(before, "rec_len", (old) => old + length);
    }
  }

  /** Adds an entry where a directory's first block has room. */
  link(dir: string, name: string, ino: number, fileType: number): void {
    const block = this.blockOf(dir, 0);
    const { rec_len, name_len, inode, file_type } = DIRECTORY_ENTRY;
    const last = this.entriesIn(block).at(-1)!;
    this.edit(block, (bytes) => {
      const room = rec_len.get(bytes, last);
      const used = entrySize(name_len.get(bytes, last));
      if (room - used < entrySize(name.length)) throw new Error("no room");
      rec_len.set(bytes, last, used);
      inode.set(bytes, last + used, ino);
      rec_len.set(bytes, last + used, room - used);
      name_len.set(bytes, last + used, name.length);
      const kind = this.specimen.hasFeatures ? fileType : 0;
      file_type.set(bytes, last + used, kind);
      for (let i = 0; i < name.length; i++) {
        bytes[last + used + 8 + i] = name.charCodeAt(i);
      }
    });
  }

  /** Marks a block in the bitmap. */
  markBlock(block: number, isUsed: boolean): void {
    const group = this.geometry.groupOfBlock(block);
    const bitmap = this.descriptorField(group, "bg_block_bitmap");
    this.setBit(bitmap, block - this.geometry.groupStart(group), isUsed);
  }

  /** Marks an inode in the bitmap. */
  markInode(file: string | number, isUsed: boolean): void {
    const index = this.number(file) - 1;
    const { inodesPerGroup } = this.geometry;
    const group = Math.floor(index / inodesPerGroup);
    const bitmap = this.descriptorField(group, "bg_inode_bitmap");
    this.setBit(bitmap, index % inodesPerGroup, isUsed);
  }

  /** Sets a bit of a block. */
  setBit(block: number, bit: number, isSet: boolean): void {
    this.edit(block, (bytes) => {
      const mask = 1 << bit % 8;
      if (isSet) bytes[bit >> 3] |= mask;
      else bytes[bit >> 3] &= ~mask;
    });
  }

  /** A block of a group that its bitmap says is free: the last one. */
  freeBlock(group = 0): number {
    const bytes = this.read(this.descriptorField(group, "bg_block_bitmap"));
    const start = this.geometry.groupStart(group);
    for (let bit = this.geometry.groupSize(group) - 1; bit >= 0; bit--) {
      if ((bytes[bit >> 3] >> bit % 8 & 1) === 0) return start + bit;
    }
    throw new Error("the group is full");
  }

  /** Marks a free block as used, and returns it. */
  takeBlock(): number {
    const block = this.freeBlock();
    this.markBlock(block, true);
    return block;
  }

  /** An inode that is free: the last one. */
  get freeInode(): number {
    return this.geometry.inodesCount;
  }

  #set(field: NumberField, { block, at }: Place, value: Value): void {
    this.edit(block, (bytes) => {
      const old = field.get(bytes, at);
      field.set(bytes, at, typeof value === "number" ? value : value(old));
    });
  }
}
