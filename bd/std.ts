/**
 * bd-std: a block device in an ordinary host file, as it is.
 *
 * The file stays open from first to last, and is read and written at
 * positions: that goes on working when the process has given up every
 * permission. Calls are synchronous, 1 to 4 µs for a block; only `fsync`
 * waits.
 *
 * @module
 */

import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  statSync,
  writeSync,
} from "node:fs";
import { ERRNO_TEXT } from "../fs/errors.ts";
import {
  type BlockDevice,
  checkRange,
  DeviceError,
  type DeviceErrorCode,
} from "./block_device.ts";
import type { ByteFile } from "./byte_file.ts";
import { thread } from "./thread.ts";

/** How a host file is to be opened. */
export interface HostFileOptions {
  /** Refuse writes. Several readers may share a file; a writer may not. */
  readOnly?: boolean;
  /** Make the file, or empty it, and give it this size in bytes. */
  create?: number;
  /** Permissions of a file that is made, less the umask; 0o666 if absent. */
  mode?: number;
  /** Refuse a symbolic link, which leads wherever the host likes. */
  noLink?: boolean;
}

/** Bytes that a host syncs about as quickly as one. */
const LITTLE_BYTES = 64 << 10;
/** Milliseconds in which a sync is quick. */
const QUICK_MS = 1;
/** Most syncs that are not waited for after one that was slow. */
const DISTRUST_MAX = 256;

/** Whether to wait for a host whose last answers may have been slow. */
class Patience {
  #distrust = 1;
  #skip = 0;

  /** True if the host is worth waiting for; asked once for each sync. */
  get isUp(): boolean {
    return this.#skip === 0 || --this.#skip === 0;
  }

  /** Waits for `call`, and remembers how that was. */
  spend(call: () => void): void {
    const began = performance.now();
    call();
    if (performance.now() - began <= QUICK_MS) this.#distrust = 1;
    else {
      this.#distrust = Math.min(this.#distrust * 2, DISTRUST_MAX);
      this.#skip = this.#distrust;
    }
  }
}

/** Another process has the file open. */
export class InUseError extends Error {
  /** The name of the class, for messages. */
  override readonly name: string = "InUseError";
}

/**
 * Gives up a lock (flock(2)), and the file that it is on. To close the file is
 * not enough: a process that is just being started has a copy of the
 * descriptor for a moment, and would hold the lock for as long.
 */
export function releaseLock(lock: Deno.FsFile): void {
  try {
    lock.unlockSync();
  } finally {
    lock.close();
  }
}

/** A host file, open and locked against other users. */
export class HostFile implements ByteFile {
  /** Where it is. */
  readonly path: string;
  /** Size in bytes when it was opened. */
  readonly size: number;
  /** True if writes are refused. */
  readonly readOnly: boolean;
  readonly #descriptor: number;
  readonly #lock: Deno.FsFile;
  readonly #patience = new Patience();
  /** Bytes written since the last sync began. */
  #unsynced = 0;
  #open = true;

