/**
 * A hash tree that does not verify, or cannot be read, and what becomes of the
 * leaves below.
 *
 * @module
 */

import { DeviceError, IntegrityError } from "./block_device.ts";

/** Leaves in a row. */
export interface LeafRange {
  /** The first of them. */
  readonly first: number;
  /** How many, at least 1. */
  readonly count: number;
}

/** The tree itself does not verify, so that no leaf below can be trusted. */
export class DamagedTreeError extends IntegrityError {
  /**
   * Makes the error for `block`, with `range`, the leaves around it that share
   * its fate.
   */
  constructor(block: number, readonly range: LeafRange, message: string) {
    super(block, message);
  }
}

/** The host cannot read the tree, so that no leaf below can be verified. */
export class UnreadableTreeError extends DeviceError {
  /** Makes the error of `range`, the leaves around that share their fate. */
  constructor(readonly range: LeafRange, cause: DeviceError) {
    super(cause.code, cause.message, { cause });
  }
}
