/**
 * From a directory of the host into a volume.
 *
 * @module
 */

import fs from "node:fs";
import {
  type Filesystem,
  ROOT_INODE,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from "../fs/mod.ts";
import { PathError } from "./errors.ts";
import { orFull } from "./full_error.ts";
import { type HostNode, linkKey } from "./host_tree.ts";
import type { SizeEstimate } from "./image_size.ts";
import { type FileMeta, Populator } from "./populate.ts";
import type { Progress } from "./progress.ts";

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants;

/** Bytes of all files below `node`: what there is to copy. */
export function contentBytes(node: HostNode): number {
  let bytes = (node.stat.mode & S_IFMT) === S_IFREG ? node.stat.size : 0;
  for (const child of node.children ?? []) bytes += contentBytes(child);
  return bytes;
}

/**
 * Adds the tree to `estimate`. The host's count of blocks tells holes; with
 * `logical`, it is not believed (a compressing host stores less than it reads).
 */
export function measureTree(
  root: HostNode,
  estimate: SizeEstimate,
  { logical }: { logical: boolean },
): void {
  const encoder = new TextEncoder();
  const seen = new Set<string>();
  const measure = (node: HostNode): void => {
    const { stat } = node;
    if (stat.nlink > 1 && !node.children) {
      if (seen.has(linkKey(stat))) return;
      seen.add(linkKey(stat));
    }
    switch (stat.mode & S_IFMT) {
      case S_IFREG: {
        const stored = logical ? stat.size : stat.blocks * 512;
        estimate.addFile(stat.size, stored);
        break;
      }
      case S_IFLNK:
        estimate.addSymlink(encoder.encode(node.target).length);
        break;
      default:
        estimate.addInode();
    }
    if (node.children) estimate.addName(node, 0);
    for (const child of node.children ?? []) {
      estimate.addName(node, encoder.encode(child.name).length);
      measure(child);
    }
  };
  measure(root);
}

/** How a tree is put in. */
export interface FillOptions {
  /** Counts what is done. */
  progress: Progress;
  /** Leave out what may differ between two runs over the same files. */
  reproducible: boolean;
}

/** Puts the tree at `root`, walked from `path`, into the volume's root. */
export async function fillFromTree(
  volume: Filesystem,
  root: HostNode,
  options: FillOptions,
): Promise<void> {
  const filler = new TreeFiller(volume, options);
  await filler.children(root, ROOT_INODE, root.name);
  await filler.finish(root);
}

class TreeFiller {
  readonly #volume: Filesystem;
  readonly #populator: Populator;
  readonly #reproducible: boolean;
  readonly #links = new Map<string, number>();

  constructor(volume: Filesystem, options: FillOptions) {
    this.#volume = volume;
    this.#populator = new Populator(volume, options.progress);
    this.#reproducible = options.reproducible;
  }

  async children(node: HostNode, ino: number, path: string): Promise<void> {
    for (const child of node.children!) {
      const childPath = `${path}/${child.name}`;
      await this.#populator.breathe();
      try {
        if (child.children) {
          const meta = this.#meta(child);
          const dir = this.#populator.directory(ino, child.name, meta);
          await this.children(child, dir, childPath);
        } else {
          await this.#put(child, ino, childPath);
        }
      } catch (error) {
        if (isOfThePath(error)) throw new PathError(childPath, error);
        throw orFull(error, childPath, this.#volume);
      }
    }
  }

  async finish(root: HostNode): Promise<void> {
    this.#populator.adopt(ROOT_INODE, this.#meta(root));
    await this.#populator.finish();
  }

  /** Puts one file in, or one more name of a file that is in already. */
  async #put(node: HostNode, dir: number, path: string): Promise<void> {
    const { name, stat } = node;
    const key = stat.nlink > 1 ? linkKey(stat) : "";
    const known = key ? this.#links.get(key) : undefined;
    if (known !== undefined) {
      this.#volume.link(known, dir, name);
      return;
    }
    const ino = await this.#create(node, dir, path);
    if (key) this.#links.set(key, ino);
  }

  #create(
    node: HostNode,
    dir: number,
    path: string,
  ): number | Promise<number> {
    const meta = this.#meta(node);
    const { name, stat: { rdev } } = node;
    switch (meta.mode & S_IFMT) {
      case S_IFREG:
        return this.#copy(node, dir, path);
      case S_IFLNK:
        return this.#populator.symlink(dir, name, {
          target: node.target!,
          meta,
        });
      case S_IFCHR:
      case S_IFBLK:
      case S_IFIFO:
      case S_IFSOCK:
        return this.#populator.node(dir, name, { rdev, meta });
      default:
        throw new PathError(path, "Unknown kind of file");
    }
  }

  async #copy(node: HostNode, dir: number, path: string): Promise<number> {
    // Neither a link nor a pipe that took the file's place is waited for.
    const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const { size } = node.stat;
      return await this.#populator.file(dir, node.name, {
        meta: this.#meta(node),
        contents: {
          size,
          extents: [{ offset: 0, length: size }],
          read: (into) => fs.readSync(fd, into, 0, into.length, null),
        },
      });
    } finally {
      fs.closeSync(fd);
    }
  }

  #meta({ stat }: HostNode): FileMeta {
    const { mode, uid, gid, mtime } = stat;
    // Reading a tree changes its access times.
    const atime = this.#reproducible ? mtime : stat.atime;
    return { mode, uid, gid, atime, mtime };
  }
}

/** True for an error that says nothing of its path yet, but is due to it. */
function isOfThePath(error: unknown): boolean {
  return error instanceof Error && "code" in error &&
    !(error instanceof PathError) && error.code !== "ENOSPC";
}

/** The kind of a node that is a directory, for callers that check a root. */
export function isDirectory(node: HostNode): boolean {
  return (node.stat.mode & S_IFMT) === S_IFDIR;
}
