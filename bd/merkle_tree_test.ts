import assert from "node:assert/strict";
import {
  type Digest,
  hex,
  naiveArray,
  naiveArrayFile,
  naiveDigest,
  naivePages,
  naivePagesFile,
  placeInPages,
  remembering,
} from "../tests/support/naive_tree.ts";
import { HostileFile, serving } from "../tests/support/hostile.ts";
import { Random } from "../tests/support/random.ts";
import { IntegrityError } from "./block_device.ts";
import { createBlockHash, DIGEST_BYTES, HASH_ALGORITHMS } from "./hmac.ts";
import type { HashAlgorithm } from "./hmac.ts";
import { MemoryFile } from "./memory_file.ts";
import { MerkleTree } from "./merkle_tree.ts";
import { arrayLayout, pagedLayout } from "./tree_layout.ts";

const KEY = new Uint8Array(20).fill(0x5a);
const LEAF_COUNTS = [1, 2, 3, 5, 7, 8, 63, 64, 65, 100, 4095, 4097];

/** A tree in memory, what its leaves are meant to be, and how to check it. */
class Grove {
  readonly file: MemoryFile;
  readonly leaves: Map<number, Uint8Array> = new Map();
  readonly size: number;
  root: Uint8Array;
  readonly #hash: Digest;

  constructor(
    readonly leafCount: number,
    readonly algorithm: HashAlgorithm | "pages" = "pages",
    readonly key: Uint8Array | null = KEY,
  ) {
    const hash = algorithm === "pages" ? "sha256" : algorithm;
    this.size = DIGEST_BYTES[hash];
    this.#hash = remembering(naiveDigest(hash, key));
    this.file = new MemoryFile(this.expectedFile());
    this.root = this.expectedRoot();
  }

  open(file: MemoryFile | HostileFile = this.file): MerkleTree {
    const { algorithm, key, root, leafCount } = this;
    const isPaged = algorithm === "pages";
    const layout = isPaged
      ? pagedLayout(leafCount)
      : arrayLayout(leafCount, this.size);
    const nodeHash = createBlockHash(isPaged ? "sha256" : algorithm, key);
    return new MerkleTree(file, { layout, nodeHash, root, cacheSize: 0 });
  }

