/**
 * How the arguments of a random walk are chosen: so that names collide, files
 * share blocks' edges, and every rule is met.
 *
 * @module
 */

import {
  type Filesystem,
  S_IFDIR,
  S_IFMT,
  type Timestamp,
} from "../../fs/mod.ts";
import { type Model, nameKey } from "../model.ts";
import type { ModelNode } from "./model_node.ts";
import type { Random } from "./random.ts";

/** One operation, ready to be done on both sides. */
export interface Step {
  /** For the log. */
  readonly text: string;
  /** Inodes whose attributes are compared afterwards. */
  readonly touched: number[];
  /** Does it to the volume. */
  engine(fs: Filesystem): unknown;
  /** Does it to the model; `undefined` needs no comparison. */
  model(model: Model, engineValue: unknown): unknown;
  /** Only reads, but for the time of last access. */
  readonly reads?: boolean;
  /** Takes place although it fails, where the host does. */
  readonly happensAnyway?: boolean;
  /** Blocks it may need at most. */
  readonly blocks: number;
  /** Whether it needs a free inode. */
  readonly makesInode?: boolean;
}

/** What the volume can do. */
export interface Limits {
  /** Whether times have nanoseconds, and years beyond 2038. */
  readonly nanoseconds: boolean;
  /** Size of a block, in bytes. */
  readonly blockSize: number;
}

/** Blocks that any change of a directory may take: data and pointers. */
export const DIRECTORY_BLOCKS = 6;

const NAMES = "a b c d e f g A B.txt ü-umlaut .hidden x~".split(" ").map(
  (text) => new TextEncoder().encode(text),
);

/** All files of a kind; of any kind for 0. */
export function nodesOf(model: Model, kind: number): ModelNode[] {
  const nodes = [...model.nodes.values()];
  return kind === 0
    ? nodes
    : nodes.filter(({ mode }) => (mode & S_IFMT) === kind);
}

/** A file of a kind; now and then one of any kind, or none at all. */
export function anyNode(random: Random, model: Model, kind: number): number {
  if (random.chance(0.01)) return 1_000_000 + random.below(2 ** 31);
  const nodes = nodesOf(model, random.chance(0.05) ? 0 : kind);
  return nodes.length > 0 ? random.pick(nodes).ino : 2;
}

/** A directory: the first ones more often than others, so that some grow. */
export function anyDirectory(random: Random, model: Model): number {
  const dirs = nodesOf(model, S_IFDIR);
  if (random.chance(0.02)) return anyNode(random, model, 0);
  const [a, b] = [random.below(dirs.length), random.below(dirs.length)];
  return dirs[Math.min(a, b)].ino;
}

/** A name that others are likely to have too; a few are too long. */
export function anyName(random: Random): Uint8Array {
  if (random.chance(0.7)) return random.pick(NAMES);
  if (random.chance(0.03)) return new Uint8Array(256).fill(0x78);
  const length = random.chance(0.2) ? 200 + random.below(56) : 8;
  const name = new Uint8Array(length).fill(0x6e);
  const digits = new TextEncoder().encode(String(random.below(300)));
  name.set(digits);
  return name;
}

/** A place in the tree: mostly one where there is something. */
export function anyPlace(
  random: Random,
  model: Model,
  wanted: number,
): { dir: number; name: Uint8Array } {
  for (let tries = 0; tries < 4; tries++) {
    const dir = anyDirectory(random, model);
    const node = model.nodes.get(dir);
    if (!node || node.entries.size === 0) continue;
    const [key, ino] = random.pick([...node.entries]);
    if (wanted && (model.node(ino).mode & S_IFMT) !== wanted) continue;
    return { dir, name: Uint8Array.from(key, (c) => c.charCodeAt(0)) };
  }
  return { dir: anyDirectory(random, model), name: anyName(random) };
}

/** The inode of a place, in a list, for comparison. */
export function inodeAt(model: Model, dir: number, name: Uint8Array): number[] {
  const ino = model.nodes.get(dir)?.entries.get(nameKey(name));
  return ino === undefined ? [] : [ino];
}

/** A name for the log. */
export const shortName = (name: Uint8Array): string => {
  const text = new TextDecoder().decode(name);
  return JSON.stringify(text.length > 30 ? `${text.slice(0, 8)}…` : text) +
    (text.length > 30 ? `(${name.length})` : "");
};

/** An offset near a limit of the block map, or somewhere below it. */
export function anyOffset(random: Random, blockSize: number): number {
  const n = blockSize / 4;
  const limits = [0, 1, 2, 12, 12, 12 + n, 12 + n];
  if (random.chance(0.1)) limits.push(12 + 2 * n, 12 + n + n * n);
  const edge = random.pick(limits) * blockSize;
  if (random.chance(0.3)) return random.below(edge + 3 * blockSize);
  return Math.max(0, edge + random.below(3 * blockSize) - blockSize);
}

/** A time that the volume can hold. */
export function anyTime(random: Random, { nanoseconds }: Limits): Timestamp {
  if (!nanoseconds) return { sec: random.next() | 0, nsec: 0 };
  const epoch = random.below(4) * 2 ** 32;
  return { sec: (random.next() | 0) + epoch, nsec: random.below(1e9) };
}

/** Permissions with any set-id and sticky bits. */
export const anyMode = (random: Random): number => random.below(0o10000);
