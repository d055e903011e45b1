/**
 * What every file of a volume is, so that it can be said which have changed.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type BlockDevice, DeviceError } from "../../bd/block_device.ts";
import { Inode } from "../../fs/inode.ts";
import { inodeBlocks } from "../../fs/inode_blocks.ts";
import {
  Filesystem,
  FsError,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "../../fs/mod.ts";
import { Volume } from "../../fs/volume.ts";
import { contentHash, listDirectory } from "../support/tree.ts";

/** By path, everything there is to know about the file. */
export type Description = Map<string, string>;

/** Larger files are not read through their holes. */
const WHOLE_BYTES = 1 << 20;
/** Paths at most: a loop of directories comes to an end. */
const PATHS_MAX = 5000;

/** Describes everything below the root. Changes nothing. */
export function describe(device: BlockDevice): Description {
  const fs = Filesystem.open(device, { readOnly: true });
  const volume = new Volume(device, { readOnly: true });
  const lines = new Map<number, { line: string; isDirectory: boolean }>();
  const lineOf = (ino: number): { line: string; isDirectory: boolean } => {
    let known = lines.get(ino);
    if (known === undefined) {
      const kind = fs.getattr(ino).mode & S_IFMT;
      const line = describeInode(fs, volume, ino);
      lines.set(ino, known = { line, isDirectory: kind === S_IFDIR });
    }
    return known;
  };
  const all: Description = new Map();
  const visit = (path: string, ino: number): void => {
    if (all.size > PATHS_MAX) throw new Error("the directories form a loop");
    const { line, isDirectory } = lineOf(ino);
    all.set(path || "/", line);
    if (!isDirectory) return;
    for (const entry of listDirectory(fs, ino)) {
      visit(`${path}/${String.fromCharCode(...entry.name)}`, entry.ino);
    }
  };
  visit("", 2);
  return all;
}

function describeInode(fs: Filesystem, volume: Volume, ino: number): string {
  const attributes = fs.getattr(ino);
  const kind = attributes.mode & S_IFMT;
  const xattrs = fs.listxattr(ino).map((name) => {
    return [String.fromCharCode(...name), valueOf(fs, ino, name)];
  });
  let content = "";
  try {
    if (kind === S_IFREG) content = hashOf(fs, volume, ino);
    if (kind === S_IFLNK) content = fs.readlink(ino).toHex();
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    content = "unreadable";
  }
  return JSON.stringify({ ...attributes, xattrs: xattrs.sort(), content });
}

/** An attribute's value; damage may have made it one that the kind has not. */
function valueOf(fs: Filesystem, ino: number, name: Uint8Array): string {
  try {
    return fs.getxattr(ino, name).toHex();
  } catch (error) {
    // Such as an access control list, on what damage has made a symlink.
    const codes = ["ENODATA", "EOPNOTSUPP"];
    if (error instanceof FsError && codes.includes(error.code)) return "none";
    throw error;
  }
}

/** The hash of a file's contents; of a large one, of what is not a hole. */
function hashOf(fs: Filesystem, volume: Volume, ino: number): string {
  const { size } = fs.getattr(ino);
  if (size <= WHOLE_BYTES) return contentHash(fs, ino, size);
  const hash = createHash("md5");
  const inode = new Inode(volume, ino);
  const fail = (error: unknown): never => {
    throw error;
  };
  for (const { role, index, count } of inodeBlocks(inode, fail)) {
    if (role !== "data") continue;
    const bytes = new Uint8Array(count * fs.blockSize);
    const done = fs.read(ino, index * fs.blockSize, bytes);
    hash.update(`${index} ${done} `).update(bytes.subarray(0, done));
  }
  return hash.digest("hex");
}

/** What is different between two descriptions, one line for each path. */
export function differences(
  before: Description,
  after: Description,
  isExpected: (path: string) => boolean,
): string[] {
  const found: string[] = [];
  for (const path of new Set([...before.keys(), ...after.keys()])) {
    if (isExpected(path)) continue;
    const [was, is] = [before.get(path), after.get(path)];
    if (was === is) continue;
    const shown = path.replace(/-{20,}/, "…");
    found.push(`${shown}\n  was ${was}\n  is  ${is}`);
  }
  return found;
}
