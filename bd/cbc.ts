/**
 * AES-256-CBC (NIST SP 800-38A, section 6.2) over whole blocks: each block is
 * a chain of its own, whose initialization vector is the block number. It is
 * one of the two ciphers of the original's images. Volumes of our own do not
 * have it: who can foretell the vectors can have files stored whose ciphertext
 * gives them away (watermarks), and the first unit that changed shows.
 *
 * P = D(C) ⊕ previous C needs nothing that is not at hand, so that a run is
 * decrypted by one call of AES. C = E(P ⊕ previous C) has to wait for the unit
 * before: encryption takes one call a block, and several times as long.
 *
 * @module
 */

import {
  AES_UNIT_BYTES,
  type AesProvider,
  type ChainCipher,
  type UnitCipher,
} from "./aes.ts";
import { type BlockMode, putBlockNumber, RUN_BYTES_MAX } from "./block_mode.ts";

/** What a mode is made of. */
export interface CbcOptions {
  /** Who computes AES. */
  provider: AesProvider;
  /** 32 bytes. */
  key: Uint8Array;
  /** Size of a block, in bytes: whole units. */
  blockSize: number;
}

/** See the module. */
export class CbcMode implements BlockMode {
  readonly data: Uint8Array = new Uint8Array(RUN_BYTES_MAX);
  readonly #words = new Int32Array(this.data.buffer);
  readonly #blockSize: number;
  readonly #chainer: ChainCipher;
  readonly #decryptor: UnitCipher;
  readonly #iv = new Uint8Array(AES_UNIT_BYTES);
  readonly #ivView = new DataView(this.#iv.buffer);
  readonly #ivWords = new Int32Array(this.#iv.buffer);

  constructor({ provider, key, blockSize }: CbcOptions) {
    this.#blockSize = blockSize;
    this.#chainer = provider.chainer(key);
    this.#decryptor = provider.decryptor(key);
  }

  encrypt(block: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const at = i * this.#blockSize;
      putBlockNumber(block + i, this.#ivView, 0);
      const plain = this.data.subarray(at, at + this.#blockSize);
      plain.set(this.#chainer.update(plain, this.#iv));
    }
  }

  decrypt(block: number, count: number): void {
    const run = this.data.subarray(0, count * this.#blockSize);
    const bytes = this.#decryptor.update(run);
    const { buffer, byteOffset, length } = bytes;
    const permuted = new Int32Array(buffer, byteOffset, length / 4);
    for (let i = 0; i < count; i++) {
      putBlockNumber(block + i, this.#ivView, 0);
      this.#unchain(permuted, i * this.#blockSize / 4);
    }
  }

  close(): void {
    this.#chainer.close();
    this.#decryptor.close();
    this.data.fill(0);
  }

  /**
   * Replaces the block from word `start` on, which is ciphertext, by
   * `permuted` ⊕ the unit before.
   */
  #unchain(permuted: Int32Array, start: number): void {
    const words = this.#words;
    let [p0, p1, p2, p3] = this.#ivWords;
    for (const end = start + this.#blockSize / 4; start < end; start += 4) {
      const c0 = words[start];
      const c1 = words[start + 1];
      const c2 = words[start + 2];
      const c3 = words[start + 3];
      words[start] = permuted[start] ^ p0;
      words[start + 1] = permuted[start + 1] ^ p1;
      words[start + 2] = permuted[start + 2] ^ p2;
      words[start + 3] = permuted[start + 3] ^ p3;
      p0 = c0;
      p1 = c1;
      p2 = c2;
      p3 = c3;
    }
  }
}
