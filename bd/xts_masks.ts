/**
 * The masks of XTS: what is XORed into the units before and after AES.
 *
 * Unit j of a block is masked with T·α^j, where T is the block's encrypted
 * tweak and α the element x of GF(2^128), reduced by x^128 + x^7 + x^2 + x + 1
 * (IEEE 1619-2018, section 5.2). A multiplication by α shifts the 128-bit
 * little-endian number left by one bit; the bit that falls out, if it is set,
 * comes back as 0x87.
 *
 * The masks of a run are computed once and kept for the second time.
 *
 * @module
 */

import { RUN_BYTES_MAX } from "./block_mode.ts";

/** What masks are made for. */
export interface XtsMaskSize {
  /** Size of a block, in bytes: whole units of 16. */
  blockSize: number;
  /** Number of tweaks that there is room for. */
  tweakCount: number;
}

/** Memory for a run of blocks and its tweaks, and masks to XOR into it. */
export interface XtsMasks {
  /** Where the run is: `RUN_BYTES_MAX` bytes. */
  readonly data: Uint8Array;
  /** Where encrypted tweaks are, 16 bytes each. */
  readonly tweaks: Uint8Array;
  /**
   * Computes the masks of `count` blocks, which is at least one, from the
   * tweaks that start at number `first`, and XORs them into the data.
   */
  apply(first: number, count: number): void;
  /** XORs the masks of the last {@link XtsMasks.apply} into the data again. */
  repeat(count: number): void;
  /** Overwrites the data, the tweaks and the masks with zeros. */
  wipe(): void;
}

/**
 * The masks in plain JavaScript. Words are those of a little-endian machine:
 * JavaScript runs on no other any more.
 */
export class ScalarMasks implements XtsMasks {
  readonly data: Uint8Array = new Uint8Array(RUN_BYTES_MAX);
  readonly tweaks: Uint8Array;
  readonly #dataWords = new Int32Array(this.data.buffer);
  readonly #tweakWords: Int32Array;
  readonly #masks = new Int32Array(RUN_BYTES_MAX / 4);
  readonly #blockWords: number;

  constructor({ blockSize, tweakCount }: XtsMaskSize) {
    this.#tweakWords = new Int32Array(tweakCount * 4);
    this.tweaks = new Uint8Array(this.#tweakWords.buffer);
    this.#blockWords = blockSize / 4;
  }

  apply(first: number, count: number): void {
    const tweaks = this.#tweakWords;
    const masks = this.#masks;
    for (let block = 0, i = 0; block < count; block++) {
      const tweak = 4 * (first + block);
      let t0 = tweaks[tweak];
      let t1 = tweaks[tweak + 1];
      let t2 = tweaks[tweak + 2];
      let t3 = tweaks[tweak + 3];
      for (const end = i + this.#blockWords; i < end; i += 4) {
        masks[i] = t0;
        masks[i + 1] = t1;
        masks[i + 2] = t2;
        masks[i + 3] = t3;
        const carry = (t3 >> 31) & 0x87;
        t3 = (t3 << 1) | (t2 >>> 31);
        t2 = (t2 << 1) | (t1 >>> 31);
        t1 = (t1 << 1) | (t0 >>> 31);
        t0 = (t0 << 1) ^ carry;
      }
    }
    this.repeat(count);
  }

  repeat(count: number): void {
    const data = this.#dataWords;
    const masks = this.#masks;
    const end = count * this.#blockWords;
    for (let i = 0; i < end; i++) data[i] ^= masks[i];
  }

  wipe(): void {
    this.data.fill(0);
    this.tweaks.fill(0);
    this.#masks.fill(0);
  }
}
