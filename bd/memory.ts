/**
 * bd-memory: a block device in RAM.
 *
 * For tests, and for volumes that are built before they have a file. It is
 * sparse: blocks that were never written take no memory and read as zeros, so
 * a device may be far larger than the machine's memory.
 *
 * @module
 */

import { type BlockDevice, checkRange, DeviceError } from "./block_device.ts";
import { isZero } from "./bytes.ts";

/** Memory is taken in slabs of this many blocks. */
const SLAB_BLOCKS = 64;

/** A run of bytes of a {@link MemoryDevice}. */
export interface Extent {
  /** Distance from the device's start, in bytes. */
  readonly position: number;
  /** The bytes: a view, valid until the device is next written. */
  readonly bytes: Uint8Array;
}

/** A sparse array of blocks in memory. */
export class MemoryDevice implements BlockDevice {
  /** Size of one block, in bytes. */
  readonly blockSize: number;
  /** Number of blocks. */
  readonly blockCount: number;
  /** Always false. */
  readonly readOnly = false;
  readonly #slabs = new Map<number, Uint8Array>();
  #closed = false;

  /** Makes a device of `blockCount` blocks of zeros. */
  constructor(blockSize: number, blockCount: number) {
    this.blockSize = blockSize;
    this.blockCount = blockCount;
  }

  /** Reads blocks; see {@link BlockDevice.read}. */
  read(block: number, into: Uint8Array): void {
    this.#check(block, into.length);
    this.#forEachPiece(block, into, (slab, at, piece) => {
      const stored = this.#slabs.get(slab);
      if (stored) piece.set(stored.subarray(at, at + piece.length));
      else piece.fill(0);
    });
  }

  /** Writes blocks; see {@link BlockDevice.write}. */
  write(block: number, from: Uint8Array): void {
    this.#check(block, from.length);
    this.#forEachPiece(block, from, (slab, at, piece) => {
      let stored = this.#slabs.get(slab);
      if (!stored) {
        // Zeros over zeros need no memory: formatting stays sparse.
        if (isZero(piece)) return;
        stored = new Uint8Array(SLAB_BLOCKS * this.blockSize);
        this.#slabs.set(slab, stored);
      }
      stored.set(piece, at);
    });
  }

  /** Does nothing: memory is as stable as it gets. */
  flush(): Promise<void> {
    return Promise.resolve();
  }

  /**
   * Refuses reads and writes from here on. The contents stay, for
   * {@link MemoryDevice.extents} and {@link MemoryDevice.copy}.
   */
  close(): void {
    this.#closed = true;
  }

  /** The parts that take memory, in order; the rest is zeros. */
  *extents(): Generator<Extent> {
    const slabBytes = SLAB_BLOCKS * this.blockSize;
    const end = this.blockCount * this.blockSize;
    for (const slab of [...this.#slabs.keys()].sort((a, b) => a - b)) {
      const position = slab * slabBytes;
      const bytes = this.#slabs.get(slab)!.subarray(0, end - position);
      yield { position, bytes };
    }
  }

  /** An open device with the same contents, independent of this one. */
  copy(): MemoryDevice {
    const twin = new MemoryDevice(this.blockSize, this.blockCount);
    for (const [slab, bytes] of this.#slabs) {
      twin.#slabs.set(slab, bytes.slice());
    }
    return twin;
  }

  #check(block: number, byteLength: number): void {
    if (this.#closed) {
      throw new DeviceError("EBADF", "Cannot access the device: it is closed");
    }
    checkRange(this, block, byteLength);
  }

  /** Cuts a run of blocks at slab limits; `at` is the offset in the slab. */
  #forEachPiece(
    block: number,
    run: Uint8Array,
    visit: (slab: number, at: number, piece: Uint8Array) => void,
  ): void {
    for (let done = 0; done < run.length;) {
      const index = block + done / this.blockSize;
      const at = (index % SLAB_BLOCKS) * this.blockSize;
      const end = Math.min(
        run.length,
        done + SLAB_BLOCKS * this.blockSize - at,
      );
      visit(Math.floor(index / SLAB_BLOCKS), at, run.subarray(done, end));
      done = end;
    }
  }
}
