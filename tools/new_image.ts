/**
 * A new image file, which appears under its name only when it is complete.
 *
 * @module
 */

import { HostFile, InUseError, StdDevice } from "../bd/mod.ts";
import {
  Filesystem,
  type FilesystemOptions,
  format,
  type FormatOptions,
} from "../fs/mod.ts";
import { errnoOf, errorText, PathError } from "./errors.ts";

/** What a new image is to be like. */
export interface NewImage extends FormatOptions {
  /** Where it goes. */
  path: string;
  /** Replace a file that is there. */
  force: boolean;
  /** Bytes of a block. */
  blockSize: number;
  /** Size in blocks. */
  blockCount: number;
}

/**
 * Makes an image, lets `fill` put files in, and gives it its name unless
 * `last`, which is asked when all else is done, throws. If
 * anything fails, nothing of it is left. Throws {@link InUseError} if the
 * image that it is to replace is in use.
 */
export async function makeImage(
  image: NewImage,
  fill: (volume: Filesystem) => Promise<void>,
  last: () => Promise<void>,
): Promise<void> {
  const partial = `${image.path}.partial-${Deno.pid}`;
  let replaced = lockReplaced(image);
  let file: HostFile | undefined;
  try {
    file = openPartial(partial, image);
    const device = new StdDevice(file, image.blockSize);
    format(device, { ...image, blank: true });
    const volume = Filesystem.open(device, volumeOptions(image));
    await fill(volume);
    await volume.close();
    await last();
    // It may have come meanwhile.
    replaced ??= lockReplaced(image);
    Deno.renameSync(partial, image.path);
  } catch (error) {
    file?.close();
    removePartial(partial);
    throw error;
  } finally {
    replaced?.close();
  }
}

/**
 * Takes the lock of the image that is to be replaced, so that no server has it
 * or gets it; null if there is none.
 */
function lockReplaced({ path, force }: NewImage): HostFile | null {
  checkTarget(path, force);
  try {
    return HostFile.open(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    if (error instanceof InUseError) throw error;
    throw new PathError(path, error);
  }
}

function openPartial(partial: string, image: NewImage): HostFile {
  const create = image.blockCount * image.blockSize;
  try {
    return HostFile.open(partial, { create });
  } catch (error) {
    // EINVAL or EFBIG; the runtime does not name them for this call.
    if (!/\(os error (?:22|27)\)/.test(errorText(error))) {
      throw new PathError(image.path, error);
    }
    throw new PathError(
      image.path,
      `The host cannot hold a file of ${create} bytes: give a smaller --size`,
    );
  }
}

function removePartial(partial: string): void {
  try {
    Deno.removeSync(partial);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

/** With a stamp, nothing of the volume is left to clock or chance. */
function volumeOptions({ now }: NewImage): FilesystemOptions {
  if (!now) return {};
  let generation = 0;
  return { now: () => now, generation: () => ++generation };
}

/**
 * Throws {@link PathError} if `path` holds something that must not be
 * replaced: a file with contents (unless `force`), or no file at all.
 */
export function checkTarget(path: string, force: boolean): void {
  let stat: Deno.FileInfo;
  try {
    stat = Deno.statSync(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw new PathError(path, error);
  }
  if (!stat.isFile) throw new PathError(path, "Is not a regular file");
  if (stat.size > 0 && !force) {
    throw new PathError(path, "File exists (--force replaces it)");
  }
}
