/**
 * The key of an encrypted image, from its password.
 *
 * @module
 */

import { pbkdf2Sync } from "node:crypto";
import { CIPHER_KEY_BYTES, type CipherName } from "../crypt.ts";

/** What the original derives keys with. */
const PBKDF2_ITERATIONS = 1000;

/** The original's key for `cipher`; the caller wipes it. */
export function deriveImageKey(
  password: Uint8Array,
  cipher: CipherName,
): Uint8Array {
  return pbkdf2Sync(
    password,
    new Uint8Array(0),
    PBKDF2_ITERATIONS,
    CIPHER_KEY_BYTES[cipher],
    "sha256",
  );
}
