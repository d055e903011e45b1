/**
 * The layers of an image's device, put together on its blocks and its tree,
 * wherever these are.
 *
 * @module
 */

import { type BlockDevice, IntegrityError } from "../block_device.ts";
import type { ByteFile } from "../byte_file.ts";
import { CryptDevice } from "../crypt.ts";
import { DIGEST_BYTES } from "../hmac.ts";
import { openOriginalVerity } from "../open_verity.ts";
import type { TrustedState } from "../trusted_state.ts";
import type { VerityDevice } from "../verity.ts";
import {
  decrypts,
  HEAD_BYTES,
  type Parts,
  type VerityParts,
  wrongKey,
} from "./parts.ts";

/** What the layers stand on. */
export interface Ground {
  /** The blocks as they are stored; its closing becomes theirs. */
  readonly image: BlockDevice;
  /** The tree, if there is one; its closing becomes theirs. */
  readonly tree: ByteFile | null;
  /** Root of the tree, if there is one. */
  readonly root: Uint8Array | null;
}

/** How they work. */
export interface LayerOptions {
  /** Memory for nodes of the tree, in bytes. */
  readonly treeCache?: number;
  /** Takes a line for each block that fails. */
  readonly log: (message: string) => void;
  /** Stores the trusted state whenever it changes. */
  readonly publish?: (state: TrustedState) => Promise<void>;
}

/** The layers. */
export interface ImageLayers {
  /** The uppermost: plaintext blocks. */
  readonly device: BlockDevice;
  /** The one that verifies, if there is one. */
  readonly verity: VerityDevice | null;
}

/**
 * Puts the layers together. Throws {@link IntegrityError} if the tree is not
 * that of the root, and `WrongKeyError` if what is verified does not decrypt to
 * a volume; what they stand on may be closed then.
 */
export function buildLayers(
  { file, crypt, verity: parts }: Parts,
  { image, tree, root }: Ground,
  options: LayerOptions,
): ImageLayers {
  let isOpen = false;
  const verity = parts && tree && root &&
    openVerity(image, tree, parts, {
      ...options,
      root,
      // Why it cannot be opened is said by the error.
      log: (message) => isOpen ? options.log(message) : undefined,
    });
  try {
    if (verity) checkRoot(file.path, verity);
    const next = verity ?? image;
    const device = crypt ? openCrypt(next, verity, { file, crypt }) : next;
    isOpen = true;
    return { device, verity };
  } catch (error) {
    verity?.close();
    throw error;
  }
}

function openVerity(
  image: BlockDevice,
  tree: ByteFile,
  { password, trusted }: VerityParts,
  { root, treeCache, log, publish }: LayerOptions & { root: Uint8Array },
): VerityDevice {
  return openOriginalVerity(image, tree, {
    key: password,
    state: { ...trusted, root },
    treeCache,
    publish,
    log,
  });
}

function openCrypt(
  next: BlockDevice,
  verity: VerityDevice | null,
  { file, crypt }: {
    file: Parts["file"];
    crypt: NonNullable<Parts["crypt"]>;
  },
): BlockDevice {
  const head = verity ? readStart(verity) : null;
  if (head && !decrypts(head, next.blockSize, crypt)) throw wrongKey(file);
  if (file.size % next.blockSize !== 0) {
    throw new IntegrityError(
      Math.floor(file.size / next.blockSize),
      `Cannot open ${file.path}: its ${file.size} bytes are not a whole ` +
        `number of blocks of ${next.blockSize}: it was cut short or extended`,
    );
  }
  return new CryptDevice(next, crypt);
}

/**
 * Throws {@link IntegrityError} if the tree is not that of the root. What is
 * damaged further down fails when it is read, so that it can be looked for.
 */
function checkRoot(path: string, verity: VerityDevice): void {
  const digest = new Uint8Array(DIGEST_BYTES[verity.algorithm]);
  const isBelowRoot = (leaf: number): boolean => {
    try {
      verity.checkLeaf(leaf, digest);
      return true;
    } catch (error) {
      if (error instanceof IntegrityError) return false;
      throw error;
    }
  };
  // Only the root's own children are on the paths of both.
  if (isBelowRoot(0) || isBelowRoot(verity.blockCount - 1)) return;
  throw new IntegrityError(
    0,
    `Cannot open ${path}: the tree does not verify; root or password of the ` +
      "tree are wrong, or the tree was changed, or is an old copy",
  );
}

/** The start of the image; null if it does not verify. */
function readStart(verity: VerityDevice): Uint8Array | null {
  const { blockSize, blockCount } = verity;
  const head = new Uint8Array(Math.min(HEAD_BYTES, blockSize * blockCount));
  try {
    verity.read(0, head);
    return head;
  } catch (error) {
    if (error instanceof IntegrityError) return null;
    throw error;
  }
}
