/**
 * The files of a volume, opened one by one.
 *
 * @module
 */

import { DeviceError } from "../block_device.ts";
import type { ByteFile } from "../byte_file.ts";
import { hostError } from "../host_error.ts";
import { HostFile, InUseError } from "../std.ts";
import {
  VOLUME_FILES,
  type VolumeDirectory,
  type VolumeFile,
} from "./directory.ts";
import { VolumeIntegrityError } from "./errors.ts";

/** How files are opened. */
export interface OpenFilesOptions {
  /** Refuse writes; the volume may be shared with other readers then. */
  readOnly?: boolean;
  /**
   * Puts a layer between the volume and each of its files, whose closing
   * becomes the layer's business; the file itself if absent.
   */
  wrap?: (file: ByteFile, name: VolumeFile) => ByteFile;
}

/** Opens files, and registers each to be closed if a later one fails. */
export class Files {
  /** Files of the volume in `directory`; `stack` closes them. */
  constructor(
    readonly directory: VolumeDirectory,
    readonly stack: DisposableStack,
    readonly options: OpenFilesOptions,
  ) {}

  /** Opens one of the files, which must have `byteLength` bytes, if given. */
  open(name: VolumeFile, byteLength?: number, path?: string): ByteFile {
    const host = openFile(this.directory, name, { ...this.options, path });
    const file = this.options.wrap?.(host, name) ?? host;
    this.stack.adopt(file, (one) => one.close());
    if (byteLength !== undefined && file.size !== byteLength) {
      throw new VolumeIntegrityError(
        `its ${
          VOLUME_FILES[name]
        } has ${file.size} bytes, and the descriptor ` +
          `says ${byteLength}: it was cut short, extended or replaced`,
      );
    }
    return file;
  }
}

/**
 * Opens one of the files of a volume, at `path` if it is not in its directory.
 * Throws {@link VolumeIntegrityError} if it is missing, or no file.
 */
export function openFile(
  directory: VolumeDirectory,
  name: VolumeFile,
  { readOnly = false, path: elsewhere }: {
    readOnly?: boolean;
    path?: string;
  } = {},
): HostFile {
  const path = elsewhere ?? directory.pathOf(name);
  // A place of the user's own may be reached by links of the user's own.
  const noLink = elsewhere === undefined;
  try {
    return HostFile.open(path, { readOnly, noLink });
  } catch (error) {
    if (error instanceof InUseError) throw error;
    const file = elsewhere
      ? `${VOLUME_FILES[name]} ${path}`
      : VOLUME_FILES[name];
    if (error instanceof Deno.errors.NotFound) {
      throw new VolumeIntegrityError(`its ${file} is missing`);
    }
    if (error instanceof DeviceError && error.code === "EINVAL") {
      throw new VolumeIntegrityError(`its ${file} is not a regular file`);
    }
    throw hostError(path, error);
  }
}
