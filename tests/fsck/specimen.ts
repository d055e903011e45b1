/**
 * Volumes to damage: made by mke2fs or by us, each with a file of every kind.
 *
 * @module
 */

import type { MemoryDevice } from "../../bd/memory.ts";
import { INODE, Inode } from "../../fs/inode.ts";
import {
  Filesystem,
  Paths,
  ROOT_INODE,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFSOCK,
} from "../../fs/mod.ts";
import { Volume } from "../../fs/volume.ts";
import { XATTR_HEADER } from "../../fs/xattr_entries.ts";
import { describe, type Description } from "./describe.ts";
import { formatted, loadImage, saveImage } from "../support/images.ts";
import { must, run, withTempDir } from "../support/tools.ts";

/** What a specimen is like. */
export interface SpecimenKind {
  /** What it is called in messages. */
  readonly name: string;
  /** Size of a block, in bytes. */
  readonly blockSize: 1024 | 4096;
  /** Size of an inode, in bytes. */
  readonly inodeSize: 128 | 256;
  /** Whether directory entries tell kinds, and backups are sparse. */
  readonly hasFeatures: boolean;
  /** Whether large directories have a hash tree. */
  readonly isIndexed: boolean;
  /** Arguments of mke2fs; absent for one that we format. */
  readonly mke2fs?: readonly string[];
}

/** A volume without a fault, and what is in it. */
export interface Specimen extends SpecimenKind {
  /** The volume, closed cleanly. It is copied before it is damaged. */
  readonly device: MemoryDevice;
  /** What is in it. */
  readonly before: Description;
  /** The same, left open: with two files on the orphan list. */
  readonly left: MemoryDevice;
  /** Inode numbers by path. */
  readonly inodes: Readonly<Record<string, number>>;
}

/** Two groups. */
const BLOCKS = { 1024: 8192 + 400, 4096: 32768 + 400 } as const;
/** The clock of whoever fills a specimen. */
const NOW = { sec: 1_700_000_000, nsec: 0 };

function mke2fs(
  name: string,
  blockSize: 1024 | 4096,
  options: Partial<SpecimenKind> & { args: string[] },
): SpecimenKind {
  const { args, inodeSize = 128, hasFeatures = true, ...rest } = options;
  const fixed = ["-b", String(blockSize), "-N", "192"];
  const mke2fs = [...fixed, "-I", String(inodeSize), ...args];
  const common = { blockSize, inodeSize, hasFeatures, isIndexed: false };
  return { name: `mke2fs, ${name}`, ...common, ...rest, mke2fs };
}

/** Every specimen there is. */
export const SPECIMEN_KINDS: readonly SpecimenKind[] = [
  {
    name: "format, 1 KiB blocks",
    blockSize: 1024,
    inodeSize: 256,
    hasFeatures: true,
    isIndexed: false,
  },
  {
    name: "format, 4 KiB blocks, inodes of 128 bytes",
    blockSize: 4096,
    inodeSize: 128,
    hasFeatures: true,
    isIndexed: false,
  },
  mke2fs("resize_inode", 1024, { args: ["-O", "resize_inode,^dir_index"] }),
  mke2fs("dir_index", 4096, {
    args: ["-O", "dir_index,^resize_inode"],
    inodeSize: 256,
    isIndexed: true,
  }),
  mke2fs("revision 0", 1024, {
    args: ["-r", "0", "-O", "none"],
    hasFeatures: false,
  }),
];

/** Makes a specimen. */
export async function makeSpecimen(kind: SpecimenKind): Promise<Specimen> {
  const { blockSize, inodeSize } = kind;
  const blockCount = BLOCKS[blockSize];
  const empty = kind.mke2fs === undefined
    ? formatted({ blockSize, blockCount, inodeSize, inodeCount: 192 })
    : await madeByMke2fs(kind.mke2fs, blockSize, blockCount);
  const fs = open(empty);
  const inodes = fill(fs);
  if (kind.hasFeatures) fillAttributes(fs, inodes);
  await fs.close();
  let device = empty.copy();
  if (kind.hasFeatures) shareAttributes(device, inodes);
  if (kind.isIndexed) device = await indexed(device);
  const left = await leaveOpen(device, inodes);
  return { ...kind, device, before: describe(device), left, inodes };
}

/** Opens a volume at a fixed time; looking does not change it. */
function open(device: MemoryDevice): Filesystem {
  return Filesystem.open(device, { atime: "noatime", now: () => NOW });
}

function madeByMke2fs(
  args: readonly string[],
  blockSize: number,
  blockCount: number,
): Promise<MemoryDevice> {
  return withTempDir(async (dir) => {
    const path = `${dir}/volume.img`;
    await must("truncate", "-s", String(blockSize * blockCount), path);
    const owner = ["-E", "nodiscard,root_owner=0:0"];
    await must("mke2fs", "-q", "-F", "-t", "ext2", ...owner, ...args, path);
    return await loadImage(path);
  });
}

/** The same volume with hash trees in its large directories. */
function indexed(device: MemoryDevice): Promise<MemoryDevice> {
  return withTempDir(async (dir) => {
    const path = `${dir}/volume.img`;
    await saveImage(device, path);
    const { code, stdout } = await run("e2fsck", "-fyD", path);
    if (code > 1) throw new Error(`e2fsck -fyD exits ${code}: ${stdout}`);
    return await loadImage(path);
  });
}

/** Contents that are different in each file, and in no block zeros. */
function content(seed: number, length: number): Uint8Array {
  return new Uint8Array(length).map((_, i) => 1 + (seed + i + (i >> 9)) % 255);
}

