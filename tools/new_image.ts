/**
 * A new image file, which appears under its name only when it is complete.
 *
 * @module
 */

import { HostFile, StdDevice } from "../bd/mod.ts";
import {
  Filesystem,
  type FilesystemOptions,
  format,
  type FormatOptions,
} from "../fs/mod.ts";
import { errnoOf, PathError } from "./errors.ts";

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
 * Makes an image, lets `fill` put files in, and gives it its name. If
 * anything fails, nothing of it is left.
 */
export async function makeImage(
  image: NewImage,
  fill: (volume: Filesystem) => Promise<void>,
): Promise<void> {
  const partial = `${image.path}.partial-${Deno.pid}`;
  const create = image.blockCount * image.blockSize;
  let file: HostFile;
  try {
    file = HostFile.open(partial, { create });
  } catch (error) {
    throw new PathError(image.path, error);
  }
  try {
    const device = new StdDevice(file, image.blockSize);
    format(device, { ...image, blank: true });
    const volume = Filesystem.open(device, volumeOptions(image));
    await fill(volume);
    await volume.close();
    checkTarget(image.path, image.force);
    Deno.renameSync(partial, image.path);
  } catch (error) {
    file.close();
    Deno.removeSync(partial);
    throw error;
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
