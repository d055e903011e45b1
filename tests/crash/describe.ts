/**
 * A tree as text, from two independent views: the model's, and that of the
 * engine over the plaintext blocks of a volume. Equal trees, equal text.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { MemoryFile } from "../../bd/memory_file.ts";
import { StdDevice } from "../../bd/std.ts";
import {
  type Attributes,
  Filesystem,
  ROOT_INODE,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Timestamp,
} from "../../fs/mod.ts";
import { type Model, nameKey } from "../model.ts";
import type { ModelNode } from "../support/model_node.ts";
import { listDirectory, type Tree } from "../support/tree.ts";

const stamp = ({ sec, nsec }: Timestamp): string => `${sec}.${nsec}`;

/** What is said of each file; its inode number tells which names are links. */
type Facts =
  & Pick<
    Attributes,
    "ino" | "mode" | "nlink" | "uid" | "gid" | "rdev" | "size"
  >
  & Pick<Attributes, "atime" | "mtime" | "ctime" | "birthtime">
  & { content: string; xattrs: [string, Uint8Array][] };

function line(facts: Facts): string {
  const { ino, mode, nlink, uid, gid, rdev, size, content } = facts;
  const { atime, mtime, ctime, birthtime } = facts;
  const times = [atime, mtime, ctime].map(stamp).join(" ");
  const xattrs = facts.xattrs.map(([name, value]) =>
    `${name}=${Buffer.from(value).toString("base64")}`
  );
  return `#${ino} ${mode.toString(8)} ${nlink} ${uid}:${gid} ` +
    `${rdev.major},${rdev.minor} ${size} ${times} ` +
    `${birthtime ? stamp(birthtime) : "-"} ${content} [${xattrs.sort()}]`;
}

const isKind = (mode: number, kind: number): boolean =>
  (mode & S_IFMT) === kind;

/** The part of a file that is hashed in one piece, in bytes. */
const PIECE = 4096;

/** Hashes of the pieces of a file that hold something. */
class Content {
  readonly #parts: string[] = [];

  add(at: number, bytes: Uint8Array): void {
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
    if (end === 0) return;
    const hash = createHash("md5").update(bytes.subarray(0, end));
    this.#parts.push(`${at}:${hash.digest("base64url")}`);
  }

  toString(): string {
    return this.#parts.join("+");
  }
}

/** Everything below the root of a volume of plaintext blocks. */
export function describePlain(plain: Uint8Array, blockSize: number): Tree {
  const device = new StdDevice(new MemoryFile(plain), blockSize);
  const options = { readOnly: true, atime: "noatime" } as const;
  return describeFilesystem(
    Filesystem.open(device, { ...options, cacheSize: 1 << 20 }),
  );
}

/** Everything below the root, as the engine shows it; open with `noatime`. */
export function describeFilesystem(fs: Filesystem): Tree {
  const tree: Tree = new Map();
  const visit = (path: string, ino: number): void => {
    const attributes = fs.getattr(ino);
    const { mode, size } = attributes;
    const isDirectory = isKind(mode, S_IFDIR);
    tree.set(
      path,
      line({
        ...attributes,
        size: isDirectory ? 0 : size,
        content: isKind(mode, S_IFREG)
          ? fileContent(fs, ino)
          : isKind(mode, S_IFLNK)
          ? Buffer.from(fs.readlink(ino)).toString("base64")
          : "",
        xattrs: fs.listxattr(ino).map((name) => [
          nameKey(name),
          fs.getxattr(ino, name),
        ]),
      }),
    );
    if (!isDirectory) return;
    const entries = listDirectory(fs, ino).map(({ name, ino }) =>
      [nameKey(name), ino] as const
    );
    for (const [name, child] of sorted(entries)) {
      visit(`${path}/${name}`, child);
    }
  };
  visit("", ROOT_INODE);
  return tree;
}

function fileContent(fs: Filesystem, ino: number): string {
  const content = new Content();
  const buffer = new Uint8Array(64 * PIECE);
  for (let done = 0, n; (n = fs.read(ino, done, buffer)) > 0; done += n) {
    for (let at = 0; at < n; at += PIECE) {
      content.add(done + at, buffer.subarray(at, Math.min(n, at + PIECE)));
    }
  }
  return content.toString();
}

/** Everything below the root, as the model has it. */
export function describeModel(model: Model, hasBirthtimes: boolean): Tree {
  const tree: Tree = new Map();
  const visit = (path: string, node: ModelNode): void => {
    const { mode, birthtime } = node;
    tree.set(
      path,
      line({
        ...node,
        size: isKind(mode, S_IFLNK) ? node.target.length : node.data.size,
        birthtime: hasBirthtimes ? birthtime : null,
        content: isKind(mode, S_IFREG)
          ? modelContent(node)
          : Buffer.from(node.target).toString("base64"),
        xattrs: [...node.xattrs],
      }),
    );
    for (const [name, child] of sorted([...node.entries])) {
      visit(`${path}/${name}`, model.node(child));
    }
  };
  visit("", model.node(ROOT_INODE));
  return tree;
}

function modelContent({ data }: ModelNode): string {
  const content = new Content();
  for (const page of [...data.pages.keys()].sort((a, b) => a - b)) {
    content.add(page * PIECE, data.read(page * PIECE, PIECE));
  }
  return content.toString();
}

function sorted<T extends readonly [string, unknown]>(entries: T[]): T[] {
  return entries.sort(([a], [b]) => a < b ? -1 : 1);
}

/** A short name of a tree: equal for equal trees only. */
export function treeDigest(tree: Tree): string {
  const hash = createHash("sha1");
  for (const [path, line] of tree) hash.update(`${path}\0${line}\0`);
  return hash.digest("base64url");
}

/** How `actual` differs from `expected`, in a few lines. */
export function treeDifference(actual: Tree, expected: Tree): string {
  const paths = new Set([...actual.keys(), ...expected.keys()]);
  const lines = [];
  for (const path of paths) {
    const [is, due] = [actual.get(path), expected.get(path)];
    if (is === due) continue;
    lines.push(`    ${path || "/"}\n      is  ${is}\n      due ${due}`);
  }
  return lines.slice(0, 4).join("\n");
}
