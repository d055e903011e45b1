/**
 * A key encrypted by another: AES-256 Key Wrap (RFC 3394; NIST SP 800-38F,
 * KW). Unwrapping notices a wrong key, and any change of what is wrapped.
 *
 * @module
 */

import { aeskw } from "@noble/ciphers/aes.js";

/** By how many bytes a wrapped key is longer than the key. */
export const WRAP_OVERHEAD_BYTES = 8;

/** Wraps `key`, a multiple of 8 bytes and at least 16, by 32-byte `kek`. */
export function wrapKey(kek: Uint8Array, key: Uint8Array): Uint8Array {
  return aeskw(kek).encrypt(key);
}

/**
 * The key in `wrapped`; null if `kek` is not what it was wrapped by, or if it
 * was changed since.
 */
export function unwrapKey(
  kek: Uint8Array,
  wrapped: Uint8Array,
): Uint8Array | null {
  try {
    return aeskw(kek).decrypt(wrapped);
  } catch {
    return null;
  }
}
