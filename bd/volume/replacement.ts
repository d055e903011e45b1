/**
 * The replacement of all files of a volume at once, by those of another that
 * was made in a directory inside of it.
 *
 * While it is being made, the other volume is in `rekey/`. Its renaming to
 * `rekeyed/` is the moment from which it counts. Then its files are moved over
 * the old ones, one by one, and the empty directory is removed. Whoever opens
 * the volume and finds `rekeyed/` completes the moves first: each of them can
 * be repeated, and in whichever order they become durable, what is left to be
 * moved is still in `rekeyed/`.
 *
 * @module
 */

import { hostError } from "../host_error.ts";
import { VolumeIntegrityError } from "./errors.ts";
import { exists, syncDirectory } from "./files.ts";

/** Where the other volume is made. */
export const REPLACEMENT = "rekey";
/** Where it is from the moment on in which it counts. */
export const COMMITTED = "rekeyed";
/** What is moved. */
const MOVED = ["image", "tree", "anchor", "journal", "volume.json"];

/** Whether a replacement was committed and is not complete. */
export function isReplacementPending(volume: string): boolean {
  return exists(`${volume}/${COMMITTED}`);
}

/** Whether a replacement was begun and not committed. */
export function isReplacementBegun(volume: string): boolean {
  return exists(`${volume}/${REPLACEMENT}`);
}

/** Makes the volume in `rekey/`, whole and durable, the one that counts. */
export function commitReplacement(volume: string): void {
  Deno.renameSync(`${volume}/${REPLACEMENT}`, `${volume}/${COMMITTED}`);
  syncDirectory(volume);
}

/**
 * Moves what was committed over the old files. Throws
 * {@link VolumeIntegrityError} for what is no directory.
 */
export function finishReplacement(volume: string): void {
  const committed = `${volume}/${COMMITTED}`;
  if (!Deno.lstatSync(committed).isDirectory) {
    throw new VolumeIntegrityError(
      `Cannot open ${volume}: its ${COMMITTED} is not a directory`,
    );
  }
  try {
    // That it is committed may be seen, and not be durable, after a kill.
    syncDirectory(volume);
    for (const name of MOVED) {
      if (!exists(`${committed}/${name}`)) continue;
      Deno.renameSync(`${committed}/${name}`, `${volume}/${name}`);
    }
    syncDirectory(volume);
    syncDirectory(committed);
    Deno.removeSync(committed, { recursive: true });
    syncDirectory(volume);
  } catch (error) {
    throw hostError(committed, error, { action: "move" });
  }
}
