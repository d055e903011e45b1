/**
 * The block devices: layers that offer one small interface and stand on
 * another layer that offers it, down to an ordinary host file.
 *
 * @module
 */

export * from "./block_device.ts";
export { BlockCache, type CacheStatistics } from "./cache.ts";
export {
  CIPHER_KEY_BYTES,
  type CipherName,
  CryptDevice,
  type CryptOptions,
} from "./crypt.ts";
export * from "./faulty.ts";
export * from "./memory.ts";
export { OverlayDevice } from "./overlay.ts";
export {
  HostFile,
  type HostFileOptions,
  InUseError,
  StdDevice,
} from "./std.ts";
