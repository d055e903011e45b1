/**
 * The settled view: a volume as it will be when the next writer has opened it,
 * without a change to what is stored.
 *
 * A crash leaves files that were removed while they were open on the orphan
 * list. Whoever opens the volume for writing frees them; who must not write
 * does the same in memory.
 *
 * @module
 */

import type { BlockDevice } from "../bd/block_device.ts";
import { BorrowedDevice } from "../bd/borrowed.ts";
import { OverlayDevice } from "../bd/overlay.ts";
import { Filesystem } from "./filesystem.ts";
import { SUPERBLOCK } from "./superblock.ts";
import { Volume } from "./volume.ts";

/**
 * A layer over `device` in which the work on its orphan list is done; null if
 * there is none to do. A volume that was not closed cleanly stays marked so:
 * only a checker can know. Closing the layer leaves `device` open.
 *
 * Throws {@link FsError} if there is no volume that the engine knows, and
 * {@link DeviceError} if one of its structures cannot be read.
 */
export async function settledView(
  device: BlockDevice,
): Promise<OverlayDevice | null> {
  const volume = new Volume(new BorrowedDevice(device), { readOnly: true });
  if (volume.superblock(SUPERBLOCK.s_last_orphan) === 0) return null;
  const overlay = new OverlayDevice(new BorrowedDevice(device));
  await Filesystem.open(new BorrowedDevice(overlay)).close();
  return overlay;
}
