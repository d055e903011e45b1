/**
 * Extended attributes: named values of a file beside its contents.
 *
 * What fits is kept inside the inode, the rest in one block. A change collects
 * all attributes of the file and writes them anew. Those of kinds that this
 * engine does not know are kept, but not shown.
 *
 * @module
 */

import {
  type AclEntry,
  decodeAcl,
  decodeDiskAcl,
  encodeAcl,
  encodeDiskAcl,
  isMinimal,
  permissionsOf,
  withPermissions,
} from "./acl.ts";
import { S_IFDIR, S_IFLNK, S_IFREG, S_ISGID } from "./attributes.ts";
import { FsError } from "./errors.ts";
import { COMPAT } from "./features.ts";
import type { Inode } from "./inode.ts";
import { isMember } from "./permissions.ts";
import { REVISION_ORIGINAL, SUPERBLOCK } from "./superblock.ts";
import type { Volume } from "./volume.ts";
import {
  readBlockXattrs,
  writeBlockXattrs,
  xattrBlockRoom,
} from "./xattr_block.ts";
import { type Xattr, xattrSize, xattrsSize } from "./xattr_entries.ts";
import { readInodeXattrs, writeInodeXattrs, xattrRoom } from "./xattr_inode.ts";
import {
  isSameXattr,
  joinXattrName,
  splitXattrName,
  XATTR_INDEX,
  type XattrKey,
} from "./xattr_names.ts";

export { releaseXattrBlock } from "./xattr_block.ts";
export { XATTR_ENTRY, XATTR_HEADER } from "./xattr_entries.ts";

/** The largest value, in bytes (`XATTR_SIZE_MAX` of Linux). */
export const XATTR_SIZE_MAX = 65536;

const ACCESS_ACL = { index: XATTR_INDEX.aclAccess, name: new Uint8Array() };
const DEFAULT_ACL = { index: XATTR_INDEX.aclDefault, name: new Uint8Array() };

/** How an attribute is to be set; without either, in any case. */
export interface SetXattrOptions {
  /** Refuse with `EEXIST` if it is there already. */
  create?: boolean;
  /** Refuse with `ENODATA` if it is not there yet. */
  replace?: boolean;
}

/**
 * The value of attribute `name`, such as `user.x`; a copy. Throws
 * {@link FsError} `ENODATA` if there is none, `EOPNOTSUPP` for a kind of
 * attribute that the file cannot have.
 */
export function getXattr(inode: Inode, name: Uint8Array): Uint8Array {
  const key = splitXattrName(name);
  if (isAcl(key)) checkMayHaveAcl(inode);
  const found = mayHave(inode, key) ? find(inode, key) : undefined;
  if (found === undefined) throw new FsError("ENODATA");
  if (!isAcl(key)) return found.value.slice();
  return encodeAcl(decodeDiskAcl(found.value, inode.number));
}

/** The full names of all attributes. */
export function listXattr(inode: Inode): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (const xattr of [...readInodeXattrs(inode), ...readBlockXattrs(inode)]) {
    const name = joinXattrName(xattr);
    if (name !== null) names.push(name);
  }
  return names;
}

/**
 * Sets attribute `name` to `value`. An access control list also sets the
 * file's permission bits; one that says no more than these is not kept, and
 * an empty one removes the attribute.
 *
 * Throws {@link FsError} `ENOSPC` if the attributes do not fit, `EPERM` for
 * `user.` attributes of what is neither regular file nor directory, `EACCES`
 * for the default access control list of what is no directory, `EINVAL` for a
 * malformed list, `EOPNOTSUPP` for a kind of attribute the file cannot have.
 */
export function setXattr(
  inode: Inode,
  name: Uint8Array,
  value: Uint8Array,
  options: SetXattrOptions = {},
): void {
  const key = splitXattrName(name);
  checkMayHave(inode, key);
  if (value.length > XATTR_SIZE_MAX) {
    throw new FsError("ENOSPC", "the attribute's value is too large");
  }
  const entries = isAcl(key) ? decodeAclFor(inode, key, value) : null;
  if (options.create || options.replace) {
    const exists = find(inode, key) !== undefined;
    if (options.create && exists) throw new FsError("EEXIST");
    if (options.replace && !exists) throw new FsError("ENODATA");
  }
  if (entries === null) store(inode, key, value.slice());
  else {
    if (entries.length > 0 && key.index === XATTR_INDEX.aclAccess) {
      dropForeignGroup(inode);
    }
    setAcl(inode, key, entries);
  }
  inode.touch("ctime");
}

/**
 * Removes attribute `name`. Throws {@link FsError} `ENODATA` if there is none.
 */
export function removeXattr(inode: Inode, name: Uint8Array): void {
  const key = splitXattrName(name);
  checkMayHave(inode, key);
  if (isAcl(key)) checkMayHaveAcl(inode);
  if (find(inode, key) === undefined) throw new FsError("ENODATA");
  store(inode, key, null);
  inode.touch("ctime");
}

/** Makes the file's access control list, if it has one, agree with `mode`. */
export function chmodAcl(inode: Inode, mode: number): void {
  const found = find(inode, ACCESS_ACL);
  if (found === undefined) return;
  const entries = decodeDiskAcl(found.value, inode.number);
  store(inode, ACCESS_ACL, encodeDiskAcl(withPermissions(entries, mode)));
}

/**
 * Gives a new inode the default access control list of its directory, if that
 * has one, limited by the mode it was made with (acl(5), "Object creation and
 * default ACLs").
 */
