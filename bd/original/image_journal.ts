/**
 * The journal of an image: a file beside it, in the format of the journals of
 * volumes, of an id of zeros.
 *
 * Invariants:
 * - What is in it counts only if it is a journal of this image. What was
 *   begun and is blank is none, and what is none is never written over.
 * - Nobody writes to an image while a journal is beside it that could be
 *   applied later, except through that journal.
 *
 * @module
 */

import { dirname } from "node:path";
import { DeviceError, IntegrityError } from "../block_device.ts";
import type { ByteFile } from "../byte_file.ts";
import { isZero } from "../bytes.ts";
import { createHmac, createPlainHash, DIGEST_BYTES } from "../hmac.ts";
import { hostError } from "../host_error.ts";
import {
  Checkpoint,
  CHECKPOINT_SLOTS,
  createJournal,
  RING_START,
} from "../journal/checkpoint.ts";
import { hasRecordHead, type RecordFormat } from "../journal/record.ts";
import { type Chain, type Identity, readChain } from "../journal/recover.ts";
import { Ring } from "../journal/ring.ts";
import {
  decodeState,
  STATE_BYTES,
  type StoredState,
  type VolumeState,
} from "../journal/state.ts";
import { deriveKey } from "../keys/derive.ts";
import { HostFile } from "../std.ts";
import { JOURNAL_BYTES_MAX } from "../volume/descriptor.ts";
import { syncDirectory } from "../volume/files.ts";
import {
  BLOCK_SIZES,
  blockSizeOf,
  decrypts,
  type Parts,
  wrongKey,
} from "./parts.ts";

/** What the key of the journal is derived for (HKDF's `info`). */
export const JOURNAL_LABEL = "nextfs/1 original journal";
/** The id of every image, which has none. */
const NO_ID = new Uint8Array(16);
/** Size of the root where there is no tree, in bytes. */
const ROOT_BYTES = 32;

/** The image needs its journal, and is to be opened without. */
export class JournalNeededError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "JournalNeededError";
}

/** Where the journal of `image` is. */
export function journalPath(image: string): string {
  return `${image}.journal`;
}

/** What is to be known of an image to read its journal. */
export interface JournalKind {
  /** How records are made, but for the size of a block. */
  readonly format: Omit<RecordFormat, "blockSize">;
  /** Size of a root, in bytes. */
  readonly rootBytes: number;
}

/**
 * The kind of the journal of an image. Its records are authenticated by the
 * password of the tree or, where there is none, by that of the blocks; without
 * either they have checksums. `mac` is the caller's to wipe.
 */
export function journalKind({ crypt, verity }: Parts): JournalKind {
  const secret = verity?.password ?? crypt?.key ?? null;
  const digest = verity ? DIGEST_BYTES[verity.trusted.algorithm] : null;
  const format = { isKeyed: secret !== null, nodeBytes: digest ?? 0 };
  const rootBytes = digest ?? ROOT_BYTES;
  if (!secret) {
    return { format: { ...format, mac: createPlainHash("sha256") }, rootBytes };
  }
  const label = JOURNAL_LABEL;
  const key = deriveKey(secret, { salt: NO_ID, label, byteLength: 32 });
  const mac = createHmac("sha256", key);
  key.fill(0);
  return { format: { ...format, mac }, rootBytes };
}

/** A journal that was found beside an image. */
export interface FoundJournal {
  /** Its file. */
  readonly file: HostFile;
  /** Its states; null for one of another image that has no commits. */
  readonly chain: Chain | null;
}

/**
 * Opens the journal beside an image; null if there is none. Throws
 * {@link IntegrityError} if it is not authentic, or has commits of another
 * image, and `WrongKeyError` if that is why.
 */
