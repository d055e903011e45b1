/**
 * The options of the engine's calls.
 *
 * @module
 */

import type { Credentials, DeviceNumber } from "./attributes.ts";
import type { AtimePolicy } from "./setattr.ts";
import type { VolumeOptions } from "./volume.ts";

/** How a filesystem is to be opened. */
export interface FilesystemOptions extends VolumeOptions {
  /** When reading sets the time of the last read; `"relatime"` if absent. */
  atime?: AtimePolicy;
}

/** What a new file is to be. */
export interface CreateOptions {
  /** Permission, set-id and sticky bits. */
  mode?: number;
  /** Whose it is; the superuser's if absent. */
  credentials?: Credentials;
}

/** What a new device node, fifo or socket is to be. */
export interface NodeOptions extends CreateOptions {
  /** `S_IFCHR`, `S_IFBLK`, `S_IFIFO` or `S_IFSOCK`. */
  kind: number;
  /** Number of a device. */
  rdev?: DeviceNumber;
}
