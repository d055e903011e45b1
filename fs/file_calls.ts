/**
 * The calls on a file's contents as a whole. Those that change them are one
 * transaction or a sequence of them, and have in common what goes with every
 * change: flags that forbid it, set-id bits, times.
 *
 * @module
 */

import { allocateContents, isBehindEnd } from "./allocate.ts";
import {
  type AttributeChanges,
  type Credentials,
  SUPERUSER,
} from "./attributes.ts";
import { copyContents, copyLength, type CopyRange } from "./copy_range.ts";
import {
  checkOffset,
  readContents,
  resizeContents,
  writeContents,
} from "./file.ts";
import { checkMutable, type Inode } from "./inode.ts";
import type { AllocateOptions } from "./options.ts";
import { addOrphan } from "./orphan_list.ts";
import { finish, finishLater } from "./reclaim.ts";
import { changeAttributes, dropSetId } from "./setattr.ts";

/** Reads what {@link Filesystem.read} does, one part after the other. */
export function readFile(
  inode: Inode,
  offset: number,
  into: Uint8Array,
): number {
  checkOffset(offset);
  const { cache, transferMax } = inode.volume;
  let done = 0;
  while (done < into.length) {
    cache.safePoint();
    const part = into.subarray(done, done + transferMax);
    const count = readContents(inode, offset + done, part);
    done += count;
    if (count < part.length) break;
  }
  return done;
}

/** See {@link Filesystem.write}. */
export function writeFile(
  inode: Inode,
  { offset, from }: { offset: number; from: Uint8Array },
  credentials?: Credentials,
): number {
  checkOffset(offset);
  const { volume } = inode;
  finish(volume, inode.number);
  let done = 0;
  while (done < from.length) {
    const part = from.subarray(done, done + volume.transferMax);
    try {
      volume.transact(() => {
        checkMutable(inode, offset + done >= inode.size);
        writeContents(inode, offset + done, part);
        noteChange(inode, credentials);
      }, credentials);
    } catch (error) {
      if (done > 0) break;
      throw error;
    }
    done += part.length;
  }
  return done;
}

/** Changes attributes; the size only of a file that has one. */
export function setAttributes(
  inode: Inode,
  changes: AttributeChanges,
  credentials?: Credentials,
): void {
  const { volume, number } = inode;
  const { size } = changes;
  if (size === undefined) {
    volume.transact(() => changeAttributes(inode, changes), credentials);
    return;
  }
  checkOffset(size);
  finish(volume, number);
  const isDone = volume.transact(() => {
    checkMutable(inode);
    const isDone = resizeContents(inode, size);
    // Blocks are left to be freed.
    if (!isDone && inode.links > 0) addOrphan(inode);
    if (isOrdinary(credentials)) dropSetId(inode);
    changeAttributes(inode, changes);
    return isDone;
  }, credentials);
  if (!isDone) finishLater(volume, number);
}

/** See {@link Filesystem.allocate}. */
export function allocateFile(
  inode: Inode,
  options: AllocateOptions,
  credentials?: Credentials,
): number {
  checkOffset(options.offset);
  finish(inode.volume, inode.number);
  return inode.volume.transact(() => {
    const isNothing = isBehindEnd(inode, options);
    const done = allocateContents(inode, options);
    if (!isNothing) noteChange(inode, credentials);
    return done;
  }, credentials);
}

/** See {@link Filesystem.copyRange}. */
export function copyFile(range: CopyRange, credentials?: Credentials): number {
  const { to, toOffset } = range;
  for (const offset of [range.fromOffset, toOffset, range.length]) {
    checkOffset(offset);
  }
  const length = copyLength(range);
  if (length === 0) return 0;
  finish(to.volume, to.number);
  return to.volume.transact(() => {
    checkMutable(to, toOffset >= to.size);
    const done = copyContents({ ...range, length });
    noteChange(to, credentials);
    return done;
  }, credentials);
}

/** Does what goes with every change of contents. */
function noteChange(inode: Inode, credentials?: Credentials): void {
  if (isOrdinary(credentials)) dropSetId(inode);
  inode.touch("mtime", "ctime");
}

/** Whether the caller is not the superuser, which is meant if none is named. */
function isOrdinary(credentials: Credentials = SUPERUSER): boolean {
  return credentials.uid !== 0;
}