export function findJournal(
  parts: Parts,
  { format, rootBytes }: JournalKind,
): FoundJournal | null {
  const { file: image } = parts;
  const path = journalPath(image.path);
  const file = openLeft(path, image.readOnly);
  if (!file) return null;
  try {
    if (isBlank(file)) {
      file.close();
      return null;
    }
    const checkpoint = readCheckpoint(file, parts, { format, rootBytes });
    if (!checkpoint) return { file, chain: null };
    const { blockSize, leafCount } = checkpoint;
    const expected = knownBlockSize(parts) ?? blockSize;
    const isFitting = BLOCK_SIZES.includes(blockSize) &&
      blockSize === expected &&
      leafCount === Math.floor(image.size / blockSize);
    if (!isFitting) {
      checkUnused(file, checkpoint);
      return { file, chain: null };
    }
    const identity = identityOf(checkpoint, rootBytes);
    const whole = { ...format, blockSize };
    return { file, chain: readChain(file, { format: whole, identity }) };
  } catch (error) {
    file.close();
    if (!(error instanceof IntegrityError)) throw error;
    throw new IntegrityError(0, `Cannot open ${path}: ${error.message}`);
  }
}

/** What {@link blockSizeOf} says; null if it cannot say it. */
function knownBlockSize(parts: Parts): number | null {
  try {
    return blockSizeOf(parts);
  } catch {
    return null;
  }
}

/** The checkpoint; null for another key's, with no commits behind it. */
function readCheckpoint(
  file: HostFile,
  parts: Parts,
  { format, rootBytes }: JournalKind,
): StoredState | null {
  const claimed = latestCheckpoint(file);
  if (!claimed) {
    throw new IntegrityError(
      0,
      "it is no journal of an image: move it out of the way",
    );
  }
  try {
    const whole = { ...format, blockSize: 0 };
    return Checkpoint.open(file, { format: whole, rootBytes }).state;
  } catch (error) {
    if (!(error instanceof IntegrityError)) throw error;
    // It may be from before the image got its tree, or another password.
    if (!mayBePending(file, claimed)) return null;
    checkKey(parts);
    throw new IntegrityError(
      0,
      `${error.message}; or DEVICE and its passwords are not those that it ` +
        "was made with",
    );
  }
}

/** Throws `WrongKeyError` if the key of the blocks is seen to be another. */
function checkKey({ file, head, crypt, verity }: Parts): void {
  if (!crypt) return;
  const sizes = verity ? [verity.trusted.blockSize] : BLOCK_SIZES;
  if (sizes.some((size) => decrypts(head, size, crypt))) return;
  if (verity?.password === null || !verity) throw wrongKey(file);
}

/** Throws unless it is sure that there are no commits behind `checkpoint`. */
function checkUnused(file: ByteFile, checkpoint: StoredState): void {
  if (!mayBePending(file, checkpoint)) return;
  throw new IntegrityError(
    0,
    "it has commits of an image of another size; remove it, if the image is " +
      "as it should be",
  );
}

/** What the journal of an image in `state` must be of. */
export function identityOf(
  { blockSize, leafCount }: Pick<VolumeState, "blockSize" | "leafCount">,
  rootBytes: number,
): Identity {
  return { id: NO_ID, blockSize, leafCount, rootBytes };
}

