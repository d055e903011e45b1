/**
 * The ring: the part of the journal's file that records lie in, one behind
 * the other, and past its end from its beginning on.
 *
 * @module
 */

import type { ByteFile } from "../byte_file.ts";

/** Positions and sizes in the ring are multiples of this many bytes. */
export const RING_UNIT = 512;
/** Bytes that are written once more in one piece. */
const PIECE_BYTES = 1 << 20;

/** A part of a file that is written round and round. */
export class Ring {
  /** Its size, in bytes. */
  readonly size: number;
  readonly #file: ByteFile;
  readonly #start: number;

  /** The ring in `file`, from byte `start` on to the end. */
  constructor(file: ByteFile, start: number) {
    this.#file = file;
    this.#start = start;
    this.size = Math.floor((file.size - start) / RING_UNIT) * RING_UNIT;
  }

  /** The position that is `bytes` behind `position`. */
  advance(position: number, bytes: number): number {
    return (position + bytes) % this.size;
  }

  /** Reads `into.length` bytes, at most as many as the ring has. */
  read(position: number, into: Uint8Array): void {
    const first = Math.min(into.length, this.size - position);
    this.#file.readAt(this.#start + position, into.subarray(0, first));
    if (first === into.length) return;
    this.#file.readAt(this.#start, into.subarray(first));
  }

  /** Writes `from`, at most as many bytes as the ring has. */
  write(position: number, from: Uint8Array): void {
    const first = Math.min(from.length, this.size - position);
    this.#file.writeAt(this.#start + position, from.subarray(0, first));
    if (first === from.length) return;
    this.#file.writeAt(this.#start, from.subarray(first));
  }

  /** Writes once more what is there from `position` on up to `end`. */
  rewrite(position: number, end: number): void {
    let left = (end - position + this.size) % this.size;
    const bytes = new Uint8Array(Math.min(left, PIECE_BYTES));
    while (left > 0) {
      const piece = bytes.subarray(0, Math.min(left, bytes.length));
      this.read(position, piece);
      this.write(position, piece);
      position = this.advance(position, piece.length);
      left -= piece.length;
    }
  }
}
