/**
 * New volumes, which appear under their names only when they are complete.
 *
 * @module
 */

import { basename, dirname, resolve } from "node:path";
import { DeviceError } from "../block_device.ts";
import { hostError } from "../host_error.ts";
import {
  type KeySlotOptions,
  makeKeySlot,
  MASTER_KEY_BYTES,
  type Secret,
} from "../keys/key_slot.ts";
import { HostFile } from "../std.ts";
import { randomUuid } from "../uuid.ts";
import { pagedTreeBytes } from "../open_verity.ts";
import {
  type AnchorPlace,
  BLOCK_COUNT_MAX,
  BLOCK_SIZES,
  type Descriptor,
  type DeviceKind,
  FORMAT,
  formatDescriptor,
  hasTree,
  JOURNAL_BYTES_MAX,
  JOURNAL_BYTES_MIN,
  JOURNAL_BYTES_UNIT,
  signDescriptor,
} from "./descriptor.ts";
import { VOLUME_FILES, VolumeDirectory } from "./directory.ts";
import { AnchorOptionError } from "./errors.ts";
import { exists, syncDirectory, writeFileDurably } from "./files.ts";
import { finishVolume, firstState } from "./finish.ts";
import { FILE_MODE, makeAnchor } from "./open_anchor.ts";
import { Unlocked } from "./unlock.ts";
import { type OpenedVolume, openUnlocked } from "./volume.ts";

/** What a new volume is to be. */
export interface CreateVolumeOptions {
  /** Kind of its device. */
  device: DeviceKind;
  /** Size of a block, in bytes: 1024, 2048 or 4096. */
  blockSize: number;
  /** Number of blocks, at most 2^32 - 1. */
  blockCount: number;
  /** What will open it; its bytes are overwritten. None for `"std"`. */
  secret?: Secret;
  /** The key slot of the secret; scrypt parameters for a passphrase. */
  slot?: Partial<KeySlotOptions>;
  /** Its id, a UUID; a random one if absent. */
  id?: string;
  /** Size of the cache of hash tree nodes while it is filled, in bytes. */
  treeCache?: number;
  /** Leave it unfinished: no volume until `finishVolume()` was called. */
  copying?: boolean;
  /** Where its anchor is to be; beside it if absent. None for `"std"`. */
  anchor?: AnchorPlace;
  /** Path of an anchor that is apart; nothing may be there. */
  anchorPath?: string;
  /** Size of its journal, in bytes; a 16th of its blocks' if absent. */
  journalSize?: number;
  /**
   * Puts something into the new device, which reads as zeros, flushes it and
   * may close it. Nothing is put in if absent.
   */
  fill?: (volume: OpenedVolume) => Promise<void>;
}

/**
 * Makes a volume in a new directory at `path`, or in an empty one. It takes
 * its name when it is filled, and durable; if anything fails before, nothing
 * of it is left.
 *
 * Throws `DeviceError` `EINVAL` if something is at `path` already or if the
 * host cannot hold so large a file, and `RangeError` for options that make no
 * volume.
 */
export async function createVolume(
  path: string,
  options: CreateVolumeOptions,
): Promise<void> {
  const place = withoutSlash(path);
  try {
    checkPlace(place);
    const { anchorPath } = options;
    if (anchorPath !== undefined) checkAnchorPath(anchorPath, place);
    const partial = makePartial(place);
    let isMade = false;
    try {
      await makeVolume(partial, options);
      isMade = true;
      syncDirectory(partial);
      // It fails if something has come to this place meanwhile.
      Deno.renameSync(partial, place);
      syncDirectory(`${place}/..`);
    } catch (error) {
      removeTree(partial);
      // Before that, what is there has come meanwhile, and is not this one's.
      if (isMade && anchorPath !== undefined) removeTree(anchorPath);
      throw error;
    }
  } catch (error) {
    throw hostError(place, error, { action: "make" });
  } finally {
    options.secret?.bytes.fill(0);
  }
}

