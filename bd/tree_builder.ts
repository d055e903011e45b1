/**
 * Building the original's tree file in bulk, from the leaves upwards.
 *
 * Leaves come in order, in runs of many. The nodes of a run are neighbours in
 * the file, and so are their parents: a run is written in one write, then its
 * pairs are hashed to the run of their parents, and so on up. What is left
 * over at the ends of a run, at most one node on each side, waits for its
 * sibling. So each node is computed once and written once, nothing is read
 * back from a host that could have changed it, and memory is a few nodes on
 * each level besides the run itself.
 *
 * Nodes are numbered as in a heap, see `tree_layout.ts`: leaf `j` of `n` is
 * `n + j`. If `n` is not a power of two the leaves lie on two levels, and the
 * first ones on the upper: their parents lie to the right of all others, which
 * is why a right sibling can be there before its left one.
 *
 * @module
 */

import type { ByteFile } from "./byte_file.ts";
import type { BlockHash } from "./hmac.ts";
import { arrayLayout } from "./tree_layout.ts";

/** What a tree is built of. */
export interface TreeBuilderOptions {
  /** Number of leaves, from 1. */
  leafCount: number;
  /** The hash of two children, one behind the other; the caller wipes it. */
  nodeHash: BlockHash;
}

/** Nodes with consecutive numbers. */
interface Run {
  /** Number of the first. */
  readonly first: number;
  /** All of them, one behind the other. */
  readonly digests: Uint8Array;
}

/** See the module. */
export class TreeBuilder {
  readonly #file: ByteFile;
  readonly #leafCount: number;
  readonly #hash: BlockHash;
  /** Nodes without their siblings, by number. */
  readonly #waiting: Map<number, Uint8Array> = new Map();
  readonly #pair: Uint8Array;
  #added = 0;
  #root: Uint8Array | null = null;

  /** Builds a tree in `file`, of {@link originalTreeBytes} bytes. */
  constructor(file: ByteFile, { leafCount, nodeHash }: TreeBuilderOptions) {
    this.#file = file;
    this.#leafCount = leafCount;
    this.#hash = nodeHash;
    this.#pair = new Uint8Array(2 * nodeHash.digestSize);
  }

  /**
   * Adds the next leaves: `digests`, one behind the other, a few thousand at
   * a time for speed. Throws what the file throws.
   */
  add(digests: Uint8Array): void {
    const count = digests.length / this.#hash.digestSize;
    if (
      !Number.isInteger(count) || this.#added + count > this.#leafCount
    ) {
      throw new RangeError(
        `Cannot add ${digests.length} bytes of leaves: ` +
          `${this.#leafCount - this.#added} leaves are missing`,
      );
    }
    let run: Run = { first: this.#leafCount + this.#added, digests };
    this.#added += count;
    while (run.digests.length > 0) {
      const position = (run.first - 1) * this.#hash.digestSize;
      this.#file.writeAt(position, run.digests);
      if (run.first === 1) {
        this.#root = run.digests.slice();
        break;
      }
      run = this.#parents(run);
    }
  }

  /** The root. Throws `RangeError` if leaves are missing. */
  finish(): Uint8Array {
    if (this.#root !== null) return this.#root;
    throw new RangeError(
      `Cannot finish: ${this.#leafCount - this.#added} leaves are missing`,
    );
  }

  /** The parents of a run, as far as both children are known. */
  #parents({ first, digests }: Run): Run {
    const size = this.#hash.digestSize;
    const end = first + digests.length / size;
    const parents = new Uint8Array((Math.ceil((end - first) / 2) + 1) * size);
    let at = 0;
    let node = first;
    if (node % 2 === 1) {
      at += this.#join(node, digests.subarray(0, size), parents);
      node++;
    }
    const firstParent = at > 0 ? (first - 1) / 2 : node / 2;
    for (; node + 2 <= end; node += 2) {
      const from = (node - first) * size;
      const pair = digests.subarray(from, from + 2 * size);
      this.#hash.hashInto(pair, parents, at);
      at += size;
    }
    if (node < end) {
      const last = digests.subarray((node - first) * size);
      at += this.#join(node, last, parents.subarray(at));
    }
    return { first: firstParent, digests: parents.subarray(0, at) };
  }

  /**
   * Hashes `node` with its sibling into `parent` if that waits for it, else
   * lets it wait. Returns how many bytes of parents there are.
   */
  #join(node: number, digest: Uint8Array, parent: Uint8Array): number {
    const size = this.#hash.digestSize;
    const sibling = node % 2 === 0 ? node + 1 : node - 1;
    const other = this.#waiting.get(sibling);
    if (other === undefined) {
      this.#waiting.set(node, digest.slice());
      return 0;
    }
    this.#waiting.delete(sibling);
    this.#pair.set(digest, node % 2 * size);
    this.#pair.set(other, sibling % 2 * size);
    this.#hash.hashInto(this.#pair, parent, 0);
    return size;
  }
}

/** Size of the file of a tree over `leafCount` leaves, in bytes. */
export function originalTreeBytes(
  leafCount: number,
  digestSize: number,
): number {
  return arrayLayout(leafCount, digestSize).fileSize;
}
