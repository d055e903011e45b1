/**
 * Opening and closing: which volumes are accepted, how one is marked while it
 * is open for writing, and what is made good of a crash.
 *
 * @module
 */

import { FsError } from "./errors.ts";
import {
  featureNames,
  INCOMPAT,
  RO_COMPAT,
  SUPPORTED_INCOMPAT,
  SUPPORTED_RO_COMPAT,
} from "./features.ts";
import { Inode } from "./inode.ts";
import { finishAll, reclaimOrphans } from "./reclaim.ts";
import { STATE_ERROR, STATE_VALID, SUPERBLOCK } from "./superblock.ts";
import type { Volume } from "./volume.ts";

/** Most commits between which the end of writing finishes what is open. */
const FINISH_COMMITS_MAX = 100;

const { s_state, s_feature_incompat, s_feature_ro_compat } = SUPERBLOCK;

/**
 * Refuses a volume with features that the engine does not know, or makes it
 * read-only. Returns what the user should be told.
 */
export function checkFeatures(volume: Volume): string[] {
  const warnings: string[] = [];
  const incompat = volume.superblock(s_feature_incompat);
  if ((incompat & INCOMPAT.needs_recovery) !== 0) {
    throw new FsError(
      "EINVAL",
      "the journal needs recovery: run e2fsck on the image first",
    );
  }
  const refused = incompat & ~SUPPORTED_INCOMPAT;
  if (refused !== 0) {
    const names = featureNames(refused, INCOMPAT).join(", ");
    throw new FsError("EINVAL", `the volume has features not known: ${names}`);
  }
  const unwritable = volume.superblock(s_feature_ro_compat) &
    ~SUPPORTED_RO_COMPAT;
  if (unwritable !== 0 && !volume.readOnly) {
    volume.readOnly = true;
    const names = featureNames(unwritable, RO_COMPAT).join(", ");
    warnings.push(`opened read-only, for it has features not known: ${names}`);
  }
  const state = volume.superblock(s_state);
  if ((state & STATE_ERROR) !== 0) {
    warnings.push(
      "errors were found on this volume before: run 'nextfs fsck' on it",
    );
  } else if ((state & STATE_VALID) === 0) {
    warnings.push("the volume was not closed cleanly: run 'nextfs fsck' on it");
  }
  return warnings;
}

/**
 * Marks the volume as open for writing and finishes what a crash left on the
 * orphan list. Returns the state to give back at the end.
 */
export function beginWriting(volume: Volume): number {
  const state = volume.superblock(s_state);
  volume.transact(() => {
    // What takes effect as a whole is valid at every moment.
    if (!volume.isAtomic) {
      volume.setSuperblock(s_state, state & ~STATE_VALID);
    }
    volume.setSuperblock(SUPERBLOCK.s_mtime, volume.now().sec);
    const mounts = volume.superblock(SUPERBLOCK.s_mnt_count);
    volume.setSuperblock(SUPERBLOCK.s_mnt_count, Math.min(mounts + 1, 0xffff));
  });
  reclaimOrphans(volume);
  if (!volume.isAtomic) volume.cache.writeBack();
  return state | volume.superblock(s_state) & STATE_ERROR;
}

/**
 * Finishes everything, makes it durable, and gives the volume back the `state`
 * it had before it was opened, unless something could not be finished.
 */
export async function endWriting(volume: Volume, state: number): Promise<void> {
  const { openFiles, unfinished } = volume;
  let isWhole = true;
  for (const ino of openFiles.inodes()) {
    try {
      if (new Inode(volume, ino).links === 0) unfinished.add(ino);
    } catch {
      // It stays on the orphan list, and everything else is written.
      isWhole = false;
    }
  }
  openFiles.clear();
  finishAll(volume);
  // One commit may be too small for all of that.
  for (let n = 0; n < FINISH_COMMITS_MAX && unfinished.size > 0; n++) {
    if (!volume.isAtomic) break;
    await volume.flush();
    finishAll(volume);
  }
  // What is marked clean must be whole first, and nothing left to do.
  await volume.flush();
  if (isWhole && unfinished.size === 0) {
    volume.transact(() => {
      volume.setSuperblock(s_state, state);
      volume.setSuperblock(SUPERBLOCK.s_wtime, volume.now().sec);
    });
    await volume.flush();
  }
  await volume.settle();
}
