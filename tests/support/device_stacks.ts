/**
 * The block devices over memory: each layer and composition that a volume of
 * ours or an image of the original's may have.
 *
 * @module
 */

import { type BlockDevice, IntegrityError } from "../../bd/block_device.ts";
import { BorrowedDevice } from "../../bd/borrowed.ts";
import {
  CIPHER_KEY_BYTES,
  type CipherName,
  CryptDevice,
} from "../../bd/crypt.ts";
import { createHmac } from "../../bd/hmac.ts";
import { MemoryDevice } from "../../bd/memory.ts";
import { MemoryFile } from "../../bd/memory_file.ts";
import { originalTreeBytes, TreeBuilder } from "../../bd/tree_builder.ts";
import type { TrustedState } from "../../bd/trusted_state.ts";
import {
  openOriginalVerity,
  openPagedVerity,
  pagedTreeBytes,
} from "../../bd/open_verity.ts";
import type { VerityDevice } from "../../bd/verity.ts";
import type { TreeKind } from "./verity.ts";

/** A device, layer by layer. */
export interface DeviceStack {
  /** Its name, for the names of tests. */
  readonly name: string;
  /** How blocks are encrypted; absent if they are not. */
  readonly cipher?: CipherName;
  /** Stored zeros read as zeros, as in volumes of ours. */
  readonly sparse?: boolean;
  /** The hash tree below; absent if there is none. */
  readonly tree?: TreeKind;
}

const XTS = { cipher: "aes-256-xts" } as const;
const CBC = { cipher: "aes-256-cbc" } as const;

/** bd-std, which has no layer at all. */
export const STD_STACK: DeviceStack = { name: "bd-std" };

/** bd-crypt and bd-vericrypt with the other cipher, as the original has it. */
export const CBC_STACKS: readonly DeviceStack[] = [
  { name: "bd-crypt with CBC", ...CBC },
  { name: "bd-vericrypt with CBC and an array", ...CBC, tree: "array" },
];

/** bd-vericrypt as volumes of ours have it. */
export const VERICRYPT_STACK: DeviceStack = {
  ...{ name: "bd-vericrypt with XTS and pages", ...XTS },
  ...{ sparse: true, tree: "pages" },
};

/** Every stack: four devices, both ciphers, both trees. */
export const DEVICE_STACKS: readonly DeviceStack[] = [
  STD_STACK,
  { name: "bd-crypt with XTS", ...XTS, sparse: true },
  { name: "bd-verity with an array", tree: "array" },
  { name: "bd-verity with pages", tree: "pages" },
  { name: "bd-vericrypt with XTS and an array", ...XTS, tree: "array" },
  VERICRYPT_STACK,
  ...CBC_STACKS,
];

const TREE_KEY = new Uint8Array(32).map((_, i) => 7 * i + 3);
const NODE_KEY = new Uint8Array(32).map((_, i) => 9 * i + 4);
/** Few nodes: what was evicted is verified again. */
const TREE_CACHE_BYTES = 64 << 10;

/** What a host stores of a device, and what is trusted of it. */
export class StackStore {
  /** The blocks as they are stored. */
  readonly image: MemoryDevice;
  /** The hash tree, if there is one. */
  readonly tree: MemoryFile | null;
  readonly #stack: DeviceStack;
  #state: TrustedState | null;

  private constructor(
    stack: DeviceStack,
    image: MemoryDevice,
    tree: [MemoryFile, TrustedState] | null,
  ) {
    this.#stack = stack;
    this.image = image;
    this.tree = tree?.[0] ?? null;
    this.#state = tree?.[1] ?? null;
  }

  /** A new device. What was never written reads as zeros or as noise. */
  static create(
    stack: DeviceStack,
    { blockSize, blockCount }: { blockSize: number; blockCount: number },
  ): StackStore {
    const image = new MemoryDevice(blockSize, blockCount);
    const tree = stack.tree === undefined ? null : newTree(stack.tree, image);
    return new StackStore(stack, image, tree);
  }

  /** True if a new device reads as zeros. */
  get isBlank(): boolean {
    const { cipher, sparse = false } = this.#stack;
    return cipher === undefined || sparse;
  }

