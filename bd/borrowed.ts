/**
 * The borrowed device: a layer that passes everything on but its closing, for
 * a user that closes what it is given while others still need the device.
 *
 * @module
 */

import { type BlockDevice, DeviceError } from "./block_device.ts";

/** See the module. */
export class BorrowedDevice implements BlockDevice {
  /** Size of one block, in bytes: that of the next device. */
  readonly blockSize: number;
  /** Number of blocks: that of the next device. */
  readonly blockCount: number;
  /** True if the next device is read-only. */
  readonly readOnly: boolean;
  /** That of the next device; see {@link BlockDevice.commitBlocksMax}. */
  readonly commitBlocksMax?: number;
  readonly #next: BlockDevice;
  #closed = false;

  /** Makes a layer over `next`, which stays open when this is closed. */
  constructor(next: BlockDevice) {
    this.#next = next;
    this.blockSize = next.blockSize;
    this.blockCount = next.blockCount;
    this.readOnly = next.readOnly;
    this.commitBlocksMax = next.commitBlocksMax;
  }

  /** Reads blocks; see {@link BlockDevice.read}. */
  read(block: number, into: Uint8Array): void {
    this.#checkOpen();
    this.#next.read(block, into);
  }

  /** Writes blocks; see {@link BlockDevice.write}. */
  write(block: number, from: Uint8Array): void {
    this.#checkOpen();
    this.#next.write(block, from);
  }

  /** Asks the next device; see {@link BlockDevice.admitWrite}. */
  admitWrite(block: number): void {
    this.#checkOpen();
    this.#next.admitWrite?.(block);
  }

  /** Flushes the next device. */
  async flush(): Promise<void> {
    this.#checkOpen();
    await this.#next.flush();
  }

  /** Refuses every call from here on; the next device stays open. */
  close(): void {
    this.#closed = true;
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    throw new DeviceError("EBADF", "Cannot access the device: it is closed");
  }
}
