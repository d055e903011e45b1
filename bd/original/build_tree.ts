/**
 * The hash tree of an image, all of it at once.
 *
 * @module
 */

import type { BlockDevice } from "../block_device.ts";
import type { ByteFile } from "../byte_file.ts";
import { createBlockHash, type HashAlgorithm } from "../hmac.ts";
import { HASH_RUN_BYTES, LeafHasher, type LeafRun } from "../leaf_hashing.ts";
import { TreeBuilder } from "../tree_builder.ts";
import type { TrustedState } from "../trusted_state.ts";

/** How a tree is built. */
export interface BuildTreeOptions {
  /** The hash of leaves and inner nodes. */
  readonly algorithm: HashAlgorithm;
  /** Key of the hash, which the caller wipes; null for the hash alone. */
  readonly key: Uint8Array | null;
  /** Workers that hash leaves; see `LeafHasherOptions`. */
  readonly workers?: number;
  /** Told of every so many bytes of the image that are done. */
  readonly progress?: (bytes: number) => void | Promise<void>;
}

/**
 * Writes the tree over the blocks of `image` to `tree`, a file of
 * `originalTreeBytes()` bytes, and makes it durable. Returns what is to be
 * trusted from now on. Closes neither of the two.
 */
export async function buildTree(
  image: BlockDevice,
  tree: ByteFile,
  { algorithm, key, workers, progress }: BuildTreeOptions,
): Promise<TrustedState> {
  const { blockSize, blockCount: leafCount } = image;
  const hasher = new LeafHasher({ algorithm, key, blockSize, workers });
  const nodeHash = createBlockHash(algorithm, key);
  try {
    const builder = new TreeBuilder(tree, { leafCount, nodeHash });
    const hashed = hasher.hashRuns(
      runsOf(image),
      (first, into) => image.read(first, into),
    );
    for (const { digests, count } of hashed) {
      builder.add(digests);
      await progress?.(count * blockSize);
    }
    await tree.sync();
    return { algorithm, blockSize, leafCount, root: builder.finish() };
  } finally {
    nodeHash.wipe();
    hasher.close();
  }
}

/** All blocks of `device`, in runs that suit the workers. */
function* runsOf({ blockSize, blockCount }: BlockDevice): Generator<LeafRun> {
  const most = HASH_RUN_BYTES / blockSize;
  for (let first = 0; first < blockCount; first += most) {
    yield { first, count: Math.min(most, blockCount - first) };
  }
}
