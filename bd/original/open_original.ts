/**
 * Images of the original server, opened in place.
 *
 * - bd-crypt: the key is PBKDF2-HMAC-SHA-256 (RFC 8018) of the password, with
 *   an empty salt and 1000 iterations: 64 bytes for XTS, 32 for CBC. The image
 *   does not say how large its blocks are; it is the size with which it
 *   decrypts to an ext2 superblock.
 * - bd-verity: the password is the key of HMAC as it is. The size of a block
 *   is that of the image divided by the number of leaves.
 * - bd-vericrypt is the former on the latter.
 *
 * The trusted state, which the original leaves to the user after every change,
 * is kept in a root file from flush to flush. Image, tree and root file are
 * not changed as one, unless there is a journal (`open_journaled.ts`): after a
 * crash in the middle of a flush the image does not verify, and has to be
 * restored.
 *
 * @module
 */

import type { BlockDevice } from "../block_device.ts";
import { JournaledDevice } from "../journal/journaled_device.ts";
import { type HostFile, StdDevice } from "../std.ts";
import type { TrustedState } from "../trusted_state.ts";
import type { VerityDevice } from "../verity.ts";
import type { DeviceSpec } from "./device_spec.ts";
import {
  findJournal,
  journalKind,
  journalNeeded,
  journalPath,
  lookForJournal,
  removeJournal,
} from "./image_journal.ts";
import { buildLayers } from "./layers.ts";
import { blockSizeOf, openParts, type Parts, trustedRoot } from "./parts.ts";
import { findPresent } from "./present_state.ts";
import type { RootKeeperOptions } from "./root_keeper.ts";

export { deriveImageKey } from "./image_key.ts";

/** How an image is opened. */
export interface OpenOriginalOptions
  extends Omit<RootKeeperOptions, "warnings"> {
  /** Memory for nodes of the tree, in bytes. */
  readonly treeCache?: number;
  /** Takes a line for each block that fails. */
  readonly log: (message: string) => void;
}

/** An image that was opened. */
export interface OriginalImage {
  /** The plaintext blocks; to close it is to close all files. */
  readonly device: BlockDevice;
  /** The verifying layer, if there is one. */
  readonly verity: VerityDevice | null;
  /** What the user should know. */
  readonly warnings: readonly string[];
  /** The trusted state as of the last flush; null without a tree. */
  state(): TrustedState | null;
}

/**
 * Opens `image` as `spec` says, without a journal; the caller wipes the secrets
 * in it. A journal that is left beside it, and that has nothing to say any
 * more, is removed if the image is opened for writing.
 *
 * Throws `WrongKeyError` if it does not decrypt to a volume, `IntegrityError`
 * if sizes or hashes do not fit the trusted state, `JournalNeededError` if the
 * journal has what the image has not, `FsError` `EINVAL` for what is too
 * short, or without any layer no volume, and what `HostFile.open()` throws.
 */
export function openOriginal(
  image: string,
  spec: DeviceSpec,
  options: OpenOriginalOptions,
): OriginalImage {
  using stack = new DisposableStack();
  // The layers have copies of the keys.
  using keys = new DisposableStack();
  const parts = openParts(image, spec, { ...options, stack, keys });
  const left = findLeftover(parts);
  if (left) stack.adopt(left, (one) => one.close());
  const opened = openPlain(parts, options);
  stack.defer(() => opened.device.close());
  if (left && !options.readOnly) removeJournal(left);
  left?.close();
  stack.move();
  return opened;
}

/** Opens an image without a journal; its files become the device's to close. */
export function openPlain(
  parts: Parts,
  { treeCache, log }: OpenOriginalOptions,
): OriginalImage {
  const { file, verity: verified, warnings } = parts;
  const blockSize = blockSizeOf(parts);
  const keeper = verified?.keeper;
  const { device, verity } = buildLayers(parts, {
    image: new StdDevice(file, blockSize),
    tree: verified?.tree ?? null,
    root: verified?.trusted.root ?? null,
  }, { treeCache, log, publish: (state) => keeper!.store(state) });
  if (verified) keeper!.begin(verified.trusted);
  const closing = new JournaledDevice(device, {
    journal: null,
    verifies: verity !== null,
    closeAll: () => {
      device.close();
      keeper?.close();
    },
  });
  return {
    device: closing,
    verity,
    warnings,
    state: () => verity?.state ?? null,
  };
}

/**
 * The file of a journal that has nothing to say any more; null if there is
 * none. Throws if it has.
 */
function findLeftover(parts: Parts): HostFile | null {
  const { file, warnings } = parts;
  const kindOfFile = lookForJournal(file.path);
  if (kindOfFile === "other") {
    warnings.push(
      `${
        journalPath(file.path)
      } is no journal of this image, and is left alone`,
    );
  }
  if (kindOfFile !== "journal") return null;
  const kind = journalKind(parts);
  const { mac, isKeyed } = kind.format;
  using stack = new DisposableStack();
  stack.defer(() => mac.wipe());
  const found = findJournal(parts, kind);
  if (!found) return null;
  const left = stack.adopt(found.file, (one) => one.close());
  const states = found.chain?.links.map(({ state }) => state);
  const trusted = trustedRoot(parts);
  const present = states && findPresent(states, { trusted, isKeyed });
  if (present?.isAhead) throw journalNeeded(file.path);
  stack.move();
  mac.wipe();
  return left;
}
