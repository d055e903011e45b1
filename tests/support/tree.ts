/**
 * A tree described as text, from two independent views: ours through the
 * engine, and the kernel's of a mounted image. Equal trees, equal text.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import {
  type Attributes,
  type Filesystem,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Timestamp,
} from "../../fs/mod.ts";
import { must } from "./tools.ts";

/** One line for each path, in order of paths. */
export type Tree = Map<string, string>;

interface Facts {
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  rdev: string;
  size: number;
  blocks: number;
  atime: string;
  mtime: string;
  ctime: string;
  birth: string;
  content: string;
  xattrs: [string, string][];
}

function line(facts: Facts): string {
  const { mode, xattrs, ...rest } = facts;
  const attributes = xattrs.map(([name, value]) => `${name}=${value}`).sort();
  const fields = Object.entries(rest).map(([key, value]) => `${key}=${value}`);
  return `${mode.toString(8)} ${fields.join(" ")} [${attributes.join(" ")}]`;
}

const hex = (bytes: Uint8Array): string => bytes.toHex();
const stamp = (time: Timestamp): string =>
  String(BigInt(time.sec) * 1_000_000_000n + BigInt(time.nsec));

/** Names as text that keeps every byte. */
const byteName = (name: Uint8Array): string =>
  String.fromCharCode(...name).replace(
    /[^ -~]/g,
    (c) => "\\x" + c.charCodeAt(0).toString(16).padStart(2, "0"),
  );

/** Hash of a file's contents, read in pieces of an odd size. */
export function contentHash(fs: Filesystem, ino: number, size: number): string {
  const hash = createHash("md5");
  const buffer = new Uint8Array(100_001);
  let done = 0;
  for (let n; (n = fs.read(ino, done, buffer)) > 0; done += n) {
    hash.update(buffer.subarray(0, n));
  }
  if (done !== size) throw new Error(`Read ${done} of ${size} bytes`);
  return hash.digest("hex");
}

/**
 * Everything below the root of a volume, as the engine shows it. The volume
 * should be open with `atime: "noatime"`: looking changes times otherwise.
 */
export function describeVolume(fs: Filesystem, root = 2): Tree {
  const tree: Tree = new Map();
  const visit = (path: string, ino: number): void => {
    const attributes = fs.getattr(ino);
    tree.set(path || "/", line(volumeFacts(fs, ino, attributes)));
    if ((attributes.mode & S_IFMT) !== S_IFDIR) return;
    for (const entry of listDirectory(fs, ino)) {
      visit(`${path}/${byteName(entry.name)}`, entry.ino);
    }
  };
  visit("", root);
  return new Map([...tree].sort(([a], [b]) => a < b ? -1 : 1));
}

/** A directory's entries without `.` and `..`, over several calls. */
export function listDirectory(
  fs: Filesystem,
  dir: number,
): { name: Uint8Array; ino: number; kind: number }[] {
  const entries = [];
  let cookie = 0;
  for (;;) {
    const batch = fs.readdir(dir, cookie, 100);
    if (batch.length === 0) break;
    entries.push(...batch);
    cookie = batch[batch.length - 1].cookie;
  }
  return entries.filter(({ name }) => !["2e", "2e2e"].includes(hex(name)));
}

function volumeFacts(
  fs: Filesystem,
  ino: number,
  attributes: Attributes,
): Facts {
  const { mode, nlink, uid, gid, rdev, size, blocks } = attributes;
  const kind = mode & S_IFMT;
  const names = fs.listxattr(ino);
  return {
    mode,
    nlink,
    uid,
    gid,
    rdev: `${rdev.major}:${rdev.minor}`,
    size,
    blocks,
    atime: stamp(attributes.atime),
    mtime: stamp(attributes.mtime),
    ctime: stamp(attributes.ctime),
    birth: stamp(attributes.birthtime ?? { sec: 0, nsec: 0 }),
    content: kind === S_IFREG
      ? contentHash(fs, ino, size)
      : kind === S_IFLNK
      ? hex(fs.readlink(ino))
      : "",
    xattrs: names.map((name) => [byteName(name), hex(fs.getxattr(ino, name))]),
  };
}

/** Everything below a directory of the host, as the kernel shows it. */
export async function describeHost(root: string): Promise<Tree> {
  const [stats, targets, hashes, xattrs] = await Promise.all([
    hostStats(root),
    hostTargets(root),
    hostHashes(root),
    hostXattrs(root),
  ]);
  const tree: Tree = new Map();
  for (const [path, facts] of stats) {
    const content = hashes.get(path) ?? targets.get(path) ?? "";
    const mine = { content, xattrs: xattrs.get(path) ?? [] };
    tree.set(path || "/", line({ ...facts, ...mine }));
  }
  return new Map([...tree].sort(([a], [b]) => a < b ? -1 : 1));
}

