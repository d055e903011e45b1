/**
 * DEVICE as the original server's `-b` takes it: which layers an image has,
 * and where their keys and trusted state come from.
 *
 * ```
 * bdstd
 * bdcrypt:SECRET:CIPHER
 * bdverity:TREE:SECRET:ROOT
 * bdvericrypt:TREE:SECRET:ROOT:SECRET:CIPHER
 * ```
 *
 * Fields end at a colon, and nothing takes a colon's meaning away. A SECRET
 * that is just `file`, `env` or `fd` goes on in the next field, and so does a
 * ROOT that is just `file`: `file:PATH` is `file=PATH`. It follows that
 * - a password with a colon in it has to come from a file, a variable or a
 *   descriptor;
 * - a path with a colon in it cannot be named, but a link to it can;
 * - a password that is one of these three words has to come from elsewhere.
 *
 * An empty SECRET of bdverity and bdvericrypt's tree is no key at all: the
 * tree is made of plain hashes.
 *
 * @module
 */

import { CIPHER_KEY_BYTES, type CipherName } from "../crypt.ts";
import { DIGEST_BYTES, HASH_ALGORITHMS, type HashAlgorithm } from "../hmac.ts";

/** The words that say that a SECRET is elsewhere, and where. */
export const SECRET_PLACES = ["file", "env", "fd"] as const;

/** The devices of the original. */
export type OriginalDevice = "bdstd" | "bdcrypt" | "bdverity" | "bdvericrypt";

/** Where the trusted state comes from. */
export type RootSource =
  /** The root itself. Without a leaf count, the tree's size decides on it. */
  | {
    readonly kind: "value";
    readonly algorithm: HashAlgorithm;
    readonly root: Uint8Array;
    readonly leafCount: number | null;
  }
  /** A root file; see `root_file.ts`. */
  | { readonly kind: "file"; readonly path: string };

/** The encrypting layer. */
export interface CryptSpec<Secret> {
  /** The password, from which the key is derived. */
  readonly password: Secret;
  /** How blocks are encrypted. */
  readonly cipher: CipherName;
}

/** The verifying layer. */
export interface VeritySpec<Secret> {
  /** Path of the file with the tree. */
  readonly tree: string;
  /** The password, which is the key as it is; null for plain hashes. */
  readonly password: Secret | null;
  /** What to trust. */
  readonly root: RootSource;
}

/** A DEVICE; secrets are texts at first, and bytes when they have been read. */
export interface DeviceSpec<Secret = Uint8Array> {
  /** Its name. */
  readonly device: OriginalDevice;
  /** The upper layer, if there is one. */
  readonly crypt: CryptSpec<Secret> | null;
  /** The layer below it, if there is one. */
  readonly verity: VeritySpec<Secret> | null;
}

const FORMS: Readonly<Record<OriginalDevice, string>> = {
  bdstd: "bdstd",
  bdcrypt: "bdcrypt:SECRET:CIPHER",
  bdverity: "bdverity:TREE:SECRET:ROOT",
  bdvericrypt: "bdvericrypt:TREE:SECRET:ROOT:SECRET:CIPHER",
};

/** Parses a DEVICE. Throws `RangeError` for what is none. */
export function parseDeviceSpec(text: string): DeviceSpec<string> {
  const fields = new Fields(text);
  const device = fields.next();
  if (!Object.hasOwn(FORMS, device)) {
    throw new RangeError(
      `'${device}' is not a device: ${Object.keys(FORMS).join(", ")}`,
    );
  }
  fields.form = FORMS[device as OriginalDevice];
  const verity = device === "bdverity" || device === "bdvericrypt"
    ? parseVerity(fields)
    : null;
  const crypt = device === "bdcrypt" || device === "bdvericrypt"
    ? parseCrypt(fields)
    : null;
  fields.end();
  return { device: device as OriginalDevice, crypt, verity };
}

