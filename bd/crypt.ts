/**
 * bd-crypt: a block device whose blocks are encrypted on the device below.
 *
 * A block is encrypted by its number and keeps its size: nothing is stored
 * beside it. That hides the contents of blocks and nothing else. Whoever
 * writes to the device below can put back a block's older ciphertext or
 * damage it, unnoticed; bd-verity underneath is what notices.
 *
 * Runs of blocks are encrypted and decrypted in memory of the device's own, a
 * slice at a time. {@link CryptDevice.close} overwrites it. What it cannot
 * overwrite is what the runtime copied: expanded keys in native code, and
 * arrays on their way into AES and out of it that wait to be collected.
 *
 * @module
 */

import { aesProvider } from "./aes.ts";
import { type BlockDevice, checkRange, DeviceError } from "./block_device.ts";
import {
  BLOCK_BYTES_MIN,
  type BlockMode,
  RUN_BYTES_MAX,
} from "./block_mode.ts";
import { CbcMode } from "./cbc.ts";
import { XtsMode } from "./xts.ts";

/** The ciphers, by the names that the original has for them. */
export type CipherName = "aes-256-xts" | "aes-256-cbc";

/** Size of each cipher's key, in bytes. */
export const CIPHER_KEY_BYTES: Readonly<Record<CipherName, number>> = {
  "aes-256-xts": 64,
  "aes-256-cbc": 32,
};

/** Size of the largest block, in bytes. */
const BLOCK_BYTES_MAX = 4096;

/** How blocks are encrypted. */
export interface CryptOptions {
  /** The cipher. */
  cipher: CipherName;
  /**
   * The key, of {@link CIPHER_KEY_BYTES} bytes. It is copied: the caller wipes
   * its own.
   */
  key: Uint8Array;
  /**
   * A stored block of zeros reads as zeros: for volumes of our own, which
   * grow sparsely. Without verification the host can zero blocks there.
   */
  sparse?: boolean;
  /**
   * Who computes AES: the runtime's native code, or TypeScript. Without it, the
   * former where there is one.
   */
  provider?: "native" | "portable";
}

/** See the module. */
export class CryptDevice implements BlockDevice {
  /** Size of one block, in bytes: that of the next device. */
  readonly blockSize: number;
  /** Number of blocks: that of the next device. */
  readonly blockCount: number;
  /** True if the next device is read-only. */
  readonly readOnly: boolean;
  /** That of the next device; see {@link BlockDevice.commitBlocksMax}. */
  readonly commitBlocksMax?: number;
  readonly #next: BlockDevice;
  readonly #mode: BlockMode;
  readonly #sparse: boolean;
  /** The mode's memory for the first block, since most runs are one block. */
  readonly #firstBlock: Uint8Array;
  /** Blocks of zeros in the slice at hand. */
  readonly #zeros: number[] = [];
  #open = true;

  /**
   * Makes a layer over `next`, which it closes when it is closed. Throws
   * {@link DeviceError} `EINVAL`, and leaves `next` open, if its blocks are
   * not of 1024, 2048 or 4096 bytes, if the key has another size than the
   * cipher's or the halves of an XTS key are equal, or if the provider is
   * absent.
   */
  constructor(next: BlockDevice, options: CryptOptions) {
    this.#next = next;
    this.blockSize = next.blockSize;
    this.blockCount = next.blockCount;
    this.readOnly = next.readOnly;
    this.commitBlocksMax = next.commitBlocksMax;
    this.#sparse = options.sparse ?? false;
    this.#mode = createMode(next.blockSize, options);
    this.#firstBlock = this.#mode.data.subarray(0, next.blockSize);
  }

  /**
   * Reads and decrypts blocks; see {@link BlockDevice.read}. If it fails,
   * `into` holds some of the blocks at most.
   */
  read(block: number, into: Uint8Array): void {
    this.#check(block, into.length);
    for (let done = 0; done < into.length;) {
      const byteLength = Math.min(RUN_BYTES_MAX, into.length - done);
      const slice = this.#memory(byteLength);
      const first = block + done / this.blockSize;
      this.#next.read(first, slice);
      this.#decrypt(first, byteLength / this.blockSize);
      into.set(slice, done);
      done += byteLength;
    }
  }

