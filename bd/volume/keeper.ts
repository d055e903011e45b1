/**
 * Who keeps the state of a volume: its journal, or, while it is being filled
 * and in volumes without a journal, its anchor alone.
 *
 * @module
 */

import { DeviceError } from "../block_device.ts";
import { createHmac, createPlainHash } from "../hmac.ts";
import type { Anchor } from "../journal/anchor.ts";
import type { RecordFormat } from "../journal/record.ts";
import type { Identity } from "../journal/recover.ts";
import type { VolumeState } from "../journal/state.ts";
import { uuidBytes } from "../uuid.ts";
import { type Descriptor, hasTree } from "./descriptor.ts";
import type { Unlocked } from "./unlock.ts";

/** Size of a node of our trees, in bytes. */
const NODE_BYTES = 32;

/** What a new state may change. */
export type StateChanges = Partial<
  Pick<
    VolumeState,
    "epoch" | "root" | "descriptor" | "nextDescriptor" | "unfinished"
  >
>;

/** See the module. */
export interface StateKeeper {
  /** The present state. */
  readonly state: VolumeState;
  /** Makes the present state with `changes` the next; it is durable then. */
  commit(changes: StateChanges): Promise<void>;
  /** Gives up what is behind it. Calling it again does nothing. */
  close(): void;
}

/** Keeps the state in an anchor, without a journal. */
export class AnchorKeeper implements StateKeeper {
  readonly #anchor: Anchor;
  /** A store whose outcome nobody knows. */
  #lost = false;

  /** Makes a keeper of `anchor`, which becomes the keeper's to close. */
  constructor(anchor: Anchor) {
    this.#anchor = anchor;
  }

  /** The present state. */
  get state(): VolumeState {
    return this.#anchor.state;
  }

  /**
   * See {@link StateKeeper}. If the host fails, the outcome is unknown, and
   * every further one is refused.
   */
  async commit(changes: StateChanges): Promise<void> {
    const { state } = this.#anchor;
    if (this.#lost) {
      throw new DeviceError(
        "EIO",
        "Cannot store the anchor: the host failed before; open the volume again",
      );
    }
    this.#lost = true;
    const generation = state.generation + 1;
    await this.#anchor.store(state, { ...state, ...changes, generation });
    this.#lost = false;
  }

  /** Closes the anchor. */
  close(): void {
    this.#anchor.close();
  }
}

/** How the records of a volume's journal are made; `mac` is to be wiped. */
export function recordFormat(
  descriptor: Descriptor,
  unlocked: Unlocked | null,
): RecordFormat {
  return {
    mac: unlocked
      ? createHmac("sha256", unlocked.keys.get("journal"))
      : createPlainHash("sha256"),
    isKeyed: unlocked !== null,
    blockSize: descriptor.blockSize,
    nodeBytes: hasTree(descriptor) ? NODE_BYTES : 0,
  };
}

/** What the journal of a volume must be of. */
export function identityOf(descriptor: Descriptor): Identity {
  const { id, blockSize, blockCount: leafCount } = descriptor;
  return { id: uuidBytes(id), blockSize, leafCount, rootBytes: NODE_BYTES };
}