/** A path as `find` printed it, shown as {@link describeVolume} does. */
const shownPath = (root: string, raw: string): string =>
  raw.slice(root.length).replace(
    /[^ -~]/g,
    (c) => "\\x" + c.charCodeAt(0).toString(16).padStart(2, "0"),
  );

/** Cuts `find`'s output into records of `width` fields that end in NUL. */
function records(output: string, width: number): string[][] {
  const fields = output.split("\0").slice(0, -1);
  const rows = [];
  for (let i = 0; i < fields.length; i += width) {
    rows.push(fields.slice(i, i + width));
  }
  return rows;
}

/** `stat` prints seconds with nine decimals, negative ones as such too. */
const nanoseconds = (seconds: string): string =>
  String(BigInt(seconds.replace(".", "")));

type Stats = Omit<Facts, "content" | "xattrs">;

async function hostStats(root: string): Promise<Map<string, Stats>> {
  const format = "%n %f %h %u %g %t %T %s %b %.9X %.9Y %.9Z %.9W"
    .split(" ").map((item) => item + "\\0").join("");
  const exec = ["-exec", "stat", `--printf=${format}`, "{}", "+"];
  const output = await must("find", root, ...exec);
  return new Map(
    records(output, 13).map((row) => {
      const [major, minor] = [parseInt(row[5], 16), parseInt(row[6], 16)];
      return [shownPath(root, row[0]), {
        mode: parseInt(row[1], 16),
        nlink: Number(row[2]),
        uid: Number(row[3]),
        gid: Number(row[4]),
        rdev: `${major}:${minor}`,
        size: Number(row[7]),
        blocks: Number(row[8]),
        atime: nanoseconds(row[9]),
        mtime: nanoseconds(row[10]),
        ctime: nanoseconds(row[11]),
        birth: nanoseconds(row[12]),
      }];
    }),
  );
}

async function hostTargets(root: string): Promise<Map<string, string>> {
  const printed = "%p\\0%l\\0";
  const output = await must("find", root, "-type", "l", "-printf", printed);
  return new Map(
    records(output, 2).map(([path, target]) => [
      shownPath(root, path),
      Buffer.from(target, "latin1").toString("hex"),
    ]),
  );
}

async function hostHashes(root: string): Promise<Map<string, string>> {
  const find = ["-type", "f", "-exec", "md5sum", "-z", "{}", "+"];
  const output = await must("find", root, ...find);
  return new Map(
    records(output, 1).map(([row]) => [
      shownPath(root, row.slice(34)),
      row.slice(0, 32),
    ]),
  );
}

async function hostXattrs(
  root: string,
): Promise<Map<string, [string, string][]>> {
  const options = ["-R", "-h", "-P", "-d", "-m", "-", "-e", "hex"];
  const output = await must("getfattr", "--absolute-names", ...options, root);
  const all = new Map<string, [string, string][]>();
  for (const block of output.split("\n\n").filter((text) => text !== "")) {
    const [head, ...rows] = block.split("\n").filter((row) => row !== "");
    const path = unescapeOctal(head.slice("# file: ".length));
    all.set(
      shownPath(root, path),
      rows.map((row) => {
        const at = row.indexOf("=");
        const name = unescapeOctal(at < 0 ? row : row.slice(0, at));
        return [name, at < 0 ? "" : row.slice(at + 3)];
      }),
    );
  }
  return all;
}

/** Undoes the escapes of `getfattr`: three octal digits. */
const unescapeOctal = (text: string): string =>
  text.replace(
    /\\([0-7]{3})/g,
    (_, digits) => String.fromCharCode(parseInt(digits, 8)),
  );

/** Asserts that two descriptions are equal; prints only what differs. */
export function assertSameTree(
  actual: Tree,
  expected: Tree,
  what: string,
): void {
  const differences = [];
  for (const path of new Set([...actual.keys(), ...expected.keys()])) {
    const [a, e] = [actual.get(path), expected.get(path)];
    if (a !== e) differences.push(`${path}\n  is       ${a}\n  expected ${e}`);
  }
  assert.equal(
    differences.length,
    0,
    `${what}: ${differences.length} paths differ\n` +
      differences.slice(0, 20).join("\n"),
  );
}
