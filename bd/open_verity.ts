/**
 * Verified devices of both kinds: with the original's tree, an array of nodes,
 * and with the pages of our own.
 *
 * @module
 */

import { type BlockDevice, DeviceError } from "./block_device.ts";
import type { ByteFile } from "./byte_file.ts";
import {
  type BlockHash,
  createBlockHash,
  createHmac,
  DIGEST_BYTES,
} from "./hmac.ts";
import { MerkleTree } from "./merkle_tree.ts";
import { arrayLayout, pagedLayout, type TreeLayout } from "./tree_layout.ts";
import type { TrustedState } from "./trusted_state.ts";
import { VerityDevice, type VerityReports } from "./verity.ts";

/** What both kinds of verified devices need. */
export interface VerityState extends VerityReports {
  /** The trusted state. */
  state: TrustedState;
  /** Size of the cache of tree nodes, in bytes; 32 MiB if absent. */
  treeCache?: number;
}

/**
 * A verified device with the original's tree, an array of all nodes in
 * `tree`. Without a key its hashes are plain ones, and only the root protects.
 * Both files become the device's to close, unless this throws:
 * {@link IntegrityError} if their sizes are not those of the trusted state,
 * {@link DeviceError} `EINVAL` if that does not fit the device.
 */
export function openOriginalVerity(
  next: BlockDevice,
  tree: ByteFile,
  options: VerityState & { key: Uint8Array | null },
): VerityDevice {
  const { key, state: { algorithm, leafCount } } = options;
  return openVerity(next, tree, {
    ...options,
    layout: arrayLayout(leafCount, DIGEST_BYTES[algorithm]),
    nodeHash: createBlockHash(algorithm, key),
    leafHash: createBlockHash(algorithm, key),
    leafKey: key,
  });
}

/**
 * A verified device of our own, with a tree of pages in `tree`; throws as
 * {@link openOriginalVerity} does.
 */
export function openPagedVerity(
  next: BlockDevice,
  tree: ByteFile,
  options: VerityState & { leafKey: Uint8Array; nodeKey: Uint8Array },
): VerityDevice {
  const { leafKey, nodeKey, state: { algorithm, leafCount } } = options;
  return openVerity(next, tree, {
    ...options,
    layout: pagedLayout(leafCount),
    nodeHash: createHmac(algorithm, nodeKey),
    leafHash: createHmac(algorithm, leafKey),
    leafKey,
  });
}

function openVerity(
  next: BlockDevice,
  file: ByteFile,
  options: VerityState & {
    layout: TreeLayout;
    nodeHash: BlockHash;
    leafHash: BlockHash;
    leafKey: Uint8Array | null;
  },
): VerityDevice {
  const { state, layout, nodeHash, leafHash, treeCache: cacheSize } = options;
  const { algorithm, blockSize, root } = state;
  try {
    if (blockSize !== next.blockSize) {
      throw new DeviceError(
        "EINVAL",
        `Cannot verify blocks of ${next.blockSize} bytes: the trusted state ` +
          `is of blocks of ${blockSize} bytes`,
      );
    }
    const tree = new MerkleTree(file, { layout, nodeHash, root, cacheSize });
    const { leafKey, publish, log } = options;
    return new VerityDevice(next, {
      tree,
      leafHash,
      leafKey,
      algorithm,
      publish,
      log,
    });
  } catch (error) {
    nodeHash.wipe();
    leafHash.wipe();
    throw error;
  }
}

/** Size of the tree file of a device of our own, in bytes. */
export function pagedTreeBytes(leafCount: number): number {
  return pagedLayout(leafCount).fileSize;
}
