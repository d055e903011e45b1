/**
 * From a secret to the keys of a volume, and the proof that descriptor and
 * anchor are the ones that belong together.
 *
 * @module
 */

import { isEqual } from "../bytes.ts";
import {
  type KeySlot,
  openKeySlot,
  type Secret,
  WrongKeyError,
} from "../keys/key_slot.ts";
import { uuidBytes } from "../uuid.ts";
import type { VolumeState } from "../journal/state.ts";
import {
  descriptorDigest,
  type KeyedDescriptor,
  verifyDescriptor,
} from "./descriptor.ts";
import { VolumeIntegrityError } from "./errors.ts";
import { VolumeKeys } from "./volume_keys.ts";

/** A volume's keys, and what they came from. Disposing overwrites them. */
export class Unlocked implements Disposable {
  /** The keys derived from the master key. */
  readonly keys: VolumeKeys;

  /**
   * Takes the master key of the volume `id`, to be overwritten with all that
   * is derived from it; `slot` is what it came from.
   */
  constructor(
    readonly masterKey: Uint8Array,
    id: string,
    readonly slot: KeySlot,
  ) {
    this.keys = new VolumeKeys(masterKey, uuidBytes(id));
  }

  /** Overwrites all keys. */
  [Symbol.dispose](): void {
    this.masterKey.fill(0);
    this.keys[Symbol.dispose]();
  }
}

/**
 * Opens the first key slot that `secret` fits; its bytes stay the caller's.
 * Throws {@link WrongKeyError} if it fits none, and
 * {@link VolumeIntegrityError} if the descriptor is not authentic.
 */
export function unlock(descriptor: KeyedDescriptor, secret: Secret): Unlocked {
  const { slot, masterKey } = openFirst(descriptor, secret);
  const unlocked = new Unlocked(masterKey, descriptor.id, slot);
  try {
    verifyDescriptor(descriptor, unlocked.keys.get("descriptor"));
    return unlocked;
  } catch (error) {
    unlocked[Symbol.dispose]();
    throw error;
  }
}

function openFirst(
  { keys }: KeyedDescriptor,
  secret: Secret,
): { slot: KeySlot; masterKey: Uint8Array } {
  for (const slot of keys) {
    const masterKey = openKeySlot(slot, secret);
    if (masterKey) return { slot, masterKey };
  }
  const name = secret.kind === "keyfile" ? "key file" : "passphrase";
  if (keys.some((slot) => slot.kind === secret.kind)) {
    throw new WrongKeyError(`wrong ${name}`);
  }
  const other = secret.kind === "keyfile" ? "passphrases" : "key files";
  throw new WrongKeyError(`no ${name} opens it, only ${other} do`);
}

/** Throws {@link VolumeIntegrityError} for the state of half a copy. */
export function checkFinished({ unfinished }: VolumeState): void {
  if (unfinished === 0) return;
  throw new VolumeIntegrityError(
    "it is a copy under a new master key that was never completed, put in " +
      "the place of the volume",
  );
}

/**
 * Throws {@link VolumeIntegrityError} unless `state`, which is authentic, is
 * of the volume of `descriptor`, and of this descriptor of it. A copy that is
 * not complete is no volume, except for who is `copying`.
 */
export function checkState(
  state: VolumeState,
  descriptor: KeyedDescriptor,
  { copying = false }: { copying?: boolean } = {},
): void {
  const isSame = state.blockSize === descriptor.blockSize &&
    state.leafCount === descriptor.blockCount &&
    isEqual(state.id, uuidBytes(descriptor.id));
  if (!isSame) {
    throw new VolumeIntegrityError("the anchor is another volume's");
  }
  if (!copying) checkFinished(state);
  const digest = descriptorDigest(descriptor);
  if (isEqual(digest, state.descriptor)) return;
  // A change of the descriptor was cut short when it was in place already.
  if (isEqual(digest, state.nextDescriptor)) return;
  throw new VolumeIntegrityError(
    "the descriptor is not the present one: an old copy was put back",
  );
}
