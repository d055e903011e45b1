/**
 * On-disk structures as tables.
 *
 * Each structure is declared once, as a table of fields with their offsets.
 * The field objects of that table are the only code that reads or writes the
 * structure, on hot paths too; documentation, dumps and the hostile-image
 * tests walk the same table. All numbers of ext2 are little-endian.
 *
 * @module
 */

/** One number of 8, 16 or 32 bits, or a run of bytes, in a structure. */
export type Field = U8 | U16 | U32 | Bytes;

/** An unsigned 8-bit field. */
export class U8 {
  /** Bytes the field takes. */
  readonly size = 1;
  /** Makes a field at `offset` bytes from the structure's start. */
  constructor(readonly offset: number) {}
  /** Value in the structure that starts at `at` in `bytes`. */
  get(bytes: Uint8Array, at: number): number {
    return bytes[at + this.offset];
  }
  /** Stores the low 8 bits of `value`. */
  set(bytes: Uint8Array, at: number, value: number): void {
    bytes[at + this.offset] = value;
  }
}

/** An unsigned 16-bit field. */
export class U16 {
  /** Bytes the field takes. */
  readonly size = 2;
  /** Makes a field at `offset` bytes from the structure's start. */
  constructor(readonly offset: number) {}
  /** Value in the structure that starts at `at` in `bytes`. */
  get(bytes: Uint8Array, at: number): number {
    const i = at + this.offset;
    return bytes[i] | bytes[i + 1] << 8;
  }
  /** Stores the low 16 bits of `value`. */
  set(bytes: Uint8Array, at: number, value: number): void {
    const i = at + this.offset;
    bytes[i] = value;
    bytes[i + 1] = value >>> 8;
  }
}

/** An unsigned 32-bit field. */
export class U32 {
  /** Bytes the field takes. */
  readonly size = 4;
  /** Makes a field at `offset` bytes from the structure's start. */
  constructor(readonly offset: number) {}
  /** Value in the structure that starts at `at` in `bytes`. */
  get(bytes: Uint8Array, at: number): number {
    return readU32(bytes, at + this.offset);
  }
  /** Stores the low 32 bits of `value`. */
  set(bytes: Uint8Array, at: number, value: number): void {
    writeU32(bytes, at + this.offset, value);
  }
}

/** A run of bytes: a name, a UUID, an array, or reserved space. */
export class Bytes {
  /** Makes a field of `size` bytes at `offset` from the structure's start. */
  constructor(readonly offset: number, readonly size: number) {}
  /** View of the bytes in the structure that starts at `at` in `bytes`. */
  get(bytes: Uint8Array, at: number): Uint8Array {
    return bytes.subarray(at + this.offset, at + this.offset + this.size);
  }
  /** Stores `value`, filled up with zeros; it must not be too long. */
  set(bytes: Uint8Array, at: number, value: Uint8Array): void {
    const view = this.get(bytes, at);
    view.fill(0, value.length);
    view.set(value);
  }
}

/** An unsigned 8-bit field at `offset`. */
export const u8 = (offset: number): U8 => new U8(offset);
/** An unsigned 16-bit little-endian field at `offset`. */
export const u16 = (offset: number): U16 => new U16(offset);
/** An unsigned 32-bit little-endian field at `offset`. */
export const u32 = (offset: number): U32 => new U32(offset);
/** A run of `size` bytes at `offset`. */
export const bytes = (offset: number, size: number): Bytes =>
  new Bytes(offset, size);

/** Reads an unsigned 32-bit little-endian number at byte `i`. */
export function readU32(bytes: Uint8Array, i: number): number {
  return (bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16 |
    bytes[i + 3] << 24) >>> 0;
}

/** Writes the low 32 bits of `value`, little-endian, at byte `i`. */
export function writeU32(bytes: Uint8Array, i: number, value: number): void {
  bytes[i] = value;
  bytes[i + 1] = value >>> 8;
  bytes[i + 2] = value >>> 16;
  bytes[i + 3] = value >>> 24;
}
