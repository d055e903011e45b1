/**
 * The checkpoint: the head of the journal's file. It holds the state that
 * image and tree are in, or are being brought to, and where in the ring the
 * record of the next state is.
 *
 * There are two slots, written in turn: a write that a crash cuts short leaves
 * the other one. The authentic slot with the highest sequence counts.
 *
 * @module
 */

import { IntegrityError } from "../block_device.ts";
import type { ByteFile } from "../byte_file.ts";
import type { RecordFormat } from "./record.ts";
import {
  decodeState,
  encodeState,
  STATE_BYTES,
  type StoredState,
  type VolumeState,
} from "./state.ts";

/** Where the two slots begin, each in a page of its own. */
export const CHECKPOINT_SLOTS = [0, 4096] as const;
/** Bytes of one write of zeros. */
const FILL_BYTES = 1 << 20;
/** Where the ring begins, behind the slots. */
export const RING_START = 8192;

/** The checkpoint of an open journal. */
export class Checkpoint {
  readonly #file: ByteFile;
  readonly #format: RecordFormat;
  #state: StoredState;

  private constructor(
    file: ByteFile,
    format: RecordFormat,
    state: StoredState,
  ) {
    this.#file = file;
    this.#format = format;
    this.#state = state;
  }

  /**
   * Reads the checkpoint in `file`; roots have `rootBytes` bytes. Throws
   * {@link IntegrityError} if there is none that is authentic.
   */
  static open(
    file: ByteFile,
    { format, rootBytes }: { format: RecordFormat; rootBytes: number },
  ): Checkpoint {
    const { mac } = format;
    let latest: StoredState | null = null;
    for (const [i, at] of CHECKPOINT_SLOTS.entries()) {
      if (file.size < RING_START) break;
      const bytes = new Uint8Array(STATE_BYTES);
      file.readAt(at, bytes);
      const state = decodeState("checkpoint", bytes, { mac, rootBytes });
      if (!state || state.sequence % 2 !== i) continue;
      if (!latest || state.sequence > latest.sequence) latest = state;
    }
    if (latest) return new Checkpoint(file, format, latest);
    throw new IntegrityError(
      0,
      "the journal is not authentic: it was changed, cut short, or is another " +
        "volume's",
    );
  }

  /** The state, and where the record of the next one is. */
  get state(): StoredState {
    return this.#state;
  }

  /** Stores the present state once more, where it is. */
  async affirm(): Promise<void> {
    const bytes = encodeState("checkpoint", this.#state, this.#format.mac);
    this.#file.writeAt(CHECKPOINT_SLOTS[this.#state.sequence % 2], bytes);
    await this.#file.sync();
  }

  /**
   * Stores another state; resolves when it is on stable storage. If it fails,
   * the one before may or may not count, and this may be tried again.
   */
  async store(state: VolumeState, position: number): Promise<void> {
    const sequence = this.#state.sequence + 1;
    const next = { ...state, sequence, position };
    const bytes = encodeState("checkpoint", next, this.#format.mac);
    this.#file.writeAt(CHECKPOINT_SLOTS[sequence % 2], bytes);
    await this.#file.sync();
    this.#state = { ...this.#state, ...next };
  }
}

/**
 * Makes an empty journal in `file`, for a volume in `state`. All of it is
 * written, with zeros, so that its place on the disk is taken: a commit shall
 * not fail because the disk is full.
 */
export async function createJournal(
  file: ByteFile,
  format: RecordFormat,
  state: VolumeState,
): Promise<void> {
  const zeros = new Uint8Array(Math.min(FILL_BYTES, file.size));
  for (let at = 0; at < file.size; at += zeros.length) {
    file.writeAt(at, zeros.subarray(0, file.size - at));
  }
  const first = { ...state, sequence: 0, position: 0 };
  const bytes = encodeState("checkpoint", first, format.mac);
  file.writeAt(CHECKPOINT_SLOTS[0], bytes);
  await file.sync();
}
