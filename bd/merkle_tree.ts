/**
 * The hash tree (R. Merkle, "A Digital Signature Based on a Conventional
 * Encryption Function", 1987): a leaf for each block, and a trusted root that
 * stands for all of them.
 *
 * Invariants:
 * - Nothing that the host says is used before it was verified in this process:
 *   a node counts once its parent, which counts already, is found to be the
 *   hash of it and its sibling. So nodes become verified in pairs, and a climb
 *   ends at the nearest verified node.
 * - Before a leaf is changed, its path is *bound*: every node from it to the
 *   root is verified with its sibling, and stays in memory until the next
 *   {@link MerkleTree.fold}. So a fold never takes in a sibling that was not
 *   verified, nor one that was read again.
 * - Between a change and the fold, the inner nodes above the leaf are old, and
 *   while a fold is made in steps, some are old and some new. Nothing is
 *   verified against any of them: of each, both children are verified and
 *   bound until the root is computed, so that no climb from below comes by.
 * - Nothing is bound or changed while a fold is half done: who would do so
 *   ends it first. So a fold has a root for the leaves that it began with.
 *
 * In a sparse tree the parent of two nodes of zeros is zeros.
 *
 * @module
 */

import { DeviceError, IntegrityError } from "./block_device.ts";
import type { ByteFile } from "./byte_file.ts";
import { innerNodesAbove } from "./fold_order.ts";
import type { BlockHash } from "./hmac.ts";
import {
  DamagedTreeError,
  type LeafRange,
  UnreadableTreeError,
} from "./tree_errors.ts";
import { BOUND, TreeCache, type Unit, VERIFIED } from "./tree_cache.ts";
import { levelOf, type TreeLayout } from "./tree_layout.ts";
import { UnusedScan } from "./unused_scan.ts";

/** Size of the cache of nodes where none is given, in bytes. */
export const TREE_CACHE_DEFAULT = 32 << 20;

/** Inner nodes computed in one step, of 1.3 µs each. */
const STEP_NODES = 128;
/** Units written in one step, of up to 4 µs each. */
const STEP_UNITS = 32;

/** How a tree is opened. */
export interface MerkleTreeOptions {
  /** Where its nodes lie. */
  layout: TreeLayout;
  /** The hash of two children, one behind the other. */
  nodeHash: BlockHash;
  /** The trusted root. */
  root: Uint8Array;
  /** Size of the cache of nodes, in bytes; 32 MiB if absent. */
  cacheSize?: number;
}

/** What a tree has done since it was opened. */
export interface MerkleTreeStatistics {
  /** Inner nodes computed, to verify or to fold. */
  readonly hashed: number;
  /** Units of nodes read from the host. */
  readonly reads: number;
  /** Units of nodes written to the host. */
  readonly writes: number;
}

/** See the module. */
export class MerkleTree {
  /** Where the nodes lie. */
  readonly layout: TreeLayout;
  readonly #file: ByteFile;
  readonly #cache: TreeCache;
  readonly #nodeHash: BlockHash;
  readonly #root: Uint8Array;
  readonly #computed: Uint8Array;
  readonly #path: number[] = [];
  /** Leaves changed since the last fold, by node number. */
  readonly #changed: Set<number> = new Set();
  /** What a fold that is half done has still to compute. */
  #folding: Iterator<number> | null = null;
  #hashed = 0;
  #unused: UnusedScan | null = null;

  /**
   * Opens the tree in `file`, which becomes the tree's to close unless this
   * throws: {@link IntegrityError} if the file is not as long as its layout
   * is, {@link DeviceError} `EINVAL` if the root is not as long as a node is.
   */
  constructor(file: ByteFile, options: MerkleTreeOptions) {
    const { layout, nodeHash, root } = options;
    const { digestSize } = layout;
    if (root.length !== digestSize || nodeHash.digestSize !== digestSize) {
      throw new DeviceError(
        "EINVAL",
        `Cannot open the hash tree: its nodes have ${digestSize} bytes, the ` +
          `root has ${root.length}, and hashes have ${nodeHash.digestSize}; ` +
          "the root is that of another algorithm",
      );
    }
    if (file.size !== layout.fileSize) {
      throw new IntegrityError(
        0,
        `The hash tree has ${file.size} bytes, and ${layout.leafCount} ` +
          `blocks need ${layout.fileSize}: it was cut short, extended or ` +
          "replaced",
      );
    }
    this.layout = layout;
    this.#file = file;
    this.#nodeHash = nodeHash;
    this.#root = root.slice();
    this.#computed = new Uint8Array(digestSize);
    const cacheSize = options.cacheSize ?? TREE_CACHE_DEFAULT;
    this.#cache = new TreeCache(file, layout, cacheSize);
  }

  /** The root as of the last {@link MerkleTree.fold}; a copy. */
  get root(): Uint8Array {
    return this.#root.slice();
  }

