/**
 * Workloads at random, which a seed replays: every kind of operation, syncs
 * that are awaited and syncs that run beside other operations, volumes closed
 * and opened again, and processes that are killed.
 *
 * @module
 */

import { S_IFREG } from "../../fs/mod.ts";
import type { Model } from "../model.ts";
import { Random } from "../support/random.ts";
import { anyNode, type Step } from "../support/walk_arguments.ts";
import { chooseStep } from "../support/walk_steps.ts";
import type { Specimen } from "./specimen.ts";
import { type HostOptions, type Origin, Workload } from "./workload.ts";

/**
 * Operations aim at the limits of blocks of this size, in place of those of
 * the volume, which is too small for its own double indirect blocks.
 */
const LIMITS = { nanoseconds: false, blockSize: 256 };

/** A write of tens of blocks at the start of a file, over what is there. */
function largeWrite(random: Random, model: Model): Step {
  const ino = anyNode(random, model, S_IFREG);
  const data = random.bytes(20_000 + random.below(40_000));
  return {
    text: `write ${ino} 0 +${data.length}`,
    touched: [ino],
    blocks: 70,
    engine: (fs) => fs.write(ino, 0, data),
    model: (model) => model.write(ino, 0, data),
  };
}

/** Lets others run: nothing, a few microtasks, or a turn of the event loop. */
export async function pause(random: Random): Promise<void> {
  if (random.chance(0.2)) return await turn();
  for (let n = random.below(12); n > 0; n--) await Promise.resolve();
}

const turn = (): Promise<void> =>
  new Promise((resolve) => void setImmediate(resolve));

/** How a workload is made. */
export interface RandomOptions extends HostOptions {
  /** Replays it. */
  readonly seed: number;
  /** Number of operations. */
  readonly steps: number;
  /** Whether every other one is a large write, so that journals fill up. */
  readonly heavy?: boolean;
}

/** Does operations; returns what a crash can be made of. */
export async function randomWorkload(
  specimen: Specimen,
  origin: Origin,
  { seed, steps, heavy = false, ...host }: RandomOptions,
): Promise<Workload> {
  const random = new Random(seed);
  const workload = await Workload.start(specimen, origin, host);
  try {
    await work(workload, random, { steps, heavy });
    return workload;
  } finally {
    workload.end();
  }
}

async function work(
  workload: Workload,
  random: Random,
  { steps, heavy }: { steps: number; heavy: boolean },
): Promise<void> {
  const hostPace = new Random(random.next());
  workload.host.delay = () => pause(hostPace);
  let syncs: Promise<void>[] = [];
  const settle = async (): Promise<void> => {
    await Promise.all(syncs);
    syncs = [];
  };
  for (let n = 0; n < steps; n++) {
    const { model } = workload;
    await workload.step(
      heavy && random.chance(0.5)
        ? largeWrite(random, model)
        : chooseStep(random, model, LIMITS),
    );
    if (random.chance(0.15)) await workload.sync();
    if (random.chance(0.15)) syncs.push(workload.sync());
    if (random.chance(0.05)) await settle();
    if (random.chance(0.02)) {
      await settle();
      await workload.reopen();
    } else if (random.chance(0.03)) {
      for (const sync of syncs.splice(0)) sync.catch(() => {});
      await workload.kill();
    }
    await pause(random);
  }
  await settle();
  workload.compare();
  await workload.close();
}
