import assert from "node:assert/strict";
import { Random } from "../tests/support/random.ts";
import { innerNodesAbove } from "./fold_order.ts";

/** All nodes on the paths of `leaves` but these themselves. */
function ancestors(leaves: Iterable<number>): Set<number> {
  const nodes = new Set<number>();
  for (let node of leaves) {
    while (node > 1) nodes.add(node = Math.floor(node / 2));
  }
  return nodes;
}

Deno.test("innerNodesAbove() has each node once, behind those below it", () => {
  const random = new Random(1);
  for (const leafCount of [1, 2, 3, 5, 64, 100, 4097, 2 ** 40 + 3]) {
    for (const changes of [1, 2, 10, 300]) {
      const leaves = new Set<number>();
      for (let i = 0; i < changes; i++) {
        leaves.add(leafCount + random.below(leafCount));
      }
      const order = [...innerNodesAbove(leaves)];
      const place = new Map(order.map((node, i) => [node, i]));
      assert.equal(place.size, order.length);
      assert.deepEqual(new Set(order), ancestors(leaves));
      for (const [node, i] of place) {
        if (node > 1) assert.ok(place.get(Math.floor(node / 2))! > i);
      }
    }
  }
});

Deno.test("innerNodesAbove() of no leaves, or of the root, is empty", () => {
  assert.deepEqual([...innerNodesAbove([])], []);
  assert.deepEqual([...innerNodesAbove([1])], []);
});
