/**
 * Copying a device into a file, with holes where there is nothing.
 *
 * @module
 */

import { type BlockDevice, DeviceError } from "./block_device.ts";
import type { ByteFile } from "./byte_file.ts";
import {
  DamagedTreeError,
  type LeafRange,
  UnreadableTreeError,
} from "./tree_errors.ts";
import type { OverlayDevice } from "./overlay.ts";
import type { VerityDevice } from "./verity.ts";

/** Bytes that are read at a time. */
const RUN_BYTES = 1 << 20;

/** How to copy. */
export interface SparseCopyOptions {
  /** The verified layer below the device: it knows what was never written. */
  readonly verity?: VerityDevice | null;
  /** The overlay that is the device, if it is one, over the verified layer. */
  readonly overlay?: OverlayDevice | null;
  /**
   * Is told of blocks that cannot be read, which become zeros; what it throws
   * ends the copy.
   */
  readonly bad: (range: LeafRange, error: DeviceError) => void;
  /** Is told of progress, and waited for. What it throws ends the copy. */
  readonly progress?: (
    step: { copied: number; skipped: number },
  ) => void | Promise<void>;
}

/**
 * Copies `device` into `file`, which reads as zeros everywhere: blocks of
 * zeros are not written, and blocks that were never written are not read.
 */
export async function sparseCopy(
  device: BlockDevice,
  file: ByteFile,
  options: SparseCopyOptions,
): Promise<void> {
  const { blockCount, blockSize } = device;
  const buffer = new Uint8Array(RUN_BYTES);
  const written = options.overlay?.writtenBlocks() ?? [];
  for (let block = 0, i = 0; block < blockCount;) {
    while (i < written.length && written[i] < block) i++;
    const used = nextUsed(options.verity, block);
    const first = Math.min(used, written[i] ?? blockCount);
    const count = Math.min(RUN_BYTES / blockSize, blockCount - first);
    const bytes = buffer.subarray(0, count * blockSize);
    readRun(device, first, bytes, options);
    writeRun(file, first, bytes, blockSize);
    await options.progress?.({ copied: count, skipped: first - block });
    block = first + count;
  }
}

/** The first block from `block` on that was written, or cannot be read. */
function nextUsed(
  verity: VerityDevice | null | undefined,
  block: number,
): number {
  try {
    return verity?.nextUsed(block) ?? block;
  } catch (error) {
    return Math.max(block, damagedRange(error, block).first);
  }
}

/** Reads blocks; those that cannot be read are zeros, and reported. */
function readRun(
  device: BlockDevice,
  first: number,
  into: Uint8Array,
  { bad, overlay }: SparseCopyOptions,
): void {
  const { blockSize } = device;
  const end = first + into.length / blockSize;
  if (tryRead(device, first, into) === null) return;
  into.fill(0);
  for (let block = first; block < end;) {
    const at = (block - first) * blockSize;
    const error = tryRead(device, block, into.subarray(at, at + blockSize));
    let next = block + 1;
    if (error !== null) {
      const range = damagedRange(error, block);
      const last = Math.min(range.first + range.count, end);
      // What was written to the overlay is none of the tree's business.
      while (next < last && !overlay?.isWritten(next)) next++;
      into.fill(0, at, at + blockSize);
      bad({ first: block, count: next - block }, error);
    }
    block = next;
  }
}

/** Reads blocks; the error if they cannot be read. */
function tryRead(
  device: BlockDevice,
  block: number,
  into: Uint8Array,
): DeviceError | null {
  try {
    device.read(block, into);
    return null;
  } catch (error) {
    if (error instanceof DeviceError && error.code !== "EBADF") return error;
    throw error;
  }
}

/** The blocks that share the fate of `block`, at which `error` was met. */
function damagedRange(error: unknown, block: number): LeafRange {
  const isOfTree = error instanceof DamagedTreeError ||
    error instanceof UnreadableTreeError;
  if (isOfTree && error.code !== "EBADF") return error.range;
  if (error instanceof DeviceError && error.code !== "EBADF") {
    return { first: block, count: 1 };
  }
  throw error;
}

/** Writes the blocks that are not of zeros, those in a row at once. */
function writeRun(
  file: ByteFile,
  first: number,
  bytes: Uint8Array,
  blockSize: number,
): void {
  const words = new Uint32Array(bytes.buffer, 0, bytes.length / 4);
  const perBlock = blockSize / 4;
  const count = bytes.length / blockSize;
  for (let i = 0; i < count;) {
    let end = i;
    while (end < count && !isZero(words, end * perBlock, perBlock)) end++;
    if (end > i) {
      const run = bytes.subarray(i * blockSize, end * blockSize);
      file.writeAt((first + i) * blockSize, run);
    }
    i = end + 1;
  }
}

function isZero(words: Uint32Array, from: number, count: number): boolean {
  for (let i = from; i < from + count; i++) if (words[i] !== 0) return false;
  return true;
}
