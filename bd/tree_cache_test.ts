import assert from "node:assert/strict";
import { HostileFile, serving } from "../tests/support/hostile.ts";
import { Random } from "../tests/support/random.ts";
import { TreeSpecimen } from "../tests/support/tree_specimen.ts";
import { IntegrityError } from "./block_device.ts";

Deno.test("what is bound is not read again before the fold", () => {
  for (const algorithm of ["md5", "pages"] as const) {
    const specimen = new TreeSpecimen(100_000, algorithm);
    const file = new HostileFile(specimen.file);
    const tree = specimen.open(file);
    const leaves = Array.from({ length: 5 }, (_, i) => i * 19_999);
    for (const leaf of leaves) tree.bind(leaf, 1);
    // Everything else goes through the cache, and then the host lies.
    for (let i = 0; i < 100_000; i += 64) tree.check(i);
    file.tamper = (_, bytes) => bytes.fill(0xbb);
    assert.throws(() => {
      for (let i = 0; i < 100_000; i += 64) tree.check(i);
    }, IntegrityError);
    for (const leaf of leaves) {
      const digest = new Uint8Array(specimen.size).fill(leaf + 1);
      tree.change(leaf, digest);
      specimen.leaves.set(leaf, digest);
    }
    specimen.fold(tree);
  }
});

Deno.test("one climb reads no unit twice, however little room there is", () => {
  for (const algorithm of ["md5", "pages"] as const) {
    const specimen = new TreeSpecimen(100_000, algorithm);
    const file = new HostileFile(specimen.file);
    const tree = specimen.open(file);
    // Far more than the cache holds is bound, and has to stay.
    tree.bind(0, 60_000);
    assert.ok(tree.statistics.reads > 600);
    for (let leaf = 65_000; leaf < 100_000; leaf += 1111) {
      const seen = new Set<number>();
      file.tamper = (position) => {
        assert.ok(!seen.has(position), `${position} is read again`);
        seen.add(position);
      };
      assert.ok(tree.matches(leaf, specimen.leaf(leaf)));
    }
  }
});

Deno.test("a small cache verifies again what it had to drop", () => {
  for (const algorithm of ["md5", "pages"] as const) {
    const random = new Random(7);
    const specimen = new TreeSpecimen(100_000, algorithm);
    const file = new HostileFile(specimen.file);
    const tree = specimen.open(file);
    for (let i = 0; i < 1000; i++) {
      const leaf = random.below(100_000);
      specimen.change(tree, leaf, random.bytes(specimen.size));
    }
    specimen.fold(tree);
    for (const [leaf, digest] of specimen.leaves) {
      assert.ok(tree.matches(leaf, digest));
    }
    const { reads, writes } = tree.statistics;
    assert.ok(reads > 1000 && writes > 500, `${reads} reads`);
    // The file is right, but the tree knows better than to ask it twice.
    file.tamper = serving(new Uint8Array(specimen.file.size));
    let failed = 0;
    for (const [leaf, digest] of specimen.leaves) {
      try {
        assert.ok(tree.matches(leaf, digest));
      } catch (error) {
        assert.ok(error instanceof IntegrityError);
        failed++;
      }
    }
    assert.ok(failed > 500, `${failed} failed`);
    file.tamper = null;
    for (const [leaf, digest] of specimen.leaves) {
      assert.ok(tree.matches(leaf, digest));
    }
  }
});

Deno.test("a crowded tree is folded early, and ends with the same root", () => {
  for (const algorithm of ["md5", "pages"] as const) {
    const random = new Random(8);
    const specimen = new TreeSpecimen(100_000, algorithm);
    const tree = specimen.open();
    for (let i = 0; i < 2000; i++) {
      const leaf = random.below(99_990);
      tree.bind(leaf, 10);
      for (let j = leaf; j < leaf + 10; j++) {
        const digest = random.bytes(specimen.size);
        tree.change(j, digest);
        specimen.leaves.set(j, digest);
      }
    }
    assert.ok(tree.statistics.writes > 500);
    specimen.fold(tree);
    assert.deepEqual(specimen.file.bytes, specimen.expectedFile());
  }
});

Deno.test("paths that were bound for nothing are let go by the next fold", () => {
  const specimen = new TreeSpecimen(100_000, "md5");
  const tree = specimen.open();
  for (let leaf = 0; leaf < 100_000; leaf += 50) tree.bind(leaf, 1);
  const reads = tree.statistics.reads;
  for (let leaf = 0; leaf < 100_000; leaf += 50) tree.check(leaf);
  // Had they been kept, everything would still be in memory.
  assert.ok(tree.statistics.reads > reads + 500);
});
