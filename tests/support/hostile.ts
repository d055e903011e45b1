/**
 * A host that cannot be trusted: layers that answer as a test tells them to,
 * underneath a device that is in use.
 *
 * @module
 */

import {
  type BlockDevice,
  DeviceError,
  type DeviceErrorCode,
} from "../../bd/block_device.ts";
import type { ByteFile } from "../../bd/byte_file.ts";

/** Changes what is about to be returned by a read at `position`. */
export type Tamper = (position: number, bytes: Uint8Array) => void;

/** Serves the bytes of `old`, a copy made earlier, in place of the present. */
export function serving(old: Uint8Array): Tamper {
  return (position, bytes) => {
    bytes.set(old.subarray(position, position + bytes.length));
  };
}

/** One call of a {@link HostileFile} that may be made to fail. */
export interface FileCall {
  /** What is asked of the file. */
  readonly kind: "read" | "write" | "sync";
  /** First byte; 0 for a sync. */
  readonly position: number;
  /** 1 for the first call of this kind. */
  readonly ordinal: number;
}

/** A file whose reads may lie and whose calls may fail. */
export class HostileFile implements ByteFile {
  /** Size in bytes: that of the next file. */
  readonly size: number;
  /** True if the next file is read-only. */
  readonly readOnly: boolean;
  /** Changes what is read; null for an honest host. */
  tamper: Tamper | null = null;
  /** Makes calls fail; null for a host that works. */
  rule: ((call: FileCall) => DeviceErrorCode | null) | null = null;
  /** Calls so far, the failed ones included. */
  readonly calls = { read: 0, write: 0, sync: 0 };
  readonly #next: ByteFile;

  /** Makes a layer over `next`. */
  constructor(next: ByteFile) {
    this.#next = next;
    this.size = next.size;
    this.readOnly = next.readOnly;
  }

  /** Reads bytes, and tampers with them. */
  readAt(position: number, into: Uint8Array): void {
    this.#admit("read", position);
    this.#next.readAt(position, into);
    this.tamper?.(position, into);
  }

  /** Writes bytes, or fails with the first half of them written. */
  writeAt(position: number, from: Uint8Array): void {
    try {
      this.#admit("write", position);
    } catch (error) {
      this.#next.writeAt(position, from.subarray(0, from.length >> 1));
      throw error;
    }
    this.#next.writeAt(position, from);
  }

  /** Syncs, or fails without having synced. */
  async sync(): Promise<void> {
    this.#admit("sync", 0);
    await this.#next.sync();
  }

  /** Closes the next file. */
  close(): void {
    this.#next.close();
  }

  #admit(kind: FileCall["kind"], position: number): void {
    const ordinal = ++this.calls[kind];
    const code = this.rule?.({ kind, position, ordinal });
    if (!code) return;
    throw new DeviceError(code, `Cannot ${kind} the file: injected fault`);
  }
}

/** A device whose reads may lie. */
export class HostileDevice implements BlockDevice {
  /** Size of one block, in bytes: that of the next device. */
  readonly blockSize: number;
  /** Number of blocks: that of the next device. */
  readonly blockCount: number;
  /** True if the next device is read-only. */
  readonly readOnly: boolean;
  /** Changes what is read, at its byte of the device; null if honest. */
  tamper: Tamper | null = null;
  readonly #next: BlockDevice;

  /** Makes a layer over `next`. */
  constructor(next: BlockDevice) {
    this.#next = next;
    this.blockSize = next.blockSize;
    this.blockCount = next.blockCount;
    this.readOnly = next.readOnly;
  }

  /** Reads blocks, and tampers with them. */
  read(block: number, into: Uint8Array): void {
    this.#next.read(block, into);
    this.tamper?.(block * this.blockSize, into);
  }

  /** Writes blocks. */
  write(block: number, from: Uint8Array): void {
    this.#next.write(block, from);
  }

  /** Asks the next device. */
  admitWrite(block: number): void {
    this.#next.admitWrite?.(block);
  }

  /** Flushes the next device. */
  flush(): Promise<void> {
    return this.#next.flush();
  }

  /** Closes the next device. */
  close(): void {
    this.#next.close();
  }
}
