/**
 * The descriptor of a volume: what it is, and the key slots that open it. A
 * file of JSON that people can read, authenticated where there is a key.
 *
 * Everything in it is the host's word until {@link verifyDescriptor} has been
 * passed: sizes and numbers have bounds, and an unknown field or version is
 * refused, so that nothing is ever opened by half its rules.
 *
 * @module
 */

import { isEqual } from "../bytes.ts";
import { createHmac, createPlainHash } from "../hmac.ts";
import {
  FieldError,
  type FieldReader,
  hex,
  integer,
  list,
  object,
  oneOf,
  optional,
  text,
} from "../json_fields.ts";
import { KEY_SLOTS_MAX, type KeySlot, keySlot } from "../keys/key_slot.ts";
import { canonicalJson, type Json } from "./canonical_json.ts";
import { VolumeIntegrityError } from "./errors.ts";

/** The version of the format that this code writes. */
export const FORMAT = 2;
/** The version without a journal, which is still read. */
export const FORMAT_WITHOUT_JOURNAL = 1;
/** Largest size of a descriptor, in bytes. */
export const DESCRIPTOR_BYTES_MAX = 64 << 10;
/** Kinds of devices, as a descriptor names them. */
export const DEVICES = ["std", "crypt", "verity", "vericrypt"] as const;
/** Where the anchor is: beside the image, elsewhere, or nowhere. */
export const ANCHOR_PLACES = ["beside", "apart", "none"] as const;
/** Least size of a journal, in bytes. */
export const JOURNAL_BYTES_MIN = 1 << 20;
/** Largest size of a journal, in bytes. */
export const JOURNAL_BYTES_MAX = 2 ** 30;
/** What the size of a new journal is a multiple of, in bytes. */
export const JOURNAL_BYTES_UNIT = 4096;
/** Sizes of a block, in bytes. */
export const BLOCK_SIZES = [1024, 2048, 4096] as const;
/** Most blocks of a volume: ext2 counts them in 32 bits. */
export const BLOCK_COUNT_MAX = 2 ** 32 - 1;

/** Kind of a device. */
export type DeviceKind = (typeof DEVICES)[number];

/** Where an anchor is. */
export type AnchorPlace = (typeof ANCHOR_PLACES)[number];

/** What every descriptor says. */
export interface DescriptorBase {
  /** Version of the format. */
  readonly nextfs: typeof FORMAT | typeof FORMAT_WITHOUT_JOURNAL;
  /** The volume's own number: a UUID. */
  readonly id: string;
  /** Size of a block, in bytes. */
  readonly blockSize: number;
  /** Number of blocks. */
  readonly blockCount: number;
  /** Size of the journal, in bytes; absent without one. */
  readonly journalSize?: number;
}

/** The descriptor of a volume without a key. */
export interface PlainDescriptor extends DescriptorBase {
  /** Kind of its device. */
  readonly device: "std";
}

/** The descriptor of a volume with a key. */
export interface KeyedDescriptor extends DescriptorBase {
  /** Kind of its device. */
  readonly device: Exclude<DeviceKind, "std">;
  /** Where its anchor is; absent without a journal, and then beside it. */
  readonly anchor?: AnchorPlace;
  /** What opens it, in ascending order of their numbers. */
  readonly keys: readonly KeySlot[];
  /** HMAC-SHA-256 of all the rest, in hexadecimal. */
  readonly mac: string;
}

/** See the module. */
export type Descriptor = PlainDescriptor | KeyedDescriptor;

/** Whether the volume has a key. */
export function hasKey(descriptor: Descriptor): descriptor is KeyedDescriptor {
  return descriptor.device !== "std";
}

/** Whether the volume has a hash tree. */
export function hasTree({ device }: Descriptor): boolean {
  return device === "verity" || device === "vericrypt";
}

/** Where the anchor of the volume is. */
export function anchorPlace(descriptor: Descriptor): AnchorPlace {
  return hasKey(descriptor) ? descriptor.anchor ?? "beside" : "none";
}

/** Whether the volume is encrypted. */
export function isEncrypted({ device }: Descriptor): boolean {
  return device === "crypt" || device === "vericrypt";
}

