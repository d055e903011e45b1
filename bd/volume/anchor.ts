/**
 * The anchor: the one small record that says which state of the volume is the
 * present one. It holds the root of the hash tree and the digest of the
 * descriptor, under a MAC.
 *
 * Invariants:
 * - There are two slots, and generation g is in slot g mod 2. Storing writes
 *   the slot of the older generation, so that a write cut short by a crash
 *   leaves the other one.
 * - The authentic slot with the highest generation is the present state.
 * - Generations only rise.
 *
 * It lies beside the image, so that it gives no freshness: whoever puts back
 * an old copy of everything, anchor included, shows an old state.
 *
 * @module
 */

import { DeviceError } from "../block_device.ts";
import { isEqual } from "../bytes.ts";
import type { ByteFile } from "../byte_file.ts";
import { type BlockHash, createHmac } from "../hmac.ts";
import { VolumeIntegrityError } from "./errors.ts";

/** Size of the file, in bytes. */
export const ANCHOR_BYTES = 8192;
/** Where the two slots begin: each in a page, and a sector, of its own. */
export const ANCHOR_SLOTS = [0, 4096] as const;
/** Size of a slot, in bytes: what a disk writes as a whole. */
export const ANCHOR_SLOT_BYTES = 512;

/**
 * The fields of a slot: where they begin, and their size in bytes. Numbers are
 * little-endian; what is between the fields is zeros.
 */
export const ANCHOR_FIELDS = {
  /** "NXTANCHR". */
  magic: [0, 8],
  /** Version of the record: 1. */
  version: [8, 4],
  /** Size of a block, in bytes. */
  blockSize: [12, 4],
  /** The volume's id. */
  id: [16, 16],
  /** Random, new whenever the volume is opened for writing. */
  epoch: [32, 16],
  /** Number of the state; it rises by one with each. */
  generation: [48, 8],
  /** Number of blocks: of leaves, if there is a tree. */
  leafCount: [56, 8],
  /** Root of the hash tree; zeros without one, or while nothing is written. */
  root: [64, 32],
  /** Digest of the descriptor. */
  descriptor: [96, 32],
  /** Digest of the descriptor that is about to replace it; zeros if none. */
  nextDescriptor: [128, 32],
  /** 1 while the volume is a copy that is being made, else 0. */
  unfinished: [160, 4],
  /** HMAC-SHA-256 of all that is before it. */
  mac: [480, 32],
} as const;

const MAGIC = new TextEncoder().encode("NXTANCHR");
const VERSION = 1;

/** A state of a volume. */
export interface AnchorState {
  /** Size of a block, in bytes. */
  readonly blockSize: number;
  /** The volume's id, 16 bytes. */
  readonly id: Uint8Array;
  /** Random, 16 bytes, new whenever the volume is opened for writing. */
  readonly epoch: Uint8Array;
  /** Number of the state. */
  readonly generation: number;
  /** Number of blocks. */
  readonly leafCount: number;
  /** Root of the hash tree, 32 bytes. */
  readonly root: Uint8Array;
  /** Digest of the descriptor, 32 bytes. */
  readonly descriptor: Uint8Array;
  /** Digest of the descriptor that is about to replace it, or zeros. */
  readonly nextDescriptor: Uint8Array;
  /** 1 while the volume is a copy that is being made, else 0. */
  readonly unfinished: number;
}

type FieldName = keyof typeof ANCHOR_FIELDS;

const NUMBER_FIELDS = [
  "blockSize",
  "generation",
  "leafCount",
  "unfinished",
] as const;
const BYTE_FIELDS = [
  "id",
  "epoch",
  "root",
  "descriptor",
  "nextDescriptor",
] as const;

/** A slot of bytes, by its fields. */
class Slot {
  constructor(readonly bytes: Uint8Array) {}

  get(name: FieldName): Uint8Array {
    const [at, size] = ANCHOR_FIELDS[name];
    return this.bytes.subarray(at, at + size);
  }

  /** A number below 2^53; NaN for a larger one. */
  number(name: FieldName): number {
    const bytes = this.get(name);
    let value = 0;
    for (let i = bytes.length - 1; i >= 0; i--) value = value * 256 + bytes[i];
    return Number.isSafeInteger(value) ? value : NaN;
  }

  setNumber(name: FieldName, value: number): void {
    const bytes = this.get(name);
    for (let i = 0; i < bytes.length; i++) {
      bytes[i] = value % 256;
      value = Math.floor(value / 256);
    }
  }

  /** What the MAC is over. */
  get signed(): Uint8Array {
    return this.bytes.subarray(0, ANCHOR_FIELDS.mac[0]);
  }
}

/** A state as a slot of bytes; `mac` signs it. */
export function encodeAnchor(state: AnchorState, mac: BlockHash): Uint8Array {
  const slot = new Slot(new Uint8Array(ANCHOR_SLOT_BYTES));
  slot.get("magic").set(MAGIC);
  slot.setNumber("version", VERSION);
  for (const name of NUMBER_FIELDS) slot.setNumber(name, state[name]);
  for (const name of BYTE_FIELDS) slot.get(name).set(state[name]);
  slot.get("mac").set(mac.hash(slot.signed));
  return slot.bytes;
}

