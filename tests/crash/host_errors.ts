/**
 * Host calls that fail, one after another, each in a run of its own: the n-th
 * and a while of others after it, for every n of a workload.
 *
 * Whoever asked for what failed is told so, and it has changed nothing. After
 * a commit that failed no change is taken on until one has succeeded; as soon
 * as the host works again, so does the volume, in the same process, and what
 * is durable then is all that it has said was done.
 *
 * @module
 */

import assert from "node:assert/strict";
import { DeviceError } from "../../bd/block_device.ts";
import { ROOT_INODE } from "../../fs/mod.ts";
import type { DeviceKind } from "../../bd/volume/mod.ts";
import { Random } from "../support/random.ts";
import { withTempDir } from "../support/tools.ts";
import { Campaign } from "./campaign.ts";
import { type Fault, faultText } from "./faults.ts";
import { Judge } from "./judge.ts";
import { OPERATIONS, pairsOrigin, stepOf, writing } from "./pairs.ts";
import { pause } from "./random_workload.ts";
import { SHAPES, Specimen } from "./specimen.ts";
import { type Origin, Workload } from "./workload.ts";

/** How a host fails, but for when it begins. */
export type FaultKind = Omit<Fault, "nth">;

/** The ways in which a host fails, but for when it begins. */
export const FAULTS: readonly FaultKind[] = [
  { kinds: ["write", "sync"], lasts: 1, code: "EIO", short: false },
  { kinds: ["write", "sync"], lasts: 1, code: "ENOSPC", short: true },
  { kinds: ["write", "sync"], lasts: 9, code: "ENOSPC", short: true },
  { kinds: ["sync"], lasts: 1, code: "EIO", short: false },
  { kinds: ["read"], lasts: 1, code: "EIO", short: false },
  { kinds: ["read", "write", "sync"], lasts: 25, code: "EIO", short: true },
];

/** Crash states that are tried of each run. */
const STATES_A_RUN = 8;
/** How often a commit is tried until the host works again. */
const COMMITS_MAX = 40;

/** What came of the runs with one kind of fault. */
export interface FaultReport {
  /** Runs: one for each n. */
  runs: number;
  /** Calls that failed in them. */
  faults: number;
  /** Commits of which the caller was told that they failed. */
  refused: number;
  /** Crash states that were opened afterwards. */
  states: number;
  /** Number of failures. */
  failed: number;
  /** The first of them, in words. */
  failures: string[];
}

/**
 * Runs the workload on a volume on `device` for each kind of fault, all of
 * them if none are given, and for every n; calls `tell` with what came of each.
 */
export async function tryAllFaults(
  device: DeviceKind,
  { seed, kinds = FAULTS, tell }: {
    seed: number;
    kinds?: readonly FaultKind[];
    tell: (kind: FaultKind, report: FaultReport) => void;
  },
): Promise<void> {
  await withTempDir((directory) =>
    Judge.with(async (judge) => {
      const shape = { ...SHAPES[1], device };
      const specimen = await Specimen.make(`${directory}/volume`, shape);
      const origin = await pairsOrigin(specimen);
      for (const kind of kinds) {
        const trial = { specimen, origin, judge, seed };
        const report = await tryFaults(trial, kind);
        await judge.settled();
        const complaints = judge.complaints.splice(0);
        report.failed += complaints.length;
        report.failures.push(...complaints);
        tell(kind, report);
      }
    })
  );
}

interface Trial {
  readonly specimen: Specimen;
  readonly origin: Origin;
  readonly judge: Judge;
  readonly seed: number;
}

