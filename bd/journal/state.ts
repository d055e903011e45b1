/**
 * The state of a volume: what has to be known of one moment of it, in 512
 * bytes under a MAC. Each record of the journal begins with the state that it
 * makes; the journal's checkpoint and the anchor hold a state as well.
 *
 * The MAC is HMAC-SHA-256 where the volume has a key, and plain SHA-256, which
 * shows what a crash has torn and protects against nobody, where it has none.
 *
 * @module
 */

import { isEqual } from "../bytes.ts";
import type { BlockHash } from "../hmac.ts";

/** Size of a stored state, in bytes: what a disk writes as a whole. */
export const STATE_BYTES = 512;

/**
 * The fields of a stored state: where they begin, and their size in bytes.
 * Numbers are little-endian; what is between the fields is zeros.
 */
export const STATE_FIELDS = {
  /** What the state is stored for: one of {@link STATE_MAGIC}. */
  magic: [0, 8],
  /** Version of the format: 1. */
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
  /** MAC of the record that made the state; of the one before, in a record. */
  chain: [168, 32],
  /** Checkpoint: how often one was stored. */
  sequence: [200, 8],
  /** Checkpoint: where the next record is, in bytes from the first place. */
  position: [208, 8],
  /** Record: number of blocks in it. */
  blocks: [216, 4],
  /** Record: number of tree nodes in it. */
  nodes: [220, 4],
  /** Record: digest of what follows the state. */
  body: [224, 32],
  /** What the root has beyond 32 bytes, with SHA-384 and SHA-512. */
  rootTail: [256, 32],
  /** MAC of all that is before it. */
  mac: [480, 32],
} as const;

/** What a stored state begins with, by what it is stored for. */
export const STATE_MAGIC = {
  anchor: "NXTANCHR",
  checkpoint: "NXTCHKPT",
  record: "NXTRECRD",
} as const;

const VERSION = 1;

/** A state of a volume. */
export interface VolumeState {
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
  /** Root of the hash tree: 32 bytes, or as long as a node is. */
  readonly root: Uint8Array;
  /** Digest of the descriptor, 32 bytes. */
  readonly descriptor: Uint8Array;
  /** Digest of the descriptor that is about to replace it, or zeros. */
  readonly nextDescriptor: Uint8Array;
  /** 1 while the volume is a copy that is being made, else 0. */
  readonly unfinished: number;
  /** MAC of the record that made the state, 32 bytes; zeros if none did. */
  readonly chain: Uint8Array;
}

/** What else is stored in the state of a checkpoint. */
export interface CheckpointFields {
  /** How often a checkpoint was stored. */
  readonly sequence: number;
  /** Where the next record is. */
  readonly position: number;
}

/** What else is stored in the state of a record. */
export interface RecordFields {
  /** Number of blocks in it. */
  readonly blocks: number;
  /** Number of tree nodes in it. */
  readonly nodes: number;
  /** Digest of what follows the state, 32 bytes. */
  readonly body: Uint8Array;
}

/** All that is stored. */
export interface StoredState
  extends VolumeState, CheckpointFields, RecordFields {
  /** The MAC, 32 bytes. */
  readonly mac: Uint8Array;
}

type FieldName = keyof typeof STATE_FIELDS;

const NUMBERS = [
  "blockSize",
  "generation",
  "leafCount",
  "unfinished",
  "sequence",
  "position",
  "blocks",
  "nodes",
] as const;
const BYTES = [
  "id",
  "epoch",
  "descriptor",
  "nextDescriptor",
  "chain",
  "body",
] as const;

/** Fields that are stored for one purpose only. */
const PURPOSE: Partial<Record<FieldName, keyof typeof STATE_MAGIC>> = {
  sequence: "checkpoint",
  position: "checkpoint",
  blocks: "record",
  nodes: "record",
  body: "record",
};

/** A stored state, by its fields. */
class Slot {
  constructor(readonly bytes: Uint8Array) {}

  get(name: FieldName): Uint8Array {
    const [at, size] = STATE_FIELDS[name];
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
    return this.bytes.subarray(0, STATE_FIELDS.mac[0]);
  }
}

/** A state as it is stored, {@link STATE_BYTES}, signed by `mac`. */
export function encodeState(
  kind: keyof typeof STATE_MAGIC,
  state: VolumeState & Partial<CheckpointFields & RecordFields>,
  mac: BlockHash,
): Uint8Array {
  const slot = new Slot(new Uint8Array(STATE_BYTES));
  slot.get("magic").set(new TextEncoder().encode(STATE_MAGIC[kind]));
  slot.setNumber("version", VERSION);
  const isStored = (name: FieldName): boolean =>
    (PURPOSE[name] ?? kind) === kind;
  for (const name of NUMBERS) {
    if (isStored(name)) slot.setNumber(name, state[name] ?? 0);
  }
  for (const name of BYTES) {
    if (isStored(name)) slot.get(name).set(state[name]!);
  }
  const [, size] = STATE_FIELDS.root;
  slot.get("root").set(state.root.subarray(0, size));
  slot.get("rootTail").set(state.root.subarray(size));
  slot.get("mac").set(mac.hash(slot.signed));
  return slot.bytes;
}

/**
 * The state stored in `bytes` for `kind`, or null if there is none. Without
 * `mac`, it is only what the host says. `rootBytes` is the size of the root.
 */
export function decodeState(
  kind: keyof typeof STATE_MAGIC,
  bytes: Uint8Array,
  { mac, rootBytes = 32 }: { mac: BlockHash | null; rootBytes?: number },
): StoredState | null {
  if (bytes.length < STATE_BYTES) return null;
  const slot = new Slot(bytes);
  if (mac && !isEqual(mac.hash(slot.signed), slot.get("mac"))) return null;
  const magic = new TextEncoder().encode(STATE_MAGIC[kind]);
  if (!isEqual(slot.get("magic"), magic)) return null;
  if (slot.number("version") !== VERSION) return null;
  const numbers = Object.fromEntries(
    NUMBERS.map((name) => [name, slot.number(name)]),
  ) as Record<(typeof NUMBERS)[number], number>;
  if (Object.values(numbers).some(Number.isNaN)) return null;
  const arrays = Object.fromEntries(
    BYTES.map((name) => [name, slot.get(name).slice()]),
  ) as Record<(typeof BYTES)[number], Uint8Array>;
  const root = Uint8Array.of(...slot.get("root"), ...slot.get("rootTail"));
  return {
    ...numbers,
    ...arrays,
    root: root.slice(0, rootBytes),
    mac: slot.get("mac").slice(),
  };
}

/** Whether two states are of the same moment of the same volume. */
export function isSameState(a: VolumeState, b: VolumeState): boolean {
  return a.generation === b.generation && isEqual(a.id, b.id) &&
    isEqual(a.chain, b.chain) && isEqual(a.root, b.root) &&
    isEqual(a.descriptor, b.descriptor) &&
    isEqual(a.nextDescriptor, b.nextDescriptor) &&
    a.unfinished === b.unfinished;
}
