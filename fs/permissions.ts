/**
 * Who may do what: the rules of POSIX (4.7, "File Access Permissions"), of
 * acl(5) and of Linux where these leave a choice. Pure: a rule looks at a
 * file's attributes, its access control list and who asks, and at nothing
 * else.
 *
 * The errno is the one Linux gives: `EACCES` where permission bits or the list
 * refuse, `EPERM` where only the owner or the superuser may, or nobody.
 *
 * Uid 0 is the superuser, with all that Linux calls its capabilities. The
 * flags of chattr(1) bind even it; the engine holds to them in any case, and
 * they are looked at here for what is refused before a file is changed.
 *
 * One case differs from Linux, on the safe side: a list whose mask is empty
 * counts here as acl(5) has it, while Linux passes it over and gives those
 * named in it what all others have.
 *
 * @module
 */

import { ACL_TAG, type AclEntry } from "./acl.ts";
import {
  type AttributeChanges,
  type Attributes,
  type Credentials,
  type DeviceNumber,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_ISGID,
  S_ISVTX,
} from "./attributes.ts";
import { FsError } from "./errors.ts";
import { APPEND_FL, IMMUTABLE_FL, USER_FLAGS } from "./inode.ts";
import { splitXattrName, XATTR_INDEX } from "./xattr_names.ts";

/** To execute a file, or to search a directory; as access(2) has it. */
export const MAY_EXECUTE = 1;
/** To change a file's contents, or the names in a directory. */
export const MAY_WRITE = 2;
/** To read a file's contents, or to list a directory. */
export const MAY_READ = 4;

/** Group bits that say a set-gid file is to be executed with its group. */
const RUNS_AS_GROUP = S_ISGID | 0o010;

/** Who asks, and the list that may decide. */
export interface Asker {
  /** Who asks. */
  readonly credentials: Credentials;
  /**
   * Gives the entries of the file's access control list, none where it has no
   * list. Called only where they decide: never for owner and superuser.
   */
  readonly acl: () => readonly AclEntry[];
}

/** What an open file is to be used for. */
export interface OpenWants {
  /** It is to be read. */
  readonly read: boolean;
  /** It is to be written. */
  readonly write: boolean;
  /** Every write goes to its end (`O_APPEND`). */
  readonly append?: boolean;
  /** It is to be emptied (`O_TRUNC`). */
  readonly truncate?: boolean;
}

/** Whether `credentials` are the superuser's. */
export function isSuperuser({ uid }: Credentials): boolean {
  return uid === 0;
}

/** Whether the superuser asks, or somebody in group `gid`. */
export function isMember(credentials: Credentials, gid: number): boolean {
  return isSuperuser(credentials) || isInGroup(credentials, gid);
}

/** Whether the superuser asks, or the file's owner. */
export function isOwner(credentials: Credentials, file: Attributes): boolean {
  return isSuperuser(credentials) || credentials.uid === file.uid;
}

/**
 * Whether all of `wanted`, a sum of `MAY_…`, is permitted by the bits of the
 * file's mode and by its list. The superuser may do all but execute a file
 * that nobody may execute.
 */
export function isPermitted(
  file: Attributes,
  wanted: number,
  { credentials, acl }: Asker,
): boolean {
  const { mode } = file;
  if (isSuperuser(credentials)) {
    return (wanted & MAY_EXECUTE) === 0 || (mode & 0o111) !== 0 ||
      kindOf(file) === S_IFDIR;
  }
  if (credentials.uid === file.uid) return covers(mode >>> 6, wanted);
  const group = mode >>> 3;
  // The group's bits are a list's mask: what neither they nor the others'
  // bits permit is permitted to nobody that is left.
  if (!covers(group, wanted) && !covers(mode, wanted)) return false;
  const entries = acl();
  if (entries.length > 0) {
    return listPermits(entries, wanted, credentials, file);
  }
  return covers(isInGroup(credentials, file.gid) ? group : mode, wanted);
}

/**
 * Throws {@link FsError} `EPERM` if `file` is immutable and to be written,
 * which even the superuser may not, and `EACCES` unless it is permitted.
 */
export function checkPermitted(
  file: Attributes,
  wanted: number,
  asker: Asker,
): void {
  if ((wanted & MAY_WRITE) !== 0 && (file.flags & IMMUTABLE_FL) !== 0) {
    throw new FsError("EPERM", "the file is immutable");
  }
  if (!isPermitted(file, wanted, asker)) throw new FsError("EACCES");
}

/**
 * Throws unless `file` may be opened for what is wanted: `EACCES`, and `EPERM`
 * where its flags allow nothing but to append.
 */
export function checkOpening(
  file: Attributes,
  { read, write, append = false, truncate = false }: OpenWants,
  asker: Asker,
): void {
  const writes = write || truncate ? MAY_WRITE : 0;
  checkPermitted(file, (read ? MAY_READ : 0) | writes, asker);
  if ((file.flags & APPEND_FL) === 0) return;
  if (truncate || write && !append) {
    throw new FsError("EPERM", "the file can only be appended to");
  }
}

