/**
 * What a command works on: a volume of ours, or an image that stands alone,
 * as a device of plaintext blocks.
 *
 * @module
 */

import { type BlockDevice, DeviceError, InUseError } from "../bd/mod.ts";
import { WrongKeyError } from "../bd/keys/errors.ts";
import { openOriginal } from "../bd/original/open_original.ts";
import {
  type DeviceSpec,
  parseDeviceSpec,
  readSecrets,
  wipeSecrets,
} from "../bd/original/device_spec.ts";
import type { VerityDevice } from "../bd/verity.ts";
import {
  hasKey,
  isVolume,
  openVolume,
  VolumeIntegrityError,
} from "../bd/volume/mod.ts";
import {
  Filesystem,
  type FilesystemOptions,
  FsError,
  probeBlockSize,
} from "../fs/mod.ts";
import { option, setting, size, text, type Values } from "./cli.ts";
import { errnoOf, NoVolumeError, PathError, UsageError } from "./errors.ts";
import { readSecret as readOriginalSecret } from "./secret.ts";
import { isSecretNamed, readSecret, secretName, UNLOCK } from "./unlock.ts";

/** Bytes at the start of a device that tell what is on it: one large block. */
const HEAD_BYTES = 4096;
/** Least memory for tree nodes. */
const TREE_CACHE_MIN = 64 << 10;

function treeCache(value: string): number {
  const bytes = size(value);
  if (bytes >= TREE_CACHE_MIN) return bytes;
  throw new RangeError(`'${value}' is too little: at least 64K`);
}

function deviceSpec(value: string): DeviceSpec<string> {
  return parseDeviceSpec(value);
}

/** The flags of commands that open a volume or an image. */
export const DEVICE_FLAGS = {
  "block-device": option(
    "DEVICE",
    "What IMAGE is: bdstd, bdcrypt:SECRET:CIPHER, bdverity:TREE:SECRET:ROOT " +
      "or bdvericrypt:TREE:SECRET:ROOT:SECRET:CIPHER",
    deviceSpec,
    "b",
  ),
  "root-file": option(
    "PATH",
    "Keep the trusted state of IMAGE in this file",
    text,
  ),
  "tree-cache": setting(
    "SIZE",
    "Memory for nodes of the hash tree",
    treeCache,
    {
      fallback: "32M",
    },
  ),
  ...UNLOCK,
};

/** What there is to say about secrets, for the help. */
export const DEVICE_NOTES: string[] = [
  "A VOLUME of ours is a directory that 'nextfs init' made; its passphrase or " +
  "key comes from --keyfile, --passfile, --extpass, from the file that " +
  "NEXTFS_PASSFILE names, or from a prompt. An IMAGE is plain unless " +
  "--block-device says more; SECRET there is file=PATH, env=NAME or fd=N, and " +
  "ROOT is HEX@LEAVES or file=PATH, a root file.",
];

/** The values of {@link DEVICE_FLAGS}. */
export type DeviceValues = Values<typeof DEVICE_FLAGS>;

/** How a device is opened. */
export interface OpenDeviceOptions {
  /** Refuse changes. */
  readOnly: boolean;
  /** Takes what the user should know of it, as it is opened. */
  warn: (message: string) => void;
  /** Takes a line for each block that fails later; nobody if absent. */
  badBlock?: (message: string) => void;
}

/** A device that was opened. */
export interface OpenedDevice {
  /** The plaintext blocks; to close it is to close all. */
  readonly device: BlockDevice;
  /** The verifying layer, if there is one. */
  readonly verity: VerityDevice | null;
  /** Whether it keeps its trusted state itself, as volumes of ours do. */
  readonly keepsState: boolean;
}

/**
 * Opens the volume or image at `path`. Throws {@link NoVolumeError} if there
 * is none, {@link InUseError}, {@link WrongKeyError}, {@link IntegrityError},
 * and {@link PathError} for the rest.
 */
export async function openDevice(
  path: string,
  values: DeviceValues,
  options: OpenDeviceOptions,
): Promise<OpenedDevice> {
  if (!isDirectory(path)) return await openImage(path, values, options);
  for (const flag of ["block-device", "root-file"] as const) {
    if (values[flag] === undefined) continue;
    throw new UsageError(
      `--${flag} is for images; ${path} is a directory, and a volume knows ` +
        "what it is",
    );
  }
  if (!isVolume(path)) {
    throw new NoVolumeError(
      `${path}: No volume in this directory (make one with 'nextfs init')`,
    );
  }
  const volume = await openVolume(path, {
    readOnly: options.readOnly,
    treeCache: values["tree-cache"],
    secret: () => readSecret(values, { prompt: `Passphrase of ${path}: ` }),
    log: options.badBlock,
  });
  const { descriptor, device, verity } = volume;
  if (!hasKey(descriptor)) {
    try {
      refuseKeyless(path, values);
    } catch (error) {
      device.close();
      throw error;
    }
    // Who expected to be asked for a passphrase should wonder.
    options.warn(`${path}: its device is bd-std: it has no key, and is plain`);
  }
  return { device, verity, keepsState: true };
}

