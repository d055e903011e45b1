/**
 * The operations of a random walk while it stays in one directory, which
 * grows to hundreds of names in many blocks, and shrinks again.
 *
 * @module
 */

import { S_IFREG } from "../../fs/mod.ts";
import type { Model } from "../model.ts";
import type { Random } from "./random.ts";
import {
  anyNode,
  DIRECTORY_BLOCKS,
  inodeAt,
  type Step,
} from "./walk_arguments.ts";

/** Names the directory may have, besides those it had before. */
const NAMES = 700;

/** One of them: each has a length of its own, from 40 to 239 bytes. */
function largeName(random: Random): Uint8Array {
  const n = random.below(NAMES);
  const text = `entry ${n} `.padEnd(40 + (n * 37) % 200, ".");
  return new TextEncoder().encode(text);
}

/** An operation on a name in directory `dir`. */
export function chooseInLarge(
  random: Random,
  model: Model,
  dir: number,
): Step {
  const name = largeName(random);
  const shown = new TextDecoder().decode(name).slice(0, 9);
  const touched = [dir, ...inodeAt(model, dir, name)];
  const common = { touched, blocks: DIRECTORY_BLOCKS };
  const kind = random.below(20);
  if (kind < 10) {
    const ino = anyNode(random, model, S_IFREG);
    touched.push(ino);
    return {
      ...common,
      text: `large: link ${ino} ${dir} ${shown}`,
      engine: (fs) => fs.link(ino, dir, name),
      model: (model) => model.link(ino, dir, name),
    };
  }
  if (kind < 16) {
    return {
      ...common,
      text: `large: unlink ${dir} ${shown}`,
      engine: (fs) => fs.unlink(dir, name),
      model: (model) => model.unlink(dir, name),
    };
  }
  if (kind < 18) {
    const to = largeName(random);
    touched.push(...inodeAt(model, dir, to));
    return {
      ...common,
      text: `large: rename ${dir} ${shown} to another`,
      engine: (fs) => fs.rename(dir, name, dir, to),
      model: (model) => model.rename({ dir, name }, { dir, name: to }, false),
    };
  }
  return {
    ...common,
    text: `large: lookup ${dir} ${shown}`,
    engine: (fs) => fs.lookup(dir, name),
    model: (model) => model.lookup(dir, name),
  };
}
