/**
 * bd-verity: a layer that notices every change of what is stored below it.
 *
 * A hash tree has a leaf for each block, the hash of its bytes, and a root
 * that is kept where the host cannot change it. A block that is read must have
 * the leaf's hash, and the leaf must verify; a block that is written changes
 * its leaf. Inner nodes and the root are computed once for each flush.
 *
 * On a layer that encrypts, this is bd-vericrypt: the tree is over what is
 * stored, so that damage is found before anything is decrypted.
 *
 * @module
 */

import {
  type BlockDevice,
  checkRange,
  DeviceError,
  IntegrityError,
} from "./block_device.ts";
import { isEqual } from "./bytes.ts";
import type { BlockHash, HashAlgorithm } from "./hmac.ts";
import { LeafHasher } from "./leaf_hashing.ts";
import type { MerkleTree } from "./merkle_tree.ts";
import { Slices } from "./slices.ts";
import type { TrustedState } from "./trusted_state.ts";

/**
 * Pauses in a flush, after which it goes on without: those who write in all of
 * them must not put off its end for ever.
 */
const PAUSES_MAX = 1000;

/** What becomes of a verified device's findings. */
export interface VerityReports {
  /**
   * Stores the trusted state where the host cannot change it, whenever a flush
   * has changed it. The flush waits for it.
   */
  publish?: (state: TrustedState) => Promise<void>;
  /** Takes a line for each block that fails. */
  log?: (message: string) => void;
}

/** How a {@link VerityDevice} verifies. */
export interface VerityOptions extends VerityReports {
  /** The tree; its leaves are the device's blocks. */
  tree: MerkleTree;
  /** The hash of a block. */
  leafHash: BlockHash;
  /** Its key, which is copied, or null if it has none. */
  leafKey: Uint8Array | null;
  /** Name of both hashes. */
  algorithm: HashAlgorithm;
}

/** Counts since a verified device was opened. */
export interface VerityStatistics {
  /** Reads and writes that met a block which does not verify. */
  readonly failures: number;
  /** Inner nodes computed. */
  readonly nodesHashed: number;
  /** Units of the tree read from the host. */
  readonly treeReads: number;
  /** Units of the tree written to the host. */
  readonly treeWrites: number;
}

/** See the module. */
export class VerityDevice implements BlockDevice {
  /** Size of one block, in bytes: that of the next device. */
  readonly blockSize: number;
  /** Number of blocks: that of the next device, and of leaves. */
  readonly blockCount: number;
  /** True if the next device is read-only. */
  readonly readOnly: boolean;
  /** That of the next device; see {@link BlockDevice.commitBlocksMax}. */
  readonly commitBlocksMax?: number;
  /** Name of the hash. */
  readonly algorithm: HashAlgorithm;
  readonly #next: BlockDevice;
  readonly #tree: MerkleTree;
  readonly #leafHash: BlockHash;
  /** For the hashers of {@link VerityDevice.leafHasher}. */
  readonly #leafKey: Uint8Array | null;
  readonly #publish: (state: TrustedState) => Promise<void>;
  readonly #log: (message: string) => void;
  readonly #digest: Uint8Array;
  #published: Uint8Array;
  /** False from the moment a state is given away until it is known stored. */
  #isPublished = true;
  /** Writes to the next device so far, also those that failed. */
  #writes = 0;
  /** Writes to the tree that were made before it was last synced. */
  #treeWritesSynced = 0;
  #flushing: Promise<void> = Promise.resolve();
  #failures = 0;
  #closed = false;

