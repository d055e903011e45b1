/**
 * A directory tree of the host, walked once: names, attributes and link
 * targets, sorted, so that the same tree gives the same image.
 *
 * @module
 */

import { S_IFDIR, S_IFLNK, S_IFMT } from "../fs/attributes.ts";
import { errnoOf, PathError } from "./errors.ts";
import { type HostStat, lstat } from "./host_stat.ts";

/** A file of the host and, for a directory, what is below it. */
export interface HostNode {
  /** Its name; the root's is the path that was walked. */
  name: string;
  /** Its attributes; a symbolic link stands for itself. */
  stat: HostStat;
  /** Target, if it is a symbolic link. */
  target?: string;
  /** Entries sorted by name, if it is a directory. */
  children?: HostNode[];
}

/** What the runtime puts in place of bytes that are not UTF-8. */
const REPLACEMENT = "\ufffd";

/**
 * Walks the tree at `path`; with `follow`, a symbolic link there means what it
 * leads to. Throws {@link PathError} for the first file that
 * cannot be read, or whose name the runtime cannot represent.
 */
export function walkHostTree(
  path: string,
  { follow }: { follow: boolean } = { follow: false },
): HostNode {
  let node = hostNode(path, path);
  // What is in the link's target is reached through the link.
  if (follow && node.target !== undefined) {
    node = { ...hostNode(realPath(path), path), name: path };
  }
  if (node.children) readChildren(node, path);
  return node;
}

/** The file at `path` alone; a directory's `children` are empty. */
export function hostNode(path: string, name: string): HostNode {
  const stat = statOrThrow(path);
  const node: HostNode = { name, stat };
  const kind = stat.mode & S_IFMT;
  if (kind === S_IFDIR) node.children = [];
  if (kind === S_IFLNK) node.target = readTarget(path);
  return node;
}

function readChildren(node: HostNode, path: string): void {
  for (const name of listNames(path)) {
    const child = hostNode(`${path}/${name}`, name);
    if (child.children) readChildren(child, `${path}/${name}`);
    node.children!.push(child);
  }
}

/** Names in a directory of the host, sorted. */
export function listNames(path: string): string[] {
  const names: string[] = [];
  try {
    for (const { name } of Deno.readDirSync(path)) names.push(name);
  } catch (error) {
    throw new PathError(path, error);
  }
  return names.sort();
}

function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    throw new PathError(path, error);
  }
}

function statOrThrow(path: string): HostStat {
  try {
    return lstat(path);
  } catch (error) {
    const lossy = path.includes(REPLACEMENT) && errnoOf(error) === "ENOENT";
    throw new PathError(
      path,
      lossy
        ? "Cannot be reached: its name is not UTF-8 (a tar stream can hold it)"
        : error,
    );
  }
}

function readTarget(path: string): string {
  let target: string;
  try {
    target = Deno.readLinkSync(path);
  } catch (error) {
    throw new PathError(path, error);
  }
  if (target.includes(REPLACEMENT)) {
    throw new PathError(
      path,
      "The target of the link is not UTF-8 (a tar stream can hold it)",
    );
  }
  return target;
}

/** Key that two names of the same file share. */
export function linkKey(stat: HostStat): string {
  return `${stat.dev}:${stat.ino}`;
}
