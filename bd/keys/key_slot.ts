/**
 * A key slot: the master key of a volume, wrapped by a key that comes from a
 * passphrase or a key file. A volume may have several, and each opens it.
 *
 * A passphrase can be guessed, so that its key is made by scrypt. A key file
 * cannot: its key is derived at once.
 *
 * @module
 */

import {
  type FieldReader,
  hex,
  integer,
  object,
  oneOf,
  optional,
  refuse,
  text,
} from "../json_fields.ts";
import { deriveKey } from "./derive.ts";
import { unwrapKey, WRAP_OVERHEAD_BYTES, wrapKey } from "./key_wrap.ts";
import { scrypt, type ScryptParameters, scryptRefusal } from "./scrypt.ts";

export { WrongKeyError } from "./errors.ts";

/** Size of a master key, in bytes. */
export const MASTER_KEY_BYTES = 32;
/** Least size of a key file, in bytes. */
export const KEY_FILE_BYTES_MIN = 32;
/** Most key slots of a volume; their numbers are below it. */
export const KEY_SLOTS_MAX = 16;

const SALT_BYTES = 32;
const KEY_FILE_LABEL = "nextfs/1 keyfile";
/** Longest label, in UTF-16 code units. */
const LABEL_MAX = 64;

/** Kinds of secrets, as a descriptor names them. */
export const SECRET_KINDS = ["passphrase", "keyfile"] as const;

/** What kind a secret is of. */
export type SecretKind = (typeof SECRET_KINDS)[number];

/** What opens a volume. Whoever is given one overwrites its bytes after use. */
export interface Secret {
  /** Of what kind. */
  readonly kind: SecretKind;
  /** A passphrase, not empty; or a key file's contents, of 32 bytes or more. */
  readonly bytes: Uint8Array;
}

/** A key slot, as the descriptor of a volume holds it. */
export interface KeySlot {
  /** Its number, from 0 to 15. */
  readonly id: number;
  /** What opens it. */
  readonly kind: SecretKind;
  /** What its owner calls it. */
  readonly label?: string;
  /** When it was made: a time in UTC (RFC 3339). */
  readonly created: string;
  /** How the passphrase becomes a key; absent for a key file. */
  readonly scrypt?: ScryptParameters;
  /** Random bytes that the key depends on, in hexadecimal. */
  readonly salt: string;
  /** The master key, wrapped by that key (RFC 3394), in hexadecimal. */
  readonly wrapped: string;
}

/** What is free to choose about a new key slot. */
export interface KeySlotOptions {
  /** Its number. */
  id: number;
  /** What its owner calls it. */
  label?: string;
  /** When it was made; now if absent. */
  created?: string;
  /** How the passphrase becomes a key; needed for one. */
  scrypt?: ScryptParameters;
}

const SCRYPT = object({
  n: integer(1, Number.MAX_SAFE_INTEGER),
  r: integer(1, Number.MAX_SAFE_INTEGER),
  p: integer(1, Number.MAX_SAFE_INTEGER),
});

const FIELDS = object({
  id: integer(0, KEY_SLOTS_MAX - 1),
  kind: oneOf(SECRET_KINDS),
  label: optional(text(LABEL_MAX)),
  created: text(32, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/),
  scrypt: optional(SCRYPT),
  salt: hex(SALT_BYTES),
  wrapped: hex(MASTER_KEY_BYTES + WRAP_OVERHEAD_BYTES),
});

/** Reads a key slot from JSON. The bounds of scrypt are part of its form. */
export const keySlot: FieldReader<KeySlot> = (value, where) => {
  const slot = FIELDS(value, where);
  if ((slot.kind === "passphrase") !== (slot.scrypt !== undefined)) {
    refuse(
      where,
      "has scrypt parameters for a key file, or none for a passphrase",
    );
  }
  const refusal = slot.scrypt ? scryptRefusal(slot.scrypt) : null;
  if (refusal !== null) refuse(`${where}.scrypt`, refusal);
  return slot;
};

/**
 * Wraps `masterKey` for `secret`, whose bytes stay the caller's. Throws
 * `RangeError` for a secret that is too short, a label that is too long, and
 * what {@link scrypt} refuses.
 */
export function makeKeySlot(
  masterKey: Uint8Array,
  secret: Secret,
  options: KeySlotOptions,
): KeySlot {
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const parameters = checkSecret(secret, options);
  const { label } = options;
  const kek = keyOf(secret, salt, parameters);
  try {
    const slot = {
      id: options.id,
      kind: secret.kind,
      ...(label === undefined ? {} : { label }),
      created: options.created ?? new Date().toISOString(),
      ...(parameters ? { scrypt: parameters } : {}),
      salt: salt.toHex(),
      wrapped: wrapKey(kek, masterKey).toHex(),
    };
    return keySlot(slot, "the key slot");
  } finally {
    kek.fill(0);
  }
}

/** The master key in `slot`; null if `secret` is not what opens it. */
export function openKeySlot(slot: KeySlot, secret: Secret): Uint8Array | null {
  if (slot.kind !== secret.kind) return null;
  const kek = keyOf(secret, Uint8Array.fromHex(slot.salt), slot.scrypt);
  try {
    return unwrapKey(kek, Uint8Array.fromHex(slot.wrapped));
  } finally {
    kek.fill(0);
  }
}

/** The scrypt parameters that go with `secret`. */
function checkSecret(
  { kind, bytes }: Secret,
  options: KeySlotOptions,
): ScryptParameters | undefined {
  if (kind === "keyfile") {
    if (bytes.length >= KEY_FILE_BYTES_MIN) return undefined;
    throw new RangeError(
      `A key file of ${bytes.length} bytes is too short: it needs ` +
        `${KEY_FILE_BYTES_MIN} random bytes or more`,
    );
  }
  if (bytes.length === 0) throw new RangeError("The passphrase is empty");
  if (options.scrypt) return options.scrypt;
  throw new RangeError("A passphrase needs parameters for scrypt");
}

/** The key that wraps the master key. */
function keyOf(
  { bytes }: Secret,
  salt: Uint8Array,
  parameters: ScryptParameters | undefined,
): Uint8Array {
  if (parameters) return scrypt(bytes, salt, parameters);
  const byteLength = MASTER_KEY_BYTES;
  return deriveKey(bytes, { salt, label: KEY_FILE_LABEL, byteLength });
}