  /**
   * Makes a layer over `next`, which it closes when it is closed. Throws
   * {@link IntegrityError} unless there is a leaf for each block; nothing is
   * closed then.
   */
  constructor(next: BlockDevice, options: VerityOptions) {
    const { tree, leafHash } = options;
    if (tree.layout.leafCount !== next.blockCount) {
      throw new IntegrityError(
        0,
        `The hash tree is over ${tree.layout.leafCount} blocks, the image ` +
          `has ${next.blockCount}: it was cut short, extended or replaced`,
      );
    }
    this.#next = next;
    this.#tree = tree;
    this.#leafHash = leafHash;
    this.#leafKey = options.leafKey?.slice() ?? null;
    this.#publish = options.publish ?? ((): Promise<void> => Promise.resolve());
    this.#log = options.log ?? ((): void => {});
    this.#digest = new Uint8Array(leafHash.digestSize);
    this.#published = tree.root;
    this.algorithm = options.algorithm;
    this.blockSize = next.blockSize;
    this.blockCount = next.blockCount;
    this.readOnly = next.readOnly;
    this.commitBlocksMax = next.commitBlocksMax;
  }

  /** The trusted state as of the last flush that succeeded. */
  get state(): TrustedState {
    const { algorithm, blockSize, blockCount: leafCount } = this;
    return { algorithm, blockSize, leafCount, root: this.#published.slice() };
  }

  /** Counts since the device was opened. */
  get statistics(): VerityStatistics {
    const { hashed, reads, writes } = this.#tree.statistics;
    return {
      failures: this.#failures,
      nodesHashed: hashed,
      treeReads: reads,
      treeWrites: writes,
    };
  }

  /**
   * Reads blocks and verifies them; see {@link BlockDevice.read}. Throws
   * {@link IntegrityError} for the first that does not verify; `into` is all
   * zeros then.
   */
  read(block: number, into: Uint8Array): void {
    this.#checkAccess(block, into.length);
    const count = into.length / this.blockSize;
    try {
      for (let i = 0; i < count;) {
        const run = this.usedRun(block + i, count - i);
        const bytes = this.#blocksOf(into, i, Math.max(1, run));
        if (run === 0) bytes.fill(0);
        else this.#readRun(block + i, bytes);
        i += Math.max(1, run);
      }
    } catch (error) {
      into.fill(0);
      throw this.#noted(error);
    }
  }

  /**
   * Writes blocks, and changes their leaves; see {@link BlockDevice.write}.
   * Throws {@link IntegrityError} if the tree does not verify there, before
   * anything is written.
   */
  write(block: number, from: Uint8Array): void {
    this.#checkAccess(block, from.length);
    const count = from.length / this.blockSize;
    try {
      this.#tree.bind(block, count);
    } catch (error) {
      throw this.#noted(error);
    }
    this.#writes++;
    this.#next.write(block, from);
    for (let i = 0; i < count; i++) {
      this.#leafHash.hashInto(this.#blocksOf(from, i, 1), this.#digest, 0);
      this.#tree.change(block + i, this.#digest);
    }
  }

  /**
   * Throws {@link IntegrityError} if the tree does not verify at `block`, so
   * that no write can be made there.
   */
  admitWrite(block: number): void {
    this.#checkAccess(block, this.blockSize);
    try {
      this.#tree.check(block);
    } catch (error) {
      throw this.#noted(error);
    }
    this.#next.admitWrite?.(block);
  }

  /**
   * Computes the root, writes the tree, and resolves when blocks and tree are
   * on stable storage, and then the trusted state. Calls that overlap take
   * turns.
   *
   * Long work is done in slices, in between which blocks may be read and
   * written. What is written before the root is taken, when the tree is
   * computed and written to its end, is part of the flush; what is written
   * behind that is not.
   */
  flush(): Promise<void> {
    const turn = this.#flushing.then(() => this.#flush());
    this.#flushing = turn.catch(() => {});
    return turn;
  }

  /** Gives up the device, the tree and the keys, without flushing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leafHash.wipe();
    this.#leafKey?.fill(0);
    this.#tree.close();
    this.#next.close();
  }

  /**
   * The first block from `block` on that was ever written; `blockCount` if
   * there is none. The original's trees know of no unwritten blocks.
   */
  nextUsed(block: number): number {
    return this.#tree.nextUsed(block);
  }

  /**
   * Number of blocks from `block` on, at most `most`, that were all written.
   * Throws {@link IntegrityError} if the tree does not verify at one of them.
   */
  usedRun(block: number, most: number): number {
    let run = 0;
    while (run < most && this.#tree.isUsed(block + run)) run++;
    return run;
  }

  /**
   * Throws {@link IntegrityError} unless the tree knows nothing of `count`
   * blocks from `block` on, which were never written.
   */
  checkUnused(block: number, count: number): void {
    this.#tree.checkUnused(block, count);
  }

  /** Reads blocks as they are stored, without verifying them. */
  readStored(block: number, into: Uint8Array): void {
    this.#next.read(block, into);
  }

  /**
   * Whether `digest`, computed by the caller, is the hash of `block`. Throws
   * {@link IntegrityError} if the tree itself does not verify there.
   */
  checkLeaf(block: number, digest: Uint8Array): boolean {
    return this.#tree.matches(block, digest);
  }

  /**
   * Hashes blocks in bulk as the leaves of the tree; `workers` as for
   * {@link LeafHasherOptions}. It is the caller's to close.
   */
  leafHasher(options: { workers?: number } = {}): LeafHasher {
    const { algorithm, blockSize } = this;
    const key = this.#leafKey;
    return new LeafHasher({ algorithm, key, blockSize, ...options });
  }

  async #flush(): Promise<void> {
    this.#checkOpen();
    if (this.readOnly) return await this.#next.flush();
    const root = await this.#store();
    this.#checkOpen();
    if (this.#isPublished && isEqual(root, this.#published)) return;
    this.#isPublished = false;
    await this.#publish({ ...this.state, root: root.slice() });
    this.#published = root;
    this.#isPublished = true;
  }

  /** Makes blocks and tree stable; returns the root that they then have. */
  async #store(): Promise<Uint8Array> {
    const tree = this.#tree;
    const writesBefore = this.#writes;
    // The host takes its time with the blocks, and needs no help.
    const syncs = [this.#next.flush()];
    // If it fails in a pause, it is known below.
    syncs[0].catch(() => {});
    try {
      const slices = new Slices();
      for (let pauses = 0; !tree.storeStep();) {
        if (!slices.isLong || pauses++ >= PAUSES_MAX) continue;
        await slices.pause();
        this.#checkOpen();
      }
    } catch (error) {
      await Promise.allSettled(syncs);
      throw error;
    }
    // There is no pause from the last step to the last call that syncs: all of
    // it is about the same blocks and nodes.
    const { root, statistics: { writes } } = tree;
    // What was written in a pause is in this root, and not in the first flush.
    if (this.#writes !== writesBefore) syncs.push(this.#next.flush());
    // The root may be the one from before while the tree was written twice.
    if (writes !== this.#treeWritesSynced) syncs.push(tree.sync());
    for (const result of await Promise.allSettled(syncs)) {
      if (result.status === "rejected") throw result.reason;
    }
    this.#treeWritesSynced = writes;
    return root;
  }

  #readRun(block: number, into: Uint8Array): void {
    this.#next.read(block, into);
    const count = into.length / this.blockSize;
    for (let i = 0; i < count; i++, block++) {
      this.#leafHash.hashInto(this.#blocksOf(into, i, 1), this.#digest, 0);
      if (this.#tree.matches(block, this.#digest)) continue;
      throw new IntegrityError(
        block,
        `Cannot trust block ${block}: it is not what was written there; it ` +
          "was changed, or is an old copy",
      );
    }
  }

  /** `count` blocks of `bytes` from the one at `index` on. */
  #blocksOf(bytes: Uint8Array, index: number, count: number): Uint8Array {
    const at = index * this.blockSize;
    const end = at + count * this.blockSize;
    // Most runs are one block, and a view takes longer than finding its leaf.
    return end - at === bytes.length ? bytes : bytes.subarray(at, end);
  }

  #checkAccess(block: number, byteLength: number): void {
    this.#checkOpen();
    checkRange(this, block, byteLength);
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    throw new DeviceError("EBADF", "Cannot access the device: it is closed");
  }

  #noted(error: unknown): unknown {
    if (error instanceof IntegrityError) {
      this.#failures++;
      this.#log(error.message);
    }
    return error;
  }
}
