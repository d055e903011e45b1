/**
 * Hashes of blocks and of tree nodes: HMAC (RFC 2104), or the plain hash
 * where there is no key.
 *
 * HMAC(K, m) = H(K ⊕ opad ‖ H(K ⊕ ipad ‖ m)). Both pads fill one block of H,
 * so its state behind them is computed once for a key. What is short is then
 * hashed in TypeScript, where a call costs no more than its compressions; what
 * is long is hashed by the runtime's native code, which takes the pad along as
 * the first bytes of the message.
 *
 * @module
 */

import * as nodeCrypto from "node:crypto";
import { md5, sha1 } from "@noble/hashes/legacy.js";
import { sha224, sha256, sha384, sha512 } from "@noble/hashes/sha2.js";

/** Names of the hashes that trees are made of. */
export type HashAlgorithm =
  | "md5"
  | "sha1"
  | "sha224"
  | "sha256"
  | "sha384"
  | "sha512";

/** A hash in progress, of which copies can be made. */
interface RunningHash {
  update(data: Uint8Array): this;
  digestInto(into: Uint8Array): void;
  _cloneInto(to?: RunningHash): RunningHash;
}

const HASHES: Record<
  HashAlgorithm,
  { outputLen: number; blockLen: number; create: () => unknown }
> = { md5, sha1, sha224, sha256, sha384, sha512 };

/** The hashes that trees are made of. */
export const HASH_ALGORITHMS: readonly HashAlgorithm[] = Object.keys(
  HASHES,
) as HashAlgorithm[];

/** Size of a digest of each hash, in bytes. */
export const DIGEST_BYTES: Readonly<Record<HashAlgorithm, number>> = {
  md5: 16,
  sha1: 20,
  sha224: 28,
  sha256: 32,
  sha384: 48,
  sha512: 64,
};

/** Messages from this length on, in bytes, are hashed by native code. */
const NATIVE_FROM = 96;

/** A keyed or plain hash of messages. */
export interface BlockHash {
  /** Size of a digest, in bytes. */
  readonly digestSize: number;
  /** The digest of `data`, a fresh array. */
  hash(data: Uint8Array): Uint8Array;
  /** Writes the digest of `data` at byte `at` of `into`. */
  hashInto(data: Uint8Array, into: Uint8Array, at: number): void;
  /** Overwrites what is held of the key; the hash is of no use afterwards. */
  wipe(): void;
}

/**
 * Hashes at once, to hexadecimal digits: a short text costs the runtime less
 * than an array does, which has memory of its own to be collected.
 */
type NativeHash = (
  algorithm: string,
  data: Uint8Array,
  encoding: "hex",
) => string;

/** The runtime's one-shot hash, where it has one. */
const nativeHash: NativeHash | undefined = (nodeCrypto as { hash?: unknown })
  .hash as NativeHash | undefined;

/** `create` of one of {@link HASHES}. */
function start(algorithm: HashAlgorithm): RunningHash {
  return HASHES[algorithm].create() as RunningHash;
}

/** HMAC with `key`, of any length and copied, over `algorithm`. */
export function createHmac(
  algorithm: HashAlgorithm,
  key: Uint8Array,
): BlockHash {
  return new Hmac(algorithm, key);
}

/** The hash `algorithm` without a key. */
export function createPlainHash(algorithm: HashAlgorithm): BlockHash {
  return new PlainHash(algorithm);
}

/** One of the two: HMAC if there is a key. */
export function createBlockHash(
  algorithm: HashAlgorithm,
  key: Uint8Array | null,
): BlockHash {
  return key ? createHmac(algorithm, key) : createPlainHash(algorithm);
}

class Hmac implements BlockHash {
  readonly digestSize: number;
  readonly #algorithm: HashAlgorithm;
  readonly #inner: RunningHash;
  readonly #outer: RunningHash;
  readonly #scratch: RunningHash;
  readonly #digest: Uint8Array;
  /** The inner pad, and room for a message behind it. */
  #message: Uint8Array;
  readonly #padSize: number;

  constructor(algorithm: HashAlgorithm, key: Uint8Array) {
    const { outputLen, blockLen } = HASHES[algorithm];
    this.#algorithm = algorithm;
    this.digestSize = outputLen;
    this.#padSize = blockLen;
    this.#digest = new Uint8Array(outputLen);
    const pad = new Uint8Array(blockLen);
    if (key.length > blockLen) {
      const short = new Uint8Array(outputLen);
      start(algorithm).update(key).digestInto(short);
      pad.set(short);
      short.fill(0);
    } else pad.set(key);
    for (let i = 0; i < blockLen; i++) pad[i] ^= 0x36;
    this.#message = pad.slice();
    this.#inner = start(algorithm).update(pad);
    // From one pad to the other.
    for (let i = 0; i < blockLen; i++) pad[i] ^= 0x36 ^ 0x5c;
    this.#outer = start(algorithm).update(pad);
    this.#scratch = start(algorithm);
    pad.fill(0);
  }

  hash(data: Uint8Array): Uint8Array {
    const digest = new Uint8Array(this.digestSize);
    this.hashInto(data, digest, 0);
    return digest;
  }

  hashInto(data: Uint8Array, into: Uint8Array, at: number): void {
    const digest = this.#digest;
    if (data.length >= NATIVE_FROM && nativeHash) {
      const message = this.#messageOf(data);
      digest.setFromHex(nativeHash(this.#algorithm, message, "hex"));
      this.#outer._cloneInto(this.#scratch).update(digest).digestInto(digest);
    } else {
      this.#inner._cloneInto(this.#scratch).update(data).digestInto(digest);
      this.#outer._cloneInto(this.#scratch).update(digest).digestInto(digest);
    }
    into.set(digest, at);
  }

  wipe(): void {
    this.#message.fill(0);
    for (const hash of [this.#inner, this.#outer, this.#scratch]) {
      (hash as unknown as { destroy(): void }).destroy();
    }
  }

  #messageOf(data: Uint8Array): Uint8Array {
    const length = this.#padSize + data.length;
    if (this.#message.length !== length) {
      const message = new Uint8Array(length);
      message.set(this.#message.subarray(0, this.#padSize));
      this.#message.fill(0);
      this.#message = message;
    }
    this.#message.set(data, this.#padSize);
    return this.#message;
  }
}

class PlainHash implements BlockHash {
  readonly digestSize: number;
  readonly #algorithm: HashAlgorithm;
  readonly #start: RunningHash;
  readonly #scratch: RunningHash;
  readonly #digest: Uint8Array;

  constructor(algorithm: HashAlgorithm) {
    this.#algorithm = algorithm;
    this.digestSize = HASHES[algorithm].outputLen;
    this.#start = start(algorithm);
    this.#scratch = start(algorithm);
    this.#digest = new Uint8Array(this.digestSize);
  }

  hash(data: Uint8Array): Uint8Array {
    const digest = new Uint8Array(this.digestSize);
    this.hashInto(data, digest, 0);
    return digest;
  }

  hashInto(data: Uint8Array, into: Uint8Array, at: number): void {
    if (data.length >= NATIVE_FROM && nativeHash) {
      this.#digest.setFromHex(nativeHash(this.#algorithm, data, "hex"));
    } else {
      this.#start._cloneInto(this.#scratch).update(data)
        .digestInto(this.#digest);
    }
    into.set(this.#digest, at);
  }

  wipe(): void {}
}
