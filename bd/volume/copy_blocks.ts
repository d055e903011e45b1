/**
 * Copies what one volume holds into another, and goes on where it was cut
 * short.
 *
 * @module
 */

import { IntegrityError } from "../block_device.ts";
import { isEqual, isZero } from "../bytes.ts";
import type { OpenedVolume } from "./volume.ts";

/** Bytes that are read and written at a time. */
const RUN_BYTES = 1 << 20;
/** Bytes after which the copy is made durable, if nothing else is said. */
const FLUSH_BYTES = 256 << 20;

/** The target is damaged: it is of no use, and is to be made again. */
export class TargetDamagedError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "TargetDamagedError";
}

/** How blocks are copied. */
export interface CopyOptions {
  /** Called now and then with the bytes that were read since; may throw. */
  progress?: (bytes: number) => Promise<void>;
  /** Bytes after which the copy is made durable; 256 MiB if absent. */
  flushBytes?: number;
  /** False if the target is new, and so holds nothing yet. */
  resumed: boolean;
}

/**
 * Makes `target`, of the same size, hold what `source` holds, and flushes it.
 * A block of zeros needs no copy: it is what a new volume reads as.
 *
 * Where the target has a hash tree, a block that is in use there was copied
 * before, and has been durable since. Without one, what a crash left may be
 * anything: it is compared. Throws {@link TargetDamagedError} if the target
 * does not verify; `IntegrityError` is about the source.
 */
export async function copyBlocks(
  source: OpenedVolume,
  target: OpenedVolume,
  options: CopyOptions,
): Promise<void> {
  const { flushBytes = FLUSH_BYTES, resumed } = options;
  const copy = new Copy(source, target, resumed);
  let pending = 0;
  for (let block = copy.next(0); block < copy.end; block = copy.next(block)) {
    const count = copy.run(block);
    pending += copy.written;
    block += count;
    if (pending >= flushBytes) {
      await target.device.flush();
      pending = 0;
    }
    await options.progress?.(count * source.device.blockSize);
  }
  await target.device.flush();
}

class Copy {
  /** Number of blocks of both volumes. */
  readonly end: number;
  /** Bytes that the last run has written. */
  written = 0;
  readonly #source: OpenedVolume;
  readonly #target: OpenedVolume;
  readonly #resumed: boolean;
  readonly #blockSize: number;
  readonly #bytes = new Uint8Array(RUN_BYTES);
  readonly #present = new Uint8Array(RUN_BYTES);

  constructor(source: OpenedVolume, target: OpenedVolume, resumed: boolean) {
    this.#source = source;
    this.#target = target;
    this.#resumed = resumed;
    this.#blockSize = source.device.blockSize;
    this.end = source.device.blockCount;
  }

  /** The first block from `block` on that may have to be copied. */
  next(block: number): number {
    const { verity } = this.#source;
    if (!verity) return block;
    for (;;) {
      block = verity.nextUsed(block);
      if (block >= this.end || !this.#isCopied(block)) return block;
      block++;
    }
  }

  /** Copies a run from `block` on; returns the number of its blocks. */
  run(block: number): number {
    const size = this.#blockSize;
    const count = Math.min(RUN_BYTES / size, this.end - block);
    const bytes = this.#bytes.subarray(0, count * size);
    this.#source.device.read(block, bytes);
    const compare = this.#resumed && !this.#target.verity;
    if (compare) {
      const present = this.#present.subarray(0, bytes.length);
      this.#guard(() => this.#target.device.read(block, present));
    }
    this.written = 0;
    for (let i = 0; i < count;) {
      const from = i;
      while (i < count && this.#isNeeded(block + i, i, compare)) i++;
      if (i > from) {
        this.#write(block + from, bytes.subarray(from * size, i * size));
      } else i++;
    }
    return count;
  }

  #write(block: number, bytes: Uint8Array): void {
    this.#guard(() => this.#target.device.write(block, bytes));
    this.written += bytes.length;
  }

  /** Whether block `i` of the run, `block` of the volume, is to be written. */
  #isNeeded(block: number, i: number, compare: boolean): boolean {
    const size = this.#blockSize;
    const bytes = this.#bytes.subarray(i * size, (i + 1) * size);
    if (!compare) return !isZero(bytes) && !this.#isCopied(block);
    return !isEqual(bytes, this.#present.subarray(i * size, (i + 1) * size));
  }

  #isCopied(block: number): boolean {
    const { verity } = this.#target;
    if (!this.#resumed || !verity) return false;
    return this.#guard(() => verity.nextUsed(block)) === block;
  }

  #guard<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      if (!(error instanceof IntegrityError)) throw error;
      throw new TargetDamagedError(error.message, { cause: error });
    }
  }
}
