/**
 * The names of extended attributes. On the volume a number stands for the
 * part of the name up to the first dot, or for the whole name of an access
 * control list.
 *
 * After the Linux kernel's "ext4 Data Structures and Algorithms", section 3.5
 * (Extended Attributes), table "Attribute name indices".
 *
 * @module
 */

import { FsError } from "./errors.ts";
import { NAME_MAX } from "./geometry.ts";

/** The name of an attribute, as the volume holds it. */
export interface XattrKey {
  /** What stands before the name: `e_name_index`. */
  readonly index: number;
  /** The rest of the name; empty for an access control list. */
  readonly name: Uint8Array;
}

/** `e_name_index` of what this engine knows. */
export const XATTR_INDEX = {
  /** `user.`: for programs. */
  user: 1,
  /** `system.posix_acl_access`. */
  aclAccess: 2,
  /** `system.posix_acl_default`. */
  aclDefault: 3,
  /** `trusted.`: for the superuser's programs. */
  trusted: 4,
  /** `security.`: for security modules. */
  security: 6,
} as const;

/** What each index stands for; a prefix ends with a dot. */
const TEXT: readonly (readonly [number, Uint8Array])[] = ([
  [XATTR_INDEX.user, "user."],
  [XATTR_INDEX.aclAccess, "system.posix_acl_access"],
  [XATTR_INDEX.aclDefault, "system.posix_acl_default"],
  [XATTR_INDEX.trusted, "trusted."],
  [XATTR_INDEX.security, "security."],
] as const).map(([index, text]) => [index, new TextEncoder().encode(text)]);

const DOT = ".".charCodeAt(0);

/**
 * Takes a full name such as `user.x` apart. Throws {@link FsError} `ERANGE` if
 * it is empty or longer than 255 bytes, `EOPNOTSUPP` if no known prefix starts
 * it, and `EINVAL` if nothing follows the prefix, or a NUL is in it.
 */
export function splitXattrName(full: Uint8Array): XattrKey {
  if (full.length === 0 || full.length > NAME_MAX) throw new FsError("ERANGE");
  if (full.includes(0)) throw new FsError("EINVAL", "a NUL in a name");
  for (const [index, text] of TEXT) {
    if (!text.every((byte, i) => byte === full[i])) continue;
    const name = full.slice(text.length);
    const isPrefix = text[text.length - 1] === DOT;
    if (isPrefix && name.length === 0) {
      throw new FsError("EINVAL", "an attribute's name ends at its prefix");
    }
    if (isPrefix || name.length === 0) return { index, name };
  }
  throw new FsError("EOPNOTSUPP", "attributes of this name are not supported");
}

/** The full name, or null if it is of a kind this engine does not know. */
export function joinXattrName({ index, name }: XattrKey): Uint8Array | null {
  const text = TEXT.find(([known]) => known === index)?.[1];
  if (text === undefined) return null;
  if ((text[text.length - 1] === DOT) === (name.length === 0)) return null;
  const full = new Uint8Array(text.length + name.length);
  full.set(text);
  full.set(name, text.length);
  return full;
}

/** Whether both stand for the same attribute. */
export function isSameXattr(a: XattrKey, b: XattrKey): boolean {
  return compareXattrs(a, b) === 0;
}

/** The order of attributes in a block: index, length of name, bytes of name. */
export function compareXattrs(a: XattrKey, b: XattrKey): number {
  const byKind = a.index - b.index || a.name.length - b.name.length;
  if (byKind !== 0) return byKind;
  const i = a.name.findIndex((byte, i) => byte !== b.name[i]);
  return i < 0 ? 0 : a.name[i] - b.name[i];
}
