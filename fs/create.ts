/**
 * The calls that make a new inode of some kind and give it a name: each is
 * one transaction.
 *
 * @module
 */

import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFLNK, S_IFSOCK } from "./attributes.ts";
import { FsError } from "./errors.ts";
import type { Inode } from "./inode.ts";
import { checkedName, createInode, type Name, nameBytes } from "./namespace.ts";
import type { CreateOptions, NodeOptions } from "./options.ts";
import { writeTarget } from "./symlink.ts";

/** What a new inode is to be. */
interface MakeOptions extends CreateOptions {
  /** `S_IF…`. */
  readonly kind: number;
  /** Puts into the inode what it is to have from the start. */
  readonly fill?: (inode: Inode) => void;
}

/** Makes an inode with `name` in `directory`; returns its number. */
export function makeInode(
  directory: Inode,
  name: Name,
  options: MakeOptions,
): number {
  const { kind, credentials, fill } = options;
  const bytes = checkedName(name);
  const mode = kind | (options.mode ?? 0o644) & 0o7777;
  return directory.volume.transact(() => {
    const inode = createInode(directory, bytes, { mode, credentials });
    fill?.(inode);
    return inode.number;
  }, credentials);
}

/** See {@link Filesystem.mknod}. */
export function makeSpecial(
  directory: Inode,
  name: Name,
  options: NodeOptions,
): number {
  const { kind, rdev } = options;
  const isDevice = kind === S_IFCHR || kind === S_IFBLK;
  if (!isDevice && kind !== S_IFIFO && kind !== S_IFSOCK) {
    throw new FsError("EINVAL", "not a kind of special file");
  }
  const fill = (inode: Inode): void => {
    if (isDevice) inode.rdev = rdev ?? { major: 0, minor: 0 };
  };
  return makeInode(directory, name, { ...options, fill });
}

/** See {@link Filesystem.symlink}. */
export function makeSymlink(
  directory: Inode,
  name: Name,
  options: CreateOptions & { target: Name },
): number {
  const target = nameBytes(options.target);
  return makeInode(directory, name, {
    ...options,
    kind: S_IFLNK,
    mode: 0o777,
    fill: (inode) => writeTarget(inode, target),
  });
}
