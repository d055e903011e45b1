/**
 * The check of a whole volume.
 *
 * @module
 */

import type { BlockDevice } from "../../bd/block_device.ts";
import type { CheckOptions, CheckReport } from "./report.ts";
import { FsError } from "../errors.ts";

/**
 * Checks the structure of the volume on `device`, and repairs it as far as
 * `options.mode` allows. The device is left open.
 *
 * Throws {@link FsError} if there is no volume that the engine knows, or it
 * has no superblock that can be read; and what the device throws when it is
 * written.
 */
export function checkVolume(
  device: BlockDevice,
  options: CheckOptions,
): Promise<CheckReport> {
  void device;
  void options;
  return Promise.reject(new FsError("ENOSYS"));
}
