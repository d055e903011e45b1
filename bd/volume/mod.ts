/**
 * Volumes of our own: made, opened, and given other keys.
 *
 * @module
 */

export {
  KEY_FILE_BYTES_MIN,
  KEY_SLOTS_MAX,
  type KeySlot,
  type Secret,
  type SecretKind,
  WrongKeyError,
} from "../keys/key_slot.ts";
export {
  calibrateScrypt,
  SCRYPT_N_MAX,
  SCRYPT_N_MIN,
  type ScryptParameters,
  usualScrypt,
} from "../keys/scrypt.ts";
export { KeyChange } from "./change_keys.ts";
export {
  checkPlace,
  createVolume,
  type CreateVolumeOptions,
} from "./create.ts";
export {
  BLOCK_COUNT_MAX,
  BLOCK_SIZES,
  type Descriptor,
  type DeviceKind,
  DEVICES,
  hasKey,
  hasTree,
  isEncrypted,
  type KeyedDescriptor,
} from "./descriptor.ts";
export { isVolume } from "./directory.ts";
export {
  KeySlotError,
  NotAVolumeError,
  VolumeIntegrityError,
} from "./errors.ts";
export { type FileSizes, inspectVolume, type VolumeInfo } from "./inspect.ts";
export { type RekeyOptions, rekeyVolume } from "./rekey.ts";
export { OpenedVolume, openVolume, type OpenVolumeOptions } from "./volume.ts";
