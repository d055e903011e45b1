/**
 * A new volume: an ext2 filesystem with files in it.
 *
 * @module
 */

import { type BlockDevice, StdDevice } from "../bd/mod.ts";
import {
  Filesystem,
  type FilesystemOptions,
  format,
  type FormatOptions,
} from "../fs/mod.ts";
import { makeFile } from "./new_file.ts";

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
  /**
   * Makes the device of plaintext blocks on the image's file, of zeros and
   * blank; if absent, it is the file itself.
   */
  layer?: (stored: BlockDevice) => Promise<BlockDevice>;
}

/**
 * Makes an image, lets `fill` put files in, and gives it its name unless
 * `last`, which is asked when all else is done, throws. If
 * anything fails, nothing of it is left. Throws `InUseError` if the image that
 * it is to replace is in use.
 */
export async function makeImage(
  image: NewImage,
  fill: (volume: Filesystem) => Promise<void>,
  last: () => Promise<void>,
): Promise<void> {
  const { path, force, blockSize, blockCount, layer } = image;
  const size = blockCount * blockSize;
  await makeFile(path, { size, force, isImage: true }, async (file) => {
    const stored = new StdDevice(file, blockSize);
    const device = layer ? await layer(stored) : stored;
    await makeFilesystem(device, image, fill);
    await last();
  });
}

/**
 * Formats `device`, which reads as zeros everywhere, lets `fill` put files
 * in, and makes all durable. Closes the device, also if something fails.
 */
export async function makeFilesystem(
  device: BlockDevice,
  options: FormatOptions,
  fill: (volume: Filesystem) => Promise<void>,
): Promise<void> {
  try {
    format(device, { ...options, blank: true });
    const volume = Filesystem.open(device, volumeOptions(options));
    await fill(volume);
    await volume.close();
  } catch (error) {
    device.close();
    throw error;
  }
}

/** With a stamp, nothing of the volume is left to clock or chance. */
function volumeOptions({ now }: FormatOptions): FilesystemOptions {
  if (!now) return {};
  let generation = 0;
  return { now: () => now, generation: () => ++generation };
}
