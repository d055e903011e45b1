/**
 * Crash states of one device: of workloads at random on volumes of several
 * shapes, and of sequences of two operations.
 *
 * @module
 */

import type { DeviceKind, VolumeFile } from "../../bd/volume/mod.ts";
import { Random } from "../support/random.ts";
import { withTempDir } from "../support/tools.ts";
import { Campaign, Tally } from "./campaign.ts";
import { Judge } from "./judge.ts";
import { allPairs, type Pair, pairsOrigin, pairWorkload } from "./pairs.ts";
import { randomWorkload } from "./random_workload.ts";
import { type Shape, SHAPES, Specimen } from "./specimen.ts";

/** How many states to try, about. */
export interface CrashPlan {
  /** Replays all of it. */
  readonly seed: number;
  /** States of workloads at random. */
  readonly randomStates: number;
  /** States of sequences of two operations. */
  readonly pairStates: number;
  /** Files whose syncs the host reports as done, and does not do. */
  readonly lies?: readonly VolumeFile[];
}

/** What CI has the time for on one device, and one round of the soak. */
export const USUAL_PLAN: Omit<CrashPlan, "seed"> = {
  randomStates: 750,
  pairStates: 750,
};

/** What came of it. */
export interface CrashReport {
  /** Distinct crash states that were opened. */
  states: number;
  /** Of these, such that a recovery left. */
  nested: number;
  /** Distinct trees that were found. */
  trees: number;
  /** Distinct plaintexts that e2fsck was asked about. */
  plaintexts: number;
  /** Number of failures. */
  failed: number;
  /** The first of them, in words. */
  failures: string[];
}

/** Operations of a workload at random. */
const STEPS = 40;
/** States that are tried of one such workload. */
const STATES_A_WORKLOAD = 250;
/** States that are tried of one sequence of two operations. */
const STATES_A_PAIR = 12;

/** Tries crash states of volumes on `device`; a failure cuts it short. */
export async function tryCrashStates(
  device: DeviceKind,
  plan: CrashPlan,
): Promise<CrashReport> {
  const report: CrashReport = {
    ...{ states: 0, nested: 0, trees: 0, plaintexts: 0 },
    ...{ failed: 0, failures: [] },
  };
  const random = new Random(plan.seed);
  const { lies } = plan;
  for (const [n, shape] of SHAPES.entries()) {
    const share = plan.randomStates / SHAPES.length;
    const seed = random.next();
    await onVolume({ ...shape, device }, seed, report, async (trial) => {
      await tryRandom({ ...trial, lies }, { share, title: `shape ${n}` });
    });
    if (report.failed > 0) return report;
  }
  const seed = random.next();
  await onVolume({ ...SHAPES[0], device }, seed, report, async (trial) => {
    await tryPairs({ ...trial, lies }, plan.pairStates);
  });
  return report;
}

/** A volume to be tried. */
interface Trial {
  readonly specimen: Specimen;
  readonly campaign: Campaign;
  readonly random: Random;
  readonly lies?: readonly VolumeFile[];
}

async function onVolume(
  shape: Shape,
  seed: number,
  report: CrashReport,
  visit: (trial: Trial) => Promise<void>,
): Promise<void> {
  const random = new Random(seed);
  await withTempDir((directory) =>
    Judge.with(async (judge) => {
      const specimen = await Specimen.make(`${directory}/volume`, shape);
      const campaign = new Campaign(specimen, judge, { seed: random.next() });
      await visit({ specimen, campaign, random });
      await judge.settled();
      for (const complaint of judge.complaints) campaign.tally.fail(complaint);
      addTo(report, campaign.tally, judge);
    })
  );
}

function addTo(report: CrashReport, tally: Tally, judge: Judge): void {
  report.states += tally.states;
  report.nested += tally.nested;
  report.trees += tally.trees.size;
  report.plaintexts += judge.plaintexts;
  report.failed += tally.failed;
  report.failures.push(...tally.failures);
}

async function tryRandom(
  { specimen, campaign, random, lies }: Trial,
  { share, title }: { share: number; title: string },
): Promise<void> {
  const { tally } = campaign;
  const origin = await specimen.blank();
  while (tally.states < share && tally.failed === 0) {
    const seed = random.next();
    const text = `${title}, workload ${seed}`;
    try {
      const workload = await randomWorkload(specimen, origin, {
        seed,
        lies,
        steps: STEPS,
        heavy: specimen.shape.heavy,
      });
      const most = Math.min(STATES_A_WORKLOAD, share - tally.states + 10);
      await campaign.attack(workload, text, most);
    } catch (error) {
      tally.fail(`${text}: ${error}\n${(error as Error).stack}`);
    }
  }
}

async function tryPairs(
  { specimen, campaign, random, lies }: Trial,
  states: number,
): Promise<void> {
  const { tally } = campaign;
  const origin = await pairsOrigin(specimen);
  const pairs: Pair[] = [];
  while (tally.states < states && tally.failed === 0) {
    if (pairs.length === 0) pairs.push(...allPairs());
    // Each of them once, in an order that is another for each seed.
    const [pair] = pairs.splice(random.below(pairs.length), 1);
    try {
      const workload = await pairWorkload(specimen, origin, pair, {
        lies,
      });
      await campaign.attack(workload, pair.text, STATES_A_PAIR);
    } catch (error) {
      tally.fail(`${pair.text}: ${error}\n${(error as Error).stack}`);
    }
  }
}

/** A report in one line. */
export function reportLine(device: DeviceKind, report: CrashReport): string {
  const { states, nested, trees, plaintexts, failed } = report;
  return `bd-${device}: ${states} crash states tried ` +
    `(${nested} of them of recoveries cut short), ${trees} distinct trees, ` +
    `e2fsck on ${plaintexts} plaintexts, ${failed} failures`;
}
