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
export type { ByteFile } from "./byte_file.ts";
export {
  type BlockHash,
  createHmac,
  createPlainHash,
  DIGEST_BYTES,
  HASH_ALGORITHMS,
  type HashAlgorithm,
} from "./hmac.ts";
export type {
  HashedRun,
  HashSettings,
  LeafHasher,
  LeafHasherOptions,
  LeafRun,
} from "./leaf_hashing.ts";
export * from "./memory.ts";
export { MemoryFile } from "./memory_file.ts";
export type {
  MerkleTree,
  MerkleTreeOptions,
  MerkleTreeStatistics,
} from "./merkle_tree.ts";
export { OverlayDevice } from "./overlay.ts";
export {
  HostFile,
  type HostFileOptions,
  InUseError,
  StdDevice,
} from "./std.ts";
export type { TreeLayout } from "./tree_layout.ts";
export type { TrustedState } from "./trusted_state.ts";
export {
  openOriginalVerity,
  openPagedVerity,
  pagedTreeBytes,
  type VerityState,
} from "./open_verity.ts";
export {
  VerityDevice,
  type VerityOptions,
  type VerityReports,
  type VerityStatistics,
} from "./verity.ts";
export * from "./volume/mod.ts";