export function inheritAcl(directory: Inode, inode: Inode): void {
  if (inode.kind === S_IFLNK) return;
  const found = find(directory, DEFAULT_ACL);
  if (found === undefined) return;
  const entries = decodeDiskAcl(found.value, directory.number);
  if (inode.isDirectory) store(inode, DEFAULT_ACL, encodeDiskAcl(entries));
  const mode = inode.mode & permissionsOf(entries);
  setAcl(inode, ACCESS_ACL, withPermissions(entries, mode));
}

/**
 * A list sets permissions as chmod(2) does: who is not in the file's group
 * cannot leave it set-gid.
 */
function dropForeignGroup(inode: Inode): void {
  if (isMember(inode.volume.credentials, inode.gid)) return;
  inode.mode &= ~S_ISGID;
}

function isAcl({ index }: XattrKey): boolean {
  return index === XATTR_INDEX.aclAccess || index === XATTR_INDEX.aclDefault;
}

/** Attributes of users make sense where users' permissions do (xattr(7)). */
function mayHave(inode: Inode, { index }: XattrKey): boolean {
  if (index !== XATTR_INDEX.user) return true;
  return inode.kind === S_IFREG || inode.kind === S_IFDIR;
}

function checkMayHave(inode: Inode, key: XattrKey): void {
  if (mayHave(inode, key)) return;
  throw new FsError("EPERM", "only files and directories have user attributes");
}

function checkMayHaveAcl(inode: Inode): void {
  if (inode.kind !== S_IFLNK) return;
  throw new FsError("EOPNOTSUPP", "a symbolic link has no ACL");
}

function decodeAclFor(
  inode: Inode,
  { index }: XattrKey,
  value: Uint8Array,
): AclEntry[] {
  checkMayHaveAcl(inode);
  const entries = decodeAcl(value);
  const isDefault = index === XATTR_INDEX.aclDefault;
  if (isDefault && entries.length > 0 && !inode.isDirectory) {
    throw new FsError("EACCES", "only directories have a default ACL");
  }
  return entries;
}

/** Keeps a list, empty for none, and the permission bits in step with it. */
function setAcl(
  inode: Inode,
  key: XattrKey,
  entries: readonly AclEntry[],
): void {
  let keep = entries.length > 0;
  if (keep && key.index === XATTR_INDEX.aclAccess) {
    inode.mode = inode.mode & ~0o777 | permissionsOf(entries);
    keep = !isMinimal(entries);
  }
  store(inode, key, keep ? encodeDiskAcl(entries) : null);
}

function find(inode: Inode, key: XattrKey): Xattr | undefined {
  const matches = (xattr: Xattr): boolean => isSameXattr(xattr, key);
  return readInodeXattrs(inode).find(matches) ??
    readBlockXattrs(inode).find(matches);
}

/** Writes all attributes anew, with `key` set to `value`, or without it. */
function store(inode: Inode, key: XattrKey, value: Uint8Array | null): void {
  // Views would change under the writing.
  const copy = (xattr: Xattr): Xattr => ({
    index: xattr.index,
    name: xattr.name.slice(),
    value: xattr.value.slice(),
  });
  const isOther = (xattr: Xattr): boolean => !isSameXattr(xattr, key);
  const inBlock = readBlockXattrs(inode).map(copy);
  const all = readInodeXattrs(inode).map(copy).filter(isOther);
  if (value !== null) {
    enableXattrs(inode.volume);
    all.push({ ...key, value });
  }
  all.push(...inBlock.filter(isOther));
  const placed = arrange(all, xattrRoom(inode), xattrBlockRoom(inode));
  writeInodeXattrs(inode, placed.inInode);
  const isSame = placed.inBlock.length === inBlock.length &&
    placed.inBlock.every((xattr) => inBlock.includes(xattr));
  if (!isSame) writeBlockXattrs(inode, placed.inBlock);
}

/** Where each attribute goes. */
interface Placement {
  readonly inInode: readonly Xattr[];
  readonly inBlock: readonly Xattr[];
}

/**
 * Puts into the inode what has room there, the rest into the block. Mostly
 * what is in the inode stays there; where that would not do, the largest are
 * put there first.
 */
function arrange(
  xattrs: readonly Xattr[],
  inodeRoom: number,
  blockRoom: number,
): Placement {
  const bySize = [...xattrs].sort((a, b) => xattrSize(b) - xattrSize(a));
  for (const order of [xattrs, bySize]) {
    const inInode: Xattr[] = [];
    const inBlock: Xattr[] = [];
    for (const xattr of order) {
      const fits = xattrsSize([...inInode, xattr]) <= inodeRoom;
      (fits ? inInode : inBlock).push(xattr);
    }
    if (xattrsSize(inBlock) <= blockRoom) return { inInode, inBlock };
  }
  throw new FsError("ENOSPC", "the file's attributes take too much space");
}

/** Says in the superblock that there are attributes, as e2fsck demands. */
function enableXattrs(volume: Volume): void {
  if (volume.geometry.revision === REVISION_ORIGINAL) {
    throw new FsError("EOPNOTSUPP", "the volume is of revision 0");
  }
  const features = volume.superblock(SUPERBLOCK.s_feature_compat);
  if ((features & COMPAT.ext_attr) !== 0) return;
  volume.setSuperblock(SUPERBLOCK.s_feature_compat, features | COMPAT.ext_attr);
}
