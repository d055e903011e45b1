/**
 * Hash trees as their description has them: by plain recursion, with hashes of
 * the runtime's. Shares no code with the project.
 *
 * @module
 */

import * as nodeCrypto from "node:crypto";

/** Hashes one message. */
export type Digest = (message: Uint8Array) => Uint8Array;

/** Is told of each node, by its number, in any order. */
export type NodeVisitor = (node: number, value: Uint8Array) => void;

/** HMAC with `key`, or the plain hash if it is null, as the runtime has it. */
export function naiveDigest(
  algorithm: string,
  key: Uint8Array | null,
): Digest {
  return (message) => {
    const hash = key === null
      ? nodeCrypto.createHash(algorithm)
      : nodeCrypto.createHmac(algorithm, key);
    return Uint8Array.from(hash.update(message).digest());
  };
}

/** The same digest, computed once for each message; for short ones. */
export function remembering(digest: Digest): Digest {
  const known = new Map<string, Uint8Array>();
  return (message) => {
    const name = String.fromCharCode(...message);
    let value = known.get(name);
    if (!value) known.set(name, value = digest(message));
    return value;
  };
}

/** The root of the original's tree over `leaves`; `see` is told all nodes. */
export function naiveArray(
  leaves: readonly Uint8Array[],
  nodeHash: Digest,
  see: NodeVisitor = () => {},
): Uint8Array {
  const compute = (node: number): Uint8Array => {
    const value = node >= leaves.length
      ? leaves[node - leaves.length]
      : nodeHash(joined(compute(2 * node), compute(2 * node + 1)));
    see(node, value);
    return value;
  };
  return compute(1);
}

/**
 * The root of a tree of our own; leaves that are not in `leaves` were never
 * written. `see` is told all nodes that are not of zeros.
 */
export function naivePages(
  leafCount: number,
  leaves: ReadonlyMap<number, Uint8Array>,
  nodeHash: Digest,
  see: NodeVisitor = () => {},
): Uint8Array {
  const zeros = new Uint8Array(32);
  const compute = (
    node: number,
    below: number,
    written: number[],
  ): Uint8Array => {
    if (written.length === 0) return zeros;
    let value: Uint8Array;
    if (below === 0) value = leaves.get(written[0])!;
    else {
      // Of the leaves below, those of the left child come first.
      const split = (2 * node + 1) * 2 ** (below - 1) - 2 ** levels;
      value = nodeHash(joined(
        compute(2 * node, below - 1, written.filter((leaf) => leaf < split)),
        compute(
          2 * node + 1,
          below - 1,
          written.filter((leaf) => leaf >= split),
        ),
      ));
    }
    see(node, value);
    return value;
  };
  const levels = pagedLevels(leafCount);
  return compute(1, levels, [...leaves.keys()]);
}

/** Levels below the root of a tree of our own: as many as 64^k leaves need. */
export function pagedLevels(leafCount: number): number {
  let levels = 6;
  while (2 ** levels < leafCount) levels += 6;
  return levels;
}

/** Byte of the file where a tree of our own has `node`, which is no root. */
export function placeInPages(node: number): number {
  // The path from the root, one digit for each turn.
  const path = node.toString(2).slice(1);
  let page = 0;
  let pagesAbove = 0;
  let pagesHere = 1;
  let at = 0;
  for (; at + 6 < path.length; at += 6) {
    pagesAbove += pagesHere;
    pagesHere *= 64;
    page = page * 64 + parseInt(path.slice(at, at + 6), 2);
  }
  const slot = parseInt(`1${path.slice(at)}`, 2);
  return (pagesAbove + page) * 4096 + slot * 32;
}

/** The file of a tree of our own for `leafCount` leaves. */
export function naivePagesFile(
  leafCount: number,
  leaves: ReadonlyMap<number, Uint8Array>,
  nodeHash: Digest,
): Uint8Array {
  const lastLeaf = 2 ** pagedLevels(leafCount) + leafCount - 1;
  const pages = Math.floor(placeInPages(lastLeaf) / 4096) + 1;
  const file = new Uint8Array(pages * 4096);
  naivePages(leafCount, leaves, nodeHash, (node, value) => {
    if (node > 1) file.set(value, placeInPages(node));
  });
  return file;
}

/** The original's tree file over `leaves`. */
export function naiveArrayFile(
  leaves: readonly Uint8Array[],
  nodeHash: Digest,
): Uint8Array {
  const size = leaves[0].length;
  const file = new Uint8Array((2 * leaves.length - 1) * size);
  naiveArray(leaves, nodeHash, (node, value) => {
    file.set(value, (node - 1) * size);
  });
  return file;
}

/** `bytes` as hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const pair = new Uint8Array(left.length + right.length);
  pair.set(left);
  pair.set(right, left.length);
  return pair;
}