/** Makes a new, empty journal beside `image`, in the place of a clean one. */
export async function makeJournal(
  image: HostFile,
  format: RecordFormat,
  { root, byteLength }: { root: Uint8Array | null; byteLength: number },
): Promise<HostFile> {
  const path = journalPath(image.path);
  const file = HostFile.open(path, {
    create: byteLength,
    noLink: true,
    mode: 0o600,
  });
  try {
    await createJournal(file, format, {
      blockSize: format.blockSize,
      id: NO_ID,
      epoch: crypto.getRandomValues(new Uint8Array(16)),
      generation: 1,
      leafCount: Math.floor(image.size / format.blockSize),
      root: root ?? new Uint8Array(ROOT_BYTES),
      descriptor: new Uint8Array(32),
      nextDescriptor: new Uint8Array(32),
      unfinished: 0,
      chain: new Uint8Array(32),
    });
    syncDirectory(dirname(path));
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Removes a journal that has nothing more to say, for good. */
export function removeJournal(file: HostFile): void {
  try {
    Deno.removeSync(file.path);
    syncDirectory(dirname(file.path));
  } catch (error) {
    throw hostError(file.path, error, { action: "remove" });
  } finally {
    file.close();
  }
}

/**
 * Removes the journal of an image that is about to be replaced, whatever is in
 * it; what is no journal stays. Throws `InUseError` if somebody has it.
 */
export function discardJournal(image: string): void {
  const file = openLeft(journalPath(image), false);
  if (!file) return;
  if (isJournal(file)) removeJournal(file);
  else file.close();
}

/**
 * Throws {@link JournalNeededError} if the image at `path` may have commits in
 * a journal that are not in place. No key is needed, and nothing is verified.
 */
export function checkInPlace(path: string): void {
  const file = openLeft(journalPath(path), true);
  if (!file) return;
  try {
    const latest = latestCheckpoint(file);
    if (!latest || !mayBePending(file, latest)) return;
    throw journalNeeded(
      path,
      "to 'nextfs serve --journal=on' it, and to end that, puts them there",
    );
  } finally {
    file.close();
  }
}

/** That `image` cannot be opened without its journal. */
export function journalNeeded(
  image: string,
  advice = "give --journal=on",
): JournalNeededError {
  return new JournalNeededError(
    `Cannot open ${image}: ${journalPath(image)} has commits that are not in ` +
      `the image yet (${advice})`,
  );
}

/** Whether there is a journal beside the image at `path`. */
export function hasJournal(path: string): boolean {
  return lookForJournal(path) === "journal";
}

/**
 * What is in the place of the journal of the image at `path`: `other` is what
 * is no journal of an image, and `none` also what was begun and is blank.
 */
export function lookForJournal(path: string): "journal" | "other" | "none" {
  const file = openLeft(journalPath(path), true);
  if (!file) return "none";
  try {
    return isJournal(file) ? "journal" : isBlank(file) ? "none" : "other";
  } finally {
    file.close();
  }
}

function openLeft(path: string, readOnly: boolean): HostFile | null {
  try {
    // Who may write to the directory must not lead this one elsewhere.
    return HostFile.open(path, { readOnly, noLink: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    if (error instanceof DeviceError && error.code === "EINVAL") {
      throw new IntegrityError(
        0,
        `Cannot open ${path}: not a regular file: move it out of the way`,
      );
    }
    throw hostError(path, error);
  }
}

function slotsOf(file: ByteFile): Uint8Array[] {
  if (file.size <= RING_START || file.size > JOURNAL_BYTES_MAX) return [];
  return CHECKPOINT_SLOTS.map((at) => {
    const slot = new Uint8Array(STATE_BYTES);
    file.readAt(at, slot);
    return slot;
  });
}

/** Whether nothing was ever stored in it, as if a crash had come before. */
function isBlank(file: ByteFile): boolean {
  const slots = slotsOf(file);
  return file.size === 0 || slots.length > 0 && slots.every(isZero);
}

/** The latest checkpoint as the host says; null if there is none. */
function latestCheckpoint(file: ByteFile): StoredState | null {
  let latest: StoredState | null = null;
  for (const slot of slotsOf(file)) {
    const state = decodeState("checkpoint", slot, { mac: null });
    if (!state || !isZero(state.id)) continue;
    if (!latest || state.sequence > latest.sequence) latest = state;
  }
  return latest;
}

function isJournal(file: ByteFile): boolean {
  return latestCheckpoint(file) !== null;
}

function mayBePending(file: ByteFile, checkpoint: StoredState): boolean {
  const ring = new Ring(file, RING_START);
  const { position } = checkpoint;
  return position < ring.size &&
    hasRecordHead(ring, position, { before: checkpoint, mac: null });
}
