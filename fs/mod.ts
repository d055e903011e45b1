/**
 * The ext2 engine: a filesystem on any {@linkcode BlockDevice}, in TypeScript
 * that needs no particular runtime.
 *
 * @module
 */

export * from "./attributes.ts";
export * from "./block_owner.ts";
export * from "./check/mod.ts";
export type { BlockRun } from "./block_allocator.ts";
export { findBlockOwners } from "./block_owners.ts";
export {
  CorruptError,
  type CorruptPlace,
  type Errno,
  ERRNO_TEXT,
  FsError,
} from "./errors.ts";
export { Filesystem } from "./filesystem.ts";
export type { Confinement } from "./confinement.ts";
export { GuardedFilesystem, type GuardOptions } from "./guarded_filesystem.ts";
export { format, type FormatOptions } from "./format.ts";
export { LINK_MAX, NAME_MAX, ROOT_INODE } from "./geometry.ts";
export * from "./options.ts";
export type { Name } from "./namespace.ts";
export {
  PATH_MAX,
  Paths,
  type PathsOptions,
  type PathSource,
  type ResolvedParent,
  type ResolveOptions,
  SYMLINKS_MAX,
} from "./paths.ts";
export {
  MAY_EXECUTE,
  MAY_READ,
  MAY_WRITE,
  type OpenWants,
} from "./permissions.ts";
export type { AtimePolicy } from "./setattr.ts";
export { settledView } from "./settled_view.ts";
export { probeBlockSize } from "./superblock.ts";
export type { VolumeOptions } from "./volume.ts";
