/**
 * The overlay: a layer that keeps what is written to it in memory, over a
 * device that it only reads.
 *
 * It lets a volume be put in order that must not be changed: a filesystem
 * opened on it for writing finishes what a crash left behind, and the device
 * below stays as it was found. Memory holds the blocks that were written, and
 * nothing else.
 *
 * @module
 */

import { type BlockDevice, checkRange, DeviceError } from "./block_device.ts";

/** See the module. */
export class OverlayDevice implements BlockDevice {
  /** Size of one block, in bytes: that of the next device. */
  readonly blockSize: number;
  /** Number of blocks: that of the next device. */
  readonly blockCount: number;
  /** Always false: the overlay takes the writes. */
  readonly readOnly = false;
  readonly #next: BlockDevice;
  readonly #written = new Map<number, Uint8Array>();
  #closed = false;

  /** Makes a layer over `next`, which it closes when it is closed. */
  constructor(next: BlockDevice) {
    this.#next = next;
    this.blockSize = next.blockSize;
    this.blockCount = next.blockCount;
  }

  /** Reads blocks: those written here, and the next device's. */
  read(block: number, into: Uint8Array): void {
    this.#check(block, into.length);
    const size = this.blockSize;
    for (let at = 0; at < into.length;) {
      const first = block + at / size;
      const written = this.#written.get(first);
      let end = at + size;
      if (written) into.set(written, at);
      else {
        while (end < into.length && !this.#written.has(block + end / size)) {
          end += size;
        }
        this.#next.read(first, into.subarray(at, end));
      }
      at = end;
    }
  }

  /** Keeps blocks in memory. */
  write(block: number, from: Uint8Array): void {
    this.#check(block, from.length);
    const size = this.blockSize;
    for (let at = 0; at < from.length; at += size) {
      const bytes = from.subarray(at, at + size);
      const known = this.#written.get(block + at / size);
      if (known) known.set(bytes);
      else this.#written.set(block + at / size, bytes.slice());
    }
  }

  /** Whether `block` was written. */
  isWritten(block: number): boolean {
    return this.#written.has(block);
  }

  /** The blocks that were written, in ascending order. */
  writtenBlocks(): number[] {
    return [...this.#written.keys()].sort((a, b) => a - b);
  }

  /** Does nothing: what is kept in memory is not meant to stay. */
  flush(): Promise<void> {
    return Promise.resolve();
  }

  /** Forgets what was written and closes the next device. */
  close(): void {
    this.#closed = true;
    this.#written.clear();
    this.#next.close();
  }

  #check(block: number, byteLength: number): void {
    if (this.#closed) {
      throw new DeviceError("EBADF", "Cannot access the device: it is closed");
    }
    checkRange(this, block, byteLength);
  }
}
