/**
 * A block mode: how a run of a device's blocks is encrypted, each block by its
 * number and by nothing else.
 *
 * A mode owns the memory in which runs are encrypted, since it knows best
 * where that has to be; the device copies blocks in and out.
 *
 * @module
 */

/** Size of a mode's memory for blocks, in bytes: the longest run at once. */
export const RUN_BYTES_MAX = 128 * 1024;
/** Size of the smallest block, in bytes. */
export const BLOCK_BYTES_MIN = 1024;
/** Number of blocks in the longest run, whatever their size. */
export const RUN_BLOCKS_MAX: number = RUN_BYTES_MAX / BLOCK_BYTES_MIN;

/** Encrypts and decrypts runs of blocks in place. */
export interface BlockMode {
  /** Where a run is put, from byte 0 on; it starts at a multiple of 4 bytes. */
  readonly data: Uint8Array;
  /**
   * Encrypts the `count` blocks in {@link BlockMode.data}, which is at least
   * one, the first being the device's block number `block`.
   */
  encrypt(block: number, count: number): void;
  /** Decrypts what {@link BlockMode.encrypt} makes of the same blocks. */
  decrypt(block: number, count: number): void;
  /** Gives up the key and overwrites the memory; of no use afterwards. */
  close(): void;
}

/**
 * Writes a block number as a unit of 16 bytes, little-endian, at byte `at`:
 * the tweak of XTS (IEEE 1619-2018, section 5.1) and the original's
 * initialization vector for CBC. Numbers go up to 2^53 - 1.
 */
export function putBlockNumber(
  block: number,
  into: DataView,
  at: number,
): void {
  into.setUint32(at, block >>> 0, true);
  into.setUint32(at + 4, Math.floor(block / 2 ** 32), true);
  into.setUint32(at + 8, 0, true);
  into.setUint32(at + 12, 0, true);
}
