/**
 * The tree file as the hash tree sees it: what was written is kept in memory
 * until a commit, node by node, and read from there until it is in the file.
 *
 * @module
 */

import { DeviceError } from "../block_device.ts";
import type { ByteFile } from "../byte_file.ts";
import type { Staging } from "./staging.ts";

/** See the module. */
export class StagedTree implements ByteFile {
  /** Size in bytes. */
  readonly size: number;
  /** True if writes are refused. */
  readonly readOnly: boolean;
  /** Always true: a commit is smaller if only changed nodes are written. */
  readonly takesParts = true;
  readonly #file: ByteFile;
  readonly #staging: Staging;
  readonly #nodeBytes: number;

  /** The tree in `file`, under the nodes of `nodeBytes` bytes in `staging`. */
  constructor(
    file: ByteFile,
    { nodeBytes, staging }: { nodeBytes: number; staging: Staging },
  ) {
    this.#file = file;
    this.#staging = staging;
    this.#nodeBytes = nodeBytes;
    this.size = file.size;
    this.readOnly = file.readOnly;
  }

  /** Reads bytes, which need not begin or end with a node. */
  readAt(position: number, into: Uint8Array): void {
    this.#file.readAt(position, into);
    if (this.#staging.isEmpty) return;
    const size = this.#nodeBytes;
    const end = position + into.length;
    const first = Math.floor(position / size);
    for (let place = first; place * size < end; place++) {
      const staged = this.#staging.get(place);
      if (!staged) continue;
      const at = place * size - position;
      const skip = Math.max(0, -at);
      into.set(staged.subarray(skip, end - place * size), at + skip);
    }
  }

  /** Keeps whole nodes for the next commit. */
  writeAt(position: number, from: Uint8Array): void {
    const size = this.#nodeBytes;
    if (this.readOnly) {
      throw new DeviceError("EROFS", "Cannot write the tree: read-only");
    }
    if (
      position % size !== 0 || from.length % size !== 0 ||
      position + from.length > this.size
    ) {
      throw new DeviceError(
        "EINVAL",
        `Cannot write ${from.length} bytes at byte ${position} of the tree: ` +
          `nodes have ${size} bytes, and the tree ${this.size}`,
      );
    }
    for (let at = 0; at < from.length; at += size) {
      const place = (position + at) / size;
      this.#staging.set(place, from.subarray(at, at + size));
    }
  }

  /** Does nothing: to make something durable is the journal's business. */
  sync(): Promise<void> {
    return Promise.resolve();
  }

  /** Does nothing: the file is the journal's to close. */
  close(): void {}
}
