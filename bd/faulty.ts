/**
 * Fault injection: a layer that fails the calls it is told to fail.
 *
 * It stands on any device and passes everything on, except the calls a rule
 * picks: these throw as a host's disk would. A failing write of several blocks
 * has already written the first half of them, since a real one may have.
 *
 * @module
 */

import {
  type BlockDevice,
  DeviceError,
  type DeviceErrorCode,
} from "./block_device.ts";

/** One call that a {@link FaultRule} decides on. */
export interface DeviceCall {
  /** What is asked of the device. */
  readonly kind: "read" | "write" | "flush";
  /** First block; 0 for a flush. */
  readonly block: number;
  /** Number of blocks; 0 for a flush. */
  readonly count: number;
  /** 1 for the first call of this kind since the device was made. */
  readonly ordinal: number;
}

/** Decides whether a call fails: an error code to throw, or null. */
export type FaultRule = (call: DeviceCall) => DeviceErrorCode | null;

/** A rule that fails one call: the `n`-th of `kind` from 1, then none. */
export function failNth(
  kind: DeviceCall["kind"],
  n: number,
  code: DeviceErrorCode = "EIO",
): FaultRule {
  return (call) => call.kind === kind && call.ordinal === n ? code : null;
}

/** A device whose calls fail by a rule; without one it passes all on. */
export class FaultyDevice implements BlockDevice {
  /** Size of one block, in bytes: that of the next device. */
  readonly blockSize: number;
  /** Number of blocks: that of the next device. */
  readonly blockCount: number;
  /** True if the next device is read-only. */
  readonly readOnly: boolean;
  /** That of the next device; see {@link BlockDevice.commitBlocksMax}. */
  readonly commitBlocksMax?: number;
  /** The rule in force; it may be changed at any time. */
  rule: FaultRule | null = null;
  /** Calls so far, the failed ones included. */
  readonly calls = { read: 0, write: 0, flush: 0 };
  /** Calls that were made to fail so far. */
  faults = 0;
  readonly #next: BlockDevice;

  /** Makes a layer over `next`, which it closes when it is closed. */
  constructor(next: BlockDevice) {
    this.#next = next;
    this.blockSize = next.blockSize;
    this.blockCount = next.blockCount;
    this.readOnly = next.readOnly;
    this.commitBlocksMax = next.commitBlocksMax;
  }

  /** Reads blocks, or fails and leaves `into` undefined. */
  read(block: number, into: Uint8Array): void {
    this.#admit("read", block, into.length);
    this.#next.read(block, into);
  }

  /** Writes blocks, or fails with the first half of them written. */
  write(block: number, from: Uint8Array): void {
    try {
      this.#admit("write", block, from.length);
    } catch (error) {
      const half = Math.floor(from.length / this.blockSize / 2);
      this.#next.write(block, from.subarray(0, half * this.blockSize));
      throw error;
    }
    this.#next.write(block, from);
  }

  /** Asks the next device; see {@link BlockDevice.admitWrite}. */
  admitWrite(block: number): void {
    this.#next.admitWrite?.(block);
  }

  /** Flushes, or fails without having flushed. */
  async flush(): Promise<void> {
    this.#admit("flush", 0, 0);
    await this.#next.flush();
  }

  /** Closes the next device. */
  close(): void {
    this.#next.close();
  }

  #admit(kind: DeviceCall["kind"], block: number, byteLength: number): void {
    const ordinal = ++this.calls[kind];
    const count = byteLength / this.blockSize;
    const code = this.rule?.({ kind, block, count, ordinal });
    if (!code) return;
    this.faults++;
    throw new DeviceError(
      code,
      `Cannot ${kind} ${count} blocks at block ${block}: injected fault`,
    );
  }
}
