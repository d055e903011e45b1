/**
 * A file in memory to which small writes cost nothing, that notes all of them
 * and fails those that it is told to.
 *
 * @module
 */

import { DeviceError } from "../../bd/block_device.ts";
import { MemoryFile } from "../../bd/memory_file.ts";

/** See the module. */
export class PartsFile extends MemoryFile {
  /** Always true; see `ByteFile.takesParts`. */
  readonly takesParts = true;
  /** Writes that succeeded, in order. */
  readonly written: { position: number; length: number }[] = [];
  /** The write from 1 on that fails, or 0. */
  failing = 0;
  /** Writes so far, the failed ones included. */
  calls = 0;

  /** Writes bytes, or fails with the first half of them written. */
  override writeAt(position: number, from: Uint8Array): void {
    if (++this.calls === this.failing) {
      super.writeAt(position, from.subarray(0, from.length >> 1));
      throw new DeviceError("ENOSPC", "Cannot write: injected fault");
    }
    super.writeAt(position, from);
    this.written.push({ position, length: from.length });
  }

  /** Places of all nodes of `size` bytes that were written, in order. */
  nodes(size: number): number[] {
    return this.written.flatMap(({ position, length }) =>
      Array.from({ length: length / size }, (_, i) => position + i * size)
    );
  }
}
