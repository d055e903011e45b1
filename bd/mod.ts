/**
 * The block devices: layers that offer one small interface and stand on
 * another layer that offers it, down to an ordinary host file.
 *
 * @module
 */

export * from "./block_device.ts";
export { BlockCache, type CacheStatistics } from "./cache.ts";
export * from "./faulty.ts";
export * from "./memory.ts";
export {
  HostFile,
  type HostFileOptions,
  InUseError,
  StdDevice,
} from "./std.ts";
