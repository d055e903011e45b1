/**
 * A volume with one of everything, where its structures are, and what is done
 * to a volume that may be corrupt.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type BlockDevice, DeviceError } from "../../bd/block_device.ts";
import { FaultyDevice } from "../../bd/faulty.ts";
import type { MemoryDevice } from "../../bd/memory.ts";
import { GROUP_DESCRIPTOR } from "../../fs/block_group.ts";
import { INODE } from "../../fs/inode.ts";
import {
  Filesystem,
  FsError,
  Paths,
  ROOT_INODE,
  S_IFBLK,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "../../fs/mod.ts";
import { formatted } from "./images.ts";

/** Size of the blocks of the volume, in bytes. */
export const BLOCK = 1024;
/** Number of its blocks: two groups. */
export const BLOCKS = 8192 + 300;

/** A volume to corrupt, with the inodes of its files. */
export interface Specimen {
  /** The volume, synced but not closed: one file is on the orphan list. */
  device: MemoryDevice;
  /** Inode numbers by name. */
  inodes: Record<string, number>;
  /** Size of an inode, in bytes. */
  inodeSize: 128 | 256;
}

/** Makes the volume. */
export async function makeSpecimen(inodeSize: 128 | 256): Promise<Specimen> {
  const device = formatted({
    blockSize: BLOCK,
    blockCount: BLOCKS,
    inodeSize,
    inodeCount: 128,
  });
  const fs = Filesystem.open(device);
  const paths = new Paths(fs);
  const inodes: Record<string, number> = { root: ROOT_INODE };
  const content = new Uint8Array(300 * BLOCK).map((_, i) => i >> 8);
  inodes.small = paths.writeFile("/small", content.subarray(0, 100));
  inodes.file = paths.writeFile("/file", content);
  inodes.dir = paths.mkdir("/dir");
  for (let n = 0; n < 60; n++) {
    fs.link(inodes.small, inodes.dir, `name ${n} `.padEnd(60, "-"));
  }
  inodes.sub = paths.mkdir("/dir/sub");
  inodes.other = paths.mkdir("/other");
  inodes.fast = paths.symlink("small", "/fast");
  inodes.slow = paths.symlink(`${"./".repeat(60)}small`, "/slow");
  const rdev = { major: 300, minor: 70_000 };
  inodes.disk = fs.mknod(ROOT_INODE, "disk", { kind: S_IFBLK, rdev });
  fs.setxattr(inodes.small, "user.one", content.subarray(0, 20));
  fs.setxattr(inodes.small, "trusted.two", content.subarray(0, 300));
  fs.setxattr(inodes.dir, "user.three", content.subarray(0, 5));
  inodes.orphan = paths.writeFile("/orphan", content.subarray(0, 5000));
  inodes.orphan2 = paths.writeFile("/orphan2", content.subarray(0, 5000));
  for (const name of ["orphan", "orphan2"]) {
    fs.retain(inodes[name]);
    paths.remove(`/${name}`);
  }
  await fs.sync();
  return { device: device.copy(), inodes, inodeSize };
}

/** Reads a block. */
export function block(device: BlockDevice, number: number): Uint8Array {
  const bytes = new Uint8Array(BLOCK);
  device.read(number, bytes);
  return bytes;
}

/** Byte at which an inode starts. */
export function inodeAt({ device, inodeSize }: Specimen, ino: number): number {
  const perGroup = 64;
  const group = Math.floor((ino - 1) / perGroup);
  const { bg_inode_table } = GROUP_DESCRIPTOR;
  const table = bg_inode_table.get(block(device, 2), group * 32);
  return table * BLOCK + (ino - 1) % perGroup * inodeSize;
}

/** Block pointer `index` of the 15 of an inode. */
export function pointer(
  specimen: Specimen,
  ino: number,
  index: number,
): number {
  const at = inodeAt(specimen, ino) + INODE.i_block.offset + 4 * index;
  const bytes = block(specimen.device, Math.floor(at / BLOCK));
  return new DataView(bytes.buffer).getUint32(at % BLOCK, true);
}

/** Calls of the device after which an operation is taken to be endless. */
const CALLS_MAX = 100_000;
/** Files that are looked at, of a tree that may have become endless. */
const FILES_MAX = 200;

/**
 * Opens a volume and does everything with it. Nothing but an error that the
 * engine gives for a reason may come out, and it must come to an end. Returns
 * the errno names that were met.
 */
export async function exercise(device: MemoryDevice): Promise<Set<string>> {
  met = new Set();
  const counted = new FaultyDevice(device);
  counted.rule = ({ ordinal }) => {
    if (ordinal > CALLS_MAX) throw new Error("endless: too many device calls");
    return null;
  };
  let fs: Filesystem | null = null;
  attempt(() => fs = Filesystem.open(counted, { cacheSize: 64 * BLOCK }));
  if (fs === null) return met;
  look(fs);
  change(fs);
  look(fs);
  await attemptAsync(() => fs!.sync());
  await attemptAsync(() => fs!.close());
  return met;
}

