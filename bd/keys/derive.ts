/**
 * Keys from keys: HKDF-SHA-256 (RFC 5869), one label for each use.
 *
 * Two uses never share a key: what one of them lets an observer learn is of no
 * help against the other.
 *
 * @module
 */

import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";

/** What a key is derived for. */
export interface DerivationOptions {
  /** Public bytes that differ from volume to volume, or from slot to slot. */
  salt: Uint8Array;
  /** What the key is for, in ASCII: HKDF's `info`. */
  label: string;
  /** Size of the key in bytes, at most 8160 (255 · 32). */
  byteLength: number;
}

/**
 * A key for one use, from a `secret` that nobody can guess: 32 random bytes or
 * more. The caller overwrites both when it is done with them.
 */
export function deriveKey(
  secret: Uint8Array,
  { salt, label, byteLength }: DerivationOptions,
): Uint8Array {
  const info = new TextEncoder().encode(label);
  return hkdf(sha256, secret, salt, info, byteLength);
}
