/**
 * The recording layer: everything a volume asks of its host's files, in order.
 *
 * A {@link Host} holds the files of one volume in memory and one log of all
 * their writes and syncs. Its contents are what a process sees, as through a
 * page cache; the log tells what a crash can leave of them on the disk.
 *
 * Invariants:
 * - Calls stand in the log in the order in which they were made. A sync has
 *   two entries: where it was asked for, and where it was reported as done.
 * - A sync that failed has the entry `failed` in place of the second.
 *
 * @module
 */

import { DeviceError } from "../../bd/block_device.ts";
import type { ByteFile } from "../../bd/byte_file.ts";
import { MemoryFile } from "../../bd/memory_file.ts";
import type { VolumeFile } from "../../bd/volume/mod.ts";

/** One call of the host. */
export type HostCall =
  | {
    readonly kind: "write";
    readonly file: VolumeFile;
    /** First byte. */
    readonly position: number;
    /** What was written: a copy. */
    readonly bytes: Uint8Array;
  }
  | {
    readonly kind: "sync" | "synced" | "failed";
    readonly file: VolumeFile;
    /** Place in the log where the sync was asked for. */
    readonly start: number;
  };

/** The contents of each file of a volume. */
export type Contents = ReadonlyMap<VolumeFile, Uint8Array>;

/** A copy of `contents` that nobody else changes. */
export function copyContents(contents: Contents): Map<VolumeFile, Uint8Array> {
  return new Map([...contents].map(([name, bytes]) => [name, bytes.slice()]));
}

/** Reads all of an open file. */
export function readAll(file: ByteFile): Uint8Array {
  const bytes = new Uint8Array(file.size);
  file.readAt(0, bytes);
  return bytes;
}

/** The host of one volume: its files in memory, and what was asked of them. */
export class Host {
  /** Every write and sync so far. */
  readonly log: HostCall[] = [];
  /** What each file held before the first of them, unless it was not kept. */
  readonly initial: Contents;
  /** Files whose syncs are reported as done, and are not. */
  lies: ReadonlySet<VolumeFile> = new Set();
  /** Awaited within each sync, between its two entries. */
  delay: () => Promise<void> = () => Promise.resolve();
  readonly #files: Map<VolumeFile, MemoryFile>;
  /** Counts the processes that have used the files. */
  #process = 0;

  /**
   * Makes a host that stores `contents` themselves, and keeps a copy of what
   * they are now, unless nobody will `replay` the log.
   */
  constructor(contents: Contents, { replay = true } = {}) {
    this.initial = replay ? copyContents(contents) : new Map();
    this.#files = new Map(
      [...contents].map(([name, bytes]) => [name, new MemoryFile(bytes)]),
    );
  }

  /** What a process reads now. */
  get contents(): Contents {
    return new Map([...this.#files].map(([name, { bytes }]) => [name, bytes]));
  }

  /** Whether the process of that number still runs. */
  runs(process: number): boolean {
    return process === this.#process;
  }

  /** Lets no file that is open now do anything more. */
  killProcess(): void {
    this.#process++;
  }

  /**
   * The layer for `OpenVolumeOptions.wrap`: gives up the file on disk, and
   * stands in for it.
   */
  readonly wrap = (real: ByteFile, name: VolumeFile): ByteFile => {
    real.close();
    const file = this.#files.get(name);
    if (!file) throw new Error(`The volume has no file ${name}`);
    const { readOnly } = real;
    const process = this.#process;
    return new RecordingFile(this, file, { name, process, readOnly });
  };
}

/** A file whose writes and syncs are put down in the log of its host. */
export class RecordingFile implements ByteFile {
  /** Whether the file it stands in for was opened for reading. */
  readonly readOnly: boolean;
  readonly #host: Host;
  readonly #name: VolumeFile;
  readonly #process: number;
  readonly #next: ByteFile;

  /** Makes a layer over `next`, a file of `host` that a process has open. */
  constructor(
    host: Host,
    next: ByteFile,
    { name, process, readOnly }: {
      name: VolumeFile;
      process: number;
      readOnly: boolean;
    },
  ) {
    this.readOnly = readOnly;
    this.#host = host;
    this.#name = name;
    this.#process = process;
    this.#next = next;
  }

  /** Size in bytes: that of the next file. */
  get size(): number {
    return this.#next.size;
  }

  /** Reads bytes, which is not recorded. */
  readAt(position: number, into: Uint8Array): void {
    this.#next.readAt(position, into);
  }

  /** Writes bytes. */
  writeAt(position: number, from: Uint8Array): void {
    this.#checkRuns();
    if (this.readOnly) throw new DeviceError("EROFS", "Cannot write the file");
    this.#next.writeAt(position, from);
    const file = this.#name;
    const bytes = from.slice();
    this.#host.log.push({ kind: "write", file, position, bytes });
  }

  /** Syncs; what was written before this call is durable when it resolves. */
  async sync(): Promise<void> {
    this.#checkRuns();
    const { log } = this.#host;
    const file = this.#name;
    const start = log.length;
    log.push({ kind: "sync", file, start });
    await this.#host.delay();
    await this.#next.sync();
    this.#checkRuns();
    if (this.#host.lies.has(file)) return;
    log.push({ kind: "synced", file, start });
  }

  /**
   * Fails a sync, as Linux does: what was written before may never reach the
   * disk, though it can be read, and no later sync tells of it.
   */
  failSync(): void {
    const { log } = this.#host;
    const file = this.#name;
    log.push({ kind: "failed", file, start: log.length });
  }

  /** Closes the next file. */
  close(): void {
    this.#next.close();
  }

  #checkRuns(): void {
    if (this.#host.runs(this.#process)) return;
    throw new DeviceError("EIO", "Cannot use the file: the process is gone");
  }
}