/** The errors of the running exercise. */
let met = new Set<string>();

/** Calls `fn`; the errors that a corrupt volume may give are expected. */
function attempt<T>(fn: () => T): T | undefined {
  try {
    return fn();
  } catch (error) {
    expectError(error);
    return undefined;
  }
}

async function attemptAsync(fn: () => Promise<void>): Promise<void> {
  await fn().catch(expectError);
}

function expectError(error: unknown): void {
  if (!(error instanceof FsError || error instanceof DeviceError)) throw error;
  met.add(error.code);
}

/** Reads everything that can be found. */
function look(fs: Filesystem): void {
  const seen = new Set<number>();
  const visit = (ino: number): void => {
    if (seen.has(ino) || seen.size > FILES_MAX) return;
    seen.add(ino);
    const attributes = attempt(() => fs.getattr(ino));
    for (const name of attempt(() => fs.listxattr(ino)) ?? []) {
      attempt(() => fs.getxattr(ino, name));
    }
    attempt(() => fs.getxattr(ino, "user.absent"));
    if (!attributes) return;
    const kind = attributes.mode & S_IFMT;
    if (kind === S_IFREG) readParts(fs, ino, attributes.size);
    else if (kind === S_IFLNK) attempt(() => fs.readlink(ino));
    else if (kind === S_IFDIR) readNames(fs, ino).forEach(visit);
  };
  visit(ROOT_INODE);
  attempt(() => fs.statfs());
}

function readParts(fs: Filesystem, ino: number, size: number): void {
  const into = new Uint8Array(64 * BLOCK);
  const places = [0, 1, 2, 3, 4].map((n) => n * into.length);
  for (const at of [...places, 12 * BLOCK, 70_000 * BLOCK, size - 10]) {
    if (at < 0) continue;
    attempt(() => fs.read(ino, at, into));
    attempt(() => fs.seekData(ino, at, { hole: false }));
    attempt(() => fs.seekData(ino, at, { hole: true }));
  }
}

function readNames(fs: Filesystem, dir: number): number[] {
  const found: number[] = [];
  attempt(() => {
    let cookie = 0;
    for (let batches = 0; batches < 1000; batches++) {
      const entries = fs.readdir(dir, cookie, 50);
      if (entries.length === 0) return;
      cookie = entries[entries.length - 1].cookie;
      for (const { name, ino } of entries) {
        const looked = attempt(() => fs.lookup(dir, name));
        found.push(looked ?? ino);
      }
    }
    assert.fail("endless: a directory of more than 50,000 names");
  });
  attempt(() => fs.lookup(dir, "absent"));
  return found;
}

/** Changes of every kind, each on its own. */
function change(fs: Filesystem): void {
  const paths = new Paths(fs);
  const data = new Uint8Array(20 * BLOCK).fill(7);
  const inode = (path: string): number =>
    paths.resolve(path, { follow: false });
  const length = 290 * BLOCK;
  const range = { fromOffset: 0, toOffset: 70, length };
  const hole = { length, keepSize: true, punchHole: true };
  const changes: (() => unknown)[] = [
    () => paths.writeFile("/new", data),
    () => fs.write(inode("/small"), 50, data),
    () => fs.write(inode("/file"), 290 * BLOCK, data),
    () => fs.write(inode("/file"), 5, data.subarray(0, 10)),
    () => fs.setattr(inode("/small"), { mode: 0o600, uid: 5, mtime: "now" }),
    () => fs.setxattr(inode("/small"), "user.one", data.subarray(0, 30)),
    () => fs.setxattr(inode("/dir"), "user.four", data.subarray(0, 3)),
    () => fs.removexattr(inode("/small"), "trusted.two"),
    () => paths.mkdir("/dir/new"),
    () => paths.link("/small", "/dir/another name of some length"),
    () => paths.symlink("t".repeat(70), "/dir/sub/link"),
    () => paths.rename("/other", "/dir/sub/moved"),
    () => paths.rename("/dir/sub", "/moved"),
    () => paths.rename("/fast", "/dir/fast"),
    () => fs.allocate(inode("/file"), { offset: 5, length: 320 * BLOCK }),
    () => fs.copyRange({ ...range, from: inode("/file"), to: inode("/new") }),
    () => fs.allocate(inode("/file"), { ...hole, offset: 8 * BLOCK + 3 }),
    () => paths.truncate("/file", 100 * BLOCK + 5),
    () => paths.truncate("/file", 5),
    () => paths.remove("/slow"),
    () => paths.remove("/disk"),
    () => paths.remove("/small"),
    () => paths.remove("/file"),
    () => paths.removeAll("/dir"),
    () => paths.removeAll("/moved"),
    () => paths.writeFile("/last", data),
  ];
  for (const change of changes) attempt(change);
}
