/**
 * A host that fails: the n-th call and those that follow, for as long as is
 * said, on any file of a volume.
 *
 * @module
 */

import { DeviceError } from "../../bd/block_device.ts";
import type { ByteFile } from "../../bd/byte_file.ts";
import type { VolumeFile } from "../../bd/volume/mod.ts";
import { type Host, RecordingFile } from "./recording.ts";

/** What is asked of a file. */
export type CallKind = "read" | "write" | "sync";

/** How the host fails. */
export interface Fault {
  /** The first call that fails, from 1 on, of those that can. */
  readonly nth: number;
  /** How many of these calls in a row fail. */
  readonly lasts: number;
  /** Kinds of calls that can fail, and are counted. */
  readonly kinds: readonly CallKind[];
  /** What the host says. */
  readonly code: "EIO" | "ENOSPC";
  /** Whether a write that fails has written its first half. */
  readonly short: boolean;
}

/** A fault in words. */
export function faultText(fault: Fault): string {
  const { nth, lasts, kinds, code, short } = fault;
  return `${code} on ${kinds.join(" or ")} ${nth}` +
    (lasts > 1 ? ` and the ${lasts - 1} after it` : "") +
    (short ? ", half written" : "");
}

/** The host of one volume, which fails. */
export class FailingHost {
  /** Calls that could have failed so far, the failed ones included. */
  calls = 0;
  /** Calls that have failed. */
  failed = 0;
  /** Whether it works for now, and calls are not counted. */
  isPaused = false;
  /** The code that the host fails with. */
  readonly code: Fault["code"];
  readonly #host: Host;
  readonly #fault: Fault;

  /** Makes a layer over `host`. */
  constructor(host: Host, fault: Fault) {
    this.#host = host;
    this.#fault = fault;
    this.code = fault.code;
  }

  /** The layer for `OpenVolumeOptions.wrap`. */
  readonly wrap = (real: ByteFile, name: VolumeFile): ByteFile =>
    new FailingFile(this, this.#host.wrap(real, name));

  /** Counts a call; throws if it is to fail, when `before` has been done. */
  admit(kind: CallKind, before: (fault: Fault) => void = () => {}): void {
    const { nth, lasts, kinds, code } = this.#fault;
    if (this.isPaused || !kinds.includes(kind)) return;
    const n = ++this.calls;
    if (n < nth || n >= nth + lasts) return;
    this.failed++;
    before(this.#fault);
    throw new DeviceError(code, `Cannot ${kind} the file: injected ${code}`);
  }
}

class FailingFile implements ByteFile {
  readonly readOnly: boolean;
  readonly #host: FailingHost;
  readonly #next: ByteFile;

  constructor(host: FailingHost, next: ByteFile) {
    this.#host = host;
    this.#next = next;
    this.readOnly = next.readOnly;
  }

  get size(): number {
    return this.#next.size;
  }

  readAt(position: number, into: Uint8Array): void {
    this.#host.admit("read");
    this.#next.readAt(position, into);
  }

  writeAt(position: number, from: Uint8Array): void {
    this.#host.admit("write", ({ short }) => {
      if (!short) return;
      this.#next.writeAt(position, from.subarray(0, from.length >> 1));
    });
    this.#next.writeAt(position, from);
  }

  async sync(): Promise<void> {
    this.#host.admit("sync", () => {
      if (this.#next instanceof RecordingFile) this.#next.failSync();
    });
    await this.#next.sync();
  }

  close(): void {
    this.#next.close();
  }
}
