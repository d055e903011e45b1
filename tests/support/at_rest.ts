/**
 * A verified device with a past, and all that a host can do to what it stores
 * while nobody looks.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { BlockDevice } from "../../bd/block_device.ts";
import { CryptDevice } from "../../bd/crypt.ts";
import { MemoryDevice } from "../../bd/memory.ts";
import type { TrustedState } from "../../bd/trusted_state.ts";
import { hex, pagedLevels, placeInPages } from "../support/naive_tree.ts";
import { Random } from "../support/random.ts";
import { type TreeKind, VeritySpecimen } from "../support/verity.ts";

export const SIZE = 1024;
export const BLOCKS = 70;
/** Blocks that are never written; a tree of pages has no leaves for them. */
const UNUSED = { first: 40, end: 50 };
const NODE = 32;

/** The devices that verify. */
export const DEVICES = [
  { name: "verity, array", kind: "array", isEncrypted: false },
  { name: "verity, pages", kind: "pages", isEncrypted: false },
  { name: "vericrypt, array", kind: "array", isEncrypted: true },
  { name: "vericrypt, pages", kind: "pages", isEncrypted: true },
] as const;
/** One of them. */
export type Kind = typeof DEVICES[number];

/** What the host has, as bytes. */
export interface Bytes {
  image: Uint8Array;
  tree: Uint8Array;
}

/** A device with a past, and what its blocks hold for its user. */
export interface Scene {
  kind: Kind;
  specimen: VeritySpecimen;
  present: Bytes;
  past: Bytes;
  plain: Uint8Array;
  /** Numbers of the tree's nodes, by their bytes in its file. */
  numbers: Map<number, number>;
}

/** One thing that the host does. */
export interface Damage {
  /** What is damaged, and how: a row of the table. */
  row: string;
  /** What the host has then. */
  stored: Bytes;
  /** Blocks that cannot be read any more; null if it must not open. */
  failing: number[] | null;
  /** The state that is trusted, if not the true one. */
  state?: TrustedState;
}

export function top(kind: Kind, device: BlockDevice): BlockDevice {
  if (!kind.isEncrypted) return device;
  const key = new Uint8Array(64).map((_, i) => i);
  const sparse = kind.kind === "pages";
  return new CryptDevice(device, { cipher: "aes-256-xts", key, sparse });
}

export function bytesOf(image: BlockDevice): Uint8Array {
  const bytes = new Uint8Array(image.blockCount * SIZE);
  image.read(0, bytes);
  return bytes;
}

export function imageOf(bytes: Uint8Array): MemoryDevice {
  const blocks = Math.floor(bytes.length / SIZE);
  const image = new MemoryDevice(SIZE, blocks);
  image.write(0, bytes.subarray(0, blocks * SIZE));
  return image;
}

/** Writes everything twice, but what is not used, and remembers in between. */
export async function makeScene(kind: Kind): Promise<Scene> {
  const random = new Random(77);
  const specimen = new VeritySpecimen({ kind: kind.kind, blocks: BLOCKS });
  const device = top(kind, specimen.open());
  const write = async (): Promise<Bytes> => {
    device.write(0, random.bytes(UNUSED.first * SIZE));
    device.write(UNUSED.end, random.bytes((BLOCKS - UNUSED.end) * SIZE));
    await device.flush();
    const image = bytesOf(specimen.image);
    return { image, tree: specimen.tree.bytes.slice() };
  };
  const past = await write();
  const present = await write();
  const plain = bytesOf(device);
  for (let block = 0; block < BLOCKS; block++) {
    if (!isUsed(block)) continue;
    specimen.note(block, present.image.subarray(block * SIZE).slice(0, SIZE));
  }
  assert.equal(hex(specimen.state.root), hex(specimen.root()));
  device.close();
  const numbers = nodeNumbers(kind.kind, BLOCKS);
  return { kind, specimen, past, present, plain, numbers };
}

function isUsed(block: number): boolean {
  return block < UNUSED.first || block >= UNUSED.end;
}

/** Ways to damage the `length` bytes at `at`, which lie among their like. */
function* ways(
  { present, past }: { present: Uint8Array; past: Uint8Array },
  at: number,
  length: number,
): Generator<[string, Uint8Array]> {
  const end = at + length;
  const damage = (change: (bytes: Uint8Array) => void): Uint8Array => {
    const bytes = present.slice();
    change(bytes);
    return bytes;
  };
  for (const place of [at, at + (length >> 1), end - 1]) {
    yield ["a bit flipped", damage((bytes) => bytes[place] ^= 0x20)];
  }
  yield ["zeroed", damage((bytes) => bytes.fill(0, at, end))];
  yield ["an old copy", damage((bytes) => bytes.set(past.slice(at, end), at))];
  for (const step of [length, 5 * length]) {
    const other = (at + step) % (present.length - length + 1);
    yield [
      "swapped",
      damage((bytes) => {
        bytes.set(present.subarray(other, other + length), at);
        bytes.set(present.subarray(at, end), other);
      }),
    ];
  }
}

/** Places of `a` and `b`, in units of `size` bytes, where they differ. */
export function differing(
  a: Uint8Array,
  b: Uint8Array,
  size: number,
): number[] {
  const places: number[] = [];
  for (let at = 0; at < a.length; at += size) {
    const [left, right] = [a, b].map((bytes) => bytes.subarray(at, at + size));
    if (Buffer.compare(left, right) !== 0) places.push(at / size);
  }
  return places;
}

