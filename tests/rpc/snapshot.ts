/**
 * All that can be seen of a part of a volume, to tell whether it has changed.
 *
 * @module
 */

import {
  type Filesystem,
  ROOT_INODE,
  S_IFDIR,
  S_IFMT,
  S_IFREG,
} from "../../fs/mod.ts";

const decoder = new TextDecoder("latin1");
/** Bytes of a file that are looked at. */
const LOOKED_AT = 16 * 1024;

/** True for `.` and `..`. */
export function isDots(name: Uint8Array): boolean {
  return /^\.\.?$/.test(decoder.decode(name));
}

/**
 * What is at directory `top` and below, by path: attributes but the time of
 * the last read, extended attributes, and the beginning of contents.
 */
export function snapshotOf(
  fs: Filesystem,
  top: number = ROOT_INODE,
): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (path: string, ino: number): void => {
    const { atime: _, ...attributes } = fs.getattr(ino);
    const kind = attributes.mode & S_IFMT;
    found.set(path, JSON.stringify([attributes, inside(fs, ino, kind)]));
    if (kind !== S_IFDIR) return;
    for (const { name, ino: below } of entriesOf(fs, ino)) {
      visit(`${path}/${decoder.decode(name)}`, below);
    }
  };
  visit("", top);
  return found;
}

/** The entries of a directory but `.` and `..`. */
export function entriesOf(
  fs: Filesystem,
  dir: number,
): { name: Uint8Array; ino: number }[] {
  const all = [];
  for (let cookie = 0;;) {
    const some = fs.readdir(dir, cookie);
    if (some.length === 0) return all;
    cookie = some[some.length - 1].cookie;
    for (const { name, ino } of some) {
      if (!isDots(name)) all.push({ name, ino });
    }
  }
}

/** What an inode holds besides attributes. */
function inside(fs: Filesystem, ino: number, kind: number): unknown[] {
  const xattrs = fs.listxattr(ino).map((name) => {
    return [decoder.decode(name), decoder.decode(fs.getxattr(ino, name))];
  });
  if (kind !== S_IFREG) return xattrs;
  const into = new Uint8Array(LOOKED_AT);
  const length = fs.read(ino, 0, into);
  return [...xattrs, decoder.decode(into.subarray(0, length))];
}

/** Takes off the flags that keep what is below a directory from changing. */
export function thaw(fs: Filesystem, top: number): void {
  const { flags, mode } = fs.getattr(top);
  // Immutable, append-only.
  if (flags & 0x30) fs.setattr(top, { flags: flags & ~0x30 });
  if ((mode & S_IFMT) !== S_IFDIR) return;
  for (const { ino } of entriesOf(fs, top)) thaw(fs, ino);
}
