/**
 * What a command works on: a volume of ours, or an image that stands alone,
 * as a device of plaintext blocks.
 *
 * @module
 */

import { type BlockDevice, DeviceError, InUseError } from "../bd/mod.ts";
import { WrongKeyError } from "../bd/keys/errors.ts";
import { JournalNeededError } from "../bd/original/image_journal.ts";
import { openJournaled } from "../bd/original/open_journaled.ts";
import {
  openOriginal,
  type OriginalImage,
} from "../bd/original/open_original.ts";
import {
  type DeviceSpec,
  readSecrets,
  wipeSecrets,
} from "../bd/original/device_spec.ts";
import type { VerityDevice } from "../bd/verity.ts";
import {
  AnchorOptionError,
  anchorPlace,
  hasKey,
  isVolume,
  type OpenedVolume,
  openVolume,
  RollbackError,
  VolumeIntegrityError,
} from "../bd/volume/mod.ts";
import {
  Filesystem,
  type FilesystemOptions,
  FsError,
  probeBlockSize,
} from "../fs/mod.ts";
import { type DeviceValues, IMAGE_FLAGS } from "./device_flags.ts";
import {
  errnoOf,
  errorText,
  NoVolumeError,
  PathError,
  UsageError,
} from "./errors.ts";
import { readSecret as readOriginalSecret } from "./secret.ts";
import { isSecretNamed, readSecret, secretName } from "./unlock.ts";

export {
  DEVICE_FLAGS,
  DEVICE_NOTES,
  type DeviceValues,
} from "./device_flags.ts";

/** Bytes at the start of a device that tell what is on it: one large block. */
const HEAD_BYTES = 4096;
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
  try {
    return isDirectory(path)
      ? await openOurs(path, values, options)
      : await openImage(path, values, options);
  } catch (error) {
    throw options.readOnly ? error : withAdvice(path, error);
  }
}

/** What a journal has is brought to its place first, which takes room. */
function withAdvice(path: string, error: unknown): unknown {
  if (errnoOf(error) !== "ENOSPC") return error;
  return new PathError(
    path,
    `${errorText(error)}: make room there; nothing is lost, and to open it ` +
      "read-only needs none",
  );
}

async function openOurs(
  path: string,
  values: DeviceValues,
  options: OpenDeviceOptions,
): Promise<OpenedDevice> {
  for (const flag of IMAGE_FLAGS) {
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
    anchorPath: values.anchor,
    acceptRollback: values["accept-rollback"],
    warn: (line) => options.warn(`${path}: ${line}`),
  });
  checkVolume(path, volume, { values, warn: options.warn });
  const { device, verity } = volume;
  return { device, verity, keepsState: true };
}

/** Refuses a volume that is not what is meant, and says what to know of it. */
function checkVolume(
  path: string,
  { descriptor, device }: OpenedVolume,
  { values, warn }: { values: DeviceValues; warn: (line: string) => void },
): void {
  if (hasKey(descriptor)) {
    if (anchorPlace(descriptor) !== "none") return;
    warn(
      `${path}: its anchor is its journal: whoever puts back an older copy of ` +
        "the whole volume is not noticed",
    );
    return;
  }
  try {
    refuseKeyless(path, values);
  } catch (error) {
    device.close();
    throw error;
  }
  // Who expected to be asked for a passphrase should wonder.
  warn(`${path}: its device is bd-std: it has no key, and is plain`);
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
  const { warn } = options;
  checkImageFlags(path, values);
  const spec = readSecrets(
    values["block-device"] ?? { device: "bdstd", crypt: null, verity: null },
    (secret, what) => readOriginalSecret(secret, { what, warn }),
  );
  try {
    const image = await openBySpec(path, spec, { ...options, values });
    const { device, verity, warnings } = image;
    for (const warning of warnings) warn(warning);
    // Records that nobody else can make lead from the old root to the new one.
    const isFound = values.journal && spec.verity?.password;
    if (verity && !options.readOnly && !isRootKept(values) && !isFound) {
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

/** Throws for flags that do not fit an image, or each other. */
function checkImageFlags(path: string, values: DeviceValues): void {
  const device = values["block-device"];
  if (device === undefined) refuseKeyless(path, values);
  else if (isSecretNamed(values)) {
    throw new UsageError(
      `${secretName(values)} is for volumes: the password of an image is the ` +
        "SECRET in --block-device",
    );
  }
  if (values.anchor !== undefined) {
    throw new UsageError(
      "--anchor is for volumes: an image with a hash tree has --root-file",
    );
  }
  if (values["root-file"] !== undefined && !device?.verity) {
    throw new UsageError(
      "--root-file is for images with a hash tree, which --block-device names",
    );
  }
  for (const flag of ["journal-size", "accept-rollback"] as const) {
    if (values[flag] === undefined || values.journal) continue;
    throw new UsageError(
      `--${flag} needs a journal of the image: --journal=on`,
    );
  }
}

async function openBySpec(
  path: string,
  spec: DeviceSpec,
  { readOnly, badBlock, values }: OpenDeviceOptions & { values: DeviceValues },
): Promise<OriginalImage> {
  const common = {
    readOnly,
    treeCache: values["tree-cache"],
    rootFile: values["root-file"],
    log: badBlock ?? ((): void => {}),
  };
  if (!values.journal) return openOriginal(path, spec, common);
  return await openJournaled(path, spec, {
    ...common,
    journalSize: values["journal-size"],
    acceptRollback: values["accept-rollback"],
  });
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
  const isClear = [
    DeviceError,
    InUseError,
    WrongKeyError,
    UsageError,
    RollbackError,
    AnchorOptionError,
    JournalNeededError,
  ].some((kind) => error instanceof kind);
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
