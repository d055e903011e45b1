/**
 * The image as the layers above the journal see it: what was written is kept
 * in memory until a commit, and read from there until it is in the file.
 *
 * @module
 */

import { type BlockDevice, checkRange, DeviceError } from "../block_device.ts";
import type { ByteFile } from "../byte_file.ts";
import type { Staging } from "./staging.ts";

/** See the module. */
export class StagedImage implements BlockDevice {
  /** Size of one block, in bytes. */
  readonly blockSize: number;
  /** Number of blocks in the file. */
  readonly blockCount: number;
  /** True if writes are refused. */
  readonly readOnly: boolean;
  readonly #file: ByteFile;
  readonly #staging: Staging;

  /** The image in `file`, under the blocks in `staging`. */
  constructor(
    file: ByteFile,
    { blockSize, staging }: { blockSize: number; staging: Staging },
  ) {
    this.#file = file;
    this.#staging = staging;
    this.blockSize = blockSize;
    this.blockCount = Math.floor(file.size / blockSize);
    this.readOnly = file.readOnly;
  }

  /** Reads consecutive blocks; see {@link BlockDevice.read}. */
  read(block: number, into: Uint8Array): void {
    checkRange(this, block, into.length);
    const size = this.blockSize;
    if (this.#staging.isEmpty) return this.#file.readAt(block * size, into);
    for (let at = 0; at < into.length;) {
      const staged = this.#staging.get(block + at / size);
      let end = at + size;
      if (staged) into.set(staged, at);
      else {
        while (end < into.length && !this.#staging.get(block + end / size)) {
          end += size;
        }
        const from = block * size + at;
        this.#file.readAt(from, into.subarray(at, end));
      }
      at = end;
    }
  }

  /** Keeps blocks for the next commit; see {@link BlockDevice.write}. */
  write(block: number, from: Uint8Array): void {
    checkRange(this, block, from.length);
    if (this.readOnly) {
      throw new DeviceError("EROFS", "Cannot write the image: read-only");
    }
    const size = this.blockSize;
    for (let at = 0; at < from.length; at += size) {
      this.#staging.set(block + at / size, from.subarray(at, at + size));
    }
  }

  /** Does nothing: to make something durable is the journal's business. */
  flush(): Promise<void> {
    return Promise.resolve();
  }

  /** Does nothing: the file is the journal's to close. */
  close(): void {}
}
