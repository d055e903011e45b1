/**
 * Memory for a cache's blocks: taken in slabs and recycled, since a fresh
 * array of 4 KiB costs more time than the copy into it.
 *
 * @module
 */

/** Bytes that go to or come from a device in one call at most. */
export const RUN_BYTES_MAX: number = 1 << 20;

/** Blocks in a slab of memory. */
const SLAB_BLOCKS = 64;

/** A stock of frames, which hold one block each. */
export class Frames {
  readonly #blockSize: number;
  readonly #slabBlocks: number;
  readonly #free: Uint8Array[] = [];
  #staging: Uint8Array | null = null;

  /** Frames of `blockSize` bytes; about `capacity` of them will be in use. */
  constructor(blockSize: number, capacity: number) {
    this.#blockSize = blockSize;
    this.#slabBlocks = Math.min(SLAB_BLOCKS, capacity);
  }

  /** A frame with undefined contents. */
  take(): Uint8Array {
    const frame = this.#free.pop();
    if (frame !== undefined) return frame;
    const size = this.#blockSize;
    const slab = new Uint8Array(this.#slabBlocks * size);
    for (let i = this.#slabBlocks - 1; i > 0; i--) {
      this.#free.push(slab.subarray(i * size, (i + 1) * size));
    }
    return slab.subarray(0, size);
  }

  /** Takes back a frame that nobody looks at any more. */
  give(frame: Uint8Array): void {
    this.#free.push(frame);
  }

  /**
   * Memory for a run of `byteLength` bytes, at most {@link RUN_BYTES_MAX}. It
   * is the same memory each time: for the length of one call to the device.
   */
  stage(byteLength: number): Uint8Array {
    this.#staging ??= new Uint8Array(RUN_BYTES_MAX);
    return this.#staging.subarray(0, byteLength);
  }
}
