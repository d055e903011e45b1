/**
 * Volumes of our own: made, opened, and given other keys.
 *
 * @module
 */

export {
  KEY_FILE_BYTES_MIN,
  KEY_SLOTS_MAX,
  type KeySlot,
  type KeySlotOptions,
  type Secret,
  SECRET_KINDS,
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
  ANCHOR_PLACES,
  type AnchorPlace,
  anchorPlace,
  BLOCK_COUNT_MAX,
  BLOCK_SIZES,
  type Descriptor,
  type DescriptorBase,
  type DeviceKind,
  DEVICES,
  FORMAT,
  FORMAT_WITHOUT_JOURNAL,
  hasKey,
  hasTree,
  isEncrypted,
  JOURNAL_BYTES_MAX,
  JOURNAL_BYTES_MIN,
  JOURNAL_BYTES_UNIT,
  type KeyedDescriptor,
  type PlainDescriptor,
} from "./descriptor.ts";
export { RollbackError } from "../journal/errors.ts";
export type { VolumeState } from "../journal/state.ts";
export type { DeviceOptions, StateOptions } from "./assemble.ts";
export type { OpenFilesOptions } from "./open_files.ts";
export type { StateChanges, StateKeeper } from "./keeper.ts";
export { isVolume, VOLUME_FILES, type VolumeFile } from "./directory.ts";
export {
  AnchorOptionError,
  KeySlotError,
  NotAVolumeError,
  VolumeIntegrityError,
} from "./errors.ts";
export { type FileSizes, inspectVolume, type VolumeInfo } from "./inspect.ts";
export { type RekeyOptions, rekeyVolume } from "./rekey.ts";
export { OpenedVolume, openVolume, type OpenVolumeOptions } from "./volume.ts";
