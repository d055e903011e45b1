import assert from "node:assert/strict";
import { hex } from "../tests/support/naive_tree.ts";
import { PartsFile } from "../tests/support/parts_file.ts";
import { Random } from "../tests/support/random.ts";
import { TreeSpecimen } from "../tests/support/tree_specimen.ts";
import type { MerkleTree } from "./merkle_tree.ts";

const LEAVES = 30_000;
const KINDS = ["md5", "sha256", "pages"] as const;
/** Room for the whole tree: nothing is folded before its time. */
const CACHE = 32 << 20;

/** Changes `count` leaves at random. */
function change(
  specimen: TreeSpecimen,
  tree: MerkleTree,
  random: Random,
  count: number,
): void {
  for (let i = 0; i < count; i++) {
    const leaf = random.below(LEAVES);
    specimen.change(tree, leaf, random.bytes(specimen.size));
  }
}

/** Asks the tree for leaves that were changed, and for some that were not. */
function look(specimen: TreeSpecimen, tree: MerkleTree, random: Random): void {
  const changed = [...specimen.leaves.keys()];
  for (let i = 0; i < 10; i++) {
    const leaf = random.chance(0.5)
      ? changed[random.below(changed.length)]
      : random.below(LEAVES);
    tree.check(leaf);
    assert.ok(tree.matches(leaf, specimen.leaf(leaf)));
    assert.ok(!tree.matches(leaf, random.bytes(specimen.size)));
    const { sparse } = tree.layout;
    assert.equal(tree.isUsed(leaf), !sparse || specimen.leaves.has(leaf));
  }
}

function assertStored(specimen: TreeSpecimen, tree: MerkleTree): void {
  assert.equal(hex(tree.root), hex(specimen.expectedRoot()));
  assert.deepEqual(specimen.file.bytes, specimen.expectedFile());
}

Deno.test("a tree that is stored in steps, and read in between, is the naive one", () => {
  for (const kind of KINDS) {
    const random = new Random(1);
    const specimen = new TreeSpecimen(LEAVES, kind);
    const tree = specimen.open(specimen.file, CACHE);
    for (let round = 0; round < 3; round++) {
      change(specimen, tree, random, 400);
      const before = hex(tree.root);
      const roots = new Set<string>();
      let steps = 0;
      for (; !tree.storeStep(); steps++) {
        look(specimen, tree, random);
        roots.add(hex(tree.root));
      }
      assert.ok(steps > 20, `${steps} steps`);
      assertStored(specimen, tree);
      // There is no root of a fold that is half done.
      roots.delete(before);
      assert.deepEqual([...roots], [hex(tree.root)]);
    }
  }
});

Deno.test("changes between the steps are stored by the steps behind them", () => {
  // A small cache drops nodes in between, and asks the host for them again.
  for (const cacheSize of [0, CACHE]) {
    for (const kind of KINDS) {
      const random = new Random(2);
      const specimen = new TreeSpecimen(LEAVES, kind);
      const tree = specimen.open(specimen.file, cacheSize);
      change(specimen, tree, random, 500);
      for (let i = 0; !tree.storeStep(); i++) {
        if (i % 3 === 0 && i < 40) change(specimen, tree, random, 20);
        look(specimen, tree, random);
      }
      assertStored(specimen, tree);
      assert.ok(tree.storeStep(), "there is nothing left to do");
      // A tree that is opened anew trusts the root, and finds all of it there.
      specimen.root = tree.root;
      look(specimen, specimen.open(), random);
    }
  }
});

Deno.test("a fold that is half done is ended by those who need its end", () => {
  const ends: Record<string, (tree: MerkleTree) => void> = {
    fold: (tree) => tree.fold(),
    bind: (tree) => tree.bind(3, 1),
    nextUsed: (tree) => tree.nextUsed(0),
  };
  for (const [name, end] of Object.entries(ends)) {
    const random = new Random(3);
    const specimen = new TreeSpecimen(LEAVES);
    const tree = specimen.open(specimen.file, CACHE);
    change(specimen, tree, random, 300);
    assert.equal(tree.storeStep(), false);
    assert.notEqual(hex(tree.root), hex(specimen.expectedRoot()), name);
    end(tree);
    assert.equal(hex(tree.root), hex(specimen.expectedRoot()), name);
  }
});

Deno.test("what was bound before a fold has to be bound again behind it", () => {
  const random = new Random(4);
  const specimen = new TreeSpecimen(LEAVES);
  const tree = specimen.open(specimen.file, CACHE);
  change(specimen, tree, random, 300);
  tree.bind(7, 1);
  assert.equal(tree.storeStep(), false);
  const digest = random.bytes(32);
  assert.throws(() => tree.change(7, digest), /bind it first/);
  specimen.change(tree, 7, digest);
  while (!tree.storeStep());
  assertStored(specimen, tree);
});

Deno.test("a tree whose writes fail in some steps is stored in the end", () => {
  for (const kind of KINDS) {
    const random = new Random(5);
    const specimen = new TreeSpecimen(LEAVES, kind);
    const file = new PartsFile(specimen.file.bytes);
    const tree = specimen.open(file, CACHE);
    change(specimen, tree, random, 500);
    let faults = 0;
    for (let isDone = false; !isDone;) {
      if (faults < 20) file.failing = file.calls + 1 + random.below(100);
      else file.failing = 0;
      try {
        isDone = tree.storeStep();
      } catch {
        faults++;
        look(specimen, tree, random);
        if (faults % 5 === 0) change(specimen, tree, random, 10);
      }
    }
    assert.equal(faults, 20);
    assertStored(specimen, tree);
  }
});