const COMMON = {
  nextfs: oneOf([FORMAT, FORMAT_WITHOUT_JOURNAL]),
  id: text(36, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  device: oneOf(DEVICES),
  blockSize: oneOf(BLOCK_SIZES),
  blockCount: integer(1, BLOCK_COUNT_MAX),
  journalSize: optional(integer(JOURNAL_BYTES_MIN, JOURNAL_BYTES_MAX)),
};

const PLAIN = object(COMMON);

const KEYED = object({
  ...COMMON,
  anchor: optional(oneOf(ANCHOR_PLACES)),
  keys: list(keySlot, { least: 1, most: KEY_SLOTS_MAX }),
  mac: hex(32),
});

/**
 * Reads a descriptor; its MAC is not checked. Throws
 * {@link VolumeIntegrityError} for what is none that this version can read.
 */
export function parseDescriptor(bytes: Uint8Array): Descriptor {
  try {
    const value: unknown = JSON.parse(decode(bytes));
    checkVersion(value);
    const { device } = value as { device?: unknown };
    const reader = (device === "std" ? PLAIN : KEYED) as FieldReader<unknown>;
    const descriptor = reader(value, "") as Descriptor;
    checkFormat(descriptor);
    if (hasKey(descriptor)) checkOrder(descriptor.keys);
    return descriptor;
  } catch (error) {
    if (error instanceof SyntaxError) throw damaged("not JSON");
    if (error instanceof FieldError) throw damaged(error.message);
    throw error;
  }
}

function decode(bytes: Uint8Array): string {
  if (bytes.length > DESCRIPTOR_BYTES_MAX) {
    throw damaged(`longer than ${DESCRIPTOR_BYTES_MAX} bytes`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw damaged("not UTF-8");
  }
}

/** A newer format may differ in everything else: its number comes first. */
function checkVersion(value: unknown): void {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw damaged("not a JSON object");
  }
  const { nextfs } = value as { nextfs?: unknown };
  if (Number.isInteger(nextfs) && nextfs as number > FORMAT) {
    throw new VolumeIntegrityError(
      `made by a newer nextfs: format ${nextfs}, and this one knows ${FORMAT}`,
    );
  }
}

/** Each version has its own fields, all of them and no others. */
function checkFormat(descriptor: Descriptor): void {
  const { nextfs, journalSize } = descriptor;
  const anchor = hasKey(descriptor) ? descriptor.anchor : undefined;
  const isNew = nextfs === FORMAT;
  if ((journalSize !== undefined) !== isNew) {
    throw damaged(`journalSize: ${isNew ? "missing" : "unknown field"}`);
  }
  if (hasKey(descriptor) && (anchor !== undefined) !== isNew) {
    throw damaged(`anchor: ${isNew ? "missing" : "unknown field"}`);
  }
}

function checkOrder(keys: readonly KeySlot[]): void {
  for (let i = 1; i < keys.length; i++) {
    if (keys[i].id <= keys[i - 1].id) {
      throw damaged(`keys[${i}].id: not in ascending order`);
    }
  }
}

function damaged(reason: string): VolumeIntegrityError {
  return new VolumeIntegrityError(`the descriptor is damaged: ${reason}`);
}

/** The descriptor as it is stored: JSON for people to read. */
export function formatDescriptor(descriptor: Descriptor): Uint8Array {
  const text = `${JSON.stringify(descriptor, null, 2)}\n`;
  return new TextEncoder().encode(text);
}

/** What a MAC is over: a descriptor without one. */
export type UnsignedDescriptor = Omit<KeyedDescriptor, "mac"> & {
  readonly mac?: undefined;
};

/** The same descriptor with its MAC, by the 32-byte `key`. */
export function signDescriptor(
  descriptor: UnsignedDescriptor,
  key: Uint8Array,
): KeyedDescriptor {
  return { ...descriptor, mac: macOf(descriptor, key).toHex() };
}

/**
 * Throws {@link VolumeIntegrityError} unless `descriptor` was signed by `key`.
 */
export function verifyDescriptor(
  descriptor: KeyedDescriptor,
  key: Uint8Array,
): void {
  const expected = macOf({ ...descriptor, mac: undefined }, key);
  if (isEqual(expected, Uint8Array.fromHex(descriptor.mac))) return;
  throw new VolumeIntegrityError(
    "the descriptor is not authentic: it was changed",
  );
}

function macOf(
  descriptor: UnsignedDescriptor,
  key: Uint8Array,
): Uint8Array {
  const hmac = createHmac("sha256", key);
  try {
    return hmac.hash(canonicalJson(descriptor as unknown as Json));
  } finally {
    hmac.wipe();
  }
}

/** SHA-256 of the descriptor, MAC included: what the anchor holds of it. */
export function descriptorDigest(descriptor: KeyedDescriptor): Uint8Array {
  const bytes = canonicalJson(descriptor as unknown as Json);
  return createPlainHash("sha256").hash(bytes);
}
