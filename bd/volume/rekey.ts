/**
 * A new master key for a volume: everything is copied into a new volume inside
 * of the old one's directory, whose files then take the place of the old ones.
 *
 * It may be cut short at any point. The id of the new volume is computed from
 * the state of the old one, by a key of the old one, so that a copy is gone on
 * with only if it is a copy of exactly the present state; nobody without the
 * key can make another that would be taken for it.
 *
 * @module
 */

import { type Secret, WrongKeyError } from "../keys/key_slot.ts";
import { createHmac } from "../hmac.ts";
import { uuidOf } from "../uuid.ts";
import type { VolumeState } from "../journal/state.ts";
import { copyBlocks, TargetDamagedError } from "./copy_blocks.ts";
import { createVolume } from "./create.ts";
import {
  anchorPlace,
  hasKey,
  type KeyedDescriptor,
  parseDescriptor,
} from "./descriptor.ts";
import { VolumeDirectory } from "./directory.ts";
import {
  KeySlotError,
  NotAVolumeError,
  VolumeIntegrityError,
} from "./errors.ts";
import {
  commitReplacement,
  finishReplacement,
  isReplacementBegun,
  isReplacementPending,
  REPLACEMENT,
} from "./replacement.ts";
import { finishVolume } from "./finish.ts";
import { unlock, type Unlocked } from "./unlock.ts";
import {
  type OpenedVolume,
  openError,
  openUnlocked,
  openVolume,
} from "./volume.ts";

/** How a volume gets a new master key. */
export interface RekeyOptions {
  /** Asks for what opens the volume, before and after; it is overwritten. */
  secret: () => Promise<Secret>;
  /** Agrees that all other key slots are lost. */
  onlyThisKey?: boolean;
  /** Size of each cache of hash tree nodes, in bytes. */
  treeCache?: number;
  /** Bytes after which the copy is made durable; 256 MiB if absent. */
  flushBytes?: number;
  /** Takes a line about what has become of an earlier attempt. */
  log?: (message: string) => void;
  /** Called now and then with the bytes copied since; may throw. */
  progress?: (bytes: number) => Promise<void>;
}

/**
 * Gives the volume at `path` a new master key; nobody else may use it
 * meanwhile. What an earlier call could not end, this one does: if all that
 * was left was to move files, it does no more.
 *
 * Throws what `openVolume` does; {@link KeySlotError} for a volume without a
 * key, and for one with several key slots unless `onlyThisKey` is set.
 */
export async function rekeyVolume(
  path: string,
  options: RekeyOptions,
): Promise<void> {
  const wasCommitted = isReplacementPending(path);
  const directory = VolumeDirectory.open(path, { exclusive: true });
  using stack = new DisposableStack();
  stack.adopt(directory, (one) => one.close());
  const source = await openSource(directory, { stack, options });
  if (wasCommitted) {
    options.log?.("the last rekey was cut short at its end; now it is done");
  } else await new Rekey(source, options).run();
}

/** The volume that is copied, and what opens it and the copy. */
interface Source {
  volume: OpenedVolume;
  unlocked: Unlocked;
  secret: Secret;
}

/** Opens what is copied; `stack` is to close it, and to overwrite secrets. */
async function openSource(
  directory: VolumeDirectory,
  { stack, options }: { stack: DisposableStack; options: RekeyOptions },
): Promise<Source> {
  try {
    const descriptor = checkedDescriptor(directory, options);
    const secret = await options.secret();
    stack.defer(() => secret.bytes.fill(0));
    const unlocked = stack.use(unlock(descriptor, secret));
    const volume = await openUnlocked(directory, { descriptor, unlocked }, {
      readOnly: true,
      treeCache: options.treeCache,
    });
    stack.adopt(volume, (one) => one.close());
    return { volume, unlocked, secret };
  } catch (error) {
    throw openError(directory.path, error);
  }
}

function checkedDescriptor(
  directory: VolumeDirectory,
  { onlyThisKey }: RekeyOptions,
): KeyedDescriptor {
  const { path } = directory;
  const descriptor = parseDescriptor(directory.readDescriptor());
  if (!hasKey(descriptor)) {
    throw new KeySlotError(`${path} has no key: its device is std`);
  }
  if (anchorPlace(descriptor) === "apart") {
    throw new KeySlotError(
      `${path} has its anchor apart, which cannot be replaced together with ` +
        "the volume: make a new one, and copy what is in it",
    );
  }
  const others = descriptor.keys.length - 1;
  if (others > 0 && !onlyThisKey) {
    throw new KeySlotError(
      `${path} has ${others} more key slot${others > 1 ? "s" : ""}, which a ` +
        "new master key makes useless: --only-this-key agrees to that",
    );
  }
  return descriptor;
}

