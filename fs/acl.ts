/**
 * POSIX access control lists, as two encodings of one list of entries.
 *
 * A program sees them through the extended attributes
 * `system.posix_acl_access` and `system.posix_acl_default` in version 2: a
 * version number, then entries of 8 bytes. The volume holds version 1, in which
 * entries without an id take only 4 bytes. (The Linux kernel's
 * `include/uapi/linux/posix_acl_xattr.h` and `fs/ext4/acl.h`; what the entries
 * mean is in acl(5).)
 *
 * @module
 */

import { CorruptError, FsError } from "./errors.ts";
import { u16, u32 } from "./layout.ts";

/** The tags of entries. */
export const ACL_TAG = {
  /** The owner. */
  userObject: 0x01,
  /** The user with the entry's id. */
  user: 0x02,
  /** The file's group. */
  groupObject: 0x04,
  /** The group with the entry's id. */
  group: 0x08,
  /** The most that all but the owner and others may have. */
  mask: 0x10,
  /** Everybody else. */
  other: 0x20,
} as const;

/** The fields of the head of a list, in both encodings. */
export const ACL_HEADER = {
  /** 1 on the volume, 2 as an attribute's value. */
  a_version: u32(0),
} as const;

/** The fields of an entry; on the volume `e_id` may be absent. */
export const ACL_ENTRY = {
  /** One of {@link ACL_TAG}. */
  e_tag: u16(0),
  /** Permissions: 4 read, 2 write, 1 execute. */
  e_perm: u16(2),
  /** User or group. */
  e_id: u32(4),
} as const;

/** One entry of a list. */
export interface AclEntry {
  /** One of {@link ACL_TAG}. */
  readonly tag: number;
  /** Permissions: 4 read, 2 write, 1 execute. */
  readonly permissions: number;
  /** User or group; {@link ACL_NO_ID} where the tag needs none. */
  readonly id: number;
}

/** `e_id` of an entry that has none. */
export const ACL_NO_ID = 0xffffffff;
const HEADER_SIZE = 4;
const ENTRY_SIZE = 8;
/** Size on the volume of an entry without an id. */
const SHORT_ENTRY_SIZE = 4;
const VERSION_VALUE = 2;
const VERSION_DISK = 1;

/**
 * The entries of an attribute's value. An empty value, or one without entries,
 * is no list: the result is empty. Throws {@link FsError} `EOPNOTSUPP` for an
 * unknown version and `EINVAL` for a list that breaks the rules.
 */
export function decodeAcl(value: Uint8Array): AclEntry[] {
  if (value.length === 0) return [];
  const size = value.length - HEADER_SIZE;
  if (size < 0 || size % ENTRY_SIZE !== 0) {
    throw new FsError("EINVAL", "an ACL of a size that none can have");
  }
  const version = ACL_HEADER.a_version.get(value, 0);
  if (version !== VERSION_VALUE) {
    throw new FsError("EOPNOTSUPP", `an ACL of version ${version}`);
  }
  const entries: AclEntry[] = [];
  for (let at = HEADER_SIZE; at < value.length; at += ENTRY_SIZE) {
    const tag = ACL_ENTRY.e_tag.get(value, at);
    entries.push({
      tag,
      permissions: ACL_ENTRY.e_perm.get(value, at),
      id: hasId(tag) ? ACL_ENTRY.e_id.get(value, at) : ACL_NO_ID,
    });
  }
  const broken = entries.length > 0 ? brokenRule(entries) : null;
  if (broken !== null) throw new FsError("EINVAL", `ACL: ${broken}`);
  return entries;
}

/** The attribute's value for `entries`. */
export function encodeAcl(entries: readonly AclEntry[]): Uint8Array {
  const value = new Uint8Array(HEADER_SIZE + entries.length * ENTRY_SIZE);
  ACL_HEADER.a_version.set(value, 0, VERSION_VALUE);
  entries.forEach(({ tag, permissions, id }, i) => {
    const at = HEADER_SIZE + i * ENTRY_SIZE;
    ACL_ENTRY.e_tag.set(value, at, tag);
    ACL_ENTRY.e_perm.set(value, at, permissions);
    ACL_ENTRY.e_id.set(value, at, id);
  });
  return value;
}

/**
 * The entries of the list that the volume holds for inode `inode`. Throws
 * {@link CorruptError} if it breaks a rule.
 */
