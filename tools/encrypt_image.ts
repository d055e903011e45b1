/**
 * New images that are encrypted from their first byte on.
 *
 * @module
 */

import type { BlockDevice } from "../bd/mod.ts";
import { type CipherName, CryptDevice } from "../bd/crypt.ts";
import { deriveImageKey } from "../bd/original/open_original.ts";
import type { Progress } from "./progress.ts";
import { readSecret } from "./secret.ts";

/** Bytes of one write of zeros. */
const ZERO_RUN_BYTES = 1 << 20;

/** How an image is encrypted. */
export interface Encryption {
  /** The cipher. */
  readonly cipher: CipherName;
  /** Its key; whoever made it overwrites it. */
  readonly key: Uint8Array;
}

/** Reads a password and derives the key from it, as the original does. */
export function readEncryption(
  secret: string,
  cipher: CipherName,
  warn: (message: string) => void,
): Encryption {
  const password = readSecret(secret, { what: "-p", warn });
  try {
    return { cipher, key: deriveImageKey(password, cipher) };
  } finally {
    password.fill(0);
  }
}

/**
 * Makes the device of plaintext blocks on `stored`, and fills it with zeros:
 * blocks that nothing is written to have to be encrypted, too.
 */
export async function encryptBlank(
  stored: BlockDevice,
  encryption: Encryption,
  progress: Progress,
): Promise<BlockDevice> {
  const device = new CryptDevice(stored, encryption);
  const { blockSize, blockCount } = device;
  const zeros = new Uint8Array(ZERO_RUN_BYTES);
  const most = ZERO_RUN_BYTES / blockSize;
  try {
    for (let block = 0; block < blockCount; block += most) {
      const bytes = Math.min(most, blockCount - block) * blockSize;
      device.write(block, zeros.subarray(0, bytes));
      if (progress.add(bytes)) await progress.rest();
    }
    return device;
  } catch (error) {
    device.close();
    throw error;
  }
}
