/**
 * The file anchor: the one small record that says which state of the volume
 * is the present one, in a file of its own.
 *
 * Invariants:
 * - There are two slots, and generation g is in slot g mod 2. Storing writes
 *   the slot of the older generation, so that a write cut short by a crash
 *   leaves the other one.
 * - The authentic slot with the highest generation is the present state.
 * - Generations only rise.
 *
 * Beside the image it gives no freshness: whoever puts back an old copy of
 * everything, anchor included, shows an old state. On storage that the host of
 * the image cannot write, it does.
 *
 * @module
 */

import { DeviceError } from "../block_device.ts";
import type { ByteFile } from "../byte_file.ts";
import { isEqual } from "../bytes.ts";
import { type BlockHash, createHmac } from "../hmac.ts";
import type { Anchor } from "../journal/anchor.ts";
import { RollbackError } from "../journal/errors.ts";
import {
  decodeState,
  encodeState,
  isSameState,
  STATE_BYTES,
  type VolumeState,
} from "../journal/state.ts";
import { VolumeIntegrityError } from "./errors.ts";

/** Size of the file, in bytes. */
export const ANCHOR_BYTES = 8192;
/** Where the two slots begin: each in a page, and a sector, of its own. */
export const ANCHOR_SLOTS = [0, 4096] as const;

/** The present state in the bytes of a whole anchor file; null if none. */
export function latestAnchor(
  bytes: Uint8Array,
  mac: BlockHash | null,
): VolumeState | null {
  const slots = ANCHOR_SLOTS.map((at) => bytes.subarray(at, at + STATE_BYTES));
  return latestOf(slots, mac);
}

function latestOf(
  slots: readonly Uint8Array[],
  mac: BlockHash | null,
): VolumeState | null {
  let latest: VolumeState | null = null;
  for (const [i, slot] of slots.entries()) {
    const state = decodeState("anchor", slot, { mac });
    if (!state || state.generation % 2 !== i) continue;
    if (!latest || state.generation > latest.generation) latest = state;
  }
  return latest;
}

/** The open anchor of a volume, in a file. */
export class FileAnchor implements Anchor {
  readonly #file: ByteFile;
  readonly #mac: BlockHash;
  /** What both slots are known to hold; null if that is not known. */
  #slots: Uint8Array[] | null = null;
  #state: VolumeState;
  #open = true;

  private constructor(file: ByteFile, mac: BlockHash, state: VolumeState) {
    this.#file = file;
    this.#mac = mac;
    this.#state = state;
  }

  /**
   * Opens the anchor in `file`, which becomes the anchor's to close, by the
   * 32-byte `key`, which is copied. Throws {@link VolumeIntegrityError} if it
   * holds no authentic state.
   */
  static open(file: ByteFile, key: Uint8Array): FileAnchor {
    if (file.size !== ANCHOR_BYTES) {
      throw new VolumeIntegrityError(
        `the anchor has ${file.size} bytes in place of ${ANCHOR_BYTES}: it ` +
          "was cut short, extended or replaced",
      );
    }
    const mac = createHmac("sha256", key);
    const state = latestOf(readSlots(file), mac);
    if (state) return new FileAnchor(file, mac, state);
    mac.wipe();
    throw new VolumeIntegrityError(
      "the anchor is not authentic: it was changed, or is another volume's",
    );
  }

  /** Puts the first `state` of a volume into `file`, an empty anchor file. */
  static async create(
    file: ByteFile,
    key: Uint8Array,
    state: VolumeState,
  ): Promise<FileAnchor> {
    const anchor = new FileAnchor(file, createHmac("sha256", key), state);
    await anchor.#write(state, readSlots(file));
    return anchor;
  }

  /** The state that is known to be stored. */
  get state(): VolumeState {
    return this.#state;
  }

  /** Stores a state; see {@link Anchor.store}. */
  async store(expected: VolumeState, next: VolumeState): Promise<void> {
    if (!this.#open) {
      throw new DeviceError("EBADF", "Cannot store the anchor: it is closed");
    }
    const slots = readSlots(this.#file);
    this.#check(slots, [expected, next]);
    await this.#write(next, slots);
    this.#state = next;
  }

  /** Closes the file and overwrites the key. Again does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#mac.wipe();
    this.#file.close();
  }

  /** Throws unless one of `states` is in `slots`, as they were read now. */
  #check(slots: Uint8Array[], states: VolumeState[]): void {
    // Nearly always it is what this one has left there.
    const isKnown = this.#slots?.every((slot, i) => isEqual(slot, slots[i]));
    if (isKnown) return;
    const present = latestOf(slots, this.#mac);
    if (present && states.some((state) => isSameState(state, present))) return;
    throw new RollbackError(
      "Cannot store the anchor: somebody else has stored another state in " +
        "it; is a copy of the volume in use?",
    );
  }

  /** Stores `state`; `slots` is what was there before. */
  async #write(state: VolumeState, slots: Uint8Array[]): Promise<void> {
    const bytes = encodeState("anchor", state, this.#mac);
    const slot = state.generation % 2;
    this.#slots = null;
    this.#file.writeAt(ANCHOR_SLOTS[slot], bytes);
    await this.#file.sync();
    this.#slots = slots.with(slot, bytes);
  }
}

function readSlots(file: ByteFile): Uint8Array[] {
  return ANCHOR_SLOTS.map((at) => {
    const slot = new Uint8Array(STATE_BYTES);
    file.readAt(at, slot);
    return slot;
  });
}
