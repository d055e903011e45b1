/**
 * Recovery: from what a crash has left in the journal to the one state that
 * the volume is in.
 *
 * With an anchor, it is the anchor's: a record behind that was never
 * acknowledged, and is discarded. Without, it is the last one of the longest
 * authentic chain. Each record is read once, and what was verified is what is
 * used.
 *
 * @module
 */

import { IntegrityError } from "../block_device.ts";
import type { ByteFile } from "../byte_file.ts";
import { isEqual } from "../bytes.ts";
import { Checkpoint, RING_START } from "./checkpoint.ts";
import { RollbackError } from "./errors.ts";
import {
  type Contents,
  type JournalRecord,
  readRecord,
  type RecordFormat,
} from "./record.ts";
import { Ring } from "./ring.ts";
import { isSameState, type VolumeState } from "./state.ts";

/** What is known of a volume before its journal is looked at. */
export interface Identity {
  /** Its id, 16 bytes. */
  readonly id: Uint8Array;
  /** Size of a block, in bytes. */
  readonly blockSize: number;
  /** Number of blocks. */
  readonly leafCount: number;
  /** Size of the root of its tree, in bytes; 32 without a tree. */
  readonly rootBytes: number;
}

/** Which state is to be found. */
export interface RecoverOptions {
  /** How records are made. */
  readonly format: RecordFormat;
  /** Which volume it must be. */
  readonly identity: Identity;
  /** The state that the anchor holds; null without one. */
  readonly anchored: VolumeState | null;
  /**
   * A generation to be taken though the anchor says another: it must be that
   * of the last state that the journal has.
   */
  readonly accept?: number;
}

/** What recovery has found. */
export interface Recovery {
  /** The checkpoint that it began with. */
  readonly checkpoint: Checkpoint;
  /** The state that the volume is in. */
  readonly state: VolumeState;
  /** Contents of the records from the checkpoint to the state, in order. */
  readonly contents: readonly Contents[];
  /** Where the last of these records begins; where it ends if there is none. */
  readonly lastPosition: number;
  /** Where the last of these records ends in the ring. */
  readonly position: number;
}

/** A state that a journal has, and how it comes to it. */
export interface ChainLink {
  /** The state. */
  readonly state: VolumeState;
  /** What makes it of the state before; null for the checkpoint's. */
  readonly contents: Contents | null;
  /** Where the record of the next state is in the ring. */
  readonly position: number;
}

/** All states of a journal, from the checkpoint's on. */
export interface Chain {
  /** The checkpoint. */
  readonly checkpoint: Checkpoint;
  /** The states; there is one at least. */
  readonly links: readonly ChainLink[];
}

/**
 * Reads the longest authentic chain of records, up to the state of generation
 * `last` if that is given. Throws {@link IntegrityError} if the journal is not
 * authentic, or another volume's.
 */
export function readChain(
  file: ByteFile,
  { format, identity, last = Infinity }: {
    format: RecordFormat;
    identity: Identity;
    last?: number;
  },
): Chain {
  const { rootBytes } = identity;
  const checkpoint = Checkpoint.open(file, { format, rootBytes });
  checkIdentity(checkpoint.state, identity);
  const ring = new Ring(file, RING_START);
  let { position } = checkpoint.state;
  if (position >= ring.size) throw damaged("its checkpoint is beyond its end");
  let state: VolumeState = checkpoint.state;
  const links: ChainLink[] = [{ state, contents: null, position }];
  for (let used = 0; state.generation < last;) {
    const record = readRecord(ring, position, { before: state, format });
    if (!record) break;
    used += record.byteLength;
    if (used > ring.size) break;
    checkContents(record, identity);
    ({ state } = record);
    position = ring.advance(position, record.byteLength);
    links.push({ state, contents: record.contents, position });
  }
  return { checkpoint, links };
}

/** What there is to recover if the state `links[index]` is the present one. */
export function recoveryAt(
  { checkpoint, links }: Chain,
  index: number,
): Recovery {
  const { state, position } = links[index];
  const contents = links.slice(1, index + 1).map((link) => link.contents!);
  const lastPosition = links[Math.max(0, index - 1)].position;
  return { checkpoint, state, contents, lastPosition, position };
}

/**
 * Finds the state of the volume by its journal. Nothing is written. Throws
 * {@link RollbackError} if it is not the anchor's, and
 * {@link IntegrityError} if the journal is not authentic.
 */
export function recover(file: ByteFile, options: RecoverOptions): Recovery {
  const { format, identity, anchored, accept } = options;
  // Who accepts an older state accepts the last one that there is.
  const last = accept === undefined ? anchored?.generation : undefined;
  const chain = readChain(file, { format, identity, last });
  const found = recoveryAt(chain, chain.links.length - 1);
  checkState(found.state, lastGeneration(file, found, format), options);
  return found;
}

/** The generation of the last record that follows what was found. */
function lastGeneration(
  file: ByteFile,
  { state, position }: Recovery,
  format: RecordFormat,
): number {
  const ring = new Ring(file, RING_START);
  let before = state;
  for (let used = 0; used <= ring.size;) {
    const record = readRecord(ring, position, { before, format });
    if (!record) break;
    used += record.byteLength;
    before = record.state;
    position = ring.advance(position, record.byteLength);
  }
  return before.generation;
}

function damaged(reason: string): IntegrityError {
  return new IntegrityError(0, `the journal is damaged: ${reason}`);
}

function checkIdentity(state: VolumeState, identity: Identity): void {
  const isSame = isEqual(state.id, identity.id) &&
    state.blockSize === identity.blockSize &&
    state.leafCount === identity.leafCount;
  if (!isSame) throw new IntegrityError(0, "the journal is another volume's");
}

/** A record without a MAC may say anything. */
function checkContents(
  { contents: { blocks, nodes } }: JournalRecord,
  { leafCount }: Identity,
): void {
  for (const block of blocks.keys()) {
    if (block >= leafCount) throw damaged(`it has a block ${block}`);
  }
  for (const place of nodes.keys()) {
    if (!Number.isSafeInteger(place)) throw damaged(`it has a node ${place}`);
  }
}

/**
 * Throws unless `state` is the one that is to be found. What a refusal names,
 * so that it may be accepted, is the `last` generation that the journal has:
 * to go back further would be to lose what was acknowledged.
 */
function checkState(
  state: VolumeState,
  last: number,
  { anchored, accept }: RecoverOptions,
): void {
  const found = `the volume is at generation ${last}`;
  if (accept !== undefined) {
    if (state.generation === accept) return;
    throw new RollbackError(
      `${found}, and --accept-rollback says ${accept}: give the one that it ` +
        "is at, if that is meant",
    );
  }
  if (!anchored) return;
  const { generation } = anchored;
  const isSame = isSameState(state, anchored);
  // A record is begun when the anchor has the one before it: at most one may
  // follow what the anchor says, which was never acknowledged.
  if (isSame && last <= generation + 1) return;
  const reason = isSame
    ? `the journal goes on to generation ${last}, the anchor says ` +
      `${generation}: the anchor was rolled back`
    : `${found}, ${whyRefused(last, generation)}`;
  throw new RollbackError(reason, { isAcceptable: true });
}

function whyRefused(last: number, anchored: number): string {
  const said = `the anchor says ${anchored}`;
  if (last < anchored) return `${said}: rolled back, or the wrong copy`;
  if (last > anchored) {
    return `${said}: the anchor was rolled back, or is that of another copy`;
  }
  return "and so is the anchor, but not with the same contents: it is a copy " +
    "that went its own way";
}
