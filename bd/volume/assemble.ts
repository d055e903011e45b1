/**
 * The layers of a volume's device, put together over its open files.
 *
 * @module
 */

import { type BlockDevice, DeviceError } from "../block_device.ts";
import type { ByteFile } from "../byte_file.ts";
import { CryptDevice } from "../crypt.ts";
import { hostError } from "../host_error.ts";
import { Journal } from "../journal/journal.ts";
import { HostFile, InUseError, StdDevice } from "../std.ts";
import { openPagedVerity, pagedTreeBytes } from "../open_verity.ts";
import type { VerityDevice } from "../verity.ts";
import { FileAnchor } from "./anchor.ts";
import {
  anchorPlace,
  type Descriptor,
  hasKey,
  hasTree,
  isEncrypted,
} from "./descriptor.ts";
import {
  VOLUME_FILES,
  type VolumeDirectory,
  type VolumeFile,
} from "./directory.ts";
import { VolumeIntegrityError } from "./errors.ts";
import {
  AnchorKeeper,
  identityOf,
  recordFormat,
  type StateKeeper,
} from "./keeper.ts";
import { checkFinished, checkState, type Unlocked } from "./unlock.ts";

/** Where the state of a volume is kept, and what to trust of it. */
export interface StateOptions {
  /** Refuse writes; the volume may be shared with other readers then. */
  readOnly?: boolean;
  /** Path of the anchor, of a volume that has it apart. */
  anchorPath?: string;
  /** A generation to go back to, though the anchor says that it is not last. */
  acceptRollback?: number;
  /**
   * Open a volume that is being made, too, which is none to others. It has an
   * anchor beside it, and no journal.
   */
  copying?: boolean;
  /**
   * Puts a layer between the volume and each of its files, whose closing
   * becomes the layer's business; the file itself if absent.
   */
  wrap?: (file: ByteFile, name: VolumeFile) => ByteFile;
}

/** How the device of a volume is to work. */
export interface DeviceOptions extends StateOptions {
  /** Size of the cache of hash tree nodes, in bytes; 32 MiB if absent. */
  treeCache?: number;
  /** Takes a line for each block that does not verify. */
  log?: (message: string) => void;
}

/** The layers of a volume. */
export interface Layers {
  /** The uppermost: plaintext blocks. */
  readonly device: BlockDevice;
  /** The one that verifies, if there is one. */
  readonly verity: VerityDevice | null;
  /** The journal, unless the volume has none. */
  readonly journal: Journal | null;
  /** Who keeps the state: the journal, or an anchor; null without either. */
  readonly keeper: StateKeeper | null;
}

/**
 * Opens the files of the volume and puts its layers together. A volume with a
 * key must have been `unlocked`; its keys are copied. Throws
 * {@link VolumeIntegrityError} if a file is not as it should be, and
 * `RollbackError` if the volume is not the one that the anchor says.
 */
export async function assemble(
  directory: VolumeDirectory,
  what: { descriptor: Descriptor; unlocked: Unlocked | null },
  options: DeviceOptions,
): Promise<Layers> {
  const { descriptor, unlocked } = what;
  using stack = new DisposableStack();
  const files = new Files(directory, stack, options);
  const state = await openState(files, what, options);
  const { keeper, journal, image: file, tree } = state;
  const { blockSize } = descriptor;
  const image = journal?.image ?? new StdDevice(file, blockSize);
  let device = image;
  let verity: VerityDevice | null = null;
  if (unlocked && keeper && tree) {
    verity = openVerity(image, journal?.tree ?? tree, {
      unlocked,
      keeper,
      options,
    });
    device = verity;
  }
  if (unlocked && isEncrypted(descriptor)) {
    device = new CryptDevice(device, {
      cipher: "aes-256-xts",
      key: unlocked.keys.get("image"),
      sparse: true,
    });
  }
  stack.move();
  return { device, verity, journal, keeper };
}

/** Closes everything; again does nothing. */
export function closeLayers({ device, keeper }: Layers): void {
  device.close();
  keeper?.close();
}

/** What keeps the state of a volume, and its files. */
interface OpenedState {
  readonly image: ByteFile;
  readonly tree: ByteFile | null;
  readonly journal: Journal | null;
  readonly keeper: StateKeeper | null;
}

/**
 * Opens what keeps the state of a volume, for who changes nothing but that.
 * Throws as {@link assemble} does.
 */
export async function openKeeper(
  directory: VolumeDirectory,
  what: { descriptor: Descriptor; unlocked: Unlocked | null },
  options: StateOptions,
): Promise<StateKeeper | null> {
  using stack = new DisposableStack();
  const files = new Files(directory, stack, options);
  const { keeper, journal, image, tree } = await openState(
    files,
    what,
    options,
  );
  if (!journal) {
    image.close();
    tree?.close();
  }
  stack.move();
  return keeper;
}

