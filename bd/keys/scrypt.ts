/**
 * Keys from passphrases: scrypt (RFC 7914), slow and large on purpose.
 *
 * Parameters come from a descriptor that the host may have changed, so they
 * have bounds, and these are checked before any memory is taken. The host
 * gains nothing by weaker ones: the key they give opens nothing.
 *
 * @module
 */

import { scryptSync } from "node:crypto";

/** How much work one guess at a passphrase is. */
export interface ScryptParameters {
  /** Cost: number of steps and of memory blocks, a power of two. */
  readonly n: number;
  /** Size of a memory block, in units of 128 bytes. */
  readonly r: number;
  /** How many times it is all done, one after the other. */
  readonly p: number;
}

/** Most memory that may be asked for, in bytes: 128 · n · r. */
export const SCRYPT_MEMORY_MAX = 2 ** 30;
/** Least cost. */
export const SCRYPT_N_MIN = 2 ** 10;
/** Most cost, with the usual block size of 8: it takes all of the memory. */
export const SCRYPT_N_MAX = 2 ** 20;
/** Most repetitions. */
export const SCRYPT_P_MAX = 16;

/** Size of a key, in bytes. */
const KEY_BYTES = 32;
/** Least cost that {@link calibrateScrypt} chooses, and measures with. */
const CALIBRATED_N_MIN = 2 ** 14;
/** RFC 7914 recommends 8 for r, and 1 for p where memory is to be had. */
const USUAL = { r: 8, p: 1 };

/** Why `parameters` are refused; null if they are not. */
export function scryptRefusal(parameters: ScryptParameters): string | null {
  const { n, r, p } = parameters;
  const isPower = Number.isInteger(Math.log2(n));
  if (!isPower || n < SCRYPT_N_MIN) {
    return `n is ${n}: not a power of two from ${SCRYPT_N_MIN} on`;
  }
  if (!Number.isInteger(r) || r < 1) return `r is ${r}: not a number from 1 on`;
  if (128 * n * r > SCRYPT_MEMORY_MAX) {
    return `n ${n} and r ${r} would take ${128 * n * r} bytes of memory, ` +
      "more than 1 GiB";
  }
  // RFC 7914, section 6, sets this bound.
  if (n >= 2 ** (16 * r)) {
    return `n is ${n}: with r ${r}, it has to be less than ${2 ** (16 * r)}`;
  }
  if (!Number.isInteger(p) || p < 1 || p > SCRYPT_P_MAX) {
    return `p is ${p}: not a number from 1 to ${SCRYPT_P_MAX}`;
  }
  return null;
}

/**
 * A key of 32 bytes from a passphrase. Throws `RangeError` for parameters
 * that {@link scryptRefusal} refuses, before it takes any memory.
 */
export function scrypt(
  passphrase: Uint8Array,
  salt: Uint8Array,
  parameters: ScryptParameters,
): Uint8Array {
  const refusal = scryptRefusal(parameters);
  if (refusal !== null) throw new RangeError(`Cannot use scrypt: ${refusal}`);
  const { n: N, r, p } = parameters;
  // The runtime's own bound counts some working memory besides.
  const maxmem = 2 * SCRYPT_MEMORY_MAX;
  const key = scryptSync(passphrase, salt, KEY_BYTES, { N, r, p, maxmem });
  try {
    return Uint8Array.from(key);
  } finally {
    key.fill(0);
  }
}

/**
 * Parameters that take `milliseconds` on this machine, about and at most: a
 * cost from 2^14 to 2^20, found by measuring the least. `measure` gives the
 * time of that, in milliseconds.
 */
export function calibrateScrypt(
  milliseconds: number = 1000,
  measure: (parameters: ScryptParameters) => number = timeOf,
): ScryptParameters {
  const least = { n: CALIBRATED_N_MIN, ...USUAL };
  const times = milliseconds / Math.max(measure(least), 1e-3);
  const doublings = Math.max(0, Math.floor(Math.log2(times)));
  const n = Math.min(SCRYPT_N_MAX, CALIBRATED_N_MIN * 2 ** doublings);
  return { n, ...USUAL };
}

/** Parameters of cost `n` with the usual block size and no repetition. */
export function usualScrypt(n: number): ScryptParameters {
  return { n, ...USUAL };
}

/** The better of two runs: the first one warms up. */
function timeOf(parameters: ScryptParameters): number {
  const times = [0, 1].map(() => {
    const began = performance.now();
    scrypt(new Uint8Array(16), new Uint8Array(16), parameters);
    return performance.now() - began;
  });
  return Math.min(...times);
}
