import assert from "node:assert/strict";
import { HostileFile } from "../tests/support/hostile.ts";
import { hex, placeInPages } from "../tests/support/naive_tree.ts";
import { Random } from "../tests/support/random.ts";
import { TreeSpecimen } from "../tests/support/tree_specimen.ts";
import { IntegrityError } from "./block_device.ts";
import { HASH_ALGORITHMS } from "./hmac.ts";
import { MemoryFile } from "./memory_file.ts";
import type { MerkleTree } from "./merkle_tree.ts";

const LEAF_COUNTS = [1, 2, 3, 5, 7, 8, 63, 64, 65, 100, 4095, 4097];

function walk(specimen: TreeSpecimen, random: Random, rounds: number): void {
  const { leafCount } = specimen.open().layout;
  let tree = specimen.open();
  for (let round = 0; round < rounds; round++) {
    for (let changes = random.below(20); changes > 0; changes--) {
      const leaf = random.below(leafCount);
      specimen.change(tree, leaf, random.bytes(specimen.size));
      assert.ok(tree.matches(leaf, specimen.leaf(leaf)));
    }
    const leaf = random.below(leafCount);
    assert.ok(tree.matches(leaf, specimen.leaf(leaf)));
    assert.ok(!tree.matches(leaf, random.bytes(specimen.size)));
    specimen.fold(tree);
    if (random.chance(0.3)) tree = specimen.open();
  }
  assert.deepEqual(specimen.file.bytes, specimen.expectedFile());
}

for (const algorithm of [...HASH_ALGORITHMS, "pages" as const]) {
  Deno.test(`${algorithm}: root and file equal those of a naive recursion`, () => {
    for (const leafCount of LEAF_COUNTS) {
      const random = new Random(leafCount);
      walk(
        new TreeSpecimen(leafCount, algorithm),
        random,
        leafCount < 1000 ? 8 : 2,
      );
    }
  });
}

Deno.test("a tree without a key has plain hashes for nodes", () => {
  for (const leafCount of [1, 2, 65]) {
    walk(
      new TreeSpecimen(leafCount, "sha256", { key: null }),
      new Random(3),
      10,
    );
  }
});

/** Nodes that `fn` makes `tree` hash. */
function hashed(tree: MerkleTree, fn: () => void): number {
  const before = tree.statistics.hashed;
  fn();
  return tree.statistics.hashed - before;
}

Deno.test("a climb ends at the nearest verified node", () => {
  const specimen = new TreeSpecimen(64, "sha256");
  const random = new Random(4);
  for (let i = 0; i < 64; i++) specimen.leaves.set(i, random.bytes(32));
  specimen.file.bytes.set(specimen.expectedFile());
  specimen.root = specimen.expectedRoot();
  const tree = specimen.open();
  const climb = (leaf: number): number =>
    hashed(tree, () => assert.ok(tree.matches(leaf, specimen.leaf(leaf))));
  // The path has six pairs; each makes two nodes verified.
  const climbs = [[0, 6], [0, 0], [1, 0], [2, 1], [3, 0], [4, 2], [63, 5]];
  for (const [leaf, nodes] of climbs) assert.equal(climb(leaf), nodes);
  // A leaf that does not match is no damage of the tree's.
  assert.ok(!tree.matches(0, specimen.leaf(1)));
  assert.equal(climb(0), 0);
});

Deno.test("inner nodes are computed once for each fold", () => {
  const specimen = new TreeSpecimen(64, "sha256");
  const random = new Random(5);
  const tree = specimen.open();
  // All 63 inner nodes are verified first.
  const verify = hashed(tree, () => tree.bind(0, 64));
  assert.equal(verify, 63);
  const change = hashed(tree, () => {
    for (let i = 0; i < 64; i++) specimen.change(tree, i, random.bytes(32));
    for (let i = 0; i < 64; i++) specimen.change(tree, 7, random.bytes(32));
  });
  assert.equal(change, 0);
  assert.equal(hashed(tree, () => tree.fold()), 63);
  specimen.fold(tree);
  assert.equal(hashed(tree, () => tree.fold()), 0);
  specimen.change(tree, 9, random.bytes(32));
  specimen.change(tree, 8, random.bytes(32));
  assert.equal(hashed(tree, () => tree.fold()), 6);
  specimen.fold(tree);
});

Deno.test("leaves verified between a change and the fold stay right", () => {
  for (const algorithm of ["sha1", "pages"] as const) {
    const specimen = new TreeSpecimen(100, algorithm);
    const random = new Random(6);
    const tree = specimen.open();
    for (let i = 0; i < 300; i++) {
      specimen.change(tree, random.below(100), random.bytes(specimen.size));
      const leaf = random.below(100);
      assert.ok(tree.matches(leaf, specimen.leaf(leaf)));
      if (random.chance(0.05)) specimen.fold(tree);
    }
    specimen.fold(tree);
  }
});

