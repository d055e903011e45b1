/**
 * Attributes of files as `--json` prints them.
 *
 * @module
 */

import { type Attributes, S_IFBLK, S_IFCHR, S_IFMT } from "../fs/attributes.ts";
import { kindJson, octalMode } from "./mode.ts";
import { toText } from "./names.ts";
import { isoTime } from "./times.ts";

/**
 * The fields that hold a name. One that is not UTF-8 is given in hex, too:
 * JSON has no bytes.
 */
export function nameFields(
  key: string,
  name: Uint8Array,
): Record<string, string> {
  const text = toText(name);
  if (text !== null) return { [key]: text };
  return {
    [key]: new TextDecoder().decode(name),
    [`${key}Hex`]: name.toHex(),
  };
}

/** The fields that hold the attributes of a file. */
export function attributeFields(a: Attributes): Record<string, unknown> {
  const kind = a.mode & S_IFMT;
  return {
    type: kindJson(a.mode),
    mode: octalMode(a.mode),
    nlink: a.nlink,
    uid: a.uid,
    gid: a.gid,
    size: a.size,
    blocks: a.blocks,
    ino: a.ino,
    ...(kind === S_IFBLK || kind === S_IFCHR ? { rdev: a.rdev } : {}),
    atime: isoTime(a.atime),
    mtime: isoTime(a.mtime),
    ctime: isoTime(a.ctime),
    birthtime: a.birthtime ? isoTime(a.birthtime) : null,
  };
}