/**
 * The changes of attributes that are to be made where `changes` are asked for:
 * the same but for the set-gid bit, which who is not in the file's group
 * cannot set. Throws {@link FsError}:
 *
 * - `EPERM` for mode, flags and given times, unless by the owner; for a new
 *   owner, and for a group that the owner is not in, unless by the superuser;
 *   for what only restores (ctime, birthtime) and for the flags immutable and
 *   append-only, likewise;
 * - `EACCES` for a size without write permission, and for both times set to
 *   the present by who is neither owner nor may write.
 */
export function permittedChanges(
  file: Attributes,
  changes: AttributeChanges,
  asker: Asker,
): AttributeChanges {
  const { credentials } = asker;
  if (isSuperuser(credentials)) return changes;
  const { mode, uid, gid, size, ctime, birthtime, flags } = changes;
  // Of what is no regular file no size can be set: for the engine to refuse.
  if (size !== undefined && kindOf(file) === S_IFREG) {
    checkPermitted(file, MAY_WRITE, asker);
  }
  if (ctime !== undefined || birthtime !== undefined) {
    throw new FsError("EPERM", "only the superuser restores ctime and birth");
  }
  checkNewOwner(file, { uid, gid }, credentials);
  checkTimes(file, changes, asker);
  if (flags !== undefined) checkFlags(file, flags, credentials);
  if (mode === undefined) return changes;
  checkOwner(file, credentials);
  if (isInGroup(credentials, gid ?? file.gid)) return changes;
  return { ...changes, mode: mode & ~S_ISGID };
}

/**
 * The mode with which a file of `kind` (`S_IF…`) is made in `dir` where `mode`
 * is asked for: not set-gid if it would run with the group of a set-gid
 * directory that its maker is not in.
 */
export function permittedMode(
  dir: Attributes,
  { kind, mode }: { kind: number; mode: number },
  credentials: Credentials,
): number {
  const isForeign = (mode & RUNS_AS_GROUP) === RUNS_AS_GROUP &&
    kind !== S_IFDIR && (dir.mode & S_ISGID) !== 0 &&
    !isMember(credentials, dir.gid);
  return isForeign ? mode & ~S_ISGID : mode;
}

/**
 * Throws {@link FsError} `EPERM` if a special file of `kind` (`S_IF…`) is the
 * superuser's to make: all devices but number 0:0, which none answers to.
 */
export function checkSpecial(
  { kind, rdev }: { kind: number; rdev?: DeviceNumber },
  credentials: Credentials,
): void {
  if (isSuperuser(credentials)) return;
  const isNull = (rdev?.major ?? 0) === 0 && (rdev?.minor ?? 0) === 0;
  if (kind === S_IFBLK || kind === S_IFCHR && !isNull) {
    throw new FsError("EPERM", "only the superuser makes devices");
  }
}

/**
 * Throws {@link FsError} `EPERM` if a name of `victim` in `dir` must not be
 * taken away: flags forbid it, or `dir` is sticky and neither belongs to who
 * asks. That `dir` may be written is not asked here.
 */
export function checkRemovable(
  dir: Attributes,
  victim: Attributes,
  credentials: Credentials,
): void {
  if ((dir.flags & APPEND_FL) !== 0 || isFrozen(victim)) {
    throw new FsError("EPERM", "the name is immutable");
  }
  if ((dir.mode & S_ISVTX) === 0) return;
  if (isOwner(credentials, victim) || isOwner(credentials, dir)) return;
  throw new FsError("EPERM", "the directory is sticky, and the file another's");
}

/**
 * Throws unless the extended attribute `name` of `file` may be read, or be
 * changed or removed if `isWrite`:
 *
 * - `user.`: as the contents; only of regular files and directories (`EPERM`,
 *   read: `ENODATA`); in sticky directories by the owner (`EPERM`);
 * - `trusted.`: by the superuser (`EPERM`, read: `ENODATA`);
 * - `security.`: read by all, changed by the superuser (`EPERM`);
 * - access control lists: read by all, changed by the owner (`EPERM`).
 */
export function checkXattr(
  file: Attributes,
  { name, isWrite }: { name: Uint8Array; isWrite: boolean },
  asker: Asker,
): void {
  const { credentials } = asker;
  const { index } = splitXattrName(name);
  if (isSuperuser(credentials)) return;
  if (isWrite && isFrozen(file)) {
    throw new FsError("EPERM", "the file is immutable or append-only");
  }
  if (index === XATTR_INDEX.user) checkUserXattr(file, isWrite, asker);
  else if (index === XATTR_INDEX.trusted) {
    throw new FsError(isWrite ? "EPERM" : "ENODATA");
  } else if (isWrite && index === XATTR_INDEX.security) {
    throw new FsError("EPERM", "only the superuser changes security.*");
  } else if (isWrite) checkListOwner(file, index, credentials);
}

