/**
 * Chooses the operations of a random walk.
 *
 * @module
 */

import type { Model } from "../model.ts";
import type { Random } from "./random.ts";
import type { Limits, Step } from "./walk_arguments.ts";
import {
  chooseAllocate,
  chooseCopyRange,
  choosePunch,
  chooseSeek,
} from "./walk_ranges.ts";
import {
  chooseRead,
  chooseReadlink,
  chooseRelease,
  chooseRemovexattr,
  chooseRetain,
  chooseSetattr,
  chooseSetxattr,
  chooseTruncate,
  chooseWrite,
} from "./walk_inodes.ts";
import {
  chooseCreate,
  chooseLink,
  chooseLookup,
  chooseMkdir,
  chooseReaddir,
  chooseRename,
  chooseRmdir,
  chooseSpecial,
  chooseUnlink,
} from "./walk_names.ts";

type Chooser = (random: Random, model: Model, limits: Limits) => Step | null;

const CHOICES: readonly [weight: number, Chooser][] = [
  [12, chooseCreate],
  [6, chooseMkdir],
  [6, chooseSpecial],
  [5, chooseLink],
  [10, chooseUnlink],
  [5, chooseRmdir],
  [12, chooseRename],
  [18, chooseWrite],
  [8, chooseRead],
  [8, chooseTruncate],
  [4, chooseAllocate],
  [4, choosePunch],
  [4, chooseCopyRange],
  [3, chooseSeek],
  [6, chooseSetattr],
  [7, chooseSetxattr],
  [3, chooseRemovexattr],
  [4, chooseRetain],
  [4, chooseRelease],
  [4, chooseLookup],
  [3, chooseReaddir],
  [3, chooseReadlink],
];
const TOTAL = CHOICES.reduce((sum, [weight]) => sum + weight, 0);

/** Chooses the next operation. */
export function chooseStep(
  random: Random,
  model: Model,
  limits: Limits,
): Step {
  for (;;) {
    let at = random.below(TOTAL);
    const choice = CHOICES.find(([weight]) => (at -= weight) < 0)!;
    const step = choice[1](random, model, limits);
    if (step) return step;
  }
}
