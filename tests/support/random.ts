/**
 * Random numbers that a seed replays.
 *
 * @module
 */

/** A generator of random numbers: the same seed, the same numbers. */
export class Random {
  #state: number;

  /** Starts at `seed`, a 32-bit number. */
  constructor(readonly seed: number) {
    this.#state = seed >>> 0;
  }

  /** A 32-bit number (Steele and Vigna's splitmix, 32-bit variant). */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  }

  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number {
    return Math.floor(this.next() / 2 ** 32 * limit);
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.next() < probability * 2 ** 32;
  }

  /** One of a list's items, each as likely as the others. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** `length` random bytes. */
  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i += 4) {
      const word = this.next();
      bytes[i] = word;
      bytes[i + 1] = word >>> 8;
      bytes[i + 2] = word >>> 16;
      bytes[i + 3] = word >>> 24;
    }
    return bytes;
  }
}

/** The seed to use: that of the named variable, or else a fresh one. */
export function chooseSeed(variable: string): number {
  const given = Deno.env.get(variable);
  if (given !== undefined) return Number(given) >>> 0;
  return crypto.getRandomValues(new Uint32Array(1))[0];
}