  /**
   * Opens the device; to close it closes nothing of the store. `below` may put
   * a layer between the store and all others.
   */
  open(
    below: (image: BlockDevice) => BlockDevice = (image) => image,
  ): BlockDevice {
    const { cipher, sparse } = this.#stack;
    const image = below(new BorrowedDevice(this.image));
    const next = this.#verity(image) ?? image;
    if (cipher === undefined) return next;
    const key = new Uint8Array(CIPHER_KEY_BYTES[cipher]).map((_, i) => i);
    return new CryptDevice(next, { cipher, key, sparse });
  }

  /** A copy of what is stored and trusted, as of the last flush. */
  copy(): StackStore {
    const { tree } = this;
    const state = this.#state;
    return new StackStore(
      this.#stack,
      this.image.copy(),
      tree && state && [new MemoryFile(tree.bytes.slice()), state],
    );
  }

  /**
   * The plaintext of every block. With `skipBad`, blocks that do not verify
   * are zeros in it: those that a failing host has half written.
   */
  plain({ skipBad = false } = {}): MemoryDevice {
    const device = this.copy().open();
    const { blockSize, blockCount } = device;
    const plain = new MemoryDevice(blockSize, blockCount);
    const buffer = new Uint8Array(64 * blockSize);
    for (let first = 0; first < blockCount; first += 64) {
      const count = Math.min(64, blockCount - first);
      const bytes = buffer.subarray(0, count * blockSize);
      try {
        device.read(first, bytes);
      } catch (error) {
        if (!skipBad || !(error instanceof IntegrityError)) throw error;
        readGood(device, first, bytes);
      }
      plain.write(first, bytes);
    }
    device.close();
    return plain;
  }

  #verity(next: BlockDevice): VerityDevice | null {
    const { tree } = this;
    const state = this.#state;
    if (tree === null || state === null) return null;
    const publish = (state: TrustedState): Promise<void> => {
      this.#state = state;
      return Promise.resolve();
    };
    const common = { state, publish, treeCache: TREE_CACHE_BYTES };
    return this.#stack.tree === "array"
      ? openOriginalVerity(next, tree, { ...common, key: TREE_KEY })
      : openPagedVerity(next, tree, {
        ...{ ...common, leafKey: TREE_KEY, nodeKey: NODE_KEY },
      });
  }
}

/** A new device over memory: 64 MiB of blocks of 4 KiB if no shape is given. */
export function openNew(
  stack: DeviceStack,
  shape: { blockSize: number; blockCount: number } = {
    blockSize: 4096,
    blockCount: 16384,
  },
): BlockDevice {
  return StackStore.create(stack, shape).open();
}

/** Reads blocks one by one; those that do not verify become zeros. */
function readGood(device: BlockDevice, first: number, into: Uint8Array): void {
  const { blockSize } = device;
  for (let at = 0; at < into.length; at += blockSize, first++) {
    try {
      device.read(first, into.subarray(at, at + blockSize));
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
    }
  }
}

/** The tree of an image of zeros, and its root. */
function newTree(
  kind: TreeKind,
  { blockSize, blockCount: leafCount }: BlockDevice,
): [MemoryFile, TrustedState] {
  const state = { algorithm: "sha256", blockSize, leafCount } as const;
  if (kind === "pages") {
    const tree = new MemoryFile(pagedTreeBytes(leafCount));
    return [tree, { ...state, root: new Uint8Array(32) }];
  }
  const hash = createHmac("sha256", TREE_KEY);
  const tree = new MemoryFile(originalTreeBytes(leafCount, hash.digestSize));
  const builder = new TreeBuilder(tree, { leafCount, nodeHash: hash });
  const leaf = hash.hash(new Uint8Array(blockSize));
  for (let added = 0; added < leafCount; added += 256) {
    const digests = new Uint8Array(
      Math.min(256, leafCount - added) * leaf.length,
    );
    for (let at = 0; at < digests.length; at += leaf.length) {
      digests.set(leaf, at);
    }
    builder.add(digests);
  }
  return [tree, { ...state, root: builder.finish() }];
}
