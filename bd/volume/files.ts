/**
 * Small files of the host, read within bounds and replaced as a whole.
 *
 * @module
 */

import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from "node:fs";
import { DeviceError } from "../block_device.ts";
import type { ByteFile } from "../byte_file.ts";
import { hostError } from "../host_error.ts";
import { VolumeIntegrityError } from "./errors.ts";

/**
 * The contents of a regular file of at most `most` bytes. Throws
 * {@link VolumeIntegrityError} for a larger one and for what is no file, and
 * an error that names the file if it cannot be read. No lock is taken.
 */
export function readSmallFile(path: string, most: number): Uint8Array {
  const file = openRegular(path);
  try {
    if (!fstatSync(file).isFile()) throw notAFile(path);
    const bytes = new Uint8Array(most + 1);
    let length = 0;
    while (length < bytes.length) {
      const count = readSync(
        file,
        bytes,
        length,
        bytes.length - length,
        length,
      );
      if (count === 0) return bytes.slice(0, length);
      length += count;
    }
    throw new VolumeIntegrityError(`${path} is longer than ${most} bytes`);
  } finally {
    closeSync(file);
  }
}

function openRegular(path: string): number {
  const { O_RDONLY, O_NOFOLLOW = 0 } = constants;
  try {
    // To open a named pipe would wait for its other end.
    if (lstatSync(path).isFile()) return openSync(path, O_RDONLY | O_NOFOLLOW);
  } catch (error) {
    throw hostError(path, error);
  }
  throw notAFile(path);
}

function notAFile(path: string): VolumeIntegrityError {
  return new VolumeIntegrityError(`${path} is not a regular file`);
}

/** A file that is only read, and that others may write meanwhile: no lock. */
export class SharedFile implements ByteFile {
  /** Size in bytes when it was opened. */
  readonly size: number;
  /** Always true. */
  readonly readOnly = true;
  readonly #path: string;
  readonly #file: number;
  #open = true;

  /** Opens the regular file at `path`; throws as {@link readSmallFile} does. */
  constructor(path: string) {
    this.#path = path;
    this.#file = openRegular(path);
    this.size = fstatSync(this.#file).size;
  }

  /** Reads bytes; see {@link ByteFile.readAt}. */
  readAt(position: number, into: Uint8Array): void {
    for (let done = 0; done < into.length;) {
      const length = into.length - done;
      const count = readSync(this.#file, into, done, length, position + done);
      if (count === 0) {
        throw new VolumeIntegrityError(`${this.#path} was cut short`);
      }
      done += count;
    }
  }

  /** Throws: it is only read. */
  writeAt(): void {
    throw new DeviceError("EROFS", `Cannot write ${this.#path}: read-only`);
  }

  /** Does nothing: nothing was written. */
  sync(): Promise<void> {
    return Promise.resolve();
  }

  /** Closes the file. Again does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#file);
  }
}

/** Makes a file of `bytes` on stable storage, where there is nothing yet. */
export function writeFileDurably(path: string, bytes: Uint8Array): void {
  const file = openSync(path, "wx", 0o600);
  try {
    for (let done = 0; done < bytes.length;) {
      done += writeSync(file, bytes, done, bytes.length - done);
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Replaces the file `name` of `directory` by one of `bytes`: whoever looks,
 * even after a crash, finds the one or the other.
 */
export function replaceFile(
  directory: string,
  name: string,
  bytes: Uint8Array,
): void {
  // Its name is always the same: what a crash has left behind is removed. It is
  // not written over, for it may be a link that leads anywhere.
  const next = `${directory}/${name}.next`;
  try {
    if (exists(next)) Deno.removeSync(next);
    writeFileDurably(next, bytes);
    renameSync(next, `${directory}/${name}`);
    syncDirectory(directory);
  } catch (error) {
    throw hostError(next, error, { action: "write" });
  }
}

/** Makes the names in a directory durable, where the host has a call for it. */
export function syncDirectory(path: string): void {
  if (Deno.build.os === "windows") return;
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** Whether something is at `path`. A link counts, wherever it leads. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    // Nothing is in what is no directory.
    if (error instanceof Deno.errors.NotADirectory) return false;
    throw hostError(path, error);
  }
}