/** Whether the attribute `name` is shown in a list of a file's attributes. */
export function isXattrShown(
  name: Uint8Array,
  credentials: Credentials,
): boolean {
  return isSuperuser(credentials) ||
    splitXattrName(name).index !== XATTR_INDEX.trusted;
}

/** Whether flags forbid all changes but, at most, to append. */
function isFrozen({ flags }: Attributes): boolean {
  return (flags & (IMMUTABLE_FL | APPEND_FL)) !== 0;
}

function kindOf({ mode }: Attributes): number {
  return mode & S_IFMT;
}

/** Whether the lowest three bits of `mode` permit all of `wanted`. */
function covers(mode: number, wanted: number): boolean {
  return (wanted & ~mode & 7) === 0;
}

function isInGroup({ gid, groups }: Credentials, group: number): boolean {
  return gid === group || (groups?.includes(group) ?? false);
}

/**
 * The access check of acl(5) for who is not the owner: the entry that names
 * the user, else any of the groups' that permits, each within the mask; the
 * others' only if none fits.
 */
function listPermits(
  entries: readonly AclEntry[],
  wanted: number,
  credentials: Credentials,
  file: Attributes,
): boolean {
  let mask = 7;
  let others = 0;
  let isNamed = false;
  let named = 0;
  let isInAny = false;
  const ofGroups: number[] = [];
  for (const { tag, permissions, id } of entries) {
    if (tag === ACL_TAG.mask) mask = permissions;
    else if (tag === ACL_TAG.other) others = permissions;
    else if (tag === ACL_TAG.user && id === credentials.uid) {
      isNamed = true;
      named = permissions;
    } else if (
      tag === ACL_TAG.groupObject && isInGroup(credentials, file.gid) ||
      tag === ACL_TAG.group && isInGroup(credentials, id)
    ) {
      isInAny = true;
      ofGroups.push(permissions);
    }
  }
  if (isNamed) return covers(named & mask, wanted);
  if (!isInAny) return covers(others, wanted);
  return ofGroups.some((permissions) => covers(permissions & mask, wanted));
}

function checkOwner(file: Attributes, credentials: Credentials): void {
  if (isOwner(credentials, file)) return;
  throw new FsError("EPERM", "only the owner may");
}

function checkNewOwner(
  file: Attributes,
  { uid, gid }: { uid?: number; gid?: number },
  credentials: Credentials,
): void {
  if (uid === undefined && gid === undefined) return;
  checkOwner(file, credentials);
  if (uid !== undefined && uid !== file.uid) {
    throw new FsError("EPERM", "only the superuser gives files away");
  }
  if (
    gid !== undefined && gid !== file.gid && !isInGroup(credentials, gid)
  ) {
    throw new FsError("EPERM", "an owner gives files to own groups only");
  }
}

/**
 * utimensat(2): both times to the present may be set by who may write, any
 * others by the owner. A new size sets mtime to the present by itself.
 */
function checkTimes(
  file: Attributes,
  { atime, mtime, size }: AttributeChanges,
  asker: Asker,
): void {
  if (atime === undefined && mtime === undefined) return;
  if (isOwner(asker.credentials, file)) return;
  const isImplied = size !== undefined && atime === undefined;
  if (mtime === "now" && (atime === "now" || isImplied)) {
    checkPermitted(file, MAY_WRITE, asker);
    return;
  }
  checkOwner(file, asker.credentials);
}

function checkFlags(
  file: Attributes,
  flags: number,
  credentials: Credentials,
): void {
  checkOwner(file, credentials);
  const changed = (file.flags ^ flags) & USER_FLAGS;
  if ((changed & (IMMUTABLE_FL | APPEND_FL)) === 0) return;
  throw new FsError("EPERM", "only the superuser freezes and unfreezes files");
}

function checkUserXattr(
  file: Attributes,
  isWrite: boolean,
  asker: Asker,
): void {
  const isDirectory = kindOf(file) === S_IFDIR;
  if (!isDirectory && kindOf(file) !== S_IFREG) {
    throw new FsError(isWrite ? "EPERM" : "ENODATA");
  }
  if (isWrite && isDirectory && (file.mode & S_ISVTX) !== 0) {
    checkOwner(file, asker.credentials);
  }
  checkPermitted(file, isWrite ? MAY_WRITE : MAY_READ, asker);
}

function checkListOwner(
  file: Attributes,
  index: number,
  credentials: Credentials,
): void {
  if (kindOf(file) === S_IFLNK) throw new FsError("EOPNOTSUPP");
  if (index === XATTR_INDEX.aclDefault && kindOf(file) !== S_IFDIR) {
    throw new FsError("EACCES", "only directories have a default ACL");
  }
  checkOwner(file, credentials);
}
