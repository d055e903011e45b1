/**
 * AES by the runtime's own code, through `node:crypto`.
 *
 * A cipher object is made once for a key and used for all calls: to make one
 * takes longer than to encrypt a block with it. The runtime copies the key;
 * its copy, and the arrays it makes in between, are freed by
 * {@link UnitCipher.close} and by the garbage collector. Nothing in JavaScript
 * can overwrite them.
 *
 * @module
 */

import type { AesProvider, ChainCipher, UnitCipher } from "./aes.ts";

/** The part of a cipher object of `node:crypto` that is used here. */
interface CipherObject {
  setAutoPadding(on: boolean): unknown;
  update(data: Uint8Array): Uint8Array;
  final(): Uint8Array;
}

type MakeCipher = (
  algorithm: string,
  key: Uint8Array,
  iv: Uint8Array | null,
) => CipherObject;

/** The part of `node:crypto` that is used here. */
interface CryptoModule {
  createCipheriv: MakeCipher;
  createDecipheriv: MakeCipher;
}

/**
 * The provider that stands on `module`, which is `node:crypto`; null if that
 * is not there, or does not compute what it should.
 */
export function nativeAes(module: unknown): AesProvider | null {
  if (!module) return null;
  const { createCipheriv, createDecipheriv } = module as CryptoModule;
  const unpadded = (cipher: CipherObject): CipherObject => {
    cipher.setAutoPadding(false);
    return cipher;
  };
  const provider: AesProvider = {
    name: "native",
    encryptor: (key) =>
      new NativeUnitCipher(unpadded(createCipheriv("aes-256-ecb", key, null))),
    decryptor: (key) =>
      new NativeUnitCipher(
        unpadded(createDecipheriv("aes-256-ecb", key, null)),
      ),
    chainer: (key) =>
      new NativeChainCipher((iv) =>
        unpadded(createCipheriv("aes-256-cbc", key, iv))
      ),
  };
  try {
    return passesKnownAnswer(provider) ? provider : null;
  } catch {
    return null;
  }
}

/**
 * Tries FIPS 197, appendix C.3: it shows that the ciphers are there, and that
 * they give out each unit at once instead of holding back the last.
 */
function passesKnownAnswer(provider: AesProvider): boolean {
  const key = new Uint8Array(32).map((_, i) => i);
  const plain = new Uint8Array(16).map((_, i) => i * 0x11);
  const cipher = "8ea2b7ca516745bfeafc49904b496089";
  const made: (UnitCipher | ChainCipher)[] = [];
  const keep = <T extends UnitCipher | ChainCipher>(cipher: T): T => {
    made.push(cipher);
    return cipher;
  };
  try {
    const unit = keep(provider.encryptor(key)).update(plain);
    const again = keep(provider.decryptor(key)).update(unit);
    const iv = new Uint8Array(16);
    const chained = keep(provider.chainer(key)).update(plain.slice(), iv);
    return hex(unit) === cipher && hex(chained) === cipher &&
      hex(again) === hex(plain);
  } finally {
    made.forEach(closeAnyhow);
  }
}

function closeAnyhow(cipher: UnitCipher | ChainCipher): void {
  try {
    cipher.close();
  } catch {
    // One that is no use may complain of what it was given before.
  }
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

class NativeUnitCipher implements UnitCipher {
  readonly #cipher: CipherObject;

  constructor(cipher: CipherObject) {
    this.#cipher = cipher;
  }

  update(units: Uint8Array): Uint8Array {
    return this.#cipher.update(units);
  }

  close(): void {
    this.#cipher.final();
  }
}

/**
 * One CBC cipher object goes on chaining from call to call: it XORs the last
 * unit it gave out into the first one of the next call. To start a chain at a
 * vector of our own, that unit is XORed in beforehand, which cancels it.
 */
class NativeChainCipher implements ChainCipher {
  readonly #cipher: CipherObject;
  readonly #last = new Uint8Array(16);

  constructor(make: (iv: Uint8Array) => CipherObject) {
    this.#cipher = make(this.#last);
  }

  update(units: Uint8Array, iv: Uint8Array): Uint8Array {
    const last = this.#last;
    for (let i = 0; i < last.length; i++) units[i] ^= last[i] ^ iv[i];
    const result = this.#cipher.update(units);
    const tail = result.length - last.length;
    for (let i = 0; i < last.length; i++) last[i] = result[tail + i];
    return result;
  }

  close(): void {
    this.#cipher.final();
  }
}
