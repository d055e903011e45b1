/**
 * Images of the original server, opened in place.
 *
 * - bd-crypt: the key is PBKDF2-HMAC-SHA-256 (RFC 8018) of the password, with
 *   an empty salt and 1000 iterations: 64 bytes for XTS, 32 for CBC. The image
 *   does not say how large its blocks are; it is the size with which it
 *   decrypts to an ext2 superblock.
 * - bd-verity: the password is the key of HMAC as it is. The size of a block
 *   is that of the image divided by the number of leaves.
 * - bd-vericrypt is the former on the latter.
 *
 * The trusted state, which the original leaves to the user after every change,
 * is kept in a root file from flush to flush. Image, tree and root file are
 * not changed as one: after a crash in the middle of a flush the image does
 * not verify, and has to be restored.
 *
 * @module
 */

import { pbkdf2Sync } from "node:crypto";
import { probeBlockSize } from "../../fs/superblock.ts";
import { type BlockDevice, IntegrityError } from "../block_device.ts";
import { CIPHER_KEY_BYTES, type CipherName, CryptDevice } from "../crypt.ts";
import { DIGEST_BYTES } from "../hmac.ts";
import { WrongKeyError } from "../keys/errors.ts";
import { MemoryDevice } from "../memory.ts";
import { HostFile, StdDevice } from "../std.ts";
import { originalTreeBytes } from "../tree_builder.ts";
import type { TrustedState } from "../trusted_state.ts";
import { openOriginalVerity } from "../open_verity.ts";
import type { VerityDevice } from "../verity.ts";
import type { CryptSpec, DeviceSpec, VeritySpec } from "./device_spec.ts";
import {
  openPart,
  type RootClaim,
  RootKeeper,
  type RootKeeperOptions,
} from "./root_keeper.ts";

/** Bytes at the start of an image that tell what it is. */
const HEAD_BYTES = 4096;
/** Least bytes of an image: the superblock ends there. */
const HEAD_BYTES_MIN = 2048;
/** Sizes of blocks, the usual one first. */
const BLOCK_SIZES = [4096, 1024, 2048];
/** What the original derives keys with. */
const PBKDF2_ITERATIONS = 1000;

/** How an image is opened. */
export interface OpenOriginalOptions
  extends Omit<RootKeeperOptions, "warnings"> {
  /** Memory for nodes of the tree, in bytes. */
  readonly treeCache?: number;
  /** Takes a line for each block that fails. */
  readonly log: (message: string) => void;
}

/** An image that was opened. */
export interface OriginalImage {
  /** The plaintext blocks; to close it is to close all files. */
  readonly device: BlockDevice;
  /** The verifying layer, if there is one. */
  readonly verity: VerityDevice | null;
  /** What the user should know. */
  readonly warnings: readonly string[];
  /** The trusted state as of the last flush; null without a tree. */
  state(): TrustedState | null;
}

/**
 * Opens `image` as `spec` says; the caller wipes the secrets in it.
 *
 * Throws {@link WrongKeyError} if it does not decrypt to a volume,
 * {@link IntegrityError} if sizes or hashes do not fit the trusted state,
 * `FsError` `EINVAL` for what is too short, or without any layer no volume,
 * and what `HostFile.open()` throws.
 */
export function openOriginal(
  image: string,
  spec: DeviceSpec,
  options: OpenOriginalOptions,
): OriginalImage {
  const { readOnly } = options;
  const file = HostFile.open(image, { readOnly });
  let verity: VerityDevice | null = null;
  const warnings: string[] = [];
  try {
    const head = new Uint8Array(Math.min(HEAD_BYTES, file.size));
    file.readAt(0, head);
    // Where there is a tree, it says how long the image was.
    if (!spec.verity && head.length < HEAD_BYTES_MIN) probeBlockSize(head);
    if (spec.verity) {
      verity = openVerity(file, spec.verity, { ...options, warnings });
    }
    const device = spec.crypt
      ? openCrypt(file, spec.crypt, {
        verity,
        head: verity ? readStart(verity, head.length) : head,
      })
      : verity ?? new StdDevice(file, probeBlockSize(head));
    return { device, verity, warnings, state: () => verity?.state ?? null };
  } catch (error) {
    verity?.close();
    file.close();
    throw error;
  }
}

/** The original's key for `cipher`; the caller wipes it. */
export function deriveImageKey(
  password: Uint8Array,
  cipher: CipherName,
): Uint8Array {
  return pbkdf2Sync(
    password,
    new Uint8Array(0),
    PBKDF2_ITERATIONS,
    CIPHER_KEY_BYTES[cipher],
    "sha256",
  );
}

