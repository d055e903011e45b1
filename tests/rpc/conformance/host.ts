/**
 * The host's store below a served volume, which can be told to fail.
 *
 * @module
 */

import {
  type BlockDevice,
  DeviceError,
  type DeviceErrorCode,
} from "../../../bd/block_device.ts";

/** A device that passes all on, until it is told otherwise. */
export class Host implements BlockDevice {
  /** Size of a block, in bytes. */
  readonly blockSize: number;
  /** Number of blocks. */
  readonly blockCount: number;
  /** Whether writes are refused. */
  readonly readOnly: boolean;
  /** What reads come to: lies are for devices that notice them. */
  reads: "sound" | "failing" | "lies" = "sound";
  /** What flushes fail with. */
  flushes: DeviceErrorCode | null = null;
  /** Blocks of one commit, of a device that stores all of it or nothing. */
  readonly commitBlocksMax?: number;
  readonly #next: BlockDevice;

  /** Stands on `next`. */
  constructor(
    next: BlockDevice,
    { commitBlocksMax }: { commitBlocksMax?: number } = {},
  ) {
    if (commitBlocksMax !== undefined) this.commitBlocksMax = commitBlocksMax;
    this.#next = next;
    this.blockSize = next.blockSize;
    this.blockCount = next.blockCount;
    this.readOnly = next.readOnly;
  }

  /** Reads; what is a lie differs from what was written in one bit. */
  read(block: number, into: Uint8Array): void {
    if (this.reads === "failing") {
      throw new DeviceError("EIO", `Cannot read block ${block}: told to fail`);
    }
    this.#next.read(block, into);
    if (this.reads === "sound") return;
    for (let at = 0; at < into.length; at += this.blockSize) into[at + 77] ^= 4;
  }

  /** Writes. */
  write(block: number, from: Uint8Array): void {
    this.#next.write(block, from);
  }

  /** Flushes, or fails. */
  async flush(): Promise<void> {
    const code = this.flushes;
    if (code) throw new DeviceError(code, "Cannot flush: told to fail");
    await this.#next.flush();
  }

  /** Closes the next device. */
  close(): void {
    this.#next.close();
  }
}
