/**
 * Changes of the key slots of a volume: the master key stays as it is, and so
 * does everything that it encrypts.
 *
 * A change is three steps, and after a crash between any two of them the
 * volume opens, by the old slots or by the new ones:
 *
 * 1. a state is committed, with the digest of the new descriptor as the next;
 * 2. the new descriptor replaces the old one;
 * 3. a state is committed, twice, with the new one's digest alone. From then
 *    on the old descriptor is refused.
 *
 * @module
 */

import {
  KEY_SLOTS_MAX,
  type KeySlot,
  type KeySlotOptions,
  makeKeySlot,
  type Secret,
} from "../keys/key_slot.ts";
import { openKeeper, type StateOptions } from "./assemble.ts";
import {
  descriptorDigest,
  formatDescriptor,
  hasKey,
  type KeyedDescriptor,
  parseDescriptor,
  signDescriptor,
} from "./descriptor.ts";
import { VolumeDirectory } from "./directory.ts";
import { KeySlotError } from "./errors.ts";
import type { StateKeeper } from "./keeper.ts";
import type { Unlocked } from "./unlock.ts";
import { openError, settle, unlockBy } from "./volume.ts";

/** The open descriptor and anchor of a volume. */
export class KeyChange implements Disposable {
  readonly #directory: VolumeDirectory;
  readonly #keeper: StateKeeper;
  readonly #unlocked: Unlocked;
  #descriptor: KeyedDescriptor;

  private constructor(
    directory: VolumeDirectory,
    descriptor: KeyedDescriptor,
    { keeper, unlocked }: { keeper: StateKeeper; unlocked: Unlocked },
  ) {
    this.#directory = directory;
    this.#descriptor = descriptor;
    this.#keeper = keeper;
    this.#unlocked = unlocked;
  }

  /**
   * Opens the volume at `path` for changes of its key slots, by a secret that
   * one of them has; the bytes are overwritten. Throws what `openVolume` does,
   * and {@link KeySlotError} if the volume has no key.
   */
  static async open(
    path: string,
    secret: () => Promise<Secret>,
    options: StateOptions = {},
  ): Promise<KeyChange> {
    const directory = VolumeDirectory.open(path, { exclusive: true });
    using stack = new DisposableStack();
    stack.adopt(directory, (one) => one.close());
    try {
      const descriptor = parseDescriptor(directory.readDescriptor());
      if (!hasKey(descriptor)) {
        throw new KeySlotError(`${path} has no key: its device is std`);
      }
      const unlocked = stack.use(await unlockBy(descriptor, secret));
      const what = { descriptor, unlocked };
      const keeper = (await openKeeper(directory, what, options))!;
      stack.move();
      return new KeyChange(directory, descriptor, { keeper, unlocked });
    } catch (error) {
      throw openError(path, error);
    }
  }

  /** The key slots. */
  get slots(): readonly KeySlot[] {
    return this.#descriptor.keys;
  }

  /** The slot that the secret has opened. */
  get opened(): KeySlot {
    return this.#unlocked.slot;
  }

  /** Adds a slot for `secret`, under the first number that is free. */
  async add(
    secret: Secret,
    options: Omit<KeySlotOptions, "id">,
  ): Promise<KeySlot> {
    const taken = new Set(this.slots.map(({ id }) => id));
    let id = 0;
    while (taken.has(id)) id++;
    if (id >= KEY_SLOTS_MAX) {
      throw new KeySlotError(
        `All ${KEY_SLOTS_MAX} key slots are taken: remove one first`,
      );
    }
    const slot = this.#make(secret, { ...options, id });
    await this.#store([...this.slots, slot]);
    return slot;
  }

  /** Replaces the slot that was opened by one for `secret`. */
  async replace(
    secret: Secret,
    options: Omit<KeySlotOptions, "id" | "label">,
  ): Promise<KeySlot> {
    const { id, label } = this.opened;
    const slot = this.#make(secret, { ...options, id, label });
    await this.#store(this.slots.map((one) => one.id === id ? slot : one));
    return slot;
  }

  /** Removes the slot `id`, unless it is the last. */
  async remove(id: number): Promise<void> {
    const kept = this.slots.filter((slot) => slot.id !== id);
    if (kept.length === this.slots.length) {
      const ids = this.slots.map((slot) => slot.id).join(", ");
      throw new KeySlotError(`There is no key slot ${id}; there are: ${ids}`);
    }
    if (kept.length === 0) {
      throw new KeySlotError(
        `Key slot ${id} is the last: without it, nothing opens the volume`,
      );
    }
    await this.#store(kept);
  }

  /** Gives up the volume and overwrites the keys. */
  [Symbol.dispose](): void {
    this.#unlocked[Symbol.dispose]();
    this.#keeper.close();
    this.#directory.close();
  }

  #make(secret: Secret, options: KeySlotOptions): KeySlot {
    try {
      return makeKeySlot(this.#unlocked.masterKey, secret, options);
    } finally {
      secret.bytes.fill(0);
    }
  }

  async #store(slots: readonly KeySlot[]): Promise<void> {
    const keys = slots.toSorted((a, b) => a.id - b.id);
    const next = signDescriptor(
      { ...this.#descriptor, keys, mac: undefined },
      this.#unlocked.keys.get("descriptor"),
    );
    await this.#keeper.commit({
      descriptor: descriptorDigest(this.#descriptor),
      nextDescriptor: descriptorDigest(next),
    });
    this.#directory.replaceDescriptor(formatDescriptor(next));
    await settle(this.#keeper, next);
    this.#descriptor = next;
  }
}
