/**
 * One tar header: a block of 512 bytes, as POSIX.1-1988 (ustar), the older
 * Version 7 and GNU tar write it.
 *
 * Sources: POSIX.1-2017, pax, "ustar Interchange Format"; the GNU tar manual,
 * "Basic Tar Format" and "Extensions".
 *
 * @module
 */

/** Size of a header and unit of padding, in bytes. */
export const TAR_BLOCK = 512;

/** An archive that breaks the format. */
export class TarError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "TarError";
}

/** Where the data of one run lies in the file. */
export interface Extent {
  /** Position in the file, in bytes. */
  offset: number;
  /** Number of bytes. */
  length: number;
}

/** The fields of a header, decoded. */
export interface TarHeader {
  /** Name, with the ustar prefix in front. */
  path: Uint8Array;
  /** Permission and set-id bits. */
  mode: number;
  /** Owner. */
  uid: number;
  /** Group. */
  gid: number;
  /** Bytes of data that follow. */
  size: number;
  /** Last change of the contents, in whole seconds. */
  mtime: number;
  /** The type flag, one character. */
  type: string;
  /** Target of a link. */
  link: Uint8Array;
  /** Major number of a device node. */
  major: number;
  /** Minor number of a device node. */
  minor: number;
  /** GNU's old sparse format: the first extents, else null. */
  sparse: { extents: Extent[]; realSize: number; extended: boolean } | null;
}

/** True if a block holds zeros only: the mark of the archive's end. */
export function isZeroBlock(block: Uint8Array): boolean {
  for (let i = 0; i < TAR_BLOCK; i++) if (block[i] !== 0) return false;
  return true;
}

/** Decodes a header. Throws {@link TarError} if it is not one. */
export function decodeHeader(block: Uint8Array): TarHeader {
  checkSum(block);
  const gnu = matches(block, 257, "ustar  \0");
  const ustar = gnu || matches(block, 257, "ustar\0");
  const name = field(block, 0, 100);
  const prefix = ustar && !gnu ? field(block, 345, 155) : new Uint8Array();
  const type = String.fromCharCode(block[156] || 0x30);
  return {
    path: prefix.length > 0 ? joinPrefix(prefix, name) : name,
    mode: number(block, 100, 8, "mode") & 0o7777,
    uid: number(block, 108, 8, "uid"),
    gid: number(block, 116, 8, "gid"),
    size: size(block, 124),
    mtime: number(block, 136, 12, "mtime"),
    type,
    link: field(block, 157, 100),
    major: ustar ? number(block, 329, 8, "major number") : 0,
    minor: ustar ? number(block, 337, 8, "minor number") : 0,
    sparse: type === "S"
      ? {
        extents: decodeExtents(block, 386, 4),
        realSize: size(block, 483),
        extended: block[482] !== 0,
      }
      : null,
  };
}

/**
 * Decodes an extension block of GNU's old sparse format: up to 21 extents,
 * and whether another such block follows.
 */
export function decodeSparseBlock(
  block: Uint8Array,
): { extents: Extent[]; extended: boolean } {
  return { extents: decodeExtents(block, 0, 21), extended: block[504] !== 0 };
}

function decodeExtents(
  block: Uint8Array,
  at: number,
  count: number,
): Extent[] {
  const extents: Extent[] = [];
  for (let i = 0; i < count; i++) {
    // An unused entry is empty text, not a number.
    if (block[at + 24 * i + 12] === 0) break;
    extents.push({
      offset: size(block, at + 24 * i),
      length: size(block, at + 24 * i + 12),
    });
  }
  return extents;
}

/** The sum of all bytes, the sum's own field counting as spaces. */
function checkSum(block: Uint8Array): void {
  const expected = number(block, 148, 8, "checksum");
  let unsigned = 8 * 0x20;
  let signed = 8 * 0x20;
  for (let i = 0; i < TAR_BLOCK; i++) {
    if (i >= 148 && i < 156) continue;
    unsigned += block[i];
    // Some old archivers summed signed characters.
    signed += block[i] << 24 >> 24;
  }
  if (expected !== unsigned && expected !== signed) {
    throw new TarError("a header's checksum is wrong");
  }
}

function size(block: Uint8Array, at: number): number {
  const value = number(block, at, 12, "size");
  if (value < 0) throw new TarError("a size is negative");
  return value;
}

/** Octal text, or GNU's base-256 where the first bit is set. */
function number(
  block: Uint8Array,
  at: number,
  length: number,
  what: string,
): number {
  const value = block[at] & 0x80
    ? base256(block, at, length)
    : octal(block, at, length);
  if (!Number.isSafeInteger(value)) {
    throw new TarError(`a header's ${what} is not a number`);
  }
  return value;
}

function base256(block: Uint8Array, at: number, length: number): number {
  // Two's complement; the bit that marks the encoding is not part of it.
  let value = block[at] & 0x40 ? (block[at] | ~0x7f) : block[at] & 0x7f;
  for (let i = 1; i < length; i++) value = value * 256 + block[at + i];
  return value;
}

function octal(block: Uint8Array, at: number, length: number): number {
  let i = at;
  const end = at + length;
  while (i < end && block[i] === 0x20) i++;
  let value = 0;
  for (; i < end && block[i] !== 0 && block[i] !== 0x20; i++) {
    const digit = block[i] - 0x30;
    if (digit < 0 || digit > 7) return NaN;
    value = value * 8 + digit;
  }
  return value;
}

/** Text up to its NUL, as a copy. */
function field(block: Uint8Array, at: number, length: number): Uint8Array {
  const bytes = block.subarray(at, at + length);
  const end = bytes.indexOf(0);
  return bytes.slice(0, end < 0 ? length : end);
}

function matches(block: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (block[at + i] !== text.charCodeAt(i)) return false;
  }
  return true;
}

function joinPrefix(prefix: Uint8Array, name: Uint8Array): Uint8Array {
  const path = new Uint8Array(prefix.length + 1 + name.length);
  path.set(prefix);
  path[prefix.length] = 0x2f;
  path.set(name, prefix.length + 1);
  return path;
}