/**
 * Throws if a key is given for what has none. Whoever gives one expects that
 * it is needed: a host could have put something of its own, plain, in the place
 * of an encrypted volume.
 */
function refuseKeyless(path: string, values: DeviceValues): void {
  const name = secretName(values);
  if (name === null) return;
  throw new VolumeIntegrityError(
    `${path} has no key, but ${name} gives one: it may have been put in the ` +
      `place of a volume that has (leave ${name} out if it is meant)`,
  );
}

async function openImage(
  path: string,
  values: DeviceValues,
  options: OpenDeviceOptions,
): Promise<OpenedDevice> {
  const { warn, badBlock = (): void => {} } = options;
  if (values["block-device"] === undefined) refuseKeyless(path, values);
  else if (isSecretNamed(values)) {
    throw new UsageError(
      `${secretName(values)} is for volumes: the password of an image is the ` +
        "SECRET in --block-device",
    );
  }
  if (values["root-file"] !== undefined && !values["block-device"]?.verity) {
    throw new UsageError(
      "--root-file is for images with a hash tree, which --block-device names",
    );
  }
  const spec = readSecrets(
    values["block-device"] ?? { device: "bdstd", crypt: null, verity: null },
    (secret, what) => readOriginalSecret(secret, { what, warn }),
  );
  try {
    const { device, verity, warnings } = await openOriginal(path, spec, {
      readOnly: options.readOnly,
      treeCache: values["tree-cache"],
      rootFile: values["root-file"],
      log: badBlock,
    });
    for (const warning of warnings) warn(warning);
    if (verity && !options.readOnly && !isRootKept(values)) {
      warn(
        "without --root-file the new root is only printed at the end: if the " +
          "process is killed, it is lost, and the image with it",
      );
    }
    return { device, verity, keepsState: false };
  } catch (error) {
    throw openingError(path, error);
  } finally {
    wipeSecrets(spec);
  }
}

/** Whether every flush stores the root of an image in a file. */
function isRootKept(values: DeviceValues): boolean {
  return values["root-file"] !== undefined ||
    values["block-device"]?.verity?.root.kind === "file";
}

/** A filesystem on a device that was opened. */
export interface OpenedFilesystem extends OpenedDevice {
  /** The engine; to close it is to close all. */
  readonly filesystem: Filesystem;
}

/**
 * Opens the volume or image at `path` as a filesystem; throws what
 * {@link openDevice} throws.
 */
export async function openFilesystem(
  path: string,
  values: DeviceValues,
  options: OpenDeviceOptions & FilesystemOptions,
): Promise<OpenedFilesystem> {
  // If the filesystem cannot be opened, the error says why, and says it alone.
  let isOpen = false;
  const opened = await openDevice(path, values, {
    ...options,
    badBlock: (line) => isOpen ? options.badBlock?.(line) : undefined,
  });
  try {
    checkBlockSize(opened);
    const filesystem = Filesystem.open(opened.device, options);
    isOpen = true;
    for (const warning of filesystem.warnings) {
      options.warn(`${path}: ${warning}`);
    }
    // Opening marks the volume as open. Until that is durable, image and tree
    // do not agree, and a process that is killed would leave them so.
    await filesystem.sync();
    return { ...opened, filesystem };
  } catch (error) {
    opened.device.close();
    throw new PathError(path, error);
  }
}

/**
 * Throws if the blocks of a verified image are not those of its tree: then
 * neither of the two is damaged, and the tree is of no use.
 */
function checkBlockSize({ device, verity }: OpenedDevice): void {
  if (!verity) return;
  const head = new Uint8Array(HEAD_BYTES);
  device.read(0, head);
  const blockSize = probeBlockSize(head);
  if (blockSize === device.blockSize) return;
  throw new Error(
    `its blocks have ${blockSize} bytes, and its tree is over blocks of ` +
      `${device.blockSize}: make another tree by ` +
      `'nextfs makemerkle -b ${blockSize}'`,
  );
}

/** An error of opening `path`, as the user should see it. */
function openingError(path: string, error: unknown): unknown {
  if (error instanceof FsError) {
    return new NoVolumeError(`${path}: ${error.message}`);
  }
  const isClear = [DeviceError, InUseError, WrongKeyError, UsageError]
    .some((kind) => error instanceof kind);
  return isClear ? error : new PathError(path, error);
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw new PathError(path, error);
    throw new NoVolumeError(
      `${path}: No such volume or image (make one with ` +
        `'nextfs init -s 1G ${path}' or ` +
        `'nextfs makefs -s 128M ${path} [DIRECTORY]')`,
    );
  }
}
