/**
 * The order in which the nodes above changed leaves of a hash tree are
 * computed: every node behind those below it, and each of them once.
 *
 * @module
 */

import { levelOf } from "./tree_layout.ts";

/**
 * The nodes above `leaves`, which are node numbers in any order: level by
 * level from below, up to the root. `leaves` is read when the first is taken.
 */
export function* innerNodesAbove(leaves: Iterable<number>): Generator<number> {
  let nodes: ArrayLike<number> = Float64Array.from(leaves).sort();
  while (nodes.length > 0 && nodes[nodes.length - 1] > 1) {
    // Leaves lie on two levels if their number is not a power of two: what is
    // on the deeper one comes first.
    const level = 2 ** levelOf(nodes[nodes.length - 1]);
    const above: number[] = [];
    const waiting: number[] = [];
    for (let i = 0; i < nodes.length; i++) {
      if (nodes[i] < level) {
        waiting.push(nodes[i]);
        continue;
      }
      const parent = Math.floor(nodes[i] / 2);
      if (above[above.length - 1] === parent) continue;
      above.push(parent);
      yield parent;
    }
    nodes = above.concat(waiting);
  }
}
