/**
 * Compressed files, known by how they start.
 *
 * @module
 */

/** Stands for any byte. */
const ANY = -1;

/**
 * RFC 1952, the .xz file format 1.2, RFC 8878; bzip2's `BZh`, a level, and
 * the mark of its first block (pi), as a name could start with `BZh`.
 */
const MAGIC: readonly [string, readonly number[]][] = [
  ["gzip", [0x1f, 0x8b]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["bzip2", [0x42, 0x5a, 0x68, ANY, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59]],
];

/** The program that unpacks a file that starts so, or null. */
export function compressorOf(start: Uint8Array): string | null {
  for (const [tool, magic] of MAGIC) {
    const same = magic.every((byte, i) => byte === ANY || byte === start[i]);
    if (same) return tool;
  }
  return null;
}
