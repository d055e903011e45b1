/**
 * Compares a volume with the model, file by file.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  type Filesystem,
  ROOT_INODE,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Timestamp,
} from "../../fs/mod.ts";
import { Model, nameKey } from "../model.ts";
import { type ModelNode, newNode } from "./model_node.ts";
import { listDirectory } from "./tree.ts";

/** Files up to this size are compared byte by byte, larger ones in places. */
const WHOLE_BYTES = 400_000;

/** A model of what is on a volume: for one that was just formatted. */
export function importModel(fs: Filesystem, now: Timestamp): Model {
  const model = new Model(importNode(fs, ROOT_INODE, now));
  const visit = (dir: number): void => {
    const parent = model.node(dir);
    for (const entry of listDirectory(fs, dir)) {
      const node = importNode(fs, entry.ino, now);
      assert.equal(node.mode & S_IFMT, S_IFDIR, "a new volume is empty");
      node.parent = dir;
      model.nodes.set(node.ino, node);
      parent.entries.set(nameKey(entry.name), node.ino);
      visit(entry.ino);
    }
    model.accessed(parent);
  };
  visit(ROOT_INODE);
  return model;
}

function importNode(fs: Filesystem, ino: number, now: Timestamp): ModelNode {
  const { mode, nlink, uid, gid, atime, mtime, ctime, birthtime } = fs.getattr(
    ino,
  );
  const times = { atime, mtime, ctime, birthtime: birthtime ?? now };
  return Object.assign(newNode(ino, mode, now), { nlink, uid, gid, ...times });
}

/**
 * Asserts that one file's attributes are those of the model, or that it is
 * gone from both. `lenient` takes the engine's time of last access for right.
 */
export function compareNode(
  fs: Filesystem,
  model: Model,
  ino: number,
  options: { lenient?: boolean } = {},
): void {
  const node = model.nodes.get(ino);
  if (!node) {
    assert.throws(() => fs.getattr(ino), { code: "ESTALE" }, `inode ${ino}`);
    return;
  }
  const actual = fs.getattr(ino);
  if (options.lenient) node.atime = actual.atime;
  const kind = node.mode & S_IFMT;
  const size = kind === S_IFREG
    ? node.data.size
    : kind === S_IFLNK
    ? node.target.length
    : kind === S_IFDIR
    ? actual.size
    : 0;
  const { mode, nlink, uid, gid, rdev, atime, mtime, ctime } = node;
  const birthtime = actual.birthtime === null ? null : node.birthtime;
  assert.deepEqual(
    {
      ...actual,
      flags: 0,
      generation: 0,
      blocks: 0,
    },
    {
      ...{ ino, generation: 0, mode, nlink, uid, gid, rdev, size, blocks: 0 },
      ...{ atime, mtime, ctime, birthtime, flags: 0 },
    },
    `attributes of inode ${ino}`,
  );
}

/** Asserts that the whole tree and all open files without a name agree. */
export function compareVolume(fs: Filesystem, model: Model): void {
  const seen = new Set<number>();
  const visit = (ino: number): void => {
    if (seen.has(ino)) return;
    seen.add(ino);
    compareNode(fs, model, ino);
    const node = model.node(ino);
    const kind = node.mode & S_IFMT;
    compareXattrs(fs, node);
    if (kind === S_IFREG) compareContent(fs, model, node);
    else if (kind === S_IFLNK) {
      assert.deepEqual(fs.readlink(ino), model.readlink(ino));
    } else if (kind === S_IFDIR && node.nlink > 0) {
      compareNames(fs, model, node);
      for (const child of node.entries.values()) visit(child);
    }
  };
  visit(ROOT_INODE);
  for (const node of model.orphans()) visit(node.ino);
  assert.equal(seen.size, model.nodes.size, "the model has lost a file");
}

function compareNames(fs: Filesystem, model: Model, dir: ModelNode): void {
  const actual = new Map(
    listDirectory(fs, dir.ino).map((entry) => [nameKey(entry.name), entry]),
  );
  const numbers = [...actual].map(([key, entry]) => [key, entry.ino]);
  const expected = [...model.readdir(dir.ino)];
  assert.deepEqual(numbers.sort(), expected.sort(), `names in ${dir.ino}`);
  const hasKinds = fs.readdir(ROOT_INODE, 0, 1)[0].kind !== 0;
  for (const { ino, kind } of actual.values()) {
    assert.equal(kind, hasKinds ? model.node(ino).mode & S_IFMT : 0, "kind");
  }
}

function compareXattrs(fs: Filesystem, node: ModelNode): void {
  const names = fs.listxattr(node.ino).map(nameKey).sort();
  assert.deepEqual(names, [...node.xattrs.keys()].sort(), "xattr names");
  for (const name of names) {
    assert.deepEqual(fs.getxattr(node.ino, name), node.xattrs.get(name), name);
  }
}

function compareContent(fs: Filesystem, model: Model, node: ModelNode): void {
  const { size, pages } = node.data;
  if (size <= WHOLE_BYTES) return comparePiece(fs, model, node.ino, 0, size);
  const places = new Set<number>([0, size - 5000]);
  for (const page of pages.keys()) places.add(page * 4096 - 4096);
  for (const place of places) {
    comparePiece(fs, model, node.ino, Math.max(0, place), 3 * 4096);
  }
}

function comparePiece(
  fs: Filesystem,
  model: Model,
  ino: number,
  offset: number,
  length: number,
): void {
  const into = new Uint8Array(length + 1);
  const actual = into.subarray(0, fs.read(ino, offset, into));
  const expected = model.read(ino, offset, length + 1);
  if (Buffer.compare(actual, expected) === 0) return;
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  assert.fail(
    `contents of inode ${ino}, size ${model.node(ino).data.size}: ` +
      `${actual.length} bytes read at ${offset}, ${expected.length} expected; ` +
      `they differ from byte ${offset + at} on`,
  );
}