/** Fills a volume with a file of every kind; returns their inodes. */
function fill(fs: Filesystem): Record<string, number> {
  const paths = new Paths(fs);
  const inodes: Record<string, number> = { "/": ROOT_INODE };
  inodes["/lost+found"] = fs.lookup(ROOT_INODE, "lost+found");
  for (const dir of ["/dir", "/dir/sub", "/dir/sub/deep", "/other", "/large"]) {
    inodes[dir] = paths.mkdir(dir);
  }
  fillFiles(fs, paths, inodes);
  fillSpecial(fs, paths, inodes);
  for (const [i, path] of ATTRIBUTED.entries()) {
    inodes[path] = paths.writeFile(path, content(i, 300));
  }
  return inodes;
}

/** Regular files, whose maps have one to four levels. */
function fillFiles(
  fs: Filesystem,
  paths: Paths,
  inodes: Record<string, number>,
): void {
  const { blockSize } = fs;
  const pointers = blockSize / 4;
  const write = (path: string, length: number): void => {
    const seed = Object.keys(inodes).length * 37;
    inodes[path] = paths.writeFile(path, content(seed, length));
  };
  write("/empty", 0);
  write("/small", 100);
  write("/direct", 5 * blockSize + 7);
  write("/dir/indirect", 20 * blockSize);
  write("/dir/sub/deep/file", 3 * blockSize - 1);
  write("/other/file", blockSize);
  write("/double", 14 * blockSize);
  write("/triple", 2 * blockSize);
  write("/holes", 100);
  write("/hard", 2 * blockSize);
  fs.link(inodes["/hard"], inodes["/dir"], "hard");
  const put = (path: string, block: number): void => {
    fs.write(inodes[path], block * blockSize, content(block, blockSize + 9));
  };
  put("/double", 12 + pointers + 3);
  put("/double", 12 + 2 * pointers + 5);
  put("/triple", 12 + pointers + pointers ** 2 + 2);
  put("/holes", 3);
  put("/holes", 30);
  const { blockSize: size } = fs;
  fs.setattr(inodes["/holes"], { size: 50 * size + 3 });
  // More names than twelve blocks hold.
  for (let n = 0; n < 260; n++) {
    const name = `name ${n} `.padEnd(200, "-");
    fs.link(inodes["/small"], inodes["/large"], name);
  }
}

/** What is neither a file nor a directory. */
function fillSpecial(
  fs: Filesystem,
  paths: Paths,
  inodes: Record<string, number>,
): void {
  inodes["/fast"] = paths.symlink("small", "/fast");
  inodes["/slow"] = paths.symlink(`${"./".repeat(60)}small`, "/slow");
  const make = (name: string, kind: number, major = 0, minor = 0): void => {
    const options = { kind, rdev: { major, minor }, mode: 0o600 };
    inodes[`/${name}`] = fs.mknod(ROOT_INODE, name, options);
  };
  make("null", S_IFCHR, 1, 3);
  make("disk", S_IFBLK, 300, 70_000);
  make("fifo", S_IFIFO);
  make("socket", S_IFSOCK);
}

/** The value of an access control list with an entry for a user. */
const ACL = Uint8Array.of(
  ...[2, 0, 0, 0],
  ...[0x01, 0, 6, 0, 0xff, 0xff, 0xff, 0xff],
  ...[0x02, 0, 4, 0, 0xe8, 3, 0, 0],
  ...[0x04, 0, 4, 0, 0xff, 0xff, 0xff, 0xff],
  ...[0x10, 0, 4, 0, 0xff, 0xff, 0xff, 0xff],
  ...[0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
);

/** Files that have extended attributes where the volume can have them. */
const ATTRIBUTED = ["/xattr", "/shared1", "/shared2", "/private", "/acl"];

/** Gives files extended attributes, in the inode and outside of it. */
function fillAttributes(
  fs: Filesystem,
  inodes: Record<string, number>,
): void {
  fs.setxattr(inodes["/xattr"], "user.one", content(1, 20));
  fs.setxattr(inodes["/xattr"], "user.two", content(2, 10));
  fs.setxattr(inodes["/shared1"], "trusted.big", content(3, 500));
  fs.setxattr(inodes["/private"], "user.big", content(4, 400));
  fs.setxattr(inodes["/private"], "user.other", content(5, 90));
  fs.setxattr(inodes["/acl"], "system.posix_acl_access", ACL);
  fs.setxattr(inodes["/dir"], "user.of.directory", content(6, 200));
}

/** Lets a second file use the first one's block of attributes. */
function shareAttributes(
  device: MemoryDevice,
  inodes: Record<string, number>,
): void {
  const volume = new Volume(device);
  volume.transact(() => {
    const [one, two] = ["/shared1", "/shared2"].map((path) => {
      return new Inode(volume, inodes[path]);
    });
    const block = one.get(INODE.i_file_acl);
    two.set(INODE.i_file_acl, block);
    two.addBlocks(1);
    XATTR_HEADER.h_refcount.set(volume.cache.modify(block), 0, 2);
  });
  volume.cache.writeBack();
}

/** What a crash leaves of a volume in which two open files lost their names. */
async function leaveOpen(
  clean: MemoryDevice,
  inodes: Record<string, number>,
): Promise<MemoryDevice> {
  const device = clean.copy();
  const fs = open(device);
  const paths = new Paths(fs);
  for (const name of ["/orphan1", "/orphan2"]) {
    inodes[name] = paths.writeFile(name, content(9, 20 * fs.blockSize));
    fs.retain(inodes[name]);
    paths.remove(name);
  }
  await fs.sync();
  return device.copy();
}
