/**
 * A new file of the host, which appears under its name only when it is
 * complete.
 *
 * @module
 */

import { dirname } from "node:path";
import { HostFile, InUseError } from "../bd/mod.ts";
import {
  discardJournal,
  hasJournal,
  journalPath,
} from "../bd/original/image_journal.ts";
import { syncDirectory } from "../bd/volume/files.ts";
import { errnoOf, errorText, PathError } from "./errors.ts";

/** What a new file is to be like. */
export interface NewFileOptions {
  /** Size in bytes; it reads as zeros at first. */
  size: number;
  /** Replace a file that is there. */
  force: boolean;
  /** Its permissions, less the umask; 0o666 if absent. */
  mode?: number;
  /** It is an image: the journal of one that was there goes with that. */
  isImage?: boolean;
}

/**
 * Makes a file at `path`, lets `fill` write it and make that durable, and gives
 * it its name unless that throws. If anything fails, nothing of it is left.
 * Throws {@link InUseError} if the file that it is to replace is in use.
 */
export async function makeFile<T>(
  path: string,
  { size, force, mode, isImage }: NewFileOptions,
  fill: (file: HostFile) => Promise<T>,
): Promise<T> {
  const partial = `${path}.partial-${Deno.pid}`;
  let replaced = lockReplaced(path, force);
  let file: HostFile | undefined;
  try {
    file = openPartial(partial, path, { size, mode });
    const result = await fill(file);
    file.close();
    // It may have come meanwhile.
    replaced ??= lockReplaced(path, force);
    // An old journal would put back blocks of what was there before.
    if (isImage) discardJournal(path);
    Deno.renameSync(partial, path);
    syncDirectory(dirname(path));
    return result;
  } catch (error) {
    file?.close();
    removePartial(partial);
    throw error;
  } finally {
    replaced?.close();
  }
}

/**
 * Takes the lock of the file that is to be replaced, so that no server has it
 * or gets it; null if there is none.
 */
function lockReplaced(path: string, force: boolean): HostFile | null {
  checkTarget(path, force);
  try {
    return HostFile.open(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    if (error instanceof InUseError) throw error;
    throw new PathError(path, error);
  }
}

function openPartial(
  partial: string,
  path: string,
  { size, mode }: Pick<NewFileOptions, "size" | "mode">,
): HostFile {
  try {
    return HostFile.open(partial, { create: size, mode });
  } catch (error) {
    // EINVAL or EFBIG; the runtime does not name them for this call.
    if (!/\(os error (?:22|27)\)/.test(errorText(error))) {
      throw new PathError(path, error);
    }
    throw new PathError(
      path,
      `The host cannot hold a file of ${size} bytes: give a smaller --size`,
    );
  }
}

function removePartial(partial: string): void {
  try {
    Deno.removeSync(partial);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

/**
 * {@link checkTarget} for an image: a journal beside it may be that of one that
 * is to be kept.
 */
export function checkImageTarget(path: string, force: boolean): void {
  checkTarget(path, force);
  if (force || !hasJournal(path)) return;
  throw new PathError(
    journalPath(path),
    "File exists: the journal of an image that was here (--force removes it)",
  );
}

/**
 * Throws {@link PathError} if `path` holds something that must not be
 * replaced: a file with contents (unless `force`), or no file at all.
 */
export function checkTarget(path: string, force: boolean): void {
  let stat: Deno.FileInfo;
  try {
    stat = Deno.statSync(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw new PathError(path, error);
  }
  if (!stat.isFile) throw new PathError(path, "Is not a regular file");
  if (stat.size > 0 && !force) {
    throw new PathError(path, "File exists (--force replaces it)");
  }
}
