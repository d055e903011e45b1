/**
 * Verified devices in memory, with a model of what they are meant to hold.
 *
 * @module
 */

import type { BlockDevice } from "../../bd/block_device.ts";
import { BorrowedDevice } from "../../bd/borrowed.ts";
import type { ByteFile } from "../../bd/byte_file.ts";
import type { HashAlgorithm } from "../../bd/hmac.ts";
import { MemoryDevice } from "../../bd/memory.ts";
import { MemoryFile } from "../../bd/memory_file.ts";
import type { TrustedState } from "../../bd/trusted_state.ts";
import { openOriginalVerity, openPagedVerity } from "../../bd/open_verity.ts";
import type { VerityDevice } from "../../bd/verity.ts";
import {
  type Digest,
  hex,
  naiveArray,
  naiveArrayFile,
  naiveDigest,
  naivePages,
  naivePagesFile,
  remembering,
} from "./naive_tree.ts";

/** The original's array of nodes, or the pages of our own volumes. */
export type TreeKind = "array" | "pages";

/** Both kinds. */
export const TREE_KINDS: readonly TreeKind[] = ["array", "pages"];

/** What to make a {@link VeritySpecimen} of. */
export interface VerityShape {
  /** Where the nodes lie. */
  readonly kind: TreeKind;
  /** Number of blocks. */
  readonly blocks: number;
  /** Size of a block, in bytes; 1024 if absent. */
  readonly blockSize?: number;
  /** The hash; SHA-256 if absent, and always for pages. */
  readonly algorithm?: HashAlgorithm;
  /** No key: plain hashes, for the array only. */
  readonly plain?: boolean;
}

/** What of a specimen the host has. */
export interface Stored {
  /** The blocks. */
  readonly image: MemoryDevice;
  /** The tree's file. */
  readonly tree: MemoryFile;
}

/** How a specimen is opened. */
export interface OpenOptions {
  /** In place of the specimen's image. */
  readonly image?: BlockDevice;
  /** In place of the specimen's tree. */
  readonly tree?: ByteFile;
  /** In place of the state that was published last. */
  readonly state?: TrustedState;
  /** Size of the cache of nodes, in bytes; the least possible if absent. */
  readonly treeCache?: number;
  /** Takes the device's lines. */
  readonly log?: (message: string) => void;
  /** Is called before a state is stored, and may throw to prevent it. */
  readonly beforePublish?: (state: TrustedState) => void | Promise<void>;
}

const LEAF_KEY = new Uint8Array(32).map((_, i) => 3 * i + 1);
const NODE_KEY = new Uint8Array(32).map((_, i) => 5 * i + 2);

/** An image, its tree, its trusted state, and what it is meant to hold. */
export class VeritySpecimen implements Stored {
  /** The blocks as the host has them. */
  image: MemoryDevice;
  /** The tree's file as the host has it. */
  tree: MemoryFile;
  /** The state that was published last. */
  state: TrustedState;
  /** All roots that were published, in order, as hexadecimal digits. */
  readonly published: string[] = [];
  /** Blocks that were written, with what they are meant to hold. */
  readonly model: Map<number, Uint8Array> = new Map();
  readonly #shape: VerityShape;
  readonly #kind: TreeKind;
  readonly #blocks: number;
  readonly #blockSize: number;
  readonly #key: Uint8Array | null;
  readonly #leafHash: Digest;
  readonly #nodeHash: Digest;
  readonly #leaves: Map<number, Uint8Array> = new Map();
  readonly #zeroLeaf: Uint8Array;

  /**
   * Makes a device of zeros, in which nothing was written yet; or one that is
   * meant to hold what `twin` is, with nothing stored.
   */
  constructor(shape: VerityShape, twin?: VeritySpecimen) {
    const { kind, blocks, blockSize = 1024, algorithm = "sha256" } = shape;
    this.#shape = shape;
    this.#kind = kind;
    this.#blocks = blocks;
    this.#blockSize = blockSize;
    this.#key = shape.plain ? null : LEAF_KEY;
    const nodeKey = kind === "array" ? this.#key : NODE_KEY;
    this.#leafHash = naiveDigest(algorithm, this.#key);
    this.#nodeHash = twin
      ? twin.#nodeHash
      : remembering(naiveDigest(algorithm, nodeKey));
    this.#zeroLeaf = this.#leafHash(new Uint8Array(blockSize));
    if (twin) {
      for (const [block, bytes] of twin.model) this.model.set(block, bytes);
      for (const [block, leaf] of twin.#leaves) this.#leaves.set(block, leaf);
    }
    this.image = new MemoryDevice(blockSize, blocks);
    this.tree = new MemoryFile(twin ? 0 : this.naiveTree());
    const root = this.root();
    this.state = { algorithm, blockSize, leafCount: blocks, root };
  }

  /** Opens the device; to close it leaves image and tree open. */
  open(options: OpenOptions = {}): VerityDevice {
    const { image = this.image, tree = this.tree, log } = options;
    const { state = this.state, treeCache = 0, beforePublish } = options;
    const publish = async (state: TrustedState): Promise<void> => {
      await beforePublish?.(state);
      this.state = state;
      this.published.push(hex(state.root));
    };
    const next = new BorrowedDevice(image);
    const common = { state, treeCache, log, publish };
    if (this.#kind === "array") {
      return openOriginalVerity(next, tree, { ...common, key: this.#key });
    }
    const keys = { leafKey: LEAF_KEY, nodeKey: NODE_KEY };
    return openPagedVerity(next, tree, { ...common, ...keys });
  }

  /** Notes that `bytes` were written from `block` on. */
  note(block: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += this.#blockSize, block++) {
      const content = bytes.slice(at, at + this.#blockSize);
      this.model.set(block, content);
      this.#leaves.set(block, this.#leafHash(content));
    }
  }

  /** What `count` blocks from `block` on are meant to hold. */
  expected(block: number, count = 1): Uint8Array {
    const bytes = new Uint8Array(count * this.#blockSize);
    for (let i = 0; i < count; i++) {
      const content = this.model.get(block + i);
      if (content) bytes.set(content, i * this.#blockSize);
    }
    return bytes;
  }

  /** The root of what the device is meant to hold. */
  root(): Uint8Array {
    return this.#kind === "array"
      ? naiveArray(this.#allLeaves(), this.#nodeHash)
      : naivePages(this.#blocks, this.#leaves, this.#nodeHash);
  }

  /** The tree's file for what the device is meant to hold. */
  naiveTree(): Uint8Array {
    return this.#kind === "array"
      ? naiveArrayFile(this.#allLeaves(), this.#nodeHash)
      : naivePagesFile(this.#blocks, this.#leaves, this.#nodeHash);
  }

  /** Makes the host hold what it is meant to. */
  repair(): void {
    this.image = new MemoryDevice(this.#blockSize, this.#blocks);
    for (const [block, bytes] of this.model) this.image.write(block, bytes);
    this.tree = new MemoryFile(this.naiveTree());
  }

  /** A copy of what the host has. */
  copy(): Stored {
    const tree = new MemoryFile(this.tree.bytes.slice());
    return { image: this.image.copy(), tree };
  }

  /** A specimen that is meant to hold the same, with another host. */
  fork({ image, tree }: Stored): VeritySpecimen {
    const twin = new VeritySpecimen(this.#shape, this);
    return Object.assign(twin, { image, tree, state: this.state });
  }

  #allLeaves(): Uint8Array[] {
    return Array.from({ length: this.#blocks }, (_, block) => {
      return this.#leaves.get(block) ?? this.#zeroLeaf;
    });
  }
}