  /** Counts since the tree was opened. */
  get statistics(): MerkleTreeStatistics {
    const { reads, writes } = this.#cache;
    return { hashed: this.#hashed, reads, writes };
  }

  /** Whether `digest` is leaf `leaf`. Throws if the tree itself is damaged. */
  matches(leaf: number, digest: Uint8Array): boolean {
    const { digestSize } = this.layout;
    const node = this.layout.firstLeaf + leaf;
    const unit = this.#trusted(node, leaf, false);
    if (unit === null) return equal(this.#root, 0, digest, digestSize);
    const at = this.layout.slotOf(node, unit.id) * digestSize;
    return equal(unit.data, at, digest, digestSize);
  }

  /** False if leaf `leaf` of a sparse tree was never written. */
  isUsed(leaf: number): boolean {
    if (!this.layout.sparse) return true;
    return this.#isUsed(this.layout.firstLeaf + leaf, leaf);
  }

  /** The first leaf from `leaf` on that is in use; `leafCount` if none is. */
  nextUsed(leaf: number): number {
    const { sparse, firstLeaf, leafCount } = this.layout;
    if (!sparse) return leaf;
    // What was changed since the last fold does not show in the nodes above.
    this.fold();
    const levels = levelOf(firstLeaf);
    for (let next = leaf; next < leafCount;) {
      const node = firstLeaf + next;
      // From the top down, to leave out the largest subtree that is unused.
      let below = levels;
      while (below >= 0 && this.#isUsed(Math.floor(node / 2 ** below), next)) {
        below--;
      }
      if (below < 0) return next;
      const span = 2 ** below;
      next = (Math.floor(next / span) + 1) * span;
    }
    return leafCount;
  }

  /**
   * Throws unless the tree has zeros for `count` leaves from `leaf` on, of
   * which {@link MerkleTree.nextUsed} says that they are not in use: zeros
   * stand for them above, but whoever writes there will look below.
   */
  checkUnused(leaf: number, count: number): void {
    const scan = this.#unused ??= new UnusedScan(this.#file, this.layout);
    scan.check(leaf, count, (node, leaf) => this.#trusted(node, leaf, false));
  }

  /** Throws if the path of leaf `leaf` does not verify. */
  check(leaf: number): void {
    this.#trusted(this.layout.firstLeaf + leaf, leaf, false);
  }

  /**
   * Makes sure that `count` leaves from `leaf` on can be changed, all of them,
   * until the next fold: throws if a path does not verify, before anything was
   * changed. A crowded tree is folded and written first, so that what an
   * earlier call has bound may not be bound any more.
   */
  bind(leaf: number, count: number): void {
    const { layout } = this;
    const cache = this.#cache;
    if (this.#folding) this.fold();
    if (cache.isCrowded) {
      this.fold();
      cache.writeBack();
    }
    for (let i = leaf; i < leaf + count; i++) {
      this.#trusted(layout.firstLeaf + i, i, true);
    }
    // In a tree of one leaf there is nothing on its path that would bind this.
    if (layout.storesRoot) cache.bind(cache.unit(layout.unitOf(1)));
  }

  /** Changes leaf `leaf`, which the last {@link MerkleTree.bind} has bound. */
  change(leaf: number, digest: Uint8Array): void {
    if (this.#folding) this.fold();
    const node = this.layout.firstLeaf + leaf;
    const unit = node > 1 ? this.#cache.unit(this.layout.unitOf(node)) : null;
    if (unit && !(unit.flags[this.layout.slotOf(node, unit.id)] & BOUND)) {
      throw new Error(`Cannot change leaf ${leaf}: bind it first`);
    }
    this.#changed.add(node);
    if (node > 1) this.#store(node, digest);
    else this.#setRoot(digest);
  }

  /** Computes the inner nodes above all changed leaves, and the root. */
  fold(): void {
    this.#foldSome(Infinity);
  }

  /** Writes changed nodes to the host; call {@link MerkleTree.fold} first. */
  writeBack(): void {
    this.#cache.writeBack();
  }

  /**
   * Goes on with a fold and, once that is done, with writing changed nodes to
   * the host, for 100 µs or two; true if nothing is left to do. Between steps
   * everything is allowed: a change in between is folded by the steps behind
   * it, and ends at once a fold that is half done.
   */
  storeStep(): boolean {
    return this.#foldSome(STEP_NODES) && this.#cache.writeSome(STEP_UNITS);
  }

  /** Resolves when all that was written is on stable storage. */
  sync(): Promise<void> {
    return this.#file.sync();
  }

  /** Gives up the file, and the key of inner nodes. */
  close(): void {
    this.#nodeHash.wipe();
    this.#file.close();
  }

  /** Computes `most` inner nodes at most; true if the root is computed. */
  #foldSome(most: number): boolean {
    const nodes = this.#folding ?? innerNodesAbove(this.#changed);
    // A fold that ends in an error begins anew: no node may be left out.
    this.#folding = null;
    this.#cache.begin();
    for (let count = 0; count < most; count++) {
      const { value: node, done } = nodes.next();
      if (done) {
        this.#changed.clear();
        this.#cache.unbind();
        return true;
      }
      this.#compute(node);
    }
    this.#folding = nodes;
    return false;
  }

  /** Computes the inner node `node` from its children. */
  #compute(node: number): void {
    const left = node * 2;
    this.#hashPair(this.#cache.unit(this.layout.unitOf(left)), left);
    if (node > 1) this.#store(node, this.#computed);
    else this.#setRoot(this.#computed);
  }

  #setRoot(value: Uint8Array): void {
    this.#root.set(value);
    if (this.layout.storesRoot) this.#store(1, value);
  }

  #store(node: number, value: Uint8Array): void {
    const unit = this.#cache.unit(this.layout.unitOf(node));
    const slot = this.layout.slotOf(node, unit.id);
    unit.data.set(value, slot * this.layout.digestSize);
    unit.flags[slot] |= VERIFIED;
    this.#cache.touch(unit, slot);
  }

  /** Whether `node`, on the path of `leaf`, is not of zeros. */
  #isUsed(node: number, leaf: number): boolean {
    const { digestSize } = this.layout;
    const unit = this.#trusted(node, leaf, false);
    if (unit === null) return !isZero(this.#root, 0, digestSize);
    const at = this.layout.slotOf(node, unit.id) * digestSize;
    return !isZero(unit.data, at, digestSize);
  }

  /**
   * The unit of `node`, in which the node is verified; null for the root. With
   * `bind`, its whole path is bound. `leaf` is named if that fails.
   */
  #trusted(node: number, leaf: number, bind: boolean): Unit | null {
    const { layout } = this;
    const cache = this.#cache;
    const path = this.#path;
    path.length = 0;
    cache.begin();
    const needed = bind ? BOUND : VERIFIED;
    let at = node;
    try {
      for (; at > 1; at = Math.floor(at / 2)) {
        const unit = cache.unit(layout.unitOf(at));
        if ((unit.flags[layout.slotOf(at, unit.id)] & needed) !== 0) {
          if (at === node) return unit;
          break;
        }
        path.push(at);
      }
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error;
      const range = leavesAround(layout, leaf, Math.floor(at / 2));
      throw new UnreadableTreeError(range, error);
    }
    for (let i = path.length - 1; i >= 0; i--) {
      const child = path[i];
      const unit = cache.unit(layout.unitOf(child));
      const slot = layout.slotOf(child, unit.id);
      const left = slot & ~1;
      if ((unit.flags[slot] & VERIFIED) === 0) {
        this.#hashPair(unit, child - (slot - left));
        if (!this.#isComputed(at)) {
          // The host is asked again next time: it may come to its senses.
          for (; i >= 0; i--) cache.forget(layout.unitOf(path[i]));
          throw new DamagedTreeError(
            leaf,
            leavesAround(layout, leaf, at),
            `Cannot trust block ${leaf}: the hash tree does not verify below ` +
              `node ${at}; it was changed, or is an old copy`,
          );
        }
        unit.flags[left] |= VERIFIED;
        unit.flags[left + 1] |= VERIFIED;
      }
      if (bind) {
        // It may fail, and then the slots are not bound.
        cache.bind(unit);
        unit.flags[left] |= BOUND;
        unit.flags[left + 1] |= BOUND;
      }
      at = child;
    }
    return node > 1 ? cache.unit(layout.unitOf(node)) : null;
  }

