/**
 * All that can be read of a filesystem, thing by thing, and which blocks each
 * thing is read from: so that it can be told beforehand what a damage breaks.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { type BlockDevice, DeviceError } from "../../bd/block_device.ts";
import { FaultyDevice } from "../../bd/faulty.ts";
import {
  Filesystem,
  type FilesystemOptions,
  FsError,
  Paths,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "../../fs/mod.ts";
import { Random } from "./random.ts";

/** Where the sparse file has data, in bytes: up to triple indirect blocks. */
const PLACES = [0, 5 << 20, 100 << 20, 5 * 2 ** 30];
const PIECE = 3000;
/** What is read of a file whose size may be anything. */
const WHOLE_BYTES = 64 << 10;
const OPTIONS: FilesystemOptions = {
  atime: "noatime",
  readOnly: true,
  cacheSize: 256 << 10,
};

/** Files, directories, links, attributes and holes, a few of each. */
export function populate(fs: Filesystem, seed: number): void {
  const paths = new Paths(fs);
  paths.mkdir("/dir");
  paths.mkdir("/dir/inner");
  paths.writeFile("/hello", "");
  paths.link("/hello", "/dir/hello again");
  paths.symlink("hello", "/link");
  paths.symlink("x".repeat(300), "/dir/long link");
  fs.mknod(paths.resolve("/dir"), "fifo", { kind: S_IFIFO });
  for (const name of ["/dir/inner/plain", "/other", "/sparse"]) {
    paths.writeFile(name, "");
  }
  overwrite(fs, seed);
}

/** Gives everything that {@link populate} has made other contents. */
export function overwrite(fs: Filesystem, seed: number): void {
  const paths = new Paths(fs);
  const random = new Random(seed);
  const write = (path: string, length: number, at = 0): void => {
    fs.write(paths.resolve(path), at, random.bytes(length));
  };
  write("/hello", 700);
  write("/other", 5000);
  // Beyond what an inode has direct pointers for, in blocks of 1 KiB.
  write("/dir/inner/plain", 14_500);
  for (const place of PLACES) write("/sparse", PIECE, place + 100);
  const dir = paths.resolve("/dir");
  // The first has room in the inode, the second takes a block.
  fs.setxattr(paths.resolve("/hello"), "user.small", random.bytes(9));
  fs.setxattr(dir, "user.large", random.bytes(600));
  fs.mknod(dir, `fifo ${seed}`, { kind: S_IFIFO });
}

/** The paths of all of it that every seed makes. */
const PATHS = [
  "/",
  "/dir",
  "/dir/fifo",
  "/dir/hello again",
  "/dir/inner",
  "/dir/inner/plain",
  "/dir/long link",
  "/hello",
  "/link",
  "/lost+found",
  "/other",
  "/sparse",
];

/** One thing that can be read. */
export interface Thing {
  /** Its path. */
  readonly path: string;
  /** What is seen there: attributes, contents, names. */
  readonly seen: string;
  /** The blocks that it takes to see it. */
  readonly needs: ReadonlySet<number>;
}

/** What became of a thing: what is seen there, or why it cannot be read. */
export type Sight = string | Error;

/** What can be read of a volume that is whole. */
export interface Reading {
  /** The blocks that it takes to open the filesystem. */
  readonly opening: ReadonlySet<number>;
  /** Everything there is. */
  readonly things: readonly Thing[];
}

/** Reads everything, each time by a filesystem that knows nothing yet. */
export async function readWhole(
  open: () => Promise<BlockDevice>,
): Promise<Reading> {
  const record = async <T>(
    visit: (paths: Paths) => T,
  ): Promise<{ needs: Set<number>; result: T }> => {
    const needs = new Set<number>();
    const device = new FaultyDevice(await open());
    device.rule = ({ kind, block, count }) => {
      assert.notEqual(kind, "write");
      for (let i = 0; i < count; i++) needs.add(block + i);
      return null;
    };
    const fs = Filesystem.open(device, OPTIONS);
    const result = visit(new Paths(fs));
    await fs.close();
    return { needs, result };
  };
  const { needs: opening } = await record(() => null);
  const things: Thing[] = [];
  for (const path of PATHS) {
    const { needs, result } = await record((paths) => look(paths, path));
    things.push({ path, seen: result, needs });
  }
  return { opening, things };
}

/**
 * What becomes of everything on `device`, in the order of the things; an error
 * if the filesystem cannot be opened. Closes the device. Errors that no user
 * may see are thrown on.
 */
export async function tryReading(
  device: BlockDevice,
): Promise<Sight[] | Error> {
  const fs = attempt(() => Filesystem.open(device, OPTIONS));
  if (fs instanceof Error) {
    device.close();
    return fs;
  }
  const paths = new Paths(fs);
  const sights = PATHS.map((path) => attempt(() => look(paths, path)));
  await fs.close();
  return sights;
}

function attempt<T>(call: () => T): T | Error {
  try {
    return call();
  } catch (error) {
    if (error instanceof DeviceError || error instanceof FsError) return error;
    throw error;
  }
}

/** All that can be seen at `path`, as a text. */
function look(paths: Paths, path: string): string {
  const { fs } = paths;
  const ino = paths.resolve(path, { follow: false });
  const attributes = fs.getattr(ino);
  const xattrs = fs.listxattr(ino).map((name) => [
    text(name),
    text(fs.getxattr(ino, name)),
  ]);
  return JSON.stringify({
    attributes,
    xattrs,
    contents: contents(fs, ino, attributes.mode & S_IFMT),
  });
}

function contents(fs: Filesystem, ino: number, kind: number): unknown {
  if (kind === S_IFLNK) return text(fs.readlink(ino));
  if (kind === S_IFDIR) {
    return fs.readdir(ino, 0, 100)
      .map(({ name, ino, kind }) => [text(name), ino, kind]);
  }
  if (kind !== S_IFREG) return null;
  const hash = createHash("sha256");
  const into = new Uint8Array(WHOLE_BYTES);
  for (const place of PLACES) {
    hash.update(into.subarray(0, fs.read(ino, place, into)));
  }
  return hash.digest("hex");
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
