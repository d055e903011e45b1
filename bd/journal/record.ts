/**
 * The record: one commit as it lies in the journal's ring.
 *
 * | part | bytes |
 * | --- | --- |
 * | the state that the commit makes, signed | 512 |
 * | for each block its number, 4 bytes; padding to 8 | |
 * | for each tree node its place in the tree file, in nodes, 8 bytes | |
 * | padding to 512 | |
 * | the blocks, as the image stores them | blocks × block size |
 * | the nodes | nodes × digest size |
 * | padding to 512 | |
 *
 * The state has the digest of all that follows it: SHA-256, or CRC-32 (in the
 * first four bytes) in a volume without a key, as the kernel's journal has it.
 * Padding is of zeros.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { isEqual } from "../bytes.ts";
import type { BlockHash } from "../hmac.ts";
import type { Slices } from "../slices.ts";
import { type Ring, RING_UNIT } from "./ring.ts";
import type { Layer } from "./staging.ts";
import {
  decodeState,
  encodeState,
  STATE_BYTES,
  type StoredState,
  type VolumeState,
} from "./state.ts";

/**
 * Part of the ring that a commit may be as large as, as a divisor: one that has
 * failed becomes part of the next, and both together have to fit.
 */
const COMMIT_SHARE = 2;
/** Bytes that are gathered for one write. */
const PIECE_BYTES = 1 << 20;

/** How the records of one journal are made. */
export interface RecordFormat {
  /** Signs states. */
  readonly mac: BlockHash;
  /** Whether `mac` has a key. */
  readonly isKeyed: boolean;
  /** Size of a block, in bytes. */
  readonly blockSize: number;
  /** Size of a node, in bytes; 0 without a tree. */
  readonly nodeBytes: number;
}

/** What is to be in a record. */
export interface Contents {
  /** Blocks by their numbers, in ascending order. */
  readonly blocks: Layer;
  /** Nodes by their places, in ascending order. */
  readonly nodes: Layer;
}

/** A record that was read, and found whole. */
export interface JournalRecord {
  /** The state that it makes: its `chain` is the record's own MAC. */
  readonly state: VolumeState;
  /** Its contents. */
  readonly contents: Contents;
  /** Size in the ring, in bytes. */
  readonly byteLength: number;
}

const padded = (bytes: number, unit: number): number =>
  Math.ceil(bytes / unit) * unit;

/** Sizes of the parts of a record, in bytes. */
function partSizes(
  { blocks, nodes }: { blocks: number; nodes: number },
  { blockSize, nodeBytes }: RecordFormat,
): { numbers: number; tables: number; byteLength: number } {
  const numbers = padded(blocks * 4, 8);
  const tables = padded(numbers + nodes * 8, RING_UNIT);
  const values = blocks * blockSize + nodes * nodeBytes;
  const byteLength = STATE_BYTES + tables + padded(values, RING_UNIT);
  return { numbers, tables, byteLength };
}

/** Size in the ring of a record of so many blocks and nodes, in bytes. */
export function recordBytes(
  counts: { blocks: number; nodes: number },
  format: RecordFormat,
): number {
  return partSizes(counts, format).byteLength;
}

/**
 * How many of `leafCount` blocks fit into one commit, whichever they are, in a
 * ring of `ringBytes`: each may bring a node of every level with it.
 */
export function commitBlocks(
  ringBytes: number,
  leafCount: number,
  { blockSize, nodeBytes }: RecordFormat,
): number {
  // A tree of our own has up to five levels more than its leaves need.
  const levels = nodeBytes > 0 ? Math.ceil(Math.log2(leafCount)) + 6 : 0;
  const each = blockSize + 4 + levels * (nodeBytes + 8);
  return Math.floor((ringBytes / COMMIT_SHARE - 2048) / each);
}

/** A digest that is computed piece by piece. */
class BodyDigest {
  readonly #hash: ReturnType<typeof createHash> | null;
  #crc = 0;

  constructor({ isKeyed }: RecordFormat) {
    this.#hash = isKeyed ? createHash("sha256") : null;
  }