  /** Whether what was computed is the value of `node`, which is verified. */
  #isComputed(node: number): boolean {
    const { digestSize } = this.layout;
    if (node === 1) return equal(this.#root, 0, this.#computed, digestSize);
    const unit = this.#cache.unit(this.layout.unitOf(node));
    const at = this.layout.slotOf(node, unit.id) * digestSize;
    return equal(unit.data, at, this.#computed, digestSize);
  }

  /** Computes the parent of `left`, in `unit`, and its sibling there. */
  #hashPair(unit: Unit, left: number): void {
    const { digestSize, sparse } = this.layout;
    const at = this.layout.slotOf(left, unit.id) * digestSize;
    if (sparse && isZero(unit.data, at, 2 * digestSize)) {
      this.#computed.fill(0);
      return;
    }
    const pair = unit.data.subarray(at, at + 2 * digestSize);
    this.#nodeHash.hashInto(pair, this.#computed, 0);
    this.#hashed++;
  }
}

/** The leaves below `node` that are on a level and in a row with `leaf`. */
function leavesAround(
  { firstLeaf, leafCount }: TreeLayout,
  leaf: number,
  node: number,
): LeafRange {
  const span = 2 ** (levelOf(firstLeaf + leaf) - levelOf(node));
  const first = Math.max(node * span, firstLeaf);
  const end = Math.min((node + 1) * span, firstLeaf + leafCount);
  return { first: first - firstLeaf, count: end - first };
}

/** Compares in a time that does not depend on where the values differ. */
function equal(
  data: Uint8Array,
  at: number,
  value: Uint8Array,
  length: number,
): boolean {
  let difference = 0;
  for (let i = 0; i < length; i++) difference |= data[at + i] ^ value[i];
  return difference === 0;
}

function isZero(data: Uint8Array, at: number, length: number): boolean {
  for (let i = at; i < at + length; i++) if (data[i] !== 0) return false;
  return true;
}