  /**
   * Encrypts and writes blocks; see {@link BlockDevice.write}. If it fails,
   * some of the blocks may have been written.
   */
  write(block: number, from: Uint8Array): void {
    this.#check(block, from.length);
    for (let done = 0; done < from.length;) {
      const byteLength = Math.min(RUN_BYTES_MAX, from.length - done);
      const slice = this.#memory(byteLength);
      const first = block + done / this.blockSize;
      slice.set(
        byteLength === from.length
          ? from
          : from.subarray(done, done + byteLength),
      );
      this.#mode.encrypt(first, byteLength / this.blockSize);
      this.#next.write(first, slice);
      done += byteLength;
    }
  }

  /** Asks the next device; see {@link BlockDevice.admitWrite}. */
  admitWrite(block: number): void {
    this.#next.admitWrite?.(block);
  }

  /** Flushes the next device. */
  flush(): Promise<void> {
    return this.#next.flush();
  }

  /** Gives up the key, overwrites what it can, and closes the next device. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#mode.close();
    this.#next.close();
  }

  #check(block: number, byteLength: number): void {
    if (!this.#open) {
      throw new DeviceError("EBADF", "Cannot access the device: it is closed");
    }
    checkRange(this, block, byteLength);
  }

  /** The mode's memory for the first `byteLength` bytes of a run. */
  #memory(byteLength: number): Uint8Array {
    return byteLength === this.blockSize
      ? this.#firstBlock
      : this.#mode.data.subarray(0, byteLength);
  }

  #decrypt(first: number, count: number): void {
    const zeros = this.#zeros;
    zeros.length = 0;
    if (this.#sparse) this.#findZeros(count);
    if (zeros.length === count) return;
    this.#mode.decrypt(first, count);
    for (const index of zeros) {
      const at = index * this.blockSize;
      this.#mode.data.fill(0, at, at + this.blockSize);
    }
  }

  /** Notes which of the `count` blocks in the mode's memory are zeros. */
  #findZeros(count: number): void {
    const { buffer, byteOffset } = this.#mode.data;
    const size = this.blockSize / 4;
    const words = new Int32Array(buffer, byteOffset, count * size);
    for (let index = 0; index < count; index++) {
      const end = (index + 1) * size;
      let i = index * size;
      while (i < end && words[i] === 0) i++;
      if (i === end) this.#zeros.push(index);
    }
  }
}

/** Makes the mode for blocks of `blockSize` bytes; checks what it is given. */
function createMode(blockSize: number, options: CryptOptions): BlockMode {
  const { cipher, key } = options;
  checkBlockSize(blockSize);
  checkKey(cipher, key);
  const provider = aesProvider(options.provider);
  return cipher === "aes-256-xts"
    ? new XtsMode({ provider, key, blockSize })
    : new CbcMode({ provider, key, blockSize });
}

function checkBlockSize(blockSize: number): void {
  const sized = blockSize >= BLOCK_BYTES_MIN && blockSize <= BLOCK_BYTES_MAX;
  if (sized && Number.isInteger(Math.log2(blockSize))) return;
  throw new DeviceError(
    "EINVAL",
    `Cannot encrypt blocks of ${blockSize} bytes: use a block size of ` +
      "1024, 2048 or 4096",
  );
}

function checkKey(cipher: CipherName, key: Uint8Array): void {
  if (!Object.hasOwn(CIPHER_KEY_BYTES, cipher)) {
    const names = Object.keys(CIPHER_KEY_BYTES).join(" or ");
    throw new DeviceError(
      "EINVAL",
      `Cannot encrypt with ${cipher}: use ${names}`,
    );
  }
  const byteLength = CIPHER_KEY_BYTES[cipher];
  if (key.length === byteLength) return;
  throw new DeviceError(
    "EINVAL",
    `Cannot use a key of ${key.length} bytes for ${cipher}: give one of ` +
      `${byteLength} bytes`,
  );
}
