/**
 * The uppermost of the layers over a journal: to flush it is to commit, and to
 * close it is to close everything below.
 *
 * @module
 */

import type { BlockDevice } from "../block_device.ts";
import type { Journal } from "./journal.ts";

/** What a {@link JournaledDevice} is made of. */
export interface JournaledDeviceOptions {
  /** What the next device stands on, if it is a journal. */
  readonly journal: Journal | null;
  /** Whether the next device has a hash tree, and commits with its root. */
  readonly verifies: boolean;
  /** Called once, when the device is closed. */
  readonly closeAll: () => void;
}

/** See the module. */
export class JournaledDevice implements BlockDevice {
  /** Size of one block, in bytes: that of the next device. */
  readonly blockSize: number;
  /** Number of blocks: that of the next device. */
  readonly blockCount: number;
  /** True if the next device is read-only. */
  readonly readOnly: boolean;
  /** That of the journal; absent without one. */
  readonly commitBlocksMax?: number;
  readonly #next: BlockDevice;
  readonly #journal: Journal | null;
  readonly #verifies: boolean;
  readonly #closeAll: () => void;
  #open = true;

  /** Makes a layer over `next`. */
  constructor(
    next: BlockDevice,
    { journal, verifies, closeAll }: JournaledDeviceOptions,
  ) {
    this.#next = next;
    this.#journal = journal;
    this.#verifies = verifies;
    this.#closeAll = closeAll;
    this.blockSize = next.blockSize;
    this.blockCount = next.blockCount;
    this.readOnly = next.readOnly;
    this.commitBlocksMax = journal?.commitBlocksMax;
  }

  /** Reads blocks; see {@link BlockDevice.read}. */
  read(block: number, into: Uint8Array): void {
    this.#next.read(block, into);
  }

  /** Writes blocks; see {@link BlockDevice.write}. */
  write(block: number, from: Uint8Array): void {
    this.#next.write(block, from);
  }

  /** Asks the next device; see {@link BlockDevice.admitWrite}. */
  admitWrite(block: number): void {
    this.#next.admitWrite?.(block);
  }

  /** Commits what was written; see {@link BlockDevice.flush}. */
  async flush(): Promise<void> {
    await this.#next.flush();
    // A layer that verifies has committed with its root: what was written since
    // then has no place in the tree yet. Without one, this waits for the commit
    // that is under way, even if there is nothing more to be committed.
    if (!this.#verifies) await this.#journal?.commit();
  }

  /** Brings what is committed to its place. */
  async settle(): Promise<void> {
    if (!this.readOnly) await this.#journal?.checkpoint();
  }

  /** Closes everything. Again does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#closeAll();
  }
}
