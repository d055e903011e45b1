/**
 * A file of bytes in memory: for tests, and for trees that are built before
 * they have a file.
 *
 * @module
 */

import { DeviceError } from "./block_device.ts";
import type { ByteFile } from "./byte_file.ts";

/** A file of a fixed size, of zeros at first. */
export class MemoryFile implements ByteFile {
  /** The contents, to look at and to change. */
  readonly bytes: Uint8Array;
  /** Always false. */
  readonly readOnly = false;

  /** Makes a file of `size` zeros, or one that holds `size` itself. */
  constructor(size: number | Uint8Array) {
    this.bytes = typeof size === "number" ? new Uint8Array(size) : size;
  }

  /** Size in bytes. */
  get size(): number {
    return this.bytes.length;
  }

  /** Reads bytes; see {@link ByteFile.readAt}. */
  readAt(position: number, into: Uint8Array): void {
    this.#check(position, into.length);
    into.set(this.bytes.subarray(position, position + into.length));
  }

  /** Writes bytes; see {@link ByteFile.writeAt}. */
  writeAt(position: number, from: Uint8Array): void {
    this.#check(position, from.length);
    this.bytes.set(from, position);
  }

  /** Does nothing: memory is as stable as it gets. */
  sync(): Promise<void> {
    return Promise.resolve();
  }

  /** Does nothing: the contents stay to be looked at. */
  close(): void {}

  #check(position: number, length: number): void {
    if (position >= 0 && position + length <= this.size) return;
    throw new DeviceError(
      "EIO",
      `Cannot access ${length} bytes at byte ${position}: the file has ` +
        `${this.size} bytes`,
    );
  }
}
