/**
 * Ranges that may overlap, so arranged that those which meet a given range are
 * found at once: a treap by their starts, each of whose nodes knows the
 * furthest end below it (Seidel and Aragon, "Randomized Search Trees"; Cormen
 * et al., "Introduction to Algorithms", interval trees).
 *
 * Invariants: nodes are in the order of (start, id); a node's priority is not
 * lower than those below it; its `reach` is the furthest end of its own range
 * and of all below it.
 *
 * @module
 */

/** A range of an {@link IntervalTree}. It does not change while it is in it. */
export interface Interval {
  /** First byte. */
  readonly start: number;
  /** Byte behind the last. */
  readonly end: number;
  /** Tells it from all others of its tree. */
  readonly id: number;
}

interface TreeNode<T extends Interval> {
  readonly item: T;
  readonly priority: number;
  reach: number;
  left: TreeNode<T> | null;
  right: TreeNode<T> | null;
}

type Branch<T extends Interval> = TreeNode<T> | null;

/** See the module. */
export class IntervalTree<T extends Interval> {
  #root: Branch<T> = null;

  /** True if no range is in it. */
  get isEmpty(): boolean {
    return this.#root === null;
  }

  /** Adds `item`, which is not in it. */
  insert(item: T): void {
    const priority = Math.random();
    const { end } = item;
    const node = { item, priority, reach: end, left: null, right: null };
    const [left, right] = split(this.#root, item);
    this.#root = join(join(left, node), right);
  }

  /** Takes `item` out, which is in it. */
  delete(item: T): void {
    this.#root = without(this.#root, item);
  }

  /**
   * Of the ranges that share a byte with `start` to `end`, in their order, the
   * first that `accepts` returns true for; null if there is none.
   */
  find(start: number, end: number, accepts: (item: T) => boolean): T | null {
    return find(this.#root, start, end, accepts);
  }
}

function precedes(a: Interval, b: Interval): boolean {
  return a.start < b.start || a.start === b.start && a.id < b.id;
}

/** Sets what `node` knows of those below it; returns it. */
function settled<T extends Interval>(node: TreeNode<T>): TreeNode<T> {
  node.reach = Math.max(
    node.item.end,
    node.left?.reach ?? 0,
    node.right?.reach ?? 0,
  );
  return node;
}

/** Cuts a branch into what comes before `item` and what does not. */
function split<T extends Interval>(
  branch: Branch<T>,
  item: T,
): [Branch<T>, Branch<T>] {
  if (branch === null) return [null, null];
  if (precedes(branch.item, item)) {
    const [left, right] = split(branch.right, item);
    branch.right = left;
    return [settled(branch), right];
  }
  const [left, right] = split(branch.left, item);
  branch.left = right;
  return [left, settled(branch)];
}

/** One branch of two, of which all of `left` comes before all of `right`. */
function join<T extends Interval>(
  left: Branch<T>,
  right: Branch<T>,
): Branch<T> {
  if (left === null) return right;
  if (right === null) return left;
  if (left.priority >= right.priority) {
    left.right = join(left.right, right);
    return settled(left);
  }
  right.left = join(left, right.left);
  return settled(right);
}

function without<T extends Interval>(branch: Branch<T>, item: T): Branch<T> {
  if (branch === null) throw new Error("The range is not in the tree");
  if (branch.item === item) return join(branch.left, branch.right);
  if (precedes(item, branch.item)) branch.left = without(branch.left, item);
  else branch.right = without(branch.right, item);
  return settled(branch);
}

function find<T extends Interval>(
  branch: Branch<T>,
  start: number,
  end: number,
  accepts: (item: T) => boolean,
): T | null {
  if (branch === null || branch.reach <= start) return null;
  const found = find(branch.left, start, end, accepts);
  if (found !== null) return found;
  const { item } = branch;
  if (item.start >= end) return null;
  if (item.end > start && accepts(item)) return item;
  return find(branch.right, start, end, accepts);
}
