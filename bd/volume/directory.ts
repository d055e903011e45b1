/**
 * The directory of a volume: its files by name, and its lock.
 *
 * The lock is on the directory itself (flock(2)), since files in it are
 * replaced by renaming. Whoever may change the volume has it alone; readers
 * share it. It goes with the process that holds it, however that ends.
 *
 * @module
 */

import { hostError } from "../host_error.ts";
import { InUseError, releaseLock } from "../std.ts";
import { NotAVolumeError } from "./errors.ts";
import { exists, readSmallFile, replaceFile } from "./files.ts";
import { DESCRIPTOR_BYTES_MAX } from "./descriptor.ts";
import { finishReplacement, isReplacementPending } from "./replacement.ts";

/** The files of a volume. */
export const VOLUME_FILES = {
  /** What it is: the descriptor. */
  descriptor: "volume.json",
  /** Its blocks. */
  image: "image",
  /** The hash tree over the image. */
  tree: "tree",
  /** The present state. */
  anchor: "anchor",
  /** What is committed and not yet in image and tree. */
  journal: "journal",
} as const;

/** One of the files. */
export type VolumeFile = keyof typeof VOLUME_FILES;

/** Whether there is a volume at `path`, perhaps a damaged one. */
export function isVolume(path: string): boolean {
  const descriptor = `${path}/${VOLUME_FILES.descriptor}`;
  return exists(descriptor) || isReplacementPending(path);
}

/** The directory of a volume, locked. */
export class VolumeDirectory {
  /** Where it is. */
  readonly path: string;
  readonly #lock: Deno.FsFile;
  #open = true;

  private constructor(path: string, exclusive: boolean) {
    this.path = path;
    checkIsDirectory(path);
    this.#lock = openDirectory(path);
    try {
      this.#take(exclusive);
      if (isReplacementPending(path)) {
        this.#take(true);
        finishReplacement(path);
        this.#take(exclusive);
      }
      if (!exists(this.pathOf("descriptor"))) {
        throw new NotAVolumeError(
          `${path}: not a volume: there is no ${VOLUME_FILES.descriptor} in it`,
        );
      }
    } catch (error) {
      releaseLock(this.#lock);
      throw error;
    }
  }

  /**
   * Opens and locks the directory at `path`, `exclusive` for one who will
   * change the volume, and completes the replacement of its files if that was
   * cut short. Throws {@link NotAVolumeError} if there is no volume, and
   * {@link InUseError} if another process has it.
   */
  static open(
    path: string,
    { exclusive }: { exclusive: boolean },
  ): VolumeDirectory {
    return new VolumeDirectory(path, exclusive);
  }

  /** The path of one of its files. */
  pathOf(file: VolumeFile): string {
    return `${this.path}/${VOLUME_FILES[file]}`;
  }

  /** The bytes of the descriptor. */
  readDescriptor(): Uint8Array {
    return readSmallFile(this.pathOf("descriptor"), DESCRIPTOR_BYTES_MAX);
  }

  /** Replaces the descriptor as a whole; it is on stable storage then. */
  replaceDescriptor(bytes: Uint8Array): void {
    replaceFile(this.path, VOLUME_FILES.descriptor, bytes);
  }

  /** Gives up the lock. Again does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    releaseLock(this.#lock);
  }

  #take(exclusive: boolean): void {
    if (this.#lock.tryLockSync(exclusive)) return;
    throw new InUseError(
      `Cannot open ${this.path}: another process has it open`,
    );
  }
}

function openDirectory(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { read: true });
  } catch (error) {
    throw hostError(path, error);
  }
}

function checkIsDirectory(path: string): void {
  let stat: Deno.FileInfo;
  try {
    stat = Deno.statSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw hostError(path, error);
    throw new NotAVolumeError(
      `${path}: No such volume (make one with 'nextfs init -s 1G ${path}')`,
    );
  }
  if (stat.isDirectory) return;
  throw new NotAVolumeError(`${path}: not a volume: not a directory`);
}
