/**
 * What a checkpoint does with blocks and nodes: it puts them where they belong,
 * in long writes, in slices between which other work goes on.
 *
 * @module
 */

import type { ByteFile } from "../byte_file.ts";
import type { Slices } from "../slices.ts";
import type { Layer } from "./staging.ts";

/** Bytes of one write at most. */
const RUN_BYTES_MAX = 1 << 20;
/** Nodes that lie in the same part of so many bytes are written together. */
const PART_BYTES = 4096;

/** Where values go. */
export interface Placing {
  /** The file that they belong into. */
  readonly file: ByteFile;
  /** Size of a value, in bytes. */
  readonly unitBytes: number;
  /** Lets other work go on. */
  readonly slices: Slices;
}

/** Writes blocks, in the order in which `layer` has them: ascending. */
export async function placeBlocks(
  layer: Layer,
  { file, unitBytes, slices }: Placing,
): Promise<void> {
  const run = new Uint8Array(
    Math.min(RUN_BYTES_MAX, layer.size * unitBytes),
  );
  let first = 0;
  let length = 0;
  const flush = (): void => {
    if (length > 0) file.writeAt(first * unitBytes, run.subarray(0, length));
    length = 0;
  };
  for (const [block, bytes] of layer) {
    const isNext = block === first + length / unitBytes;
    if (!isNext || length === run.length) flush();
    if (length === 0) first = block;
    run.set(bytes, length);
    length += unitBytes;
    if (slices.isLongAfter(unitBytes)) await slices.pause();
  }
  flush();
}

/**
 * Writes nodes, in the order in which `layer` has them: ascending. What lies
 * between them is written as it is; a node that was not verified is none that
 * anybody trusts.
 */
export async function placeNodes(
  layer: Layer,
  { file, unitBytes, slices }: Placing,
): Promise<void> {
  const bytes = new Uint8Array(PART_BYTES + unitBytes);
  let start = 0;
  let part: Uint8Array | null = null;
  const flush = (): void => {
    if (part) file.writeAt(start, part);
    part = null;
  };
  for (const [place, node] of layer) {
    const at = place * unitBytes;
    if (!part || at + unitBytes > start + part.length) {
      flush();
      start = at - at % PART_BYTES;
      const length = Math.min(bytes.length, file.size - start);
      part = bytes.subarray(0, length);
      file.readAt(start, part);
    }
    part.set(node, at - start);
    if (slices.isLongAfter(PART_BYTES / 4)) await slices.pause();
  }
  flush();
}
