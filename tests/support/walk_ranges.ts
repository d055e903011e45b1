/**
 * The operations of a random walk on ranges of files: taking blocks, holes,
 * and copies.
 *
 * @module
 */

import { type Filesystem, FsError, S_IFREG } from "../../fs/mod.ts";
import type { Model } from "../model.ts";
import { allocateInModel, canBeFound, copyInModel } from "./model_ranges.ts";
import type { Random } from "./random.ts";
import {
  anyNode,
  anyOffset,
  type Limits,
  type Step,
} from "./walk_arguments.ts";

/** Blocks taken for holes, or filled with zeros. */
export function chooseAllocate(
  random: Random,
  model: Model,
  { blockSize }: Limits,
): Step {
  const ino = anyNode(random, model, S_IFREG);
  const offset = anyOffset(random, blockSize);
  const zeroRange = random.chance(0.4);
  const behind = (model.nodes.get(ino)?.data.size ?? 0) - offset;
  const keepSize = behind > 0 && random.chance(0.5);
  const most = keepSize ? behind : 6 * blockSize;
  const length = 1 + random.below(Math.min(most, 6 * blockSize));
  const options = { offset, length, keepSize, zeroRange };
  return {
    text: `allocate ${ino} ${JSON.stringify(options)}`,
    touched: [ino],
    blocks: Math.ceil(length / blockSize) + 8,
    engine: (fs) => fs.allocate(ino, options),
    model: (model, done) =>
      allocateInModel(model, { ino, done: done as number }, options),
  };
}

/** A hole, small or large. */
export function choosePunch(
  random: Random,
  model: Model,
  { blockSize }: Limits,
): Step {
  const ino = anyNode(random, model, S_IFREG);
  const offset = anyOffset(random, blockSize);
  const blocks = random.chance(0.1) ? 1000 : 4;
  const length = 1 + random.below(blocks * blockSize);
  const options = { offset, length, keepSize: true, punchHole: true };
  return {
    text: `punch ${ino} ${offset} +${length}`,
    touched: [ino],
    blocks: 0,
    engine: (fs) => fs.allocate(ino, options),
    model: (model, done) =>
      allocateInModel(model, { ino, done: done as number }, options),
  };
}

/** A copy from file to file, or within one. */
export function chooseCopyRange(
  random: Random,
  model: Model,
  { blockSize }: Limits,
): Step {
  const from = anyNode(random, model, S_IFREG);
  const to = anyNode(random, model, S_IFREG);
  const fromOffset = anyOffset(random, blockSize);
  const toOffset = anyOffset(random, blockSize);
  const length = random.below(5 * blockSize);
  const range = { from, fromOffset, to, toOffset, length };
  return {
    text: `copy ${JSON.stringify(range)}`,
    touched: [from, to],
    blocks: Math.ceil(length / blockSize) + 8,
    // As when reading, a time of access that cannot be stored is let go.
    reads: true,
    engine: (fs) => fs.copyRange(range),
    model: (model, done) => copyInModel(model, range, done as number),
  };
}

/** The next data, or the next hole. */
export function chooseSeek(
  random: Random,
  model: Model,
  { blockSize }: Limits,
): Step {
  const ino = anyNode(random, model, S_IFREG);
  const offset = anyOffset(random, blockSize);
  const hole = random.chance(0.5);
  return {
    text: `seek ${ino} ${offset} ${hole ? "hole" : "data"}`,
    touched: [],
    blocks: 0,
    engine: (fs) => seek(fs, ino, offset, hole),
    model: (model, found) => {
      const place = { ino, offset, hole };
      return canBeFound(model, place, found as number | null) ? found : "less";
    },
  };
}

/** {@link Filesystem.seekData}, with null for `ENXIO`. */
export function seek(
  fs: Filesystem,
  ino: number,
  offset: number,
  hole: boolean,
): number | null {
  try {
    return fs.seekData(ino, offset, { hole });
  } catch (error) {
    if (error instanceof FsError && error.code === "ENXIO") return null;
    throw error;
  }
}
