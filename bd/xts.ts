/**
 * AES-256-XTS (IEEE 1619-2018; NIST SP 800-38E) over whole blocks.
 *
 * With a key of two halves K1 and K2, unit j of a block with the tweak i is
 * C = E(K1, P ⊕ M) ⊕ M, where the mask M is E(K2, i)·α^j (`xts_masks.ts`).
 * Blocks are whole units of 16 bytes, so that no ciphertext is ever stolen.
 * However many blocks there are, AES is called once for all their units, and
 * at most once for all their tweaks.
 *
 * @module
 */

import {
  AES_KEY_BYTES,
  AES_UNIT_BYTES,
  type AesProvider,
  type UnitCipher,
} from "./aes.ts";
import { isEqual } from "./bytes.ts";
import { DeviceError } from "./block_device.ts";
import {
  type BlockMode,
  putBlockNumber,
  RUN_BLOCKS_MAX,
} from "./block_mode.ts";
import { ScalarMasks, type XtsMasks } from "./xts_masks.ts";
import { simdMasks } from "./xts_simd.ts";

/** What a cipher is made of. */
export interface XtsOptions {
  /** Who computes AES. */
  provider: AesProvider;
  /** K1 and K2, 32 bytes each; they differ. */
  key: Uint8Array;
  /** Size of a block, in bytes: whole units. */
  blockSize: number;
  /** Number of tweaks that there is room for. */
  tweakCount: number;
}

/** XTS itself: blocks with tweaks of any 128 bits. */
export class XtsCipher {
  /** Where blocks are encrypted in place. */
  readonly data: Uint8Array;
  /** Where tweaks are encrypted, and stay for any number of blocks. */
  readonly tweaks: Uint8Array;
  readonly #blockSize: number;
  readonly #masks: XtsMasks;
  readonly #encryptor: UnitCipher;
  readonly #decryptor: UnitCipher;
  readonly #tweakEncryptor: UnitCipher;
  /** A view of the first block, since most runs are one block. */
  readonly #firstBlock: Uint8Array;

  /**
   * Makes the cipher; the key is copied. Throws {@link DeviceError} `EINVAL` if
   * both halves of the key are the same: XTS is not secure then, and FIPS
   * 140-3 (implementation guidance C.I) asks for the check.
   */
  constructor({ provider, key, ...size }: XtsOptions) {
    const dataKey = key.subarray(0, AES_KEY_BYTES);
    const tweakKey = key.subarray(AES_KEY_BYTES);
    if (isEqual(dataKey, tweakKey)) {
      throw new DeviceError(
        "EINVAL",
        "Cannot use the key for aes-256-xts: both halves of it are the same; " +
          "give one that was derived or drawn at random",
      );
    }
    // The portable provider is for runtimes of which nothing is expected.
    this.#masks = (provider.name === "native" ? simdMasks(size) : null) ??
      new ScalarMasks(size);
    this.data = this.#masks.data;
    this.tweaks = this.#masks.tweaks;
    this.#blockSize = size.blockSize;
    this.#firstBlock = this.data.subarray(0, size.blockSize);
    this.#encryptor = provider.encryptor(dataKey);
    this.#decryptor = provider.decryptor(dataKey);
    this.#tweakEncryptor = provider.encryptor(tweakKey);
  }

  /** Encrypts `count` tweaks from number `first` on, in place. */
  encryptTweaks(first: number, count: number): void {
    const at = first * AES_UNIT_BYTES;
    const plain = this.tweaks.subarray(at, at + count * AES_UNIT_BYTES);
    plain.set(this.#tweakEncryptor.update(plain));
  }

  /**
   * Encrypts `count` blocks from the start of the data on, at least one; the
   * first has the tweak number `first`, encrypted before.
   */
  encrypt(first: number, count: number): void {
    this.#run(this.#encryptor, first, count);
  }

  /** Decrypts likewise. */
  decrypt(first: number, count: number): void {
    this.#run(this.#decryptor, first, count);
  }

  /** Gives up the key and overwrites data, tweaks and masks. */
  close(): void {
    this.#encryptor.close();
    this.#decryptor.close();
    this.#tweakEncryptor.close();
    this.#masks.wipe();
  }

  #run(cipher: UnitCipher, first: number, count: number): void {
    const run = count === 1
      ? this.#firstBlock
      : this.data.subarray(0, count * this.#blockSize);
    this.#masks.apply(first, count);
    this.data.set(cipher.update(run));
    this.#masks.repeat(count);
  }
}

/**
 * Tweaks are encrypted for groups of this many blocks, each group from a
 * multiple of it on. A call of AES costs more than what it does for one tweak,
 * and who reads one block often goes on to the next.
 */
const GROUP_BLOCKS = 8;
/**
 * Slots for groups, 1 MiB: enough for 256 MiB of blocks of 4 KiB. Group g goes
 * to slot g mod this, and the other groups of its run to the slots behind it,
 * some of which are there only for runs that start in the last ones.
 */
const GROUP_SLOTS = 8192;
/** Groups in the longest run, which need not start or end with a group. */
const RUN_GROUPS_MAX = RUN_BLOCKS_MAX / GROUP_BLOCKS + 1;

/**
 * XTS on a device: the tweak is the block number. Encrypted tweaks never
 * change, so that they are kept as long as their place is not needed.
 */
export class XtsMode implements BlockMode {
  readonly data: Uint8Array;
  readonly #cipher: XtsCipher;
  readonly #tweaks: DataView;
  /** The group whose encrypted tweaks are in each slot; -1 for none. */
  readonly #groups = new Float64Array(GROUP_SLOTS + RUN_GROUPS_MAX).fill(-1);

  constructor(options: Omit<XtsOptions, "tweakCount">) {
    const tweakCount = this.#groups.length * GROUP_BLOCKS;
    this.#cipher = new XtsCipher({ ...options, tweakCount });
    this.data = this.#cipher.data;
    const { buffer, byteOffset, byteLength } = this.#cipher.tweaks;
    this.#tweaks = new DataView(buffer, byteOffset, byteLength);
  }

  encrypt(block: number, count: number): void {
    this.#cipher.encrypt(this.#prepare(block, count), count);
  }

  decrypt(block: number, count: number): void {
    this.#cipher.decrypt(this.#prepare(block, count), count);
  }

  close(): void {
    this.#cipher.close();
  }

  /** Sees to the tweaks of a run; returns the number of the first one. */
  #prepare(block: number, count: number): number {
    const group = Math.floor(block / GROUP_BLOCKS);
    const behind = Math.ceil((block + count) / GROUP_BLOCKS);
    const slot = group % GROUP_SLOTS;
    for (let i = group; i < behind; i++) {
      if (this.#groups[slot + i - group] === i) continue;
      this.#encryptGroups(slot, group, behind - group);
      break;
    }
    return slot * GROUP_BLOCKS + block % GROUP_BLOCKS;
  }

  #encryptGroups(slot: number, group: number, count: number): void {
    // Nothing is in the slots any more until all of it is.
    this.#groups.fill(-1, slot, slot + count);
    const first = slot * GROUP_BLOCKS;
    for (let i = 0; i < count * GROUP_BLOCKS; i++) {
      const at = (first + i) * AES_UNIT_BYTES;
      putBlockNumber(group * GROUP_BLOCKS + i, this.#tweaks, at);
    }
    this.#cipher.encryptTweaks(first, count * GROUP_BLOCKS);
    for (let i = 0; i < count; i++) this.#groups[slot + i] = group + i;
  }
}