  private constructor(path: string, options: HostFileOptions) {
    this.path = path;
    this.readOnly = options.readOnly ?? false;
    const create = options.create !== undefined;
    const write = !this.readOnly;
    refuseOtherKinds(path, options);
    // The lock has a descriptor of its own: node:fs cannot take one.
    const mode = options.mode;
    this.#lock = Deno.openSync(path, { read: true, write, create, mode });
    try {
      if (!this.#lock.tryLockSync(write)) {
        throw new InUseError(
          `Cannot open ${path}: another process has it open`,
        );
      }
      this.#descriptor = openSync(path, flagsOf(options));
      try {
        const stat = fstatSync(this.#descriptor);
        if (!stat.isFile()) throw notRegular(path);
        if (options.create !== undefined) this.#resize(options.create);
        this.size = options.create ?? stat.size;
      } catch (error) {
        closeSync(this.#descriptor);
        throw error;
      }
    } catch (error) {
      releaseLock(this.#lock);
      throw error;
    }
  }

  /**
   * Opens the file at `path`. Throws {@link InUseError} if another process has
   * it open (any at all, if it is to be written), {@link DeviceError} `EINVAL`
   * for what is not a regular file, and what the runtime throws if it cannot be
   * opened.
   */
  static open(path: string, options: HostFileOptions = {}): HostFile {
    return new HostFile(path, options);
  }

  #resize(size: number): void {
    ftruncateSync(this.#descriptor, 0);
    ftruncateSync(this.#descriptor, size);
  }

  /** Reads `into.length` bytes from byte `position` on, all of them. */
  readAt(position: number, into: Uint8Array): void {
    this.#checkOpen("read");
    for (let done = 0; done < into.length;) {
      const count = this.#try("read", position + done, () =>
        readSync(
          this.#descriptor,
          into,
          done,
          into.length - done,
          position + done,
        ));
      if (count === 0) {
        throw new DeviceError(
          "EIO",
          `Cannot read ${this.path} at byte ${position + done}: it ends there`,
        );
      }
      done += count;
    }
  }

  /** Writes `from` at byte `position`, all of it. */
  writeAt(position: number, from: Uint8Array): void {
    if (this.readOnly) {
      throw new DeviceError("EROFS", `Cannot write ${this.path}: read-only`);
    }
    this.#checkOpen("write");
    this.#unsynced += from.length;
    for (let done = 0; done < from.length;) {
      done += this.#try("write", position + done, () =>
        writeSync(
          this.#descriptor,
          from,
          done,
          from.length - done,
          position + done,
        ));
    }
  }

  /** Resolves when everything written is on stable storage. */
  async sync(): Promise<void> {
    this.#checkOpen("sync");
    const isLittle = this.#unsynced <= LITTLE_BYTES;
    this.#unsynced = 0;
    if (!thread.isShared && isLittle && this.#patience.isUp) {
      this.#patience.spend(() => {
        this.#try("sync", 0, () => {
          fsyncSync(this.#descriptor);
          return 0;
        });
      });
      return;
    }
    await new Promise<void>((resolve, reject) => {
      fsync(this.#descriptor, (error) => {
        if (error) reject(this.#deviceError("sync", 0, error));
        else resolve();
      });
    });
  }

  /** Closes the file and gives up the lock. Again does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#descriptor);
    releaseLock(this.#lock);
  }

  /** The number of a closed descriptor may be another file's by now. */
  #checkOpen(action: string): void {
    if (this.#open) return;
    throw new DeviceError("EBADF", `Cannot ${action} ${this.path}: closed`);
  }

  #try(action: string, position: number, call: () => number): number {
    for (;;) {
      try {
        return call();
      } catch (error) {
        if (codeOf(error) === "EINTR") continue;
        throw this.#deviceError(action, position, error);
      }
    }
  }

  #deviceError(action: string, position: number, error: unknown): DeviceError {
    const host = codeOf(error);
    const known: DeviceErrorCode[] = ["ENOSPC", "EROFS", "EBADF"];
    const code = known.find((code) => code === host) ?? "EIO";
    const reason = Object.hasOwn(ERRNO_TEXT, host)
      ? ERRNO_TEXT[host as keyof typeof ERRNO_TEXT]
      : host;
    return new DeviceError(
      code,
      `Cannot ${action} ${this.path} at byte ${position}: ${reason}`,
      { cause: error },
    );
  }
}

/** How the descriptor that reads and writes is opened. */
function flagsOf({ readOnly, noLink }: HostFileOptions): number {
  const { O_RDONLY, O_RDWR, O_NOFOLLOW = 0 } = constants;
  return (readOnly ? O_RDONLY : O_RDWR) | (noLink ? O_NOFOLLOW : 0);
}

/**
 * Throws if something at `path` is not a regular file. To open a named pipe
 * waits for its other end, and to open a device may act on it, so that this is
 * looked at first; a file that is exchanged afterwards is noticed once open.
 */
function refuseOtherKinds(path: string, { noLink }: HostFileOptions): void {
  const look = noLink ? lstatSync : statSync;
  const stat = look(path, { throwIfNoEntry: false });
  if (stat && !stat.isFile()) throw notRegular(path);
}

function notRegular(path: string): DeviceError {
  return new DeviceError(
    "EINVAL",
    `Cannot open ${path}: not a regular file; give the path of an image file`,
  );
}

/** The errno name of a runtime's error, or its message. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return (error as { code?: string }).code ?? error.message;
}

/** See the module. */
export class StdDevice implements BlockDevice {
  /** Size of one block, in bytes. */
  readonly blockSize: number;
  /** Number of whole blocks in the file. */
  readonly blockCount: number;
  /** True if writes are refused. */
  readonly readOnly: boolean;
  readonly #file: ByteFile;

  /** Makes a device of `file`, whose closing becomes the device's business. */
  constructor(file: ByteFile, blockSize: number) {
    this.#file = file;
    this.blockSize = blockSize;
    this.blockCount = Math.floor(file.size / blockSize);
    this.readOnly = file.readOnly;
  }

  /** Reads consecutive blocks; see {@link BlockDevice.read}. */
  read(block: number, into: Uint8Array): void {
    checkRange(this, block, into.length);
    this.#file.readAt(block * this.blockSize, into);
  }

  /** Writes consecutive blocks; see {@link BlockDevice.write}. */
  write(block: number, from: Uint8Array): void {
    checkRange(this, block, from.length);
    this.#file.writeAt(block * this.blockSize, from);
  }

  /** Resolves when every write is on stable storage. */
  flush(): Promise<void> {
    return this.#file.sync();
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }
}
