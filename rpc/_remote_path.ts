/**
 * Paths as the client takes them apart.
 *
 * @module
 */

import { FsError } from "../fs/errors.ts";

/** Splits off the last component, which must be a name of its own. */
export function splitPath(
  path: Uint8Array,
): { parent: Uint8Array; name: Uint8Array } {
  let end = path.length;
  while (end > 0 && path[end - 1] === SLASH) end--;
  const start = path.lastIndexOf(SLASH, end - 1) + 1;
  const name = path.subarray(end === 0 ? 0 : start, end);
  if (name.length === 0 || isDot(name)) {
    throw new FsError("EINVAL", "the path names no entry of a directory");
  }
  return { parent: path.subarray(0, start), name };
}

const SLASH = 0x2f;
const DOT = 0x2e;

/** True for the names `.` and `..`. */
export function isDot(name: Uint8Array): boolean {
  return name[0] === DOT &&
    (name.length === 1 || name.length === 2 && name[1] === DOT);
}

const utf8 = new TextEncoder();

/** The bytes of a path: a string stands for its UTF-8. */
export function toBytes(path: string | Uint8Array): Uint8Array {
  return typeof path === "string" ? utf8.encode(path) : path;
}
