/**
 * A set of numbers as a bitmap whose parts take memory only once they hold
 * something.
 *
 * @module
 */

import { setBits, testBit } from "../bitmap.ts";

/** See the module. */
export class SparseBits {
  /** Numbers in the set. */
  size = 0;
  readonly #chunks: (Uint8Array | undefined)[] = [];
  readonly #bits: number;
  readonly #base: number;

  /** Makes an empty set in chunks of `bits` numbers, the first being `base`. */
  constructor(bits: number, base = 0) {
    this.#bits = bits;
    this.#base = base;
  }

  /** Whether `number` is in the set. */
  has(number: number): boolean {
    const index = number - this.#base;
    const chunk = this.#chunks[Math.floor(index / this.#bits)];
    return chunk !== undefined && testBit(chunk, index % this.#bits);
  }

  /** Adds `number`; false if it was there. */
  add(number: number): boolean {
    const index = number - this.#base;
    const at = Math.floor(index / this.#bits);
    const chunk = this.#chunks[at] ??= new Uint8Array(this.#bits + 7 >>> 3);
    const bit = index % this.#bits;
    const mask = 1 << (bit & 7);
    if ((chunk[bit >>> 3] & mask) !== 0) return false;
    chunk[bit >>> 3] |= mask;
    this.size++;
    return true;
  }

  /** Removes `number`. */
  delete(number: number): void {
    if (!this.has(number)) return;
    const index = number - this.#base;
    const chunk = this.#chunks[Math.floor(index / this.#bits)]!;
    const bit = index % this.#bits;
    chunk[bit >>> 3] &= ~(1 << (bit & 7));
    this.size--;
  }

  /** Adds the `count` numbers from `first` on, none of which is in the set. */
  addRun(first: number, count: number): void {
    for (let index = first - this.#base, left = count; left > 0;) {
      const at = Math.floor(index / this.#bits);
      const bit = index % this.#bits;
      const here = Math.min(left, this.#bits - bit);
      const chunk = this.#chunks[at] ??= new Uint8Array(this.#bits + 7 >>> 3);
      setBits(chunk, bit, here);
      index += here;
      left -= here;
    }
    this.size += count;
  }

  /** The bits of chunk `at`; undefined if there is nothing in it. */
  chunk(at: number): Uint8Array | undefined {
    return this.#chunks[at];
  }

  /** The numbers of the set, in ascending order. */
  *[Symbol.iterator](): Generator<number> {
    for (let at = 0; at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at];
      if (chunk === undefined) continue;
      for (let bit = 0; bit < this.#bits; bit++) {
        if (chunk[bit >>> 3] === 0) bit |= 7;
        else if (testBit(chunk, bit)) yield this.#base + at * this.#bits + bit;
      }
    }
  }
}
