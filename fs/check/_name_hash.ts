/**
 * The hashes of names by which Linux sorts large directories.
 *
 * Three of them are in use: one of the first days, one after MD4 (RFC 1320)
 * with half of its steps, and one after TEA (D. Wheeler and R. Needham, "TEA,
 * a Tiny Encryption Algorithm", 1994). Linux kernel, "ext4 Data Structures and
 * Algorithms", 3.3 (Hash Tree Directories).
 *
 * @module
 */

/** How the names of a volume are hashed. */
export interface NameHash {
  /** `hash_version` of the tree: 0 legacy, 1 half MD4, 2 TEA. */
  readonly version: number;
  /** Four numbers that are each volume's own; all 0 for the usual ones. */
  readonly seed: Uint32Array;
  /** Whether bytes of 128 and more count as negative. */
  readonly isSigned: boolean;
}

/** The state of MD4 at its start (RFC 1320, 3.3). */
const INITIAL = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
/** The square roots of 2 and 3, as MD4 has them (RFC 1320, 3.4). */
const SQRT_2 = 0x5a827999;
const SQRT_3 = 0x6ed9eba1;
/** The golden ratio, as TEA has it. */
const GOLDEN = 0x9e3779b9;
/** The last hash stands for the end of a directory. */
const END = 0xfffffffe;

/** The hash of `name`; its lowest bit is 0. */
export function nameHash(name: Uint8Array, how: NameHash): number {
  const hash = how.version === 0
    ? legacy(name, how.isSigned)
    : how.version === 1
    ? halfMd4(name, how)
    : tea(name, how);
  const even = (hash & ~1) >>> 0;
  return even === END ? END - 2 : even;
}

const charAt = (byte: number, isSigned: boolean): number =>
  isSigned ? byte << 24 >> 24 : byte;

function legacy(name: Uint8Array, isSigned: boolean): number {
  let last = 0x12a3fe2d;
  let before = 0x37abe8f9;
  for (const byte of name) {
    const mixed = last ^ Math.imul(charAt(byte, isSigned), 7152373);
    let hash = before + mixed >>> 0;
    if (hash >= 0x80000000) hash = hash - 0x7fffffff >>> 0;
    before = last;
    last = hash;
  }
  return last << 1;
}

/** `words` numbers of the name from byte `at` on, filled up with its length. */
function wordsOf(
  name: Uint8Array,
  at: number,
  { words, isSigned }: { words: number; isSigned: boolean },
): Uint32Array {
  const left = name.length - at;
  const pad = Math.imul(left & 0xff, 0x01010101) | left >>> 8 << 8;
  const out = new Uint32Array(words).fill(pad);
  const end = Math.min(left, 4 * words);
  for (let i = 0; i < end; i++) {
    const start = i % 4 === 0 ? pad : out[i >>> 2];
    out[i >>> 2] = (start << 8) + charAt(name[at + i], isSigned);
  }
  return out;
}

function initialState(seed: Uint32Array): Uint32Array {
  return seed.some((word) => word !== 0)
    ? seed.slice()
    : Uint32Array.from(INITIAL);
}

const rotate = (x: number, count: number): number =>
  x << count | x >>> 32 - count;

/** The rounds of half MD4: which word each step adds, and the shifts. */
const ROUNDS = [
  { order: [0, 1, 2, 3, 4, 5, 6, 7], shifts: [3, 7, 11, 19], add: 0 },
  { order: [1, 3, 5, 7, 0, 2, 4, 6], shifts: [3, 5, 9, 13], add: SQRT_2 },
  { order: [3, 7, 2, 6, 1, 5, 0, 4], shifts: [3, 9, 11, 15], add: SQRT_3 },
] as const;

const MIX = [
  (x: number, y: number, z: number): number => z ^ x & (y ^ z),
  (x: number, y: number, z: number): number => (x & y) + ((x ^ y) & z),
  (x: number, y: number, z: number): number => x ^ y ^ z,
] as const;

function halfMd4(name: Uint8Array, { seed, isSigned }: NameHash): number {
  const state = initialState(seed);
  for (let at = 0; at < name.length; at += 32) {
    const words = wordsOf(name, at, { words: 8, isSigned });
    let [a, b, c, d] = state;
    ROUNDS.forEach(({ order, shifts, add }, round) => {
      order.forEach((word, step) => {
        const sum = a + MIX[round](b, c, d) + words[word] + add | 0;
        [a, b, c, d] = [d, rotate(sum, shifts[step % 4]), b, c];
      });
    });
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
  }
  return state[1];
}

function tea(name: Uint8Array, { seed, isSigned }: NameHash): number {
  const state = initialState(seed);
  for (let at = 0; at < name.length; at += 16) {
    const [k0, k1, k2, k3] = wordsOf(name, at, { words: 4, isSigned });
    let [x, y] = state;
    let sum = 0;
    for (let round = 0; round < 16; round++) {
      sum = sum + GOLDEN >>> 0;
      x = x + ((y << 4) + k0 ^ y + sum ^ (y >>> 5) + k1) >>> 0;
      y = y + ((x << 4) + k2 ^ x + sum ^ (x >>> 5) + k3) >>> 0;
    }
    state[0] += x;
    state[1] += y;
  }
  return state[0];
}
