import assert from "node:assert/strict";
import { MemoryFile } from "./memory_file.ts";
import { createHmac, type HashAlgorithm } from "./hmac.ts";
import { MerkleTree } from "./merkle_tree.ts";
import { originalTreeBytes, TreeBuilder } from "./tree_builder.ts";
import { arrayLayout } from "./tree_layout.ts";

const key = Uint8Array.of(1, 2, 3);

/** The tree by its definition, all in memory. */
function naive(leaves: Uint8Array[], algorithm: HashAlgorithm): Uint8Array {
  const hash = createHmac(algorithm, key);
  const size = hash.digestSize;
  const nodes = new Uint8Array((2 * leaves.length - 1) * size);
  leaves.forEach((leaf, i) => nodes.set(leaf, (leaves.length - 1 + i) * size));
  for (let i = leaves.length - 2; i >= 0; i--) {
    const children = nodes.subarray((2 * i + 1) * size, (2 * i + 3) * size);
    hash.hashInto(children, nodes, i * size);
  }
  return nodes;
}

function leavesOf(count: number, size: number): Uint8Array[] {
  return Array.from(
    { length: count },
    (_, i) => new Uint8Array(size).map((_, at) => i * 31 + (i >> 8) + at),
  );
}

/** Builds a tree of `leaves`, given in runs of `runLength`. */
function build(
  leaves: Uint8Array[],
  algorithm: HashAlgorithm,
  runLength: number,
): { bytes: Uint8Array; root: Uint8Array } {
  const nodeHash = createHmac(algorithm, key);
  const { digestSize } = nodeHash;
  const file = new MemoryFile(originalTreeBytes(leaves.length, digestSize));
  const builder = new TreeBuilder(file, { leafCount: leaves.length, nodeHash });
  for (let i = 0; i < leaves.length; i += runLength) {
    const run = leaves.slice(i, i + runLength);
    const digests = new Uint8Array(run.length * digestSize);
    run.forEach((leaf, at) => digests.set(leaf, at * digestSize));
    builder.add(digests);
  }
  return { bytes: file.bytes, root: builder.finish() };
}

Deno.test("a tree is the same whatever the runs, for any number of leaves", () => {
  for (let count = 1; count <= 70; count++) {
    const leaves = leavesOf(count, 16);
    const expected = naive(leaves, "md5");
    for (const runLength of [1, 2, 3, 7, 16, 64, 100]) {
      const { bytes, root } = build(leaves, "md5", runLength);
      const what = `${count} leaves by ${runLength}`;
      assert.deepEqual(bytes, expected, what);
      assert.deepEqual(root, expected.subarray(0, 16), what);
    }
  }
});

Deno.test("a tree of thousands of leaves is what MerkleTree verifies", () => {
  const count = 5000;
  const leaves = leavesOf(count, 32);
  const { bytes, root } = build(leaves, "sha256", 256);
  assert.deepEqual(bytes, naive(leaves, "sha256"));
  const tree = new MerkleTree(new MemoryFile(bytes), {
    layout: arrayLayout(count, 32),
    nodeHash: createHmac("sha256", key),
    root,
  });
  for (let i = 0; i < count; i++) assert.ok(tree.matches(i, leaves[i]));
  tree.close();
});

Deno.test("every node is written once, and nothing is read", () => {
  const count = 1000;
  const nodeHash = createHmac("md5", key);
  const written = new Uint8Array(2 * count - 1);
  let writes = 0;
  class WriteOnce extends MemoryFile {
    override readAt(): void {
      assert.fail("The builder reads");
    }
    override writeAt(position: number, from: Uint8Array): void {
      writes++;
      for (let i = 0; i < from.length / 16; i++) written[position / 16 + i]++;
    }
  }
  const file = new WriteOnce(originalTreeBytes(count, 16));
  const builder = new TreeBuilder(file, { leafCount: count, nodeHash });
  for (let i = 0; i < 10; i++) builder.add(new Uint8Array(100 * 16));
  builder.finish();
  assert.ok(written.every((times) => times === 1));
  assert.ok(writes < 10 * 2 * Math.log2(count), `${writes} writes`);
});

Deno.test("too few and too many leaves are refused", () => {
  const nodeHash = createHmac("md5", key);
  const file = new MemoryFile(originalTreeBytes(3, 16));
  const builder = new TreeBuilder(file, { leafCount: 3, nodeHash });
  builder.add(new Uint8Array(32));
  assert.throws(() => builder.finish(), /1 leaves are missing/);
  assert.throws(() => builder.add(new Uint8Array(32)), RangeError);
  assert.throws(() => builder.add(new Uint8Array(15)), RangeError);
  builder.add(new Uint8Array(16));
  assert.equal(builder.finish().length, 16);
  builder.add(new Uint8Array(0));
});
