/**
 * An image of the host as a filesystem.
 *
 * @module
 */

import { HostFile, InUseError, StdDevice } from "../bd/mod.ts";
import {
  Filesystem,
  type FilesystemOptions,
  FsError,
  probeBlockSize,
} from "../fs/mod.ts";
import { errnoOf, NoVolumeError, PathError } from "./errors.ts";

/** Bytes at the start of an image that tell what it is. */
const HEAD_BYTES = 2048;

/**
 * Opens the image at `path`. Throws {@link NoVolumeError} if there is none,
 * {@link InUseError} if another process has it, and {@link PathError}.
 */
export function openImage(
  path: string,
  options: FilesystemOptions,
): Filesystem {
  const file = openFile(path, options.readOnly ?? false);
  try {
    const head = new Uint8Array(Math.min(HEAD_BYTES, file.size));
    file.readAt(0, head);
    const device = new StdDevice(file, blockSizeOf(path, head));
    return Filesystem.open(device, options);
  } catch (error) {
    file.close();
    if (error instanceof NoVolumeError) throw error;
    throw new PathError(path, error);
  }
}

function openFile(path: string, readOnly: boolean): HostFile {
  try {
    return HostFile.open(path, { readOnly });
  } catch (error) {
    if (error instanceof InUseError) throw error;
    if (errnoOf(error) === "ENOENT") {
      throw new NoVolumeError(
        `${path}: No such image (make one with ` +
          `'nextfs makefs -s 128M ${path} [DIRECTORY]')`,
      );
    }
    throw new PathError(path, error);
  }
}

function blockSizeOf(path: string, head: Uint8Array): number {
  try {
    return probeBlockSize(head);
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    throw new NoVolumeError(`${path}: ${error.message}`);
  }
}
