import { FsError } from "./errors.ts";
import type { Inode } from "./inode.ts";
export function getXattr(_i: Inode, _n: Uint8Array): Uint8Array {
  throw new FsError("ENODATA");
}
export function setXattr(
  _i: Inode,
  _n: Uint8Array,
  _v: Uint8Array,
  _f: { create?: boolean; replace?: boolean },
): void {
  throw new FsError("EOPNOTSUPP");
}
export function listXattr(_i: Inode): Uint8Array[] {
  return [];
}
export function removeXattr(_i: Inode, _n: Uint8Array): void {
  throw new FsError("ENODATA");
}
export function releaseXattrBlock(_i: Inode): void {}
