/**
 * The structure checker of our own, on the plaintext of a volume.
 *
 * @module
 */

/** What is wrong with a volume, a line for each problem. */
export function structureProblems(
  _plain: Uint8Array,
  _blockSize: number,
): Promise<string[]> {
  return Promise.resolve([]);
}
