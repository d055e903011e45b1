/**
 * A hash tree on its own in memory, with a model of its leaves.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ByteFile } from "../../bd/byte_file.ts";
import {
  createBlockHash,
  DIGEST_BYTES,
  type HashAlgorithm,
} from "../../bd/hmac.ts";
import { MemoryFile } from "../../bd/memory_file.ts";
import { MerkleTree } from "../../bd/merkle_tree.ts";
import { arrayLayout, pagedLayout } from "../../bd/tree_layout.ts";
import {
  type Digest,
  hex,
  naiveArray,
  naiveArrayFile,
  naiveDigest,
  naivePages,
  naivePagesFile,
  remembering,
} from "./naive_tree.ts";

/** A tree in memory, what its leaves are meant to be, and how to check it. */
export class TreeSpecimen {
  /** The tree as the host has it. */
  readonly file: MemoryFile;
  /** Leaves that were changed; the others are of zeros. */
  readonly leaves: Map<number, Uint8Array> = new Map();
  /** Size of a node, in bytes. */
  readonly size: number;
  /** The trusted root. */
  root: Uint8Array;
  readonly #leafCount: number;
  readonly #isPaged: boolean;
  readonly #algorithm: HashAlgorithm;
  readonly #key: Uint8Array | null;
  readonly #hash: Digest;

  /**
   * Makes a tree of zeros: our pages, or the original's array with `kind` for
   * its hash. Without a key (null) nodes are plain hashes.
   */
  constructor(
    leafCount: number,
    kind: HashAlgorithm | "pages" = "pages",
    options: { key?: Uint8Array | null } = {},
  ) {
    const { key = new Uint8Array(20).fill(0x5a) } = options;
    this.#leafCount = leafCount;
    this.#isPaged = kind === "pages";
    this.#algorithm = kind === "pages" ? "sha256" : kind;
    this.#key = key;
    this.#hash = remembering(naiveDigest(this.#algorithm, key));
    this.size = DIGEST_BYTES[this.#algorithm];
    this.file = new MemoryFile(this.expectedFile());
    this.root = this.expectedRoot();
  }

  /**
   * Opens the tree in its file or in another, with a cache of `cacheSize`
   * bytes: the smallest one if absent.
   */
  open(file: ByteFile = this.file, cacheSize: number = 0): MerkleTree {
    const { root, size } = this;
    const layout = this.#isPaged
      ? pagedLayout(this.#leafCount)
      : arrayLayout(this.#leafCount, size);
    const nodeHash = createBlockHash(this.#algorithm, this.#key);
    return new MerkleTree(file, { layout, nodeHash, root, cacheSize });
  }

  /** The root that the leaves should have. */
  expectedRoot(): Uint8Array {
    return this.#isPaged
      ? naivePages(this.#leafCount, this.leaves, this.#hash)
      : naiveArray(this.#allLeaves(), this.#hash);
  }

  /** The file that the leaves should have. */
  expectedFile(): Uint8Array {
    return this.#isPaged
      ? naivePagesFile(this.#leafCount, this.leaves, this.#hash)
      : naiveArrayFile(this.#allLeaves(), this.#hash);
  }

  /** What leaf `leaf` is meant to be. */
  leaf(leaf: number): Uint8Array {
    return this.leaves.get(leaf) ?? new Uint8Array(this.size);
  }

  /** Changes a leaf of `tree`, as a write does. */
  change(tree: MerkleTree, leaf: number, digest: Uint8Array): void {
    tree.bind(leaf, 1);
    tree.change(leaf, digest);
    this.leaves.set(leaf, digest);
  }

  /** Folds and writes `tree`, and checks the root. */
  fold(tree: MerkleTree): void {
    tree.fold();
    tree.writeBack();
    this.root = tree.root;
    assert.equal(hex(tree.root), hex(this.expectedRoot()));
  }

  #allLeaves(): Uint8Array[] {
    return Array.from({ length: this.#leafCount }, (_, i) => this.leaf(i));
  }
}