/**
 * Makes an empty directory for the volume that is to be at `place`. What a
 * process of the same number has left there, which was killed, is not in the
 * way: in a container, all of them may have it.
 */
function makePartial(place: string): string {
  for (let i = 0;; i++) {
    const partial = `${place}.partial-${Deno.pid}${i > 0 ? `-${i}` : ""}`;
    try {
      Deno.mkdirSync(partial, { mode: 0o700 });
      return partial;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  }
}

/** Throws `DeviceError` unless a new volume may be made at `path`. */
export function checkPlace(path: string): void {
  const place = withoutSlash(path);
  if (/(^|\/)\.\.?$/.test(place)) {
    throw new DeviceError(
      "EINVAL",
      `${path}: a new volume takes the place of the directory: give its name`,
    );
  }
  try {
    // A link to an empty directory is none, and would not be replaced.
    if (Deno.lstatSync(place).isDirectory && isEmpty(place)) return;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw hostError(place, error, { action: "make" });
  }
  throw new DeviceError(
    "EINVAL",
    `${path}: already exists; a new volume needs a new directory, or an empty one`,
  );
}

/** Throws if something is at `path`, or if it is inside of the `volume`. */
function checkAnchorPath(path: string, volume: string): void {
  if (`${realPlace(path)}/`.startsWith(`${realPlace(volume)}/`)) {
    throw new AnchorOptionError(
      `${path}: an anchor in the volume's own directory protects nothing that ` +
        "the usual one does not: give a path on other storage, or none at all",
    );
  }
  if (!exists(path)) return;
  throw new DeviceError(
    "EINVAL",
    `${path}: already exists; a new volume needs a new anchor`,
  );
}

/** Where `path` leads, the part of it that is there without links. */
function realPlace(path: string): string {
  const absolute = resolve(path);
  try {
    return Deno.realPathSync(absolute);
  } catch {
    const parent = dirname(absolute);
    // What is not there, or cannot be looked at, is taken by its name.
    return parent === absolute
      ? absolute
      : `${realPlace(parent)}/${basename(absolute)}`;
  }
}

function withoutSlash(path: string): string {
  return path.replace(/(?<=[^/])\/+$/, "");
}

function isEmpty(directory: string): boolean {
  return Deno.readDirSync(directory)[Symbol.iterator]().next().done === true;
}

async function makeVolume(
  path: string,
  options: CreateVolumeOptions,
): Promise<void> {
  checkOptions(options);
  const { id = randomUuid() } = options;
  using unlocked = newKeys(id, options);
  const descriptor = describe(id, options, unlocked);
  const { blockSize, blockCount } = descriptor;
  await makeFile(`${path}/${VOLUME_FILES.image}`, blockCount * blockSize);
  if (hasTree(descriptor)) {
    await makeFile(`${path}/${VOLUME_FILES.tree}`, pagedTreeBytes(blockCount));
  }
  if (unlocked) {
    const anchor = await makeAnchor(
      `${path}/${VOLUME_FILES.anchor}`,
      unlocked.keys.get("anchor"),
      firstState(descriptor),
    );
    anchor.close();
  }
  const bytes = formatDescriptor(descriptor);
  writeFileDurably(`${path}/${VOLUME_FILES.descriptor}`, bytes);
  const what = { descriptor, unlocked };
  if (options.fill) await fill(path, what, options);
  if (!options.copying) await finish(path, what, options);
}

function checkOptions(options: CreateVolumeOptions): void {
  const { device, blockSize, blockCount, secret } = options;
  const check = (holds: boolean, rule: string): void => {
    if (!holds) throw new RangeError(`Cannot make a volume: ${rule}`);
  };
  check(
    BLOCK_SIZES.some((size) => size === blockSize),
    `blocks of ${blockSize} bytes; use ${BLOCK_SIZES.join(", ")}`,
  );
  check(
    Number.isInteger(blockCount) && blockCount > 0 &&
      blockCount <= BLOCK_COUNT_MAX,
    `${blockCount} blocks; use 1 to ${BLOCK_COUNT_MAX}`,
  );
  check(device !== "std" || !secret, "the device std has no key");
  check(device === "std" || !!secret, `the device ${device} needs a key`);
  const { anchor = "beside", anchorPath, journalSize } = options;
  check(
    device !== "std" || options.anchor === undefined,
    "the device std has no anchor",
  );
  check(
    (anchor === "apart") === (anchorPath !== undefined),
    "an anchor that is apart has a path, and no other has",
  );
  check(
    journalSize === undefined || journalSize >= JOURNAL_BYTES_MIN &&
        journalSize <= JOURNAL_BYTES_MAX &&
        journalSize % JOURNAL_BYTES_UNIT === 0,
    `a journal of ${journalSize} bytes; use a multiple of ` +
      `${JOURNAL_BYTES_UNIT} from ` +
      `${JOURNAL_BYTES_MIN} to ${JOURNAL_BYTES_MAX}`,
  );
}

/** Size of the journal where none is given, in bytes. */
export function usualJournalSize(imageBytes: number): number {
  const share = Math.ceil(imageBytes / 16 / JOURNAL_BYTES_MIN);
  return Math.min(64, Math.max(4, share)) * JOURNAL_BYTES_MIN;
}

/** A new master key, and the key slot of the secret; null without one. */
function newKeys(
  id: string,
  { secret, slot }: CreateVolumeOptions,
): Unlocked | null {
  if (!secret) return null;
  const masterKey = crypto.getRandomValues(new Uint8Array(MASTER_KEY_BYTES));
  try {
    const made = makeKeySlot(masterKey, secret, { id: 0, ...slot });
    return new Unlocked(masterKey, id, made);
  } catch (error) {
    masterKey.fill(0);
    throw error;
  }
}

/** The descriptor of a new volume. */
function describe(
  id: string,
  options: CreateVolumeOptions,
  unlocked: Unlocked | null,
): Descriptor {
  const { device, blockSize, blockCount } = options;
  const { journalSize = usualJournalSize(blockSize * blockCount) } = options;
  const common = {
    nextfs: FORMAT,
    id,
    blockSize,
    blockCount,
    journalSize,
  } as const;
  if (device === "std" || !unlocked) return { ...common, device: "std" };
  const { anchor = "beside" } = options;
  const unsigned = { ...common, device, anchor, keys: [unlocked.slot] };
  return signDescriptor(unsigned, unlocked.keys.get("descriptor"));
}

async function fill(
  path: string,
  what: { descriptor: Descriptor; unlocked: Unlocked | null },
  options: CreateVolumeOptions,
): Promise<void> {
  using stack = new DisposableStack();
  const directory = VolumeDirectory.open(path, { exclusive: true });
  stack.adopt(directory, (one) => one.close());
  const { treeCache } = options;
  const how = { treeCache, copying: true };
  const volume = await openUnlocked(directory, what, how);
  stack.adopt(volume, (one) => one.close());
  await options.fill!(volume);
}

async function finish(
  path: string,
  what: { descriptor: Descriptor; unlocked: Unlocked | null },
  options: CreateVolumeOptions,
): Promise<void> {
  const directory = VolumeDirectory.open(path, { exclusive: true });
  try {
    await finishVolume(directory, what, options);
  } finally {
    directory.close();
  }
}

/** Makes a file of `byteLength` zeros, which take no space. */
async function makeFile(path: string, byteLength: number): Promise<void> {
  let file: HostFile;
  try {
    file = HostFile.open(path, {
      create: byteLength,
      noLink: true,
      mode: FILE_MODE,
    });
  } catch (error) {
    // EINVAL or EFBIG; the runtime does not name them for this call.
    if (!/\(os error (?:22|27)\)/.test(String(error))) throw error;
    throw new DeviceError(
      "EINVAL",
      `The host cannot hold a file of ${byteLength} bytes: make the volume ` +
        "smaller",
      { cause: error },
    );
  }
  try {
    await file.sync();
  } finally {
    file.close();
  }
}

function removeTree(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
