/**
 * The history of a workload: the tree at each operation boundary, and which
 * boundaries a crash may go back to.
 *
 * Invariants:
 * - Boundary 0 is the volume as it was opened first; an operation that changes
 *   something makes the next boundary.
 * - A sync that was called at boundary n and has returned makes everything
 *   before n impossible from then on.
 * - A boundary that a reopening has gone back behind is impossible once that
 *   reopening has succeeded.
 *
 * @module
 */

import type { Tree } from "../support/tree.ts";
import { treeDifference, treeDigest } from "./describe.ts";

interface Boundary {
  readonly text: string;
  readonly tree: Tree;
  readonly digest: string;
  /** Length of the log when the operation that leads here began. */
  readonly begun: number;
  /** Length of the log when it became impossible. */
  gone: number;
}

/** See the module. */
export class History {
  readonly #boundaries: Boundary[] = [];
  /** By length of the log: the boundary that was durable from then on. */
  readonly #durable: { at: number; boundary: number }[] = [];

  /** Number of the latest boundary. */
  get latest(): number {
    return this.#boundaries.length - 1;
  }

  /** Adds the boundary behind an operation that began at `begun`. */
  add(text: string, tree: Tree, begun: number): void {
    const digest = treeDigest(tree);
    this.#boundaries.push({ text, tree, digest, begun, gone: Infinity });
  }

  /** A sync that was called at `boundary` has returned at `at`. */
  synced(boundary: number, at: number): void {
    this.#durable.push({ at, boundary });
  }

  /** A reopening has shown boundary `back`: no later one, from `at` on. */
  wentBack(back: number, at: number): void {
    for (const boundary of this.#boundaries.slice(back + 1)) {
      boundary.gone = Math.min(boundary.gone, at);
    }
  }

  /** Boundaries that a crash after `calls` host calls may go back to. */
  allowed(calls: number): number[] {
    let least = 0;
    for (const { at, boundary } of this.#durable) {
      if (at <= calls) least = Math.max(least, boundary);
    }
    const numbers = [];
    for (let n = least; n < this.#boundaries.length; n++) {
      const { begun, gone } = this.#boundaries[n];
      if (begun <= calls && calls < gone) numbers.push(n);
    }
    return numbers;
  }

  /** The latest boundary of tree `digest` that is allowed; -1 if none is. */
  match(digest: string, calls: number): number {
    return this.allowed(calls).findLast((n) =>
      this.#boundaries[n].digest === digest
    ) ?? -1;
  }

  /** What is wrong with `tree` after `calls` host calls, in words. */
  complaint(tree: Tree, calls: number): string {
    const digest = treeDigest(tree);
    const allowed = this.allowed(calls);
    const [least, most] = [allowed[0], allowed[allowed.length - 1]];
    const range = `boundaries ${least} to ${most}`;
    const other = this.#boundaries.findLastIndex((one) =>
      one.digest === digest
    );
    if (other >= 0) {
      return `the tree is that of boundary ${other} ` +
        `(${this.#boundaries[other].text}), but only ${range} are allowed`;
    }
    const nearest = allowed.map((n) => this.#boundaries[n])
      .sort((a, b) => distance(tree, a.tree) - distance(tree, b.tree))[0];
    return `the tree is none of ${range}; nearest is "${nearest.text}":\n` +
      treeDifference(tree, nearest.tree);
  }

  /** The operations, one line each. */
  toString(): string {
    return this.#boundaries.map(({ text, begun }, n) =>
      `  ${n} (from call ${begun} on) ${text}`
    ).join("\n");
  }
}

/** Number of paths that differ. */
function distance(a: Tree, b: Tree): number {
  let count = 0;
  for (const path of new Set([...a.keys(), ...b.keys()])) {
    if (a.get(path) !== b.get(path)) count++;
  }
  return count;
}