Deno.test("to bind a path with a damaged sibling fails, and changes nothing", () => {
  const specimen = new TreeSpecimen(8, "sha256");
  for (let i = 0; i < 8; i++) {
    specimen.leaves.set(i, new Uint8Array(32).fill(i));
  }
  specimen.file.bytes.set(specimen.expectedFile());
  specimen.root = specimen.expectedRoot();
  // The path of leaf 0, node 8, with its siblings 9, 5 and 3.
  for (const node of [8, 9, 4, 5, 2, 3]) {
    const file = new MemoryFile(specimen.file.bytes.slice());
    file.bytes[(node - 1) * 32 + 5] ^= 1;
    const before = file.bytes.slice();
    const tree = specimen.open(file);
    assert.throws(() => tree.bind(0, 1), IntegrityError);
    assert.throws(() => tree.bind(0, 1), IntegrityError);
    assert.throws(() => tree.check(0), IntegrityError);
    tree.fold();
    tree.writeBack();
    assert.deepEqual(file.bytes, before);
    assert.equal(hex(tree.root), hex(specimen.root));
  }
});

Deno.test("every byte of a leaf and of the root counts", () => {
  for (const algorithm of HASH_ALGORITHMS) {
    const specimen = new TreeSpecimen(2, algorithm);
    const { size, root } = specimen;
    const tree = specimen.open();
    for (let i = 0; i < size; i++) {
      const digest = specimen.leaf(0).slice();
      digest[i] ^= 1 << i % 8;
      assert.ok(!tree.matches(0, digest));
      specimen.root = root.slice();
      specimen.root[i] ^= 1 << i % 8;
      assert.throws(() => specimen.open().check(0), IntegrityError);
      specimen.root = root;
      assert.ok(specimen.open().matches(0, specimen.leaf(0)));
    }
  }
});

Deno.test("nextUsed() and isUsed() know what was written, folded or not", () => {
  const random = new Random(9);
  for (const leafCount of [1, 64, 65, 5000, 300_000]) {
    const specimen = new TreeSpecimen(leafCount);
    const tree = specimen.open();
    assert.equal(tree.nextUsed(0), leafCount);
    const used = [
      ...new Set(
        Array.from({ length: 8 }, () => random.below(leafCount)),
      ),
    ];
    const check = (): void => {
      const present = [...specimen.leaves.keys()].sort((a, b) => a - b);
      for (let i = 0; i < 50; i++) {
        const from = random.below(leafCount);
        const next = present.find((leaf) => leaf >= from) ?? leafCount;
        assert.equal(tree.nextUsed(from), next, `${leafCount} from ${from}`);
        assert.equal(tree.isUsed(from), next === from);
      }
      assert.equal(tree.nextUsed(leafCount), leafCount);
    };
    for (const leaf of used) {
      specimen.change(tree, leaf, random.bytes(32));
      check();
    }
    specimen.fold(tree);
    check();
  }
});

Deno.test("in the array every leaf is in use", () => {
  const tree = new TreeSpecimen(5, "sha256").open();
  assert.deepEqual([0, 3, 5].map((leaf) => tree.nextUsed(leaf)), [0, 3, 5]);
  assert.ok(tree.isUsed(4));
});

Deno.test("an unused subtree costs no hash, and is as well protected", () => {
  const specimen = new TreeSpecimen(300_000);
  const tree = specimen.open();
  assert.ok(!tree.isUsed(200_000));
  assert.equal(tree.statistics.hashed, 0);
  specimen.change(tree, 70_000, new Uint8Array(32).fill(1));
  specimen.fold(tree);
  // Junk under a node of zeros, and zeros under one that is not.
  const junk = specimen.file.bytes.slice();
  junk[placeInPages(2 ** 24 + 299_998)] ^= 1;
  const last = specimen.open(new MemoryFile(junk));
  assert.throws(() => last.isUsed(299_999), IntegrityError);
  assert.ok(last.matches(70_000, specimen.leaf(70_000)));
  const empty = specimen.open(new MemoryFile(specimen.file.size));
  assert.throws(() => empty.isUsed(0), IntegrityError);
  assert.throws(() => empty.nextUsed(0), IntegrityError);
});

Deno.test("a tree file of another size, or a root of another hash, is refused", () => {
  const specimen = new TreeSpecimen(100, "sha1");
  const { bytes } = specimen.file;
  for (const size of [0, bytes.length - 20, bytes.length - 1]) {
    const file = new MemoryFile(bytes.slice(0, size));
    assert.throws(() => specimen.open(file), IntegrityError);
  }
  for (const more of [1, 20, 40, 4096]) {
    const file = new MemoryFile(bytes.length + more);
    file.bytes.set(bytes);
    assert.throws(() => specimen.open(file), IntegrityError);
  }
  for (const length of [0, 16, 19, 21, 32]) {
    specimen.root = new Uint8Array(length);
    assert.throws(() => specimen.open(), {
      name: "DeviceError",
      code: "EINVAL",
    });
  }
});

Deno.test("a tree that cannot be read fails then and there, and only then", () => {
  const specimen = new TreeSpecimen(1000, "sha256");
  const file = new HostileFile(specimen.file);
  const tree = specimen.open(file);
  file.rule = ({ kind }) => kind === "read" ? "EIO" : null;
  assert.throws(() => tree.check(500), { name: "DeviceError", code: "EIO" });
  assert.throws(() => tree.bind(500, 1), { name: "DeviceError", code: "EIO" });
  file.rule = null;
  tree.check(500);
  specimen.change(tree, 500, new Uint8Array(32).fill(3));
  file.rule = ({ kind }) => kind === "write" ? "ENOSPC" : null;
  tree.fold();
  assert.throws(() => tree.writeBack(), { code: "ENOSPC" });
  file.rule = null;
  specimen.fold(tree);
  assert.deepEqual(specimen.file.bytes, specimen.expectedFile());
});
