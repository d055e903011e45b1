/**
 * Comparisons of arrays of bytes.
 *
 * @module
 */

/**
 * Whether two arrays are the same, in a time that depends on their length
 * alone: one of them may be a secret.
 */
export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i] ^ b[i];
  return difference === 0;
}

/** Whether all bytes of a whole number of 32-bit words are zeros. */
export function isZero(bytes: Uint8Array): boolean {
  const { buffer, byteOffset, length } = bytes;
  if (byteOffset % 4 !== 0) return bytes.every((byte) => byte === 0);
  const words = new Uint32Array(buffer, byteOffset, length / 4);
  for (let i = 0; i < words.length; i++) {
    if (words[i] !== 0) return false;
  }
  return true;
}
