/**
 * What is certain to be on the disk, and what may be, as a log of host calls
 * goes by.
 *
 * Invariants:
 * - `durable` holds every write that was issued before a sync of its file was
 *   asked for that has been reported as done, except for the doomed ones.
 * - A write is doomed when a sync fails that was to make it durable: it may or
 *   may not be on the disk, for good. A later durable write over it takes its
 *   place, byte by byte.
 *
 * @module
 */

import type { VolumeFile } from "../../bd/volume/mod.ts";
import { type Contents, copyContents, type HostCall } from "./recording.ts";

/** A write that may have reached the disk or not. */
export interface LooseWrite {
  /** Its place in the log. */
  readonly index: number;
  readonly file: VolumeFile;
  /** First byte. */
  readonly position: number;
  readonly bytes: Uint8Array;
  /** Whether no sync can make it durable any more. */
  readonly doomed: boolean;
}

/** A disk that follows a log, call by call. */
export class Disk {
  /** What is certain to be there; not to be changed by others. */
  readonly durable: Contents;
  /** Changes whenever `durable` does. */
  version = 0;
  /** Place in the log of the latest durable write; -1 before the first. */
  latest = -1;
  #loose: LooseWrite[] = [];

  /** Starts with `initial`, all of it durable. */
  constructor(initial: Contents) {
    this.durable = copyContents(initial);
  }

  /** Writes that may be there, in the order of the log. */
  get loose(): readonly LooseWrite[] {
    return this.#loose;
  }

  /** Takes note of the call at `index` of the log. */
  apply(call: HostCall, index: number): void {
    if (call.kind === "write") {
      this.#loose.push({ ...call, index, doomed: false });
    } else if (call.kind === "synced") {
      this.#settle(call.file, call.start);
    } else if (call.kind === "failed") {
      this.#loose = this.#loose.map((write) =>
        write.file === call.file ? { ...write, doomed: true } : write
      );
    }
  }

  #settle(file: VolumeFile, start: number): void {
    const kept: LooseWrite[] = [];
    for (const write of this.#loose) {
      if (write.file !== file || write.index >= start || write.doomed) {
        kept.push(write);
        continue;
      }
      this.durable.get(file)!.set(write.bytes, write.position);
      this.version++;
      this.latest = Math.max(this.latest, write.index);
      // Kept so far are writes of other files, and doomed ones, which this
      // one has been written over.
      const cut = kept.splice(0).flatMap((earlier) => without(earlier, write));
      kept.push(...cut);
    }
    this.#loose = kept;
  }
}

/** What is left of `earlier` where `later` is written over it. */
function without(earlier: LooseWrite, later: LooseWrite): LooseWrite[] {
  const { position, bytes } = earlier;
  const end = position + bytes.length;
  const laterEnd = later.position + later.bytes.length;
  if (
    earlier.file !== later.file || laterEnd <= position || later.position >= end
  ) return [earlier];
  const parts = [];
  if (later.position > position) {
    const head = bytes.subarray(0, later.position - position);
    parts.push({ ...earlier, bytes: head });
  }
  if (laterEnd < end) {
    const tail = bytes.subarray(laterEnd - position);
    parts.push({ ...earlier, position: laterEnd, bytes: tail });
  }
  return parts;
}
