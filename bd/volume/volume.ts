/**
 * A volume of our own: a directory with a descriptor, an image and, as its
 * device needs them, a hash tree and an anchor.
 *
 * @module
 */

import { type BlockDevice, IntegrityError } from "../block_device.ts";
import { type Secret, WrongKeyError } from "../keys/key_slot.ts";
import { RollbackError } from "../journal/errors.ts";
import { JournaledDevice } from "../journal/journaled_device.ts";
import type { VolumeState } from "../journal/state.ts";
import type { VerityDevice } from "../verity.ts";
import {
  assemble,
  closeLayers,
  type DeviceOptions,
  type Layers,
} from "./assemble.ts";
import {
  type Descriptor,
  descriptorDigest,
  hasKey,
  type KeyedDescriptor,
  parseDescriptor,
} from "./descriptor.ts";
import { VolumeDirectory } from "./directory.ts";
import { AnchorOptionError, VolumeIntegrityError } from "./errors.ts";
import { syncDirectory } from "./files.ts";
import type { StateChanges, StateKeeper } from "./keeper.ts";
import { unlock, type Unlocked } from "./unlock.ts";

/** How a volume is to be opened. */
export interface OpenVolumeOptions extends DeviceOptions {
  /**
   * Asks for what opens the volume; not called where none is needed. The bytes
   * it gives are overwritten.
   */
  secret?: () => Promise<Secret>;
}

/** An open volume. */
export class OpenedVolume {
  /** Where it is. */
  readonly path: string;
  /** What it is: authentic, if the volume has a key. */
  readonly descriptor: Descriptor;
  /** Its plaintext blocks. Closing the device closes the volume. */
  readonly device: BlockDevice;
  /** The layer that verifies, if there is one. */
  readonly verity: VerityDevice | null;
  /** Who keeps its state; nobody without a key and a journal. */
  readonly keeper: StateKeeper | null;

  /** Made by {@link openVolume}, of parts that are the volume's to close. */
  constructor(
    directory: VolumeDirectory,
    descriptor: Descriptor,
    layers: Layers,
  ) {
    this.path = directory.path;
    this.descriptor = descriptor;
    this.verity = layers.verity;
    this.keeper = layers.keeper;
    const { device, journal, verity } = layers;
    this.device = new JournaledDevice(device, {
      journal,
      verifies: verity !== null,
      closeAll: () => {
        closeLayers(layers);
        directory.close();
      },
    });
  }

  /** Gives up the volume without flushing. Again does nothing. */
  close(): void {
    this.device.close();
  }
}

/**
 * Opens the volume in the directory `path`. Everything is opened now and stays
 * open: the device works when the process has given up every permission.
 *
 * Throws `NotAVolumeError` if there is none, `InUseError` if another process
 * has it, `WrongKeyError`, and {@link VolumeIntegrityError} if it is not as it
 * was left.
 *
 * @example With a key file
 * ```ts
 * import { openVolume } from "./volume.ts";
 *
 * const volume = await openVolume("vault", {
 *   secret: async () => ({
 *     kind: "keyfile",
 *     bytes: await Deno.readFile("vault.key"),
 *   }),
 * });
 * volume.device.close();
 * ```
 */
export async function openVolume(
  path: string,
  options: OpenVolumeOptions = {},
): Promise<OpenedVolume> {
  const directory = VolumeDirectory.open(path, {
    exclusive: !options.readOnly,
  });
  try {
    return await openDirectory(directory, options);
  } catch (error) {
    directory.close();
    throw openError(path, error);
  }
}

async function openDirectory(
  directory: VolumeDirectory,
  options: OpenVolumeOptions,
): Promise<OpenedVolume> {
  const descriptor = parseDescriptor(directory.readDescriptor());
  if (!hasKey(descriptor)) {
    return openUnlocked(directory, { descriptor, unlocked: null }, options);
  }
  using unlocked = await unlockBy(descriptor, options.secret);
  return await openUnlocked(directory, { descriptor, unlocked }, options);
}

/** Asks for the secret, unlocks, and overwrites the secret. */
export async function unlockBy(
  descriptor: KeyedDescriptor,
  ask: (() => Promise<Secret>) | undefined,
): Promise<Unlocked> {
  if (!ask) {
    throw new WrongKeyError("it needs a passphrase or a key file");
  }
  const secret = await ask();
  try {
    return unlock(descriptor, secret);
  } finally {
    secret.bytes.fill(0);
  }
}

/**
 * Opens a volume that has been unlocked already. Its directory becomes the
 * opened volume's to close, unless this throws.
 */
export async function openUnlocked(
  directory: VolumeDirectory,
  what: { descriptor: Descriptor; unlocked: Unlocked | null },
  options: DeviceOptions,
): Promise<OpenedVolume> {
  const layers = await assemble(directory, what, options);
  const { descriptor } = what;
  try {
    const { keeper, journal } = layers;
    if (keeper && hasKey(descriptor) && !options.readOnly) {
      // A journal has an epoch of its own, which every commit passes on.
      const epoch = crypto.getRandomValues(new Uint8Array(16));
      // That a descriptor was replaced may be seen, and not be durable, after a
      // kill; from now on the one before is refused.
      if (isChanging(keeper.state)) syncDirectory(directory.path);
      await settle(keeper, descriptor, journal ? {} : { epoch });
    }
    return new OpenedVolume(directory, descriptor, layers);
  } catch (error) {
    closeLayers(layers);
    throw error;
  }
}

/**
 * Stores `changes`, if there are any, and that `descriptor` is the present
 * one. If that had been open, it is stored twice: afterwards no slot of the
 * anchor names the other descriptor any more.
 */
export async function settle(
  keeper: StateKeeper,
  descriptor: KeyedDescriptor,
  changes: StateChanges = {},
): Promise<void> {
  const wasOpen = isChanging(keeper.state);
  if (!wasOpen && Object.keys(changes).length === 0) return;
  const settled = {
    descriptor: descriptorDigest(descriptor),
    nextDescriptor: new Uint8Array(32),
  };
  await keeper.commit({ ...changes, ...settled });
  if (wasOpen) await keeper.commit(settled);
}

/** Whether another descriptor is about to replace the present one. */
function isChanging({ nextDescriptor }: VolumeState): boolean {
  return nextDescriptor.some((byte) => byte !== 0);
}

/** The same error, saying which volume it is about. */
export function openError(path: string, error: unknown): unknown {
  if (error instanceof WrongKeyError) {
    return new WrongKeyError(`Cannot open ${path}: ${error.message}`);
  }
  if (error instanceof RollbackError) {
    const { isAcceptable } = error;
    return new RollbackError(`Cannot open ${path}: ${error.message}`, {
      isAcceptable,
    });
  }
  if (error instanceof AnchorOptionError) {
    return new AnchorOptionError(`Cannot open ${path}: ${error.message}`);
  }
  if (
    error instanceof VolumeIntegrityError || error instanceof IntegrityError
  ) {
    return new VolumeIntegrityError(`Cannot open ${path}: ${error.message}`);
  }
  return error;
}
