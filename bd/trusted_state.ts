/**
 * The trusted state: what has to be known of a verified device from somewhere
 * that the host cannot change.
 *
 * The root alone is not enough. Whoever may choose the number of leaves can
 * append hashes to a tree file so that one block verifies in the place of
 * another, and whoever may choose the algorithm can take a broken one.
 *
 * @module
 */

import type { HashAlgorithm } from "./hmac.ts";

/** See the module. */
export interface TrustedState {
  /** Hash of leaves and inner nodes. */
  readonly algorithm: HashAlgorithm;
  /** Bytes that one leaf stands for. */
  readonly blockSize: number;
  /** Number of leaves, one for each block of the device. */
  readonly leafCount: number;
  /** Value of the tree's root. */
  readonly root: Uint8Array;
}
