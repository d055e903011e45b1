/**
 * AES-256 (FIPS 197) over many 16-byte units a call: the primitive that the
 * block modes are built on, and the choice of who computes it.
 *
 * The native provider is the runtime's own code, with the processor's AES
 * instructions. The portable one is TypeScript and runs anywhere; it takes more
 * than ten times as long, and times that depend on the data, since it looks
 * things up in tables. Both compute the same, and the tests hold each against
 * the other.
 *
 * @module
 */

import { nativeAes } from "./aes_native.ts";
import { portableAes } from "./aes_portable.ts";
import { DeviceError } from "./block_device.ts";

/** Size of the unit that AES permutes, in bytes. */
export const AES_UNIT_BYTES = 16;
/** Size of an AES-256 key, in bytes. */
export const AES_KEY_BYTES = 32;

/** AES under one key, in one direction. */
export interface UnitCipher {
  /**
   * Permutes each unit of `units`, a whole number of them, by itself. The
   * result is a fresh array, aligned to 4 bytes.
   */
  update(units: Uint8Array): Uint8Array;
  /** Gives up the key; the cipher is of no use afterwards. */
  close(): void;
}

/** CBC encryption (NIST SP 800-38A, section 6.2) under one key. */
export interface ChainCipher {
  /**
   * Encrypts `units`, a whole number of them and at least one, as a chain of
   * its own that starts at `iv`, one unit. The result is a fresh array; the
   * first unit of `units` is undefined afterwards.
   */
  update(units: Uint8Array, iv: Uint8Array): Uint8Array;
  /** Gives up the key; the cipher is of no use afterwards. */
  close(): void;
}

/** Who computes AES. */
export type AesProviderName = "native" | "portable";

/** A source of ciphers; a key has 32 bytes and is copied. */
export interface AesProvider {
  /** Its name. */
  readonly name: AesProviderName;
  /** The forward permutation, on each unit by itself. */
  encryptor(key: Uint8Array): UnitCipher;
  /** The inverse permutation, on each unit by itself. */
  decryptor(key: Uint8Array): UnitCipher;
  /** The forward permutation, in chains. */
  chainer(key: Uint8Array): ChainCipher;
}

let native: AesProvider | null | undefined;

/**
 * The provider called `name`; without a name the native one, or the portable
 * one where that is absent. Throws {@link DeviceError} `EINVAL` if the native
 * one is asked for and absent.
 */
export function aesProvider(name?: AesProviderName): AesProvider {
  if (name === "portable") return portableAes;
  if (native === undefined) native = nativeAes(builtInCrypto());
  if (native) return native;
  if (name === undefined) return portableAes;
  throw new DeviceError(
    "EINVAL",
    "Cannot use native AES: this runtime's node:crypto has no aes-256-ecb; " +
      "choose the portable provider",
  );
}

/** The module `node:crypto`, or undefined where there is none. */
function builtInCrypto(): unknown {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (name: string) => unknown };
  };
  return process?.getBuiltinModule?.("node:crypto");
}
