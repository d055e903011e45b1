/**
 * The anchor of a volume, where the descriptor says that it is; and a new one
 * in the place of one that is lost, where the user agrees to that.
 *
 * @module
 */

import { recover } from "../journal/recover.ts";
import { HostFile } from "../std.ts";
import { ANCHOR_BYTES, FileAnchor } from "./anchor.ts";
import { anchorPlace, type Descriptor, hasKey } from "./descriptor.ts";
import type { VolumeState } from "../journal/state.ts";
import { AnchorOptionError, VolumeIntegrityError } from "./errors.ts";
import { exists, syncDirectory } from "./files.ts";
import { identityOf, recordFormat } from "./keeper.ts";
import type { Files } from "./open_files.ts";
import type { Unlocked } from "./unlock.ts";

/** Permissions of a volume's files: they are for their owner alone. */
export const FILE_MODE = 0o600;

/** What the user says about the anchor. */
export interface AnchorOptions {
  /** Path of the anchor, of a volume that has it apart. */
  readonly anchorPath?: string;
  /** A generation that is taken, whatever the anchor says. */
  readonly acceptRollback?: number;
  /** Change nothing. */
  readonly readOnly?: boolean;
  /** Takes a line if an anchor was made in the place of one that is lost. */
  readonly warn?: (message: string) => void;
}

/**
 * Throws unless `options` are ones for the volume of `descriptor`:
 * {@link AnchorOptionError} if one is missing or of no use, and
 * {@link VolumeIntegrityError} for a path though the anchor is elsewhere.
 */
export function checkAnchorOptions(
  descriptor: Descriptor,
  { anchorPath, acceptRollback }: AnchorOptions,
): void {
  const place = anchorPlace(descriptor);
  if (place === "apart" && anchorPath === undefined) {
    throw new AnchorOptionError(
      "its anchor is kept apart: give its path with --anchor PATH",
    );
  }
  if (place !== "apart" && anchorPath !== undefined) {
    const where = !hasKey(descriptor)
      ? "it has no key, and so no anchor"
      : `its anchor is ${place === "none" ? "its journal" : "beside it"}`;
    throw new VolumeIntegrityError(
      `${where}, but --anchor gives another one: it may have been put in the ` +
        "place of a volume that has (leave --anchor out if it is meant)",
    );
  }
  const isCompared = place !== "none" && descriptor.journalSize !== undefined;
  if (acceptRollback !== undefined && !isCompared) {
    throw new AnchorOptionError(
      "--accept-rollback is for a volume that is compared with its anchor, " +
        "and this one is not: leave it out",
    );
  }
}

/** What is known of a volume with a key. */
interface Known {
  readonly descriptor: Descriptor;
  readonly unlocked: Unlocked;
}

/**
 * Opens the anchor; null if the volume has none. While it `isMade`, it is
 * beside it. Throws {@link VolumeIntegrityError} if it is missing, unless a
 * generation is accepted that the journal is at: then it is made again, or
 * there is none for one who is to change nothing.
 */
export async function openAnchor(
  files: Files,
  known: Known,
  options: AnchorOptions & { isMade: boolean },
): Promise<FileAnchor | null> {
  const place = options.isMade ? "beside" : anchorPlace(known.descriptor);
  if (place === "none") return null;
  const { anchorPath, acceptRollback: accept, readOnly } = options;
  const elsewhere = place === "apart" ? anchorPath : undefined;
  const path = elsewhere ?? files.directory.pathOf("anchor");
  if (accept !== undefined && !exists(path)) {
    const state = acceptedState(files, known, accept);
    if (readOnly) return null;
    const key = known.unlocked.keys.get("anchor");
    (await makeAnchor(path, key, state)).close();
    options.warn?.(
      `accepted generation ${accept}: the anchor was missing, and is made anew`,
    );
  }
  const file = files.open("anchor", undefined, elsewhere);
  try {
    const anchor = FileAnchor.open(file, known.unlocked.keys.get("anchor"));
    files.stack.adopt(anchor, (one) => one.close());
    return anchor;
  } catch (error) {
    // It may be another volume's, so that it is not written over.
    if (accept === undefined || !(error instanceof VolumeIntegrityError)) {
      throw error;
    }
    throw new VolumeIntegrityError(
      `${error.message} (move it away: --accept-rollback makes a new one)`,
    );
  }
}

/** The state by the journal alone, of the generation `accept`. */
function acceptedState(
  files: Files,
  { descriptor, unlocked }: Known,
  accept: number,
): VolumeState {
  const file = files.open("journal", descriptor.journalSize);
  const format = recordFormat(descriptor, unlocked);
  const identity = identityOf(descriptor);
  try {
    return recover(file, { format, identity, anchored: null, accept }).state;
  } finally {
    format.mac.wipe();
    file.close();
  }
}

/**
 * Makes an anchor file at `path`; its names are durable, too. It takes all of
 * its room at once, so that no disk is too full for it later. If that fails,
 * nothing is left there.
 */
export async function makeAnchor(
  path: string,
  key: Uint8Array,
  state: VolumeState,
): Promise<FileAnchor> {
  // What has come there meanwhile is another volume's.
  Deno.openSync(path, { write: true, createNew: true, mode: FILE_MODE })
    .close();
  const file = HostFile.open(path, { create: ANCHOR_BYTES, noLink: true });
  try {
    file.writeAt(0, new Uint8Array(ANCHOR_BYTES));
    const anchor = await FileAnchor.create(file, key, state);
    syncDirectory(path.replace(/[^/]*$/, "") || ".");
    return anchor;
  } catch (error) {
    file.close();
    // What it holds is no anchor, and would be in the way of another one.
    Deno.removeSync(path);
    throw error;
  }
}
