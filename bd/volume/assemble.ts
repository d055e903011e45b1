/**
 * The layers of a volume's device, put together over its open files.
 *
 * @module
 */

import type { BlockDevice } from "../block_device.ts";
import type { ByteFile } from "../byte_file.ts";
import { isEqual } from "../bytes.ts";
import { CryptDevice } from "../crypt.ts";
import { Journal } from "../journal/journal.ts";
import type { VolumeState } from "../journal/state.ts";
import { StdDevice } from "../std.ts";
import { openPagedVerity, pagedTreeBytes } from "../open_verity.ts";
import type { VerityDevice } from "../verity.ts";
import { type Descriptor, hasKey, hasTree, isEncrypted } from "./descriptor.ts";
import type { VolumeDirectory } from "./directory.ts";
import {
  AnchorKeeper,
  identityOf,
  recordFormat,
  type StateKeeper,
} from "./keeper.ts";
import { checkAnchorOptions, openAnchor } from "./open_anchor.ts";
import { Files, type OpenFilesOptions } from "./open_files.ts";
import { checkFinished, checkState, type Unlocked } from "./unlock.ts";

/** Where the state of a volume is kept, and what to trust of it. */
export interface StateOptions extends OpenFilesOptions {
  /** Path of the anchor, of a volume that has it apart. */
  anchorPath?: string;
  /**
   * A generation to go back to, though the anchor says that it is not last. An
   * anchor that is lost is made again.
   */
  acceptRollback?: number;
  /** Takes a line if that was accepted. */
  warn?: (message: string) => void;
  /**
   * Open a volume that is being made, too, which is none to others. It has an
   * anchor beside it, and no journal.
   */
  copying?: boolean;
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
  if (!options.copying) checkAnchorOptions(descriptor, options);
  const anchor = unlocked &&
    await openAnchor(files, { descriptor, unlocked }, { ...options, isMade });
  // What is unfinished has no journal, and should not be refused for that.
  if (anchor && !options.copying) checkFinished(anchor.state);
  const image = files.open("image", blockCount * blockSize);
  const tree = hasTree(descriptor)
    ? files.open("tree", pagedTreeBytes(blockCount))
    : null;
  if (isMade) {
    const keeper = anchor && new AnchorKeeper(anchor);
    if (keeper) check(keeper.state, descriptor, options);
    return { image, tree, journal: null, keeper };
  }
  const { acceptRollback } = options;
  const said = anchor?.state;
  const file = files.open("journal", journalSize);
  const journal = await Journal.open({ journal: file, image, tree }, {
    format: recordFormat(descriptor, unlocked),
    identity: identityOf(descriptor),
    anchor,
    acceptRollback,
    check: (state) => check(state, descriptor, options),
  });
  if (said && acceptRollback !== undefined) {
    noteAccepted(journal.state, said, options);
  }
  return { image, tree, journal, keeper: journal };
}

/** Says that a state was accepted though the anchor `said` another one. */
function noteAccepted(
  { chain }: VolumeState,
  said: VolumeState,
  { acceptRollback, warn }: StateOptions,
): void {
  const { generation } = said;
  if (acceptRollback === generation && isEqual(chain, said.chain)) return;
  warn?.(`accepted generation ${acceptRollback} in place of ${generation}`);
}

function check(
  state: VolumeState,
  descriptor: Descriptor,
  options: StateOptions,
): void {
  if (hasKey(descriptor)) checkState(state, descriptor, options);
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