/** The making of a copy under a new master key. */
class Rekey {
  readonly #source: Source;
  readonly #options: RekeyOptions;
  /** Where the copy is made. */
  readonly #place: string;
  /** The id of the copy. */
  readonly #id: string;

  constructor(source: Source, options: RekeyOptions) {
    const { volume, unlocked } = source;
    this.#source = source;
    this.#options = options;
    this.#place = `${volume.path}/${REPLACEMENT}`;
    this.#id = copyId(volume.keeper!.state, unlocked);
  }

  async run(): Promise<void> {
    const { path } = this.#source.volume;
    removePartials(path);
    if (!await this.#resume()) {
      await this.#create();
      const target = await this.#open();
      await this.#copy(target, false);
    }
    await this.#finish();
    commitReplacement(path);
    finishReplacement(path);
  }

  /** Goes on with what is there; false if there is nothing of use. */
  async #resume(): Promise<boolean> {
    if (!isReplacementBegun(this.#source.volume.path)) return false;
    try {
      const target = await this.#open();
      await this.#copy(target, true);
      return true;
    } catch (error) {
      if (!isUseless(error)) throw error;
      this.#options.log?.(
        `the copy that was begun is of no use, and is begun again: ` +
          error.message,
      );
      this.#discard();
      return false;
    }
  }

  /** Removes the copy, so that half of it is never found in its place. */
  #discard(): void {
    const discarded = `${this.#place}.partial-${Deno.pid}`;
    Deno.renameSync(this.#place, discarded);
    Deno.removeSync(discarded, { recursive: true });
  }

  /** Opens the copy; throws if it is not one of the present state. */
  async #open(): Promise<OpenedVolume> {
    const { treeCache } = this.#options;
    // A link would lead to a copy in a place of the host's choice.
    if (!Deno.lstatSync(this.#place).isDirectory) {
      throw new VolumeIntegrityError(`${this.#place} is not a directory`);
    }
    const target = await openVolume(this.#place, {
      treeCache,
      copying: true,
      secret: () => Promise.resolve(this.#secretCopy()),
    });
    if (target.descriptor.id === this.#id) return target;
    target.close();
    throw new VolumeIntegrityError("the volume was changed since");
  }

  async #create(): Promise<void> {
    const { device, blockSize, blockCount } = this.#source.volume.descriptor;
    const { id, label, created, scrypt } = this.#source.unlocked.slot;
    await createVolume(this.#place, {
      device,
      blockSize,
      blockCount,
      id: this.#id,
      copying: true,
      secret: this.#secretCopy(),
      slot: { id, label, created, scrypt },
      anchor: anchorPlace(this.#source.volume.descriptor),
      journalSize: this.#source.volume.descriptor.journalSize,
    });
  }

  async #copy(target: OpenedVolume, resumed: boolean): Promise<void> {
    try {
      const { progress, flushBytes } = this.#options;
      const options = { resumed, progress, flushBytes };
      await copyBlocks(this.#source.volume, target, options);
    } finally {
      target.close();
    }
  }

  /** Makes a volume of the copy, which is whole. */
  async #finish(): Promise<void> {
    const directory = VolumeDirectory.open(this.#place, { exclusive: true });
    const secret = this.#secretCopy();
    try {
      const descriptor = parseDescriptor(directory.readDescriptor());
      // It is the one that was opened just now.
      using unlocked = unlock(descriptor as KeyedDescriptor, secret);
      await finishVolume(directory, { descriptor, unlocked });
    } finally {
      secret.bytes.fill(0);
      directory.close();
    }
  }

  /** The secret, for one who will overwrite it. */
  #secretCopy(): Secret {
    const { kind, bytes } = this.#source.secret;
    return { kind, bytes: bytes.slice() };
  }
}

/**
 * The id of the copy of a state. The chain stands for the commit that made it;
 * in a volume without a journal the epoch is new for each time that it was
 * opened for writing, and the root stands for what is in it.
 */
function copyId(
  { epoch, root, chain }: VolumeState,
  { keys }: Unlocked,
): string {
  const hmac = createHmac("sha256", keys.get("rekey"));
  try {
    return uuidOf(hmac.hash(Uint8Array.of(...epoch, ...root, ...chain)), 8);
  } finally {
    hmac.wipe();
  }
}

/** Whether an error says that the copy that was begun is of no use. */
function isUseless(error: unknown): error is Error {
  return error instanceof TargetDamagedError ||
    error instanceof VolumeIntegrityError ||
    error instanceof NotAVolumeError || error instanceof WrongKeyError;
}

/** Removes what killed processes left that were about to begin. */
function removePartials(path: string): void {
  for (const { name } of Deno.readDirSync(path)) {
    if (!/^rekey\.partial-\d+$/.test(name)) continue;
    Deno.removeSync(`${path}/${name}`, { recursive: true });
  }
}
