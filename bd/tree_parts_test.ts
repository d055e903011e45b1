import assert from "node:assert/strict";
import { placeInPages } from "../tests/support/naive_tree.ts";
import { PartsFile } from "../tests/support/parts_file.ts";
import { Random } from "../tests/support/random.ts";
import { TreeSpecimen } from "../tests/support/tree_specimen.ts";
import { HASH_ALGORITHMS } from "./hmac.ts";
import type { MerkleTree } from "./merkle_tree.ts";

const KINDS = [...HASH_ALGORITHMS, "pages" as const];

/** Where a tree has the nodes on the paths of `leaves`, in ascending order. */
function placesOf(
  { layout }: MerkleTree,
  leaves: Iterable<number>,
  isPaged: boolean,
): number[] {
  const places = new Set<number>();
  for (const leaf of leaves) {
    let node = layout.firstLeaf + leaf;
    for (; node > 1; node = Math.floor(node / 2)) {
      places.add(
        isPaged ? placeInPages(node) : (node - 1) * layout.digestSize,
      );
    }
  }
  // Only the original's file has the root.
  if (!isPaged) places.add(0);
  return [...places].sort((a, b) => a - b);
}

const ascending = (numbers: number[]): number[] =>
  numbers.toSorted((a, b) => a - b);

for (const kind of KINDS) {
  Deno.test(`${kind}: a file that takes parts gets changed nodes, and no others`, () => {
    for (const leafCount of [1, 2, 3, 64, 65, 1000, 5000]) {
      const random = new Random(leafCount);
      const [parts, whole] = [1, 2].map(() =>
        new TreeSpecimen(leafCount, kind)
      );
      const file = new PartsFile(parts.file.bytes);
      const tree = parts.open(file);
      const twin = whole.open();
      for (let round = 0; round < 3; round++) {
        const leaves = Array.from(
          { length: 1 + random.below(20) },
          () => random.below(leafCount),
        );
        for (const leaf of leaves) {
          const digest = random.bytes(parts.size);
          parts.change(tree, leaf, digest);
          whole.change(twin, leaf, digest);
        }
        file.written.length = 0;
        tree.fold();
        twin.fold();
        tree.writeBack();
        twin.writeBack();
        const expected = placesOf(tree, leaves, kind === "pages");
        assert.deepEqual(file.nodes(parts.size), expected);
        assert.deepEqual(file.bytes, whole.file.bytes);
        assert.deepEqual(tree.root, twin.root);
        assert.deepEqual(tree.statistics, twin.statistics);
      }
      assert.deepEqual(file.bytes, parts.expectedFile());
    }
  });
}

Deno.test("neighbours are written to a file that takes parts in one call", () => {
  const specimen = new TreeSpecimen(64, "sha256");
  const file = new PartsFile(specimen.file.bytes);
  const tree = specimen.open(file);
  const digest = new Uint8Array(32).fill(1);
  for (let leaf = 16; leaf < 32; leaf++) specimen.change(tree, leaf, digest);
  specimen.fold(tree);
  // The root, its child and below that whole subtrees, level by level.
  assert.deepEqual(file.written, [
    { position: 0, length: 2 * 32 },
    { position: 4 * 32, length: 32 },
    { position: 9 * 32, length: 2 * 32 },
    { position: 19 * 32, length: 4 * 32 },
    { position: 39 * 32, length: 8 * 32 },
    { position: 79 * 32, length: 16 * 32 },
  ]);
  // Nothing has changed since.
  file.written.length = 0;
  specimen.fold(tree);
  assert.deepEqual(file.written, []);
});

Deno.test("nodes whose write failed are written next time, and no others", () => {
  for (const kind of ["sha1", "pages"] as const) {
    for (let n = 1; n <= 40; n++) {
      const random = new Random(n);
      const specimen = new TreeSpecimen(1000, kind);
      const file = new PartsFile(specimen.file.bytes);
      const tree = specimen.open(file);
      const leaves = Array.from({ length: 30 }, () => random.below(1000));
      for (const leaf of leaves) {
        specimen.change(tree, leaf, random.bytes(specimen.size));
      }
      tree.fold();
      file.failing = n;
      assert.throws(() => tree.writeBack(), { code: "ENOSPC" });
      assert.equal(file.written.length, n - 1);
      specimen.fold(tree);
      assert.deepEqual(
        ascending(file.nodes(specimen.size)),
        placesOf(tree, leaves, kind === "pages"),
      );
      assert.deepEqual(file.bytes, specimen.expectedFile());
    }
  }
});

Deno.test("nodes that change again after a failed write are written as they are", () => {
  for (const kind of ["md5", "pages"] as const) {
    const random = new Random(3);
    const specimen = new TreeSpecimen(5000, kind);
    const file = new PartsFile(specimen.file.bytes);
    const tree = specimen.open(file);
    for (let round = 0; round < 30; round++) {
      for (let i = 0; i < 20; i++) {
        const leaf = random.below(5000);
        specimen.change(tree, leaf, random.bytes(specimen.size));
      }
      file.failing = file.calls + 1 + random.below(100);
      try {
        while (!tree.storeStep());
      } catch (error) {
        assert.equal((error as { code: string }).code, "ENOSPC");
      }
    }
    file.failing = 0;
    specimen.fold(tree);
    assert.deepEqual(file.bytes, specimen.expectedFile());
  }
});

Deno.test("a file that takes parts is not written before the tree is stored", () => {
  const specimen = new TreeSpecimen(100_000);
  const file = new PartsFile(specimen.file.bytes);
  const tree = specimen.open(file);
  tree.bind(0, 1000);
  tree.change(17, new Uint8Array(32).fill(1));
  tree.fold();
  assert.equal(file.calls, 0);
  tree.writeBack();
  // Three pages, in each of which six levels have one changed node.
  assert.equal(file.calls, 18);
  assert.deepEqual(
    file.written,
    Array(18).fill(0).map((_, i) => ({
      position: file.written[i].position,
      length: 32,
    })),
  );
});