/** The fields of a DEVICE, taken one by one. */
class Fields {
  /** What the whole should look like, for messages. */
  form = Object.values(FORMS).join(", ");
  readonly #fields: string[];
  #at = 0;

  constructor(text: string) {
    this.#fields = text.split(":");
  }

  /** The next field; if it is one of `places`, `PLACE=` and the one behind. */
  next(places: readonly string[] = []): string {
    const field = this.#take();
    return places.includes(field) ? `${field}=${this.#take()}` : field;
  }

  end(): void {
    if (this.#at < this.#fields.length) {
      throw new RangeError(
        `more than ${this.form} (what has a ':' in it cannot be given here: ` +
          "put a password into a file, make a link to a path)",
      );
    }
  }

  #take(): string {
    if (this.#at < this.#fields.length) return this.#fields[this.#at++];
    throw new RangeError(`something is missing: ${this.form}`);
  }
}

function parseVerity(fields: Fields): VeritySpec<string> {
  const tree = fields.next();
  if (tree === "") throw new RangeError(`TREE is empty: ${fields.form}`);
  const password = fields.next(SECRET_PLACES);
  const root = parseRootSource(fields.next(["file"]));
  return { tree, password: password === "" ? null : password, root };
}

function parseCrypt(fields: Fields): CryptSpec<string> {
  const password = fields.next(SECRET_PLACES);
  if (password === "") {
    throw new RangeError(`the password to decrypt is empty: ${fields.form}`);
  }
  return { password, cipher: parseCipher(fields.next()) };
}

/** Parses the name of a cipher. Throws `RangeError` for an unknown one. */
export function parseCipher(text: string): CipherName {
  if (Object.hasOwn(CIPHER_KEY_BYTES, text)) return text as CipherName;
  const known = Object.keys(CIPHER_KEY_BYTES).join(", ");
  throw new RangeError(`'${text}' is not a cipher: ${known}`);
}

/**
 * Parses a ROOT: `HEX@LEAVES`, `HEX`, `file=PATH` or `file:PATH`. The length
 * of HEX says which hash the tree is made of. Throws `RangeError`.
 */
export function parseRootSource(text: string): RootSource {
  const file = /^file[=:](.*)$/s.exec(text);
  if (file) {
    if (file[1] === "") throw new RangeError(`'${text}' names no root file`);
    return { kind: "file", path: file[1] };
  }
  const match = /^([0-9a-fA-F]+)(?:@([1-9]\d{0,15}))?$/.exec(text);
  const algorithm = match &&
    HASH_ALGORITHMS.find((name) => 2 * DIGEST_BYTES[name] === match[1].length);
  const leafCount = match?.[2] === undefined ? null : Number(match[2]);
  if (!algorithm || !Number.isSafeInteger(leafCount ?? 0)) {
    throw new RangeError(
      `'${text}' is not a root: HEX@LEAVES as makemerkle prints it, or ` +
        "file=PATH",
    );
  }
  const root = Uint8Array.fromHex(match[1]);
  return { kind: "value", algorithm, root, leafCount };
}

/**
 * Reads the secrets of `spec` by `read`, which is told what each is for. What
 * was read before a failure is overwritten.
 */
export function readSecrets(
  spec: DeviceSpec<string>,
  read: (secret: string, what: string) => Uint8Array,
): DeviceSpec {
  const { device, crypt, verity } = spec;
  const key = verity && verity.password !== null
    ? read(verity.password, `${device}'s password of the tree`)
    : null;
  try {
    return {
      device,
      verity: verity && { ...verity, password: key },
      crypt: crypt && {
        ...crypt,
        password: read(crypt.password, `${device}'s password`),
      },
    };
  } catch (error) {
    key?.fill(0);
    throw error;
  }
}

/** Overwrites the secrets of `spec`. */
export function wipeSecrets(spec: DeviceSpec): void {
  spec.crypt?.password.fill(0);
  spec.verity?.password?.fill(0);
}