/** Runs the workload for each n, until there are no more calls to fail. */
async function tryFaults(
  { specimen, origin, judge, seed }: Trial,
  kind: FaultKind,
): Promise<FaultReport> {
  const campaign = new Campaign(specimen, judge, { seed, nested: 0 });
  const { tally } = campaign;
  const report = { runs: 0, faults: 0, refused: 0 };
  for (let nth = 1;; nth++) {
    const fault = { ...kind, nth };
    const text = `${faultText(fault)}, seed ${seed}`;
    const run = new FaultyRun(seed);
    let workload: Workload | null = null;
    try {
      workload = await Workload.start(specimen, origin, { fault });
      await run.go(workload);
      await campaign.attack(workload, text, STATES_A_RUN);
    } catch (error) {
      const stack = (error as Error).stack;
      tally.fail(`${text}: ${stack}\n${workload?.history ?? ""}`);
    }
    workload?.end();
    report.runs++;
    report.faults += workload?.failing?.failed ?? 0;
    report.refused += run.refused;
    // The last run is one in which nothing failed any more.
    if (workload && workload.failing!.calls < nth) break;
    if (tally.failed > 20) break;
  }
  const { states, failed, failures } = tally;
  return { ...report, states, failed, failures };
}

/** One run of the workload. */
class FaultyRun {
  /** Commits that failed. */
  refused = 0;
  readonly #random: Random;
  #probes = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** All operations, with commits here and there, and a close. */
  async go(workload: Workload): Promise<void> {
    workload.host.delay = () => pause(this.#random);
    let beside: Promise<void> = Promise.resolve();
    for (const [n, operation] of OPERATIONS.entries()) {
      if (n % 5 === 4) {
        beside = this.#sync(workload);
        await pause(this.#random);
      }
      await this.#do(workload, operation);
      // Commits so large that a checkpoint is made among them.
      await this.#do(workload, writing("ballast", 0, 45_000 + n));
      if (n % 5 === 4) await beside;
      if (n % 3 === 2) await this.#sync(workload);
      if (workload.isRefusing) await this.#recover(workload);
    }
    await this.#recover(workload);
    workload.compare();
    await this.#end(workload);
  }

  async #do(
    workload: Workload,
    operation: typeof OPERATIONS[number],
  ): Promise<void> {
    await workload.step(stepOf(operation, workload.model));
  }

  /** Commits, or is told of the host's own error. */
  async #sync(workload: Workload): Promise<void> {
    try {
      await workload.sync();
    } catch (error) {
      this.refused++;
      assert.ok(error instanceof DeviceError, `sync: ${error}`);
      const { code } = workload.failing!;
      assert.equal(error.code, code, `sync says ${error}`);
    }
  }

  /** Changes are refused; then the host works again, and so does the volume. */
  async #recover(workload: Workload): Promise<void> {
    if (workload.isRefusing) {
      const name = `refused-${this.#probes++}`;
      workload.whileItWorks(() =>
        assert.throws(
          () => workload.fs.create(ROOT_INODE, name),
          { code: "EROFS" },
          "a change was taken on though the last commit had failed",
        )
      );
    }
    for (let n = 0; n < COMMITS_MAX; n++) {
      await this.#sync(workload);
      if (!workload.isRefusing) return;
    }
    throw new Error("the host works again, and the volume does not");
  }

  /** Closes; if that fails, another process opens what is there. */
  async #end(workload: Workload): Promise<void> {
    try {
      await workload.close();
    } catch (error) {
      assert.ok(error instanceof DeviceError, `close: ${error}`);
      await workload.kill();
      await this.#recover(workload);
      workload.compare();
      await workload.close().catch((error) => {
        assert.ok(error instanceof DeviceError, `close: ${error}`);
      });
    }
  }
}

/** A report in one line. */
export function faultLine(
  device: string,
  kind: FaultKind,
  report: FaultReport,
): string {
  const { runs, faults, refused, states, failed } = report;
  const text = faultText({ ...kind, nth: 0 }).replace(/ 0\b/, " n");
  return `bd-${device}, ${text}: ${runs} runs, ${faults} failing calls, ` +
    `${refused} commits refused, ${states} states opened, ${failed} failures`;
}
