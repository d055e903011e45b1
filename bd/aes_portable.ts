/**
 * AES in TypeScript, by `@noble/ciphers`: for runtimes without a native one,
 * and to check that against.
 *
 * @module
 */

import { cbc, ecb } from "@noble/ciphers/aes.js";
import type { AesProvider, ChainCipher, UnitCipher } from "./aes.ts";

/** See the module. */
export const portableAes: AesProvider = {
  name: "portable",
  encryptor: (key) =>
    unitCipher(key, (copy, units) => ecb(copy, UNPADDED).encrypt(units)),
  decryptor: (key) =>
    unitCipher(key, (copy, units) => ecb(copy, UNPADDED).decrypt(units)),
  chainer: (key): ChainCipher => {
    const copy = key.slice();
    return {
      update: (units, iv) => cbc(copy, iv, UNPADDED).encrypt(units),
      close: () => void copy.fill(0),
    };
  },
};

const UNPADDED = { disablePadding: true } as const;

/** The library's objects encrypt only once: there is a new one a call. */
function unitCipher(
  key: Uint8Array,
  apply: (key: Uint8Array, units: Uint8Array) => Uint8Array,
): UnitCipher {
  const copy = key.slice();
  return {
    update: (units) => apply(copy, units),
    close: () => void copy.fill(0),
  };
}