async function openState(
  files: Files,
  { descriptor, unlocked }: {
    descriptor: Descriptor;
    unlocked: Unlocked | null;
  },
  options: StateOptions,
): Promise<OpenedState> {
  const { blockSize, blockCount, journalSize } = descriptor;
  const isMade = options.copying || journalSize === undefined;
  const anchor = unlocked && openAnchor(files, descriptor, {
    unlocked,
    isMade,
    options,
  });
  // What is unfinished has no journal, and should not be refused for that.
  if (anchor && !options.copying) checkFinished(anchor.state);
  const image = files.open("image", blockCount * blockSize);
  const tree = hasTree(descriptor)
    ? files.open("tree", pagedTreeBytes(blockCount))
    : null;
  if (isMade) {
    const keeper = anchor && new AnchorKeeper(anchor);
    if (keeper) check(keeper, descriptor, options);
    return { image, tree, journal: null, keeper };
  }
  const file = files.open("journal", journalSize);
  const journal = await Journal.open({ journal: file, image, tree }, {
    format: recordFormat(descriptor, unlocked),
    identity: identityOf(descriptor),
    anchor,
    acceptRollback: options.acceptRollback,
  });
  try {
    check(journal, descriptor, options);
  } catch (error) {
    journal.close();
    throw error;
  }
  return { image, tree, journal, keeper: journal };
}

function check(
  { state }: StateKeeper,
  descriptor: Descriptor,
  options: StateOptions,
): void {
  if (hasKey(descriptor)) checkState(state, descriptor, options);
}

/** Opens the anchor where the volume has it; null if it has none. */
function openAnchor(
  files: Files,
  descriptor: Descriptor,
  { unlocked, isMade, options: { anchorPath } }: {
    unlocked: Unlocked;
    isMade: boolean;
    options: StateOptions;
  },
): FileAnchor | null {
  const place = isMade ? "beside" : anchorPlace(descriptor);
  if (anchorPath !== undefined && !isMade && place !== "apart") {
    throw new VolumeIntegrityError(
      `its anchor is ${place === "none" ? "its journal" : place + " it"}, ` +
        "but --anchor gives another one: it may have been put in the place of " +
        "a volume that has (leave --anchor out if it is meant)",
    );
  }
  if (place === "none") return null;
  if (place === "apart" && anchorPath === undefined) {
    throw new VolumeIntegrityError(
      "its anchor is kept apart: give its path with --anchor PATH",
    );
  }
  const path = place === "apart" ? anchorPath : undefined;
  const file = files.open("anchor", undefined, path);
  const anchor = FileAnchor.open(file, unlocked.keys.get("anchor"));
  files.stack.adopt(anchor, (one) => one.close());
  return anchor;
}

function openVerity(
  next: BlockDevice,
  tree: ByteFile,
  { unlocked: { keys }, keeper, options }: {
    unlocked: Unlocked;
    keeper: StateKeeper;
    options: DeviceOptions;
  },
): VerityDevice {
  const { blockSize, blockCount: leafCount } = next;
  const { root } = keeper.state;
  return openPagedVerity(next, tree, {
    leafKey: keys.get("leaf"),
    nodeKey: keys.get("node"),
    state: { algorithm: "sha256", blockSize, leafCount, root },
    treeCache: options.treeCache,
    log: options.log,
    publish: (state) => keeper.commit({ root: state.root }),
  });
}

/** Opens files, and registers each to be closed if a later one fails. */
class Files {
  constructor(
    readonly directory: VolumeDirectory,
    readonly stack: DisposableStack,
    readonly options: StateOptions,
  ) {}

  /** Opens one of the files, which must have `byteLength` bytes, if given. */
  open(name: VolumeFile, byteLength?: number, path?: string): ByteFile {
    const host = openFile(this.directory, name, { ...this.options, path });
    const file = this.options.wrap?.(host, name) ?? host;
    this.stack.adopt(file, (one) => one.close());
    if (byteLength !== undefined && file.size !== byteLength) {
      throw new VolumeIntegrityError(
        `its ${
          VOLUME_FILES[name]
        } has ${file.size} bytes, and the descriptor ` +
          `says ${byteLength}: it was cut short, extended or replaced`,
      );
    }
    return file;
  }
}

/**
 * Opens one of the files of a volume, at `path` if it is not in its directory.
 * Throws {@link VolumeIntegrityError} if it is missing, or no file.
 */
export function openFile(
  directory: VolumeDirectory,
  name: VolumeFile,
  { readOnly = false, path: elsewhere }: {
    readOnly?: boolean;
    path?: string;
  } = {},
): HostFile {
  const path = elsewhere ?? directory.pathOf(name);
  // A place of the user's own may be reached by links of the user's own.
  const noLink = elsewhere === undefined;
  try {
    return HostFile.open(path, { readOnly, noLink });
  } catch (error) {
    if (error instanceof InUseError) throw error;
    const file = elsewhere
      ? `${VOLUME_FILES[name]} ${path}`
      : VOLUME_FILES[name];
    if (error instanceof Deno.errors.NotFound) {
      throw new VolumeIntegrityError(`its ${file} is missing`);
    }
    if (error instanceof DeviceError && error.code === "EINVAL") {
      throw new VolumeIntegrityError(`its ${file} is not a regular file`);
    }
    throw hostError(path, error);
  }
}