  update(bytes: Uint8Array): void {
    if (this.#hash) this.#hash.update(bytes);
    else this.#crc = crc32(bytes, this.#crc);
  }

  digest(): Uint8Array {
    if (this.#hash) return new Uint8Array(this.#hash.digest());
    const digest = new Uint8Array(32);
    new DataView(digest.buffer).setUint32(0, this.#crc, true);
    return digest;
  }
}

/**
 * Writes a record to the ring from `position` on, in pieces between which
 * other work goes on. Returns its state, whose `chain` is the record's MAC.
 * Nothing is synced.
 */
export async function writeRecord(
  ring: Ring,
  what: { position: number; state: VolumeState; contents: Contents },
  { format, slices }: { format: RecordFormat; slices: Slices },
): Promise<VolumeState> {
  const { position, state, contents: { blocks, nodes } } = what;
  const counts = { blocks: blocks.size, nodes: nodes.size };
  const writer = new RecordWriter(ring, position, format);
  writer.append(tablesOf(what.contents, format));
  for (const values of [blocks, nodes]) {
    for (const value of values.values()) {
      writer.append(value);
      if (slices.isLongAfter(value.length)) await slices.pause();
    }
  }
  return writer.finish({ ...state, ...counts }, recordBytes(counts, format));
}

/** The numbers of blocks and the places of nodes. */
function tablesOf(
  { blocks, nodes }: Contents,
  format: RecordFormat,
): Uint8Array {
  const counts = { blocks: blocks.size, nodes: nodes.size };
  const { numbers, tables } = partSizes(counts, format);
  const bytes = new Uint8Array(tables);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const block of blocks.keys()) {
    view.setUint32(at, block, true);
    at += 4;
  }
  at = numbers;
  for (const place of nodes.keys()) {
    view.setUint32(at, place % 2 ** 32, true);
    view.setUint32(at + 4, Math.floor(place / 2 ** 32), true);
    at += 8;
  }
  return bytes;
}

/** Gathers what is appended, and writes it in long pieces. */
class RecordWriter {
  readonly #ring: Ring;
  readonly #position: number;
  readonly #format: RecordFormat;
  readonly #digest: BodyDigest;
  /** The piece at hand; the first one begins with room for the state. */
  #piece = piece();
  #length = STATE_BYTES;
  /** Bytes of the record before the piece at hand. */
  #before = 0;

  constructor(ring: Ring, position: number, format: RecordFormat) {
    this.#ring = ring;
    this.#position = position;
    this.#format = format;
    this.#digest = new BodyDigest(format);
  }

  append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      const room = PIECE_BYTES - this.#length;
      const part = bytes.subarray(done, done + room);
      this.#piece.set(part, this.#length);
      this.#length += part.length;
      done += part.length;
      if (this.#length === PIECE_BYTES) this.#flush();
    }
  }

  finish(
    state: VolumeState & { blocks: number; nodes: number },
    byteLength: number,
  ): VolumeState {
    const padding = byteLength - this.#before - this.#length;
    this.append(new Uint8Array(padding));
    const first = this.#before === 0 ? STATE_BYTES : 0;
    this.#digest.update(this.#piece.subarray(first, this.#length));
    const body = this.#digest.digest();
    const { mac } = this.#format;
    const head = encodeState("record", { ...state, body }, mac);
    // A short record is written at once, the state of a long one at last.
    if (this.#before === 0) this.#piece.set(head);
    if (this.#length > 0) this.#write(this.#before, this.#length);
    if (this.#before > 0) this.#ring.write(this.#position, head);
    spare = this.#piece;
    return { ...state, chain: head.slice(-32) };
  }

  #flush(): void {
    const first = this.#before === 0 ? STATE_BYTES : 0;
    this.#digest.update(this.#piece.subarray(first, this.#length));
    if (first > 0) {
      const at = this.#ring.advance(this.#position, first);
      this.#ring.write(at, this.#piece.subarray(first));
    } else this.#write(this.#before, this.#length);
    this.#before += this.#length;
    this.#length = 0;
  }

  #write(offset: number, length: number): void {
    const at = this.#ring.advance(this.#position, offset);
    this.#ring.write(at, this.#piece.subarray(0, length));
  }
}

/** A piece that no writer uses: fresh memory costs more than its use. */
let spare: Uint8Array | null = null;

function piece(): Uint8Array {
  const bytes = spare ?? new Uint8Array(PIECE_BYTES);
  spare = null;
  return bytes;
}

/**
 * The record at `position` that follows `before`, the state before it: of its
 * epoch, its generation plus one, and chained to it. Null if there is none
 * that is whole and authentic. It is read once, and used as it was read.
 */
export function readRecord(
  ring: Ring,
  position: number,
  { before, format }: { before: VolumeState; format: RecordFormat },
): JournalRecord | null {
  const head = new Uint8Array(STATE_BYTES);
  ring.read(position, head);
  const { mac } = format;
  const rootBytes = before.root.length;
  const stored = decodeState("record", head, { mac, rootBytes });
  if (!stored || !follows(stored, before)) return null;
  // Places of nodes that take no bytes could be more than memory holds.
  if (stored.nodes > 0 && format.nodeBytes === 0) return null;
  const byteLength = recordBytes(stored, format);
  if (byteLength > ring.size) return null;
  const body = new Uint8Array(byteLength - STATE_BYTES);
  ring.read(ring.advance(position, STATE_BYTES), body);
  const digest = new BodyDigest(format);
  digest.update(body);
  if (!isEqual(digest.digest(), stored.body)) return null;
  const state = { ...stored, chain: stored.mac };
  return { state, contents: parse(body, stored, format), byteLength };
}

/**
 * Whether the state of a record is at `position` that would follow `before`,
 * whatever there is behind it. Without `mac`, it is only what the host says.
 */
export function hasRecordHead(
  ring: Ring,
  position: number,
  { before, mac }: { before: VolumeState; mac: BlockHash | null },
): boolean {
  const head = new Uint8Array(STATE_BYTES);
  ring.read(position, head);
  const rootBytes = before.root.length;
  const stored = decodeState("record", head, { mac, rootBytes });
  return stored !== null && follows(stored, before);
}

function follows(record: StoredState, before: VolumeState): boolean {
  return record.generation === before.generation + 1 &&
    record.blockSize === before.blockSize &&
    record.leafCount === before.leafCount &&
    isEqual(record.id, before.id) && isEqual(record.epoch, before.epoch) &&
    isEqual(record.chain, before.chain);
}

/** The contents of a body; they are views of it. */
function parse(
  body: Uint8Array,
  counts: StoredState,
  format: RecordFormat,
): Contents {
  const { numbers, tables } = partSizes(counts, format);
  const { blockSize, nodeBytes } = format;
  const view = new DataView(body.buffer, body.byteOffset);
  const blocks: Layer = new Map();
  const nodes: Layer = new Map();
  let at = tables;
  for (let i = 0; i < counts.blocks; i++, at += blockSize) {
    const block = view.getUint32(i * 4, true);
    blocks.set(block, body.subarray(at, at + blockSize));
  }
  for (let i = 0; i < counts.nodes; i++, at += nodeBytes) {
    const entry = numbers + i * 8;
    const place = view.getUint32(entry, true) +
      view.getUint32(entry + 4, true) * 2 ** 32;
    nodes.set(place, body.subarray(at, at + nodeBytes));
  }
  return { blocks, nodes };
}