function openCrypt(
  file: HostFile,
  { cipher, password }: CryptSpec<Uint8Array>,
  { verity, head }: { verity: VerityDevice | null; head: Uint8Array | null },
): BlockDevice {
  const key = deriveImageKey(password, cipher);
  try {
    const sizes = verity ? [verity.blockSize] : BLOCK_SIZES;
    const blockSize = sizes.find((size) =>
      head === null || isVolume(decrypted(head, size, { cipher, key }), size)
    );
    if (blockSize === undefined) {
      throw new WrongKeyError(
        `Cannot open ${file.path}: it does not decrypt to an ext2 ` +
          "superblock: wrong password or cipher, or not such an image",
      );
    }
    if (file.size % blockSize !== 0) {
      throw new IntegrityError(
        Math.floor(file.size / blockSize),
        `Cannot open ${file.path}: its ${file.size} bytes are not a whole ` +
          `number of blocks of ${blockSize}: it was cut short or extended`,
      );
    }
    const next = verity ?? new StdDevice(file, blockSize);
    return new CryptDevice(next, { cipher, key });
  } finally {
    key.fill(0);
  }
}

/** The start of an image, decrypted in blocks of `blockSize`. */
function decrypted(
  head: Uint8Array,
  blockSize: number,
  options: { cipher: CipherName; key: Uint8Array },
): Uint8Array {
  const count = Math.floor(head.length / blockSize);
  const stored = new MemoryDevice(blockSize, count);
  stored.write(0, head.subarray(0, count * blockSize));
  const device = new CryptDevice(stored, options);
  const plain = new Uint8Array(count * blockSize);
  device.read(0, plain);
  device.close();
  return plain;
}

function isVolume(head: Uint8Array, blockSize: number): boolean {
  try {
    return probeBlockSize(head) === blockSize;
  } catch {
    return false;
  }
}

/** A device that gives up another file together with its own. */
class ImageDevice extends StdDevice {
  /** Called when the device is closed. */
  onClose: () => void = () => {};

  override close(): void {
    super.close();
    this.onClose();
  }
}

function openVerity(
  file: HostFile,
  spec: VeritySpec<Uint8Array>,
  options: OpenOriginalOptions & RootKeeperOptions,
): VerityDevice {
  const { readOnly, treeCache, log } = options;
  const keeper = new RootKeeper(spec.root, options);
  let tree: HostFile | null = null;
  let verity: VerityDevice | null = null;
  try {
    tree = openPart(
      spec.tree,
      (path) => HostFile.open(path, { readOnly }),
    );
    const state = trustedState(file, tree, keeper.source);
    const device = new ImageDevice(file, state.blockSize);
    let opened = false;
    verity = openOriginalVerity(device, tree, {
      key: spec.password,
      state,
      treeCache,
      publish: (state) => keeper.store(state),
      // Why it cannot be opened is said by the error.
      log: (message) => opened && log(message),
    });
    checkRoot(file.path, verity);
    keeper.begin(state);
    device.onClose = () => keeper.close();
    opened = true;
    return verity;
  } catch (error) {
    verity?.close();
    tree?.close();
    keeper.close();
    throw error;
  }
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
function readStart(verity: VerityDevice, length: number): Uint8Array | null {
  const head = new Uint8Array(length);
  try {
    verity.read(0, head);
    return head;
  } catch (error) {
    if (error instanceof IntegrityError) return null;
    throw error;
  }
}

/**
 * The trusted state that `claim` makes with these files. Throws
 * {@link IntegrityError} if their sizes do not fit it.
 */
function trustedState(
  file: HostFile,
  tree: HostFile,
  { algorithm, root, ...claim }: RootClaim,
): TrustedState {
  const digest = DIGEST_BYTES[algorithm];
  const leafCount = claim.leafCount ?? (tree.size / digest + 1) / 2;
  if (
    !Number.isInteger(leafCount) || leafCount < 1 ||
    tree.size !== originalTreeBytes(leafCount, digest)
  ) {
    const leaves = claim.leafCount === null ? "" : ` of ${leafCount} leaves`;
    throw new IntegrityError(
      0,
      `Cannot open ${tree.path}: its ${tree.size} bytes are not a ` +
        `${algorithm} tree${leaves}: it was cut short or extended, or the ` +
        "root is another tree's",
    );
  }
  const blockSize = file.size / leafCount;
  if (
    !BLOCK_SIZES.includes(blockSize) ||
    blockSize !== (claim.blockSize ?? blockSize)
  ) {
    throw new IntegrityError(
      0,
      `Cannot open ${file.path}: its ${file.size} bytes are not ${leafCount} ` +
        `blocks of ${claim.blockSize ?? "1024, 2048 or 4096"} bytes: it was ` +
        "cut short or extended, or the root is another image's",
    );
  }
  return { algorithm, blockSize, leafCount, root };
}