/**
 * The state in a slot of bytes, or null if there is none. Without `mac`, it is
 * only what the host says.
 */
export function decodeAnchor(
  bytes: Uint8Array,
  mac: BlockHash | null,
): AnchorState | null {
  const slot = new Slot(bytes);
  if (mac && !isEqual(mac.hash(slot.signed), slot.get("mac"))) {
    return null;
  }
  if (!isEqual(slot.get("magic"), MAGIC)) return null;
  if (slot.number("version") !== VERSION) return null;
  const state = {
    blockSize: slot.number("blockSize"),
    id: slot.get("id").slice(),
    epoch: slot.get("epoch").slice(),
    generation: slot.number("generation"),
    leafCount: slot.number("leafCount"),
    root: slot.get("root").slice(),
    descriptor: slot.get("descriptor").slice(),
    nextDescriptor: slot.get("nextDescriptor").slice(),
    unfinished: slot.number("unfinished"),
  };
  const isWhole = state.generation >= 0 && state.leafCount >= 0;
  return isWhole ? state : null;
}

/** The present state in the bytes of a whole anchor file; null if none. */
export function latestAnchor(
  bytes: Uint8Array,
  mac: BlockHash | null,
): AnchorState | null {
  let latest: AnchorState | null = null;
  for (const [i, at] of ANCHOR_SLOTS.entries()) {
    const slot = bytes.subarray(at, at + ANCHOR_SLOT_BYTES);
    if (slot.length < ANCHOR_SLOT_BYTES) continue;
    const state = decodeAnchor(slot, mac);
    if (!state || state.generation % 2 !== i) continue;
    if (!latest || state.generation > latest.generation) latest = state;
  }
  return latest;
}

/** What a new state may change. */
export type AnchorChanges = Partial<
  Pick<
    AnchorState,
    "epoch" | "root" | "descriptor" | "nextDescriptor" | "unfinished"
  >
>;

/** The open anchor of a volume. */
export class Anchor {
  readonly #file: ByteFile;
  readonly #mac: BlockHash;
  #state: AnchorState;
  #open = true;
  /** A store whose outcome nobody knows. */
  #lost = false;

  private constructor(file: ByteFile, mac: BlockHash, state: AnchorState) {
    this.#file = file;
    this.#mac = mac;
    this.#state = state;
  }

  /**
   * Opens the anchor in `file`, which becomes the anchor's to close, by the
   * 32-byte `key`, which is copied. Throws {@link VolumeIntegrityError} if it
   * holds no authentic state.
   */
  static open(file: ByteFile, key: Uint8Array): Anchor {
    if (file.size !== ANCHOR_BYTES) {
      throw new VolumeIntegrityError(
        `the anchor has ${file.size} bytes in place of ${ANCHOR_BYTES}: it ` +
          "was cut short, extended or replaced",
      );
    }
    const bytes = new Uint8Array(ANCHOR_BYTES);
    file.readAt(0, bytes);
    const mac = createHmac("sha256", key);
    const state = latestAnchor(bytes, mac);
    if (state) return new Anchor(file, mac, state);
    mac.wipe();
    throw new VolumeIntegrityError(
      "the anchor is not authentic: it was changed, or is another volume's",
    );
  }

  /** Makes the first state of a new volume in `file`, an empty anchor file. */
  static async create(
    file: ByteFile,
    key: Uint8Array,
    state: Omit<AnchorState, "generation">,
  ): Promise<Anchor> {
    const mac = createHmac("sha256", key);
    const anchor = new Anchor(file, mac, { ...state, generation: 0 });
    await anchor.store({});
    return anchor;
  }

  /** The present state. */
  get state(): AnchorState {
    return this.#state;
  }

  /**
   * Makes the present state with `changes` the next one; resolves when that is
   * on stable storage. If the host fails, the outcome is unknown, and every
   * further store is refused: it would write over the last state that is known
   * to be whole.
   */
  async store(changes: AnchorChanges): Promise<void> {
    if (!this.#open) {
      throw new DeviceError("EBADF", "Cannot store the anchor: it is closed");
    }
    if (this.#lost) {
      throw new DeviceError(
        "EIO",
        "Cannot store the anchor: the host failed before; open the volume again",
      );
    }
    const generation = this.#state.generation + 1;
    const state = { ...this.#state, ...changes, generation };
    const bytes = encodeAnchor(state, this.#mac);
    this.#lost = true;
    this.#file.writeAt(ANCHOR_SLOTS[generation % 2], bytes);
    await this.#file.sync();
    this.#lost = false;
    this.#state = state;
  }

  /** Closes the file and overwrites the key. Again does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#mac.wipe();
    this.#file.close();
  }
}
