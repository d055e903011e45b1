/**
 * What goes into a new filesystem, and how large that has to be for it.
 *
 * @module
 */

import { type Filesystem, type FormatOptions, FsError } from "../fs/mod.ts";
import { PathError } from "./errors.ts";
import { contentBytes, fillFromTree, measureTree } from "./fill_from_tree.ts";
import { FullError } from "./full_error.ts";
import type { HostNode } from "./host_tree.ts";
import { planVolume, SizeEstimate } from "./image_size.ts";
import type { Progress } from "./progress.ts";

/** What a new filesystem is to hold. */
export interface Contents {
  /** Bytes of all files, as far as they are known. */
  bytes: number;
  /** Puts the files in. */
  fill: (volume: Filesystem, progress: Progress) => Promise<void>;
  /** What they take; absent if only a size that is given will tell. */
  estimate?: SizeEstimate;
}

/** No files at all. */
export const NOTHING: Contents = { bytes: 0, fill: () => Promise.resolve() };

/** How large a new filesystem is to be. */
export interface SizeSettings {
  /** Bytes of a block. */
  blockSize: number;
  /** Bytes of all blocks; if absent, what the contents need and a tenth. */
  size?: number;
}

/**
 * Calls `make` with the contents of a tree of the host that has been walked.
 * If it finds the size that was planned for them too small, it is called
 * again with a larger estimate.
 */
export async function makeOfTree(
  root: HostNode,
  options: SizeSettings & { reproducible: boolean },
  make: (contents: Contents) => Promise<void>,
): Promise<void> {
  const { blockSize, size, reproducible } = options;
  const estimate = (logical: boolean): SizeEstimate => {
    const estimate = new SizeEstimate(blockSize);
    measureTree(root, estimate, { logical });
    return estimate;
  };
  const contents: Contents = {
    bytes: contentBytes(root),
    fill: (volume, progress) =>
      fillFromTree(volume, root, { progress, reproducible }),
  };
  try {
    await make({ ...contents, estimate: estimate(false) });
  } catch (error) {
    const full = error instanceof PathError && error.cause instanceof FullError;
    if (size !== undefined || !full) throw error;
    // A host that compresses stores fewer blocks than its files have.
    await make({ ...contents, estimate: estimate(true) });
  }
}

/** Number of blocks and, if it matters, of inodes for `contents`. */
export function planFor(
  { estimate }: Contents,
  { blockSize, size }: SizeSettings,
  format: FormatOptions,
): { blockCount: number; inodeCount?: number } {
  if (size === undefined) return planVolume(estimate!, blockSize, format);
  return {
    blockCount: Math.floor(size / blockSize),
    inodeCount: format.inodeCount ?? inodesFor(size, estimate),
  };
}

/** More inodes than the format gives by default, if the files need them. */
function inodesFor(size: number, estimate?: SizeEstimate): number | undefined {
  const needed = Math.ceil((estimate?.inodes ?? 0) * 1.05) + 16;
  return needed > size / 16384 ? needed : undefined;
}

/** The same error; if there was no room at `path`, one that says what helps. */
export function explainFull(
  error: unknown,
  path: string,
  { size }: SizeSettings,
): unknown {
  if (error instanceof FullError) return new PathError(path, error);
  const isFull = error instanceof FsError && error.code === "ENOSPC";
  if (!isFull || size === undefined) return error;
  return new PathError(
    path,
    "No space left on device: give a larger --size, or none",
  );
}