export function decodeDiskAcl(disk: Uint8Array, inode: number): AclEntry[] {
  const check = (holds: boolean, rule: string): void => {
    if (!holds) throw new CorruptError(`ACL: ${rule}`, { inode });
  };
  check(disk.length >= HEADER_SIZE, "it is cut short");
  check(
    ACL_HEADER.a_version.get(disk, 0) === VERSION_DISK,
    "a_version is not 1",
  );
  const entries: AclEntry[] = [];
  for (let at = HEADER_SIZE; at < disk.length;) {
    check(at + SHORT_ENTRY_SIZE <= disk.length, "an entry is cut short");
    const tag = ACL_ENTRY.e_tag.get(disk, at);
    const size = hasId(tag) ? ENTRY_SIZE : SHORT_ENTRY_SIZE;
    check(at + size <= disk.length, "an entry is cut short");
    entries.push({
      tag,
      permissions: ACL_ENTRY.e_perm.get(disk, at),
      id: hasId(tag) ? ACL_ENTRY.e_id.get(disk, at) : ACL_NO_ID,
    });
    at += size;
  }
  const broken = brokenRule(entries);
  check(broken === null, broken ?? "");
  return entries;
}

/** What the volume holds for `entries`. */
export function encodeDiskAcl(entries: readonly AclEntry[]): Uint8Array {
  const disk = new Uint8Array(HEADER_SIZE + entries.length * ENTRY_SIZE);
  ACL_HEADER.a_version.set(disk, 0, VERSION_DISK);
  let at = HEADER_SIZE;
  for (const { tag, permissions, id } of entries) {
    ACL_ENTRY.e_tag.set(disk, at, tag);
    ACL_ENTRY.e_perm.set(disk, at, permissions);
    if (hasId(tag)) ACL_ENTRY.e_id.set(disk, at, id);
    at += hasId(tag) ? ENTRY_SIZE : SHORT_ENTRY_SIZE;
  }
  return disk.subarray(0, at);
}

/**
 * The nine permission bits that a file with the list has: the class of the
 * group shows the mask where there is one.
 */
export function permissionsOf(entries: readonly AclEntry[]): number {
  const of = (tag: number): number | undefined =>
    entries.find((entry) => entry.tag === tag)?.permissions;
  const group = of(ACL_TAG.mask) ?? of(ACL_TAG.groupObject) ?? 0;
  return (of(ACL_TAG.userObject) ?? 0) << 6 | group << 3 |
    (of(ACL_TAG.other) ?? 0);
}

/**
 * The list as chmod(2) leaves it: owner and others get the bits of `mode`, and
 * the mask, or the file's group where there is none, gets those of the group.
 */
export function withPermissions(
  entries: readonly AclEntry[],
  mode: number,
): AclEntry[] {
  const hasMask = entries.some(({ tag }) => tag === ACL_TAG.mask);
  const group = hasMask ? ACL_TAG.mask : ACL_TAG.groupObject;
  const classes: readonly number[] = [ACL_TAG.other, group, ACL_TAG.userObject];
  return entries.map((entry) => {
    const place = classes.indexOf(entry.tag);
    if (place < 0) return entry;
    return { ...entry, permissions: mode >>> 3 * place & 7 };
  });
}

/** Whether the list says no more than permission bits can. */
export function isMinimal(entries: readonly AclEntry[]): boolean {
  return entries.every(({ tag }) => !hasId(tag) && tag !== ACL_TAG.mask);
}

function hasId(tag: number): boolean {
  return tag === ACL_TAG.user || tag === ACL_TAG.group;
}

/**
 * Where an entry stands in a list: owner, users, the file's group, groups,
 * mask, others.
 */
const ORDER: readonly number[] = [
  ACL_TAG.userObject,
  ACL_TAG.user,
  ACL_TAG.groupObject,
  ACL_TAG.group,
  ACL_TAG.mask,
  ACL_TAG.other,
];

/** The rule of acl(5) that a list breaks, or null. */
function brokenRule(entries: readonly AclEntry[]): string | null {
  let rank = -1;
  for (const { tag, permissions, id } of entries) {
    const next = ORDER.indexOf(tag);
    if (next < 0) return `an entry has the unknown tag ${tag}`;
    if (permissions > 7) return "an entry has unknown permissions";
    if (next < rank) return "entries are out of order";
    if (next === rank && !hasId(tag)) return "an entry is there twice";
    if (hasId(tag) && id === ACL_NO_ID) return "an entry has no valid id";
    rank = next;
  }
  const has = (tag: number): boolean =>
    entries.some((entry) => entry.tag === tag);
  if (
    !has(ACL_TAG.userObject) || !has(ACL_TAG.groupObject) ||
    !has(ACL_TAG.other)
  ) {
    return "owner, group or others are missing";
  }
  const needsMask = has(ACL_TAG.user) || has(ACL_TAG.group);
  return needsMask && !has(ACL_TAG.mask) ? "the mask is missing" : null;
}