  expectedRoot(): Uint8Array {
    return this.algorithm === "pages"
      ? naivePages(this.leafCount, this.leaves, this.#hash)
      : naiveArray(this.#allLeaves(), this.#hash);
  }

  expectedFile(): Uint8Array {
    return this.algorithm === "pages"
      ? naivePagesFile(this.leafCount, this.leaves, this.#hash)
      : naiveArrayFile(this.#allLeaves(), this.#hash);
  }

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
    return Array.from({ length: this.leafCount }, (_, i) => this.leaf(i));
  }
}

function walk(grove: Grove, random: Random, rounds: number): void {
  let tree = grove.open();
  for (let round = 0; round < rounds; round++) {
    for (let changes = random.below(20); changes > 0; changes--) {
      const leaf = random.below(grove.leafCount);
      grove.change(tree, leaf, random.bytes(grove.size));
      assert.ok(tree.matches(leaf, grove.leaf(leaf)));
    }
    const leaf = random.below(grove.leafCount);
    assert.ok(tree.matches(leaf, grove.leaf(leaf)));
    assert.ok(!tree.matches(leaf, random.bytes(grove.size)));
    grove.fold(tree);
    if (random.chance(0.3)) tree = grove.open();
  }
  assert.deepEqual(grove.file.bytes, grove.expectedFile());
}

for (const algorithm of [...HASH_ALGORITHMS, "pages" as const]) {
  Deno.test(`${algorithm}: root and file equal those of a naive recursion`, () => {
    for (const leafCount of LEAF_COUNTS) {
      const random = new Random(leafCount);
      walk(new Grove(leafCount, algorithm), random, leafCount < 1000 ? 8 : 2);
    }
  });
}

Deno.test("a tree without a key has plain hashes for nodes", () => {
  for (const leafCount of [1, 2, 65]) {
    walk(new Grove(leafCount, "sha256", null), new Random(3), 10);
  }
});

/** Nodes that `fn` makes `tree` hash. */
function hashed(tree: MerkleTree, fn: () => void): number {
  const before = tree.statistics.hashed;
  fn();
  return tree.statistics.hashed - before;
}

Deno.test("a climb ends at the nearest verified node", () => {
  const grove = new Grove(64, "sha256");
  const random = new Random(4);
  for (let i = 0; i < 64; i++) grove.leaves.set(i, random.bytes(32));
  grove.file.bytes.set(grove.expectedFile());
  grove.root = grove.expectedRoot();
  const tree = grove.open();
  const climb = (leaf: number): number =>
    hashed(tree, () => assert.ok(tree.matches(leaf, grove.leaf(leaf))));
  // The path has six pairs; each makes two nodes verified.
  const climbs = [[0, 6], [0, 0], [1, 0], [2, 1], [3, 0], [4, 2], [63, 5]];
  for (const [leaf, nodes] of climbs) assert.equal(climb(leaf), nodes);
  // A leaf that does not match is no damage of the tree's.
  assert.ok(!tree.matches(0, grove.leaf(1)));
  assert.equal(climb(0), 0);
});

Deno.test("inner nodes are computed once for each fold", () => {
  const grove = new Grove(64, "sha256");
  const random = new Random(5);
  const tree = grove.open();
  // All 63 inner nodes are verified first.
  const verify = hashed(tree, () => tree.bind(0, 64));
  assert.equal(verify, 63);
  const change = hashed(tree, () => {
    for (let i = 0; i < 64; i++) grove.change(tree, i, random.bytes(32));
    for (let i = 0; i < 64; i++) grove.change(tree, 7, random.bytes(32));
  });
  assert.equal(change, 0);
  assert.equal(hashed(tree, () => tree.fold()), 63);
  grove.fold(tree);
  assert.equal(hashed(tree, () => tree.fold()), 0);
  grove.change(tree, 9, random.bytes(32));
  grove.change(tree, 8, random.bytes(32));
  assert.equal(hashed(tree, () => tree.fold()), 6);
  grove.fold(tree);
});

Deno.test("leaves verified between a change and the fold stay right", () => {
  for (const algorithm of ["sha1", "pages"] as const) {
    const grove = new Grove(100, algorithm);
    const random = new Random(6);
    const tree = grove.open();
    for (let i = 0; i < 300; i++) {
      grove.change(tree, random.below(100), random.bytes(grove.size));
      const leaf = random.below(100);
      assert.ok(tree.matches(leaf, grove.leaf(leaf)));
      if (random.chance(0.05)) grove.fold(tree);
    }
    grove.fold(tree);
  }
});

Deno.test("to bind a path with a damaged sibling fails, and changes nothing", () => {
  const grove = new Grove(8, "sha256");
  for (let i = 0; i < 8; i++) grove.leaves.set(i, new Uint8Array(32).fill(i));
  grove.file.bytes.set(grove.expectedFile());
  grove.root = grove.expectedRoot();
  // The path of leaf 0, node 8, with its siblings 9, 5 and 3.
  for (const node of [8, 9, 4, 5, 2, 3]) {
    const file = new MemoryFile(grove.file.bytes.slice());
    file.bytes[(node - 1) * 32 + 5] ^= 1;
    const before = file.bytes.slice();
    const tree = grove.open(file);
    assert.throws(() => tree.bind(0, 1), IntegrityError);
    assert.throws(() => tree.bind(0, 1), IntegrityError);
    assert.throws(() => tree.check(0), IntegrityError);
    tree.fold();
    tree.writeBack();
    assert.deepEqual(file.bytes, before);
    assert.equal(hex(tree.root), hex(grove.root));
  }
});

Deno.test("what is bound is not read again before the fold", () => {
  for (const algorithm of ["md5", "pages"] as const) {
    const grove = new Grove(100_000, algorithm);
    const file = new HostileFile(grove.file);
    const tree = grove.open(file);
    const leaves = Array.from({ length: 5 }, (_, i) => i * 19_999);
    for (const leaf of leaves) tree.bind(leaf, 1);
    // Everything else goes through the cache, and then the host lies.
    for (let i = 0; i < 100_000; i += 64) tree.check(i);
    file.tamper = (_, bytes) => bytes.fill(0xbb);
    assert.throws(() => {
      for (let i = 0; i < 100_000; i += 64) tree.check(i);
    }, IntegrityError);
    for (const leaf of leaves) {
      const digest = new Uint8Array(grove.size).fill(leaf + 1);
      tree.change(leaf, digest);
      grove.leaves.set(leaf, digest);
    }
    grove.fold(tree);
  }
});

Deno.test("a small cache verifies again what it had to drop", () => {
  for (const algorithm of ["md5", "pages"] as const) {
    const random = new Random(7);
    const grove = new Grove(100_000, algorithm);
    const file = new HostileFile(grove.file);
    const tree = grove.open(file);
    for (let i = 0; i < 1000; i++) {
      const leaf = random.below(100_000);
      grove.change(tree, leaf, random.bytes(grove.size));
    }
    grove.fold(tree);
    for (const [leaf, digest] of grove.leaves) {
      assert.ok(tree.matches(leaf, digest));
    }
    const { reads, writes } = tree.statistics;
    assert.ok(reads > 1000 && writes > 500, `${reads} reads`);
    // The file is right, but the tree knows better than to ask it twice.
    file.tamper = serving(new Uint8Array(grove.file.size));
    let failed = 0;
    for (const [leaf, digest] of grove.leaves) {
      try {
        assert.ok(tree.matches(leaf, digest));
      } catch (error) {
        assert.ok(error instanceof IntegrityError);
        failed++;
      }
    }
    assert.ok(failed > 500, `${failed} failed`);
    file.tamper = null;
    for (const [leaf, digest] of grove.leaves) {
      assert.ok(tree.matches(leaf, digest));
    }
  }
});

Deno.test("a crowded tree is folded early, and ends with the same root", () => {
  for (const algorithm of ["md5", "pages"] as const) {
    const random = new Random(8);
    const grove = new Grove(100_000, algorithm);
    const tree = grove.open();
    for (let i = 0; i < 2000; i++) {
      const leaf = random.below(99_990);
      tree.bind(leaf, 10);
      for (let j = leaf; j < leaf + 10; j++) {
        const digest = random.bytes(grove.size);
        tree.change(j, digest);
        grove.leaves.set(j, digest);
      }
    }
    assert.ok(tree.statistics.writes > 500);
    grove.fold(tree);
    assert.deepEqual(grove.file.bytes, grove.expectedFile());
  }
});

Deno.test("paths that were bound for nothing are let go by the next fold", () => {
  const grove = new Grove(100_000, "md5");
  const tree = grove.open();
  for (let leaf = 0; leaf < 100_000; leaf += 50) tree.bind(leaf, 1);
  const reads = tree.statistics.reads;
  for (let leaf = 0; leaf < 100_000; leaf += 50) tree.check(leaf);
  // Had they been kept, everything would still be in memory.
  assert.ok(tree.statistics.reads > reads + 500);
});

Deno.test("nextUsed() and isUsed() know what was written, folded or not", () => {
  const random = new Random(9);
  for (const leafCount of [1, 64, 65, 5000, 300_000]) {
    const grove = new Grove(leafCount);
    const tree = grove.open();
    assert.equal(tree.nextUsed(0), leafCount);
    const used = [
      ...new Set(
        Array.from({ length: 8 }, () => random.below(leafCount)),
      ),
    ];
    const check = (): void => {
      const present = [...grove.leaves.keys()].sort((a, b) => a - b);
      for (let i = 0; i < 50; i++) {
        const from = random.below(leafCount);
        const next = present.find((leaf) => leaf >= from) ?? leafCount;
        assert.equal(tree.nextUsed(from), next, `${leafCount} from ${from}`);
        assert.equal(tree.isUsed(from), next === from);
      }
      assert.equal(tree.nextUsed(leafCount), leafCount);
    };
    for (const leaf of used) {
      grove.change(tree, leaf, random.bytes(32));
      check();
    }
    grove.fold(tree);
    check();
  }
});

Deno.test("in the array every leaf is in use", () => {
  const tree = new Grove(5, "sha256").open();
  assert.deepEqual([0, 3, 5].map((leaf) => tree.nextUsed(leaf)), [0, 3, 5]);
  assert.ok(tree.isUsed(4));
});

Deno.test("an unused subtree costs no hash, and is as well protected", () => {
  const grove = new Grove(300_000);
  const tree = grove.open();
  assert.ok(!tree.isUsed(200_000));
  assert.equal(tree.statistics.hashed, 0);
  grove.change(tree, 70_000, new Uint8Array(32).fill(1));
  grove.fold(tree);
  // Junk under a node of zeros, and zeros under one that is not.
  const junk = grove.file.bytes.slice();
  junk[placeInPages(2 ** 24 + 299_998)] ^= 1;
  const last = grove.open(new MemoryFile(junk));
  assert.throws(() => last.isUsed(299_999), IntegrityError);
  assert.ok(last.matches(70_000, grove.leaf(70_000)));
  const empty = grove.open(new MemoryFile(grove.file.size));
  assert.throws(() => empty.isUsed(0), IntegrityError);
  assert.throws(() => empty.nextUsed(0), IntegrityError);
});

Deno.test("a tree file of another size, or a root of another hash, is refused", () => {
  const grove = new Grove(100, "sha1");
  const { bytes } = grove.file;
  for (const size of [0, bytes.length - 20, bytes.length - 1]) {
    const file = new MemoryFile(bytes.slice(0, size));
    assert.throws(() => grove.open(file), IntegrityError);
  }
  for (const more of [1, 20, 40, 4096]) {
    const file = new MemoryFile(bytes.length + more);
    file.bytes.set(bytes);
    assert.throws(() => grove.open(file), IntegrityError);
  }
  for (const length of [0, 16, 19, 21, 32]) {
    grove.root = new Uint8Array(length);
    assert.throws(() => grove.open(), { name: "DeviceError", code: "EINVAL" });
  }
});

Deno.test("a tree that cannot be read fails then and there, and only then", () => {
  const grove = new Grove(1000, "sha256");
  const file = new HostileFile(grove.file);
  const tree = grove.open(file);
  file.rule = ({ kind }) => kind === "read" ? "EIO" : null;
  assert.throws(() => tree.check(500), { name: "DeviceError", code: "EIO" });
  assert.throws(() => tree.bind(500, 1), { name: "DeviceError", code: "EIO" });
  file.rule = null;
  tree.check(500);
  grove.change(tree, 500, new Uint8Array(32).fill(3));
  file.rule = ({ kind }) => kind === "write" ? "ENOSPC" : null;
  tree.fold();
  assert.throws(() => tree.writeBack(), { code: "ENOSPC" });
  file.rule = null;
  grove.fold(tree);
  assert.deepEqual(grove.file.bytes, grove.expectedFile());
});
