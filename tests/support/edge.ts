/**
 * Tests on a volume of their own, which e2fsck checks when they are done.
 *
 * @module
 */

import type { MemoryDevice } from "../../bd/memory.ts";
import { Filesystem } from "../../fs/mod.ts";
import { assertDeviceClean, formatted, type VolumeShape } from "./images.ts";
import { testWith } from "./tools.ts";

/** Declares a test on a new volume of the given shape. */
export async function edge(
  name: string,
  shape: VolumeShape,
  fn: (fs: Filesystem, device: MemoryDevice) => void | Promise<void>,
): Promise<void> {
  await testWith(["e2fsprogs"], name, async () => {
    const device = formatted(shape);
    // Looking must not change times: some tests compare before and after.
    const fs = Filesystem.open(device, { atime: "noatime" });
    await fn(fs, device);
    await fs.close();
    await assertDeviceClean(device);
  });
}

/** Shape of a volume of `bytes` bytes. */
export function volume(
  blockSize: number,
  bytes: number,
  options: Partial<VolumeShape> = {},
): VolumeShape {
  return {
    blockSize,
    blockCount: Math.floor(bytes / blockSize),
    inodeSize: 128,
    ...options,
  };
}
