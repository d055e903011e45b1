/**
 * The keys of a volume: all derived from its master key, one for each use.
 *
 * @module
 */

import { deriveKey } from "../keys/derive.ts";

/** What each key is derived for (HKDF's `info`), and its size in bytes. */
export const VOLUME_KEYS = {
  /** Encrypts blocks: AES-256-XTS, two keys of 32 bytes. */
  image: { label: "nextfs/1 image", byteLength: 64 },
  /** Leaves of the hash tree: HMAC-SHA-256 of stored blocks. */
  leaf: { label: "nextfs/1 leaf", byteLength: 32 },
  /** Inner nodes of the hash tree: HMAC-SHA-256 of two children. */
  node: { label: "nextfs/1 node", byteLength: 32 },
  /** Authenticates the descriptor. */
  descriptor: { label: "nextfs/1 descriptor", byteLength: 32 },
  /** Authenticates the anchor. */
  anchor: { label: "nextfs/1 anchor", byteLength: 32 },
  /** Authenticates the journal. */
  journal: { label: "nextfs/1 journal", byteLength: 32 },
  /** Ties a copy under a new master key to the state that it is a copy of. */
  rekey: { label: "nextfs/1 rekey", byteLength: 32 },
} as const;

/** The name of a key. */
export type VolumeKeyName = keyof typeof VOLUME_KEYS;

/** The keys of one volume, until they are wiped. */
export class VolumeKeys implements Disposable {
  readonly #keys: ReadonlyMap<VolumeKeyName, Uint8Array>;

  /** Derives all keys from `masterKey`; `id` is the volume's, 16 bytes. */
  constructor(masterKey: Uint8Array, id: Uint8Array) {
    const names = Object.keys(VOLUME_KEYS) as VolumeKeyName[];
    this.#keys = new Map(names.map((name) => [
      name,
      deriveKey(masterKey, { salt: id, ...VOLUME_KEYS[name] }),
    ]));
  }

  /** One of the keys; it goes with the others. */
  get(name: VolumeKeyName): Uint8Array {
    return this.#keys.get(name)!;
  }

  /** Overwrites all keys. */
  [Symbol.dispose](): void {
    for (const key of this.#keys.values()) key.fill(0);
  }
}
