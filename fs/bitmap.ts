/**
 * Bitmaps: bit `i` is bit `i % 8` of byte `i / 8`, least significant first.
 *
 * @module
 */

/** Whether bit `index` is set. */
export function testBit(bitmap: Uint8Array, index: number): boolean {
  return (bitmap[index >>> 3] & 1 << (index & 7)) !== 0;
}

/** Sets `count` bits from `index` on. */
export function setBits(
  bitmap: Uint8Array,
  index: number,
  count: number,
): void {
  changeBits(bitmap, index, count, 0xff);
}

/** Clears `count` bits from `index` on. */
export function clearBits(
  bitmap: Uint8Array,
  index: number,
  count: number,
): void {
  changeBits(bitmap, index, count, 0);
}

/** Gives `count` bits from `index` on those of the byte `value`. */
function changeBits(
  bitmap: Uint8Array,
  index: number,
  count: number,
  value: number,
): void {
  for (let i = index, end = index + count; i < end;) {
    if ((i & 7) === 0 && end - i >= 8) {
      bitmap[i >>> 3] = value;
      i += 8;
    } else {
      const bit = 1 << (i & 7);
      bitmap[i >>> 3] = bitmap[i >>> 3] & ~bit | value & bit;
      i++;
    }
  }
}

/** The first clear bit in `[from, end)`, or -1. */
export function findClear(
  bitmap: Uint8Array,
  from: number,
  end: number,
): number {
  let i = from;
  while (i < end) {
    if ((i & 7) === 0 && bitmap[i >>> 3] === 0xff) {
      i = skipFull(bitmap, i >>> 3, end) << 3;
      continue;
    }
    if (!testBit(bitmap, i)) return i;
    i++;
  }
  return -1;
}

/** The first byte from `byte` on that is not all ones, or past `end` bits. */
function skipFull(bitmap: Uint8Array, byte: number, end: number): number {
  const last = end + 7 >>> 3;
  while (byte < last && bitmap[byte] === 0xff) byte++;
  return byte;
}

/**
 * The first byte boundary in `[from, end)` whose eight bits are clear, or -1:
 * a place where a new file has room to grow.
 */
export function findClearByte(
  bitmap: Uint8Array,
  from: number,
  end: number,
): number {
  for (let byte = from + 7 >>> 3, last = end >>> 3; byte < last; byte++) {
    if (bitmap[byte] === 0) return byte << 3;
  }
  return -1;
}

/** Number of clear bits from `from` on, at most up to `end`. */
export function countClear(
  bitmap: Uint8Array,
  from: number,
  end: number,
): number {
  let i = from;
  while (i < end) {
    if ((i & 7) === 0 && end - i >= 8 && bitmap[i >>> 3] === 0) i += 8;
    else if (testBit(bitmap, i)) break;
    else i++;
  }
  return i - from;
}

/** Whether all `count` bits from `index` on are set. */
export function allSet(
  bitmap: Uint8Array,
  index: number,
  count: number,
): boolean {
  return findClear(bitmap, index, index + count) < 0;
}
