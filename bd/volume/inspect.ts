/**
 * What can be said about a volume without opening it: everything but secrets.
 *
 * No lock is taken, so that a volume can be looked at while it is served.
 *
 * @module
 */

import { createHmac } from "../hmac.ts";
import type { KeySlot, Secret } from "../keys/key_slot.ts";
import { recover } from "../journal/recover.ts";
import type { VolumeState } from "../journal/state.ts";
import { ANCHOR_BYTES, latestAnchor } from "./anchor.ts";
import {
  anchorPlace,
  type Descriptor,
  DESCRIPTOR_BYTES_MAX,
  hasKey,
  hasTree,
  type KeyedDescriptor,
  parseDescriptor,
} from "./descriptor.ts";
import { isVolume, VOLUME_FILES, type VolumeFile } from "./directory.ts";
import { NotAVolumeError, VolumeIntegrityError } from "./errors.ts";
import { exists, readSmallFile, SharedFile } from "./files.ts";
import { identityOf, recordFormat } from "./keeper.ts";
import { checkAnchorOptions } from "./open_anchor.ts";
import {
  COMMITTED,
  isReplacementBegun,
  isReplacementPending,
} from "./replacement.ts";
import { checkState, type Unlocked } from "./unlock.ts";
import { openError, unlockBy } from "./volume.ts";

/** Sizes of a file of the host, in bytes. */
export interface FileSizes {
  /** As it can be read. */
  readonly size: number;
  /** What it takes on the disk. */
  readonly stored: number;
}

/** What there is to say about a volume. */
export interface VolumeInfo {
  /** What it is. */
  readonly descriptor: Descriptor;
  /** Its key slots; none without a key. */
  readonly slots: readonly KeySlot[];
  /** Its present state; null if that is not known. */
  readonly anchor: VolumeState | null;
  /** True if a key vouches for descriptor and state; else the host does. */
  readonly isAuthentic: boolean;
  /** The sizes of its files; null for one that is missing. */
  readonly files: Partial<Record<VolumeFile, FileSizes | null>>;
  /** Whether a new master key is on its way: not at all, or how far. */
  readonly rekey: "none" | "begun" | "committed";
}

/**
 * Looks at the volume at `path`. If `secret` can be asked, its bytes are
 * overwritten, and what is said is authentic: a volume without a key, which the
 * host may have put there, is refused then. An anchor that is apart is looked
 * at if its path is given. Throws `NotAVolumeError`, `WrongKeyError` and
 * {@link VolumeIntegrityError}.
 */
export async function inspectVolume(
  path: string,
  secret?: () => Promise<Secret>,
  { anchorPath }: { anchorPath?: string } = {},
): Promise<VolumeInfo> {
  if (!isVolume(path)) throw new NotAVolumeError(`${path}: not a volume`);
  try {
    const bytes = readSmallFile(
      place(path, "descriptor"),
      DESCRIPTOR_BYTES_MAX,
    );
    const descriptor = parseDescriptor(bytes);
    if (secret && !hasKey(descriptor)) {
      throw new VolumeIntegrityError(
        "it has no key, but one is given: it may have been put in the place " +
          "of a volume that has",
      );
    }
    if (anchorPath !== undefined) {
      checkAnchorOptions(descriptor, { anchorPath });
    }
    const anchor = hasKey(descriptor)
      ? await inspectState({ path, descriptor }, secret, anchorPath)
      : null;
    return {
      descriptor,
      slots: hasKey(descriptor) ? descriptor.keys : [],
      anchor,
      isAuthentic: secret !== undefined,
      files: sizesOf(path, descriptor),
      rekey: rekeyState(path),
    };
  } catch (error) {
    throw openError(path, error);
  }
}

/** The present state, as far as it can be found out without a lock. */
async function inspectState(
  { path, descriptor }: { path: string; descriptor: KeyedDescriptor },
  secret: (() => Promise<Secret>) | undefined,
  anchorPath: string | undefined,
): Promise<VolumeState | null> {
  const file = anchorPlace(descriptor) === "apart"
    ? anchorPath && targetOf(anchorPath)
    : place(path, "anchor");
  const bytes = file !== undefined && exists(file)
    ? readSmallFile(file, ANCHOR_BYTES)
    : new Uint8Array();
  if (!secret) return latestAnchor(bytes, null);
  using unlocked = await unlockBy(descriptor, secret);
  if (file === undefined) return null;
  const state = anchorPlace(descriptor) === "none"
    ? stateOfJournal(place(path, "journal"), descriptor, unlocked)
    : stateOfAnchor(bytes, unlocked);
  checkState(state, descriptor);
  return state;
}

function stateOfAnchor(bytes: Uint8Array, { keys }: Unlocked): VolumeState {
  const mac = createHmac("sha256", keys.get("anchor"));
  try {
    const state = latestAnchor(bytes, mac);
    if (state) return state;
    throw new VolumeIntegrityError("the anchor is not authentic");
  } finally {
    mac.wipe();
  }
}

function stateOfJournal(
  path: string,
  descriptor: KeyedDescriptor,
  unlocked: Unlocked,
): VolumeState {
  const file = new SharedFile(path);
  const format = recordFormat(descriptor, unlocked);
  const identity = identityOf(descriptor);
  try {
    return recover(file, { format, identity, anchored: null }).state;
  } finally {
    format.mac.wipe();
    file.close();
  }
}

/** Where links of the user's own lead; the same path if nothing is there. */
function targetOf(path: string): string {
  return exists(path) ? Deno.realPathSync(path) : path;
}

/** Where a file is, even while those of a new master key are being moved. */
function place(path: string, file: VolumeFile): string {
  const name = VOLUME_FILES[file];
  const moving = `${path}/${COMMITTED}/${name}`;
  return exists(moving) ? moving : `${path}/${name}`;
}

function sizesOf(path: string, descriptor: Descriptor): VolumeInfo["files"] {
  const names: VolumeFile[] = ["image"];
  if (hasTree(descriptor)) names.push("tree");
  if (anchorPlace(descriptor) === "beside") names.push("anchor");
  if (descriptor.journalSize !== undefined) names.push("journal");
  return Object.fromEntries(
    names.map((name) => [name, fileSizes(name, place(path, name))]),
  );
}

function fileSizes(name: VolumeFile, path: string): FileSizes | null {
  try {
    const { size, blocks, isFile } = Deno.lstatSync(path);
    if (!isFile) {
      throw new VolumeIntegrityError(
        `its ${VOLUME_FILES[name]} is not a regular file`,
      );
    }
    return { size, stored: blocks === null ? size : blocks * 512 };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function rekeyState(path: string): VolumeInfo["rekey"] {
  if (isReplacementPending(path)) return "committed";
  return isReplacementBegun(path) ? "begun" : "none";
}
