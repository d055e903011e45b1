/**
 * The files of an image, opened, and what is known of it from them and from
 * DEVICE, before anything of it is believed.
 *
 * @module
 */

import { probeBlockSize } from "../../fs/superblock.ts";
import { IntegrityError } from "../block_device.ts";
import { CryptDevice } from "../crypt.ts";
import { DIGEST_BYTES } from "../hmac.ts";
import { WrongKeyError } from "../keys/errors.ts";
import { MemoryDevice } from "../memory.ts";
import { HostFile } from "../std.ts";
import { originalTreeBytes } from "../tree_builder.ts";
import type { TrustedState } from "../trusted_state.ts";
import type { DeviceSpec } from "./device_spec.ts";
import { deriveImageKey } from "./image_key.ts";
import type { TrustedRoot } from "./present_state.ts";
import {
  openPart,
  type RootClaim,
  RootKeeper,
  type RootKeeperOptions,
} from "./root_keeper.ts";

/** Bytes at the start of an image that tell what it is. */
export const HEAD_BYTES = 4096;
/** Least bytes of an image: the superblock ends there. */
const HEAD_BYTES_MIN = 2048;
/** Sizes of blocks, the usual one first. */
export const BLOCK_SIZES: readonly number[] = [4096, 1024, 2048];

/** What verifies an image. */
export interface VerityParts {
  /** The file with the tree. */
  readonly tree: HostFile;
  /** The password, which is the caller's to wipe; null for plain hashes. */
  readonly password: Uint8Array | null;
  /** Where the trusted state comes from, and goes to. */
  readonly keeper: RootKeeper;
  /** What it was when it was opened. */
  readonly trusted: TrustedState;
}

/** See the module. */
export interface Parts {
  /** The image. */
  readonly file: HostFile;
  /** Its first bytes, as they are stored. */
  readonly head: Uint8Array;
  /** What decrypts it; null for what is not encrypted. */
  readonly crypt: Pick<CryptParts, "cipher" | "key"> | null;
  /** What verifies it; null for what is not verified. */
  readonly verity: VerityParts | null;
  /** What the user should know. */
  readonly warnings: string[];
}

/** What decrypts an image. */
type CryptParts = ConstructorParameters<typeof CryptDevice>[1];

/** Who closes what was opened, and wipes keys. */
interface Owners {
  /** Closes files, unless they were handed on. */
  readonly stack: DisposableStack;
  /** Wipes keys, of which layers have their own copies. */
  readonly keys: DisposableStack;
}

/**
 * Opens the files of `image`. Throws
 * {@link IntegrityError} if their sizes do not fit the trusted state, and what
 * `HostFile.open()` throws.
 */
export function openParts(
  image: string,
  spec: DeviceSpec,
  { stack, keys, ...options }: Omit<RootKeeperOptions, "warnings"> & Owners,
): Parts {
  const warnings: string[] = [];
  const file = HostFile.open(image, { readOnly: options.readOnly });
  stack.adopt(file, (one) => one.close());
  const head = new Uint8Array(Math.min(HEAD_BYTES, file.size));
  file.readAt(0, head);
  // Where there is a tree, it says how long the image was.
  if (!spec.verity && head.length < HEAD_BYTES_MIN) probeBlockSize(head);
  const verity = spec.verity &&
    openVerityParts(file, spec.verity, { ...options, stack, warnings });
  let crypt: Parts["crypt"] = null;
  if (spec.crypt) {
    const { cipher, password } = spec.crypt;
    crypt = { cipher, key: deriveImageKey(password, cipher) };
    keys.adopt(crypt.key, (key) => key.fill(0));
  }
  return { file, head, crypt, verity, warnings };
}

function openVerityParts(
  file: HostFile,
  spec: NonNullable<DeviceSpec["verity"]>,
  { stack, ...options }: RootKeeperOptions & { stack: DisposableStack },
): VerityParts {
  const { readOnly } = options;
  const keeper = new RootKeeper(spec.root, options);
  stack.adopt(keeper, (one) => one.close());
  const tree = openPart(
    spec.tree,
    (path) => HostFile.open(path, { readOnly }),
  );
  stack.adopt(tree, (one) => one.close());
  const trusted = trustedState(file, tree, keeper.source);
  return { tree, password: spec.password, keeper, trusted };
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

/**
 * The size of a block by the start of the image as it is stored, or by the
 * tree. Throws {@link WrongKeyError} if it does not decrypt to a volume, and
 * `FsError` `EINVAL` if it is none.
 */
export function blockSizeOf({ file, head, crypt, verity }: Parts): number {
  if (verity) return verity.trusted.blockSize;
  if (!crypt) return probeBlockSize(head);
  const blockSize = BLOCK_SIZES.find((size) => decrypts(head, size, crypt));
  if (blockSize === undefined) throw wrongKey(file);
  return blockSize;
}

/** What is trusted of the root; null without a tree. */
export function trustedRoot({ verity }: Parts): TrustedRoot | null {
  if (!verity) return null;
  return { root: verity.trusted.root, file: verity.keeper.file };
}

/** What it means that an image does not decrypt to a volume. */
export function wrongKey({ path }: HostFile): WrongKeyError {
  return new WrongKeyError(
    `Cannot open ${path}: it does not decrypt to an ext2 superblock: wrong ` +
      "password or cipher, or not such an image",
  );
}

/** Whether the start of an image is that of one with such blocks. */
export function decrypts(
  head: Uint8Array,
  blockSize: number,
  crypt: NonNullable<Parts["crypt"]>,
): boolean {
  const count = Math.floor(head.length / blockSize);
  const stored = new MemoryDevice(blockSize, count);
  stored.write(0, head.subarray(0, count * blockSize));
  const device = new CryptDevice(stored, crypt);
  const plain = new Uint8Array(count * blockSize);
  device.read(0, plain);
  device.close();
  try {
    return probeBlockSize(plain) === blockSize;
  } catch {
    return false;
  }
}