export function* imageDamages(
  { kind, present, past }: Scene,
): Generator<Damage> {
  const images = { present: present.image, past: past.image };
  for (let block = 0; block < BLOCKS; block++) {
    for (const [way, image] of ways(images, block * SIZE, SIZE)) {
      const failing = differing(image, present.image, SIZE)
        .filter((block) => kind.kind === "array" || isUsed(block));
      const stored = { image, tree: present.tree };
      yield { row: `a block: ${way}`, stored, failing };
    }
  }
}

/** Numbers of the nodes of a tree over `blocks`, by their bytes in its file. */
export function nodeNumbers(
  kind: TreeKind,
  blocks: number,
): Map<number, number> {
  const numbers = new Map<number, number>();
  if (kind === "array") {
    for (let node = 1; node < 2 * blocks; node++) {
      numbers.set((node - 1) * NODE, node);
    }
    return numbers;
  }
  for (let node = 2; node < 2 ** (pagedLevels(blocks) + 1); node++) {
    numbers.set(placeInPages(node), node);
  }
  return numbers;
}

/** Which of `count` blocks have a path past `node` or its sibling. */
export function blocksBelowParent(
  kind: TreeKind,
  count: number,
  node: number,
): number[] {
  const firstLeaf = kind === "array" ? count : 2 ** pagedLevels(count);
  const blocks: number[] = [];
  for (let block = 0; block < count; block++) {
    let at = firstLeaf + block;
    while (at > 1 && at >> 1 !== node >> 1) at >>= 1;
    // The root is trusted, not read.
    if (at > 1) blocks.push(block);
  }
  return blocks;
}

/** Blocks that cannot be read with `tree` in place of the scene's. */
function treeFailing(scene: Scene, tree: Uint8Array): number[] {
  const { kind: { kind }, numbers } = scene;
  const failing = new Set<number>();
  for (const place of differing(tree, scene.present.tree, NODE)) {
    const node = numbers.get(place * NODE) ?? 1;
    if (node === 1) continue;
    for (const block of blocksBelowParent(kind, BLOCKS, node)) {
      failing.add(block);
    }
  }
  return [...failing].sort((a, b) => a - b);
}

export function* treeDamages(scene: Scene): Generator<Damage> {
  const { image, tree } = scene.present;
  const trees = { present: tree, past: scene.past.tree };
  for (const [what, size] of [["a node", NODE], ["a page", 4096]] as const) {
    for (let at = 0; at < tree.length; at += size) {
      const length = Math.min(size, tree.length - at);
      for (const [way, damaged] of ways(trees, at, length)) {
        yield {
          row: `${what}: ${way}`,
          stored: { image, tree: damaged },
          failing: treeFailing(scene, damaged),
        };
      }
    }
  }
}

function cut(bytes: Uint8Array, by: number): Uint8Array {
  return bytes.slice(0, bytes.length - by);
}

function grown(bytes: Uint8Array, by: number): Uint8Array {
  const longer = new Uint8Array(bytes.length + by);
  longer.set(bytes);
  longer.set(new Random(by).bytes(by), bytes.length);
  return longer;
}

export function* wholeDamages(scene: Scene): Generator<Damage> {
  const { kind, past, present, specimen } = scene;
  const { image, tree } = present;
  const used = Array.from({ length: BLOCKS }, (_, block) => block)
    .filter((block) => kind.kind === "array" || isUsed(block));
  const one = (
    row: string,
    stored: Bytes,
    failing: number[] | null,
  ): Damage => {
    return { row, stored, failing };
  };
  yield one(
    "the image: an old copy",
    { image: past.image, tree },
    used.filter(isUsed),
  );
  const old = treeFailing(scene, past.tree);
  yield one("the tree: an old copy", { image, tree: past.tree }, old);
  yield one("both: an old copy", past, old);
  for (const by of [1, SIZE - 1, SIZE, SIZE + 1, BLOCKS * SIZE]) {
    const stored = { image: cut(image, by), tree };
    yield one("the image: cut short", stored, null);
  }
  for (const by of [SIZE, 5 * SIZE]) {
    const stored = { image: grown(image, by), tree };
    yield one("the image: extended", stored, null);
  }
  // Less than a block is not a block, and nobody looks at it.
  yield one("the image: extended", { image: grown(image, 9), tree }, []);
  for (const by of [1, NODE, 2 * NODE, 4096, tree.length]) {
    if (by > tree.length) continue;
    yield one("the tree: cut short", { image, tree: cut(tree, by) }, null);
  }
  for (const by of [1, NODE, 2 * NODE, 4096]) {
    const stored = { image, tree: grown(tree, by) };
    yield one("the tree: extended", stored, null);
  }
  for (const more of [1, 2, BLOCKS]) {
    const stored = {
      image: grown(image, more * SIZE),
      tree: grown(tree, 2 * more * NODE),
    };
    yield one("both: extended", stored, null);
    // The same, and the image as it was, with a leaf count that suits the tree.
    const state = { ...specimen.state, leafCount: BLOCKS + more };
    const row = "the tree: extended, the count too";
    yield { row, stored: { ...stored, image }, failing: null, state };
  }
}
