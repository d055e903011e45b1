/**
 * Random walks, crashes, failing hosts, killed servers and damaged volumes for
 * as long as asked, each with a new seed: `deno task soak [SECONDS]`, or
 * `SOAK_SECONDS`; ten minutes if not said. `WALK_SEED`, `CRASH_SEED`,
 * `FAULT_SEED`, `KILL_SEED` and `FSCK_SEED` replay what a seed made, once.
 *
 * @module
 */

import { DEVICES } from "../bd/volume/mod.ts";
import {
  reportLine,
  tryCrashStates,
  USUAL_PLAN,
} from "./crash/crash_states.ts";
import { DEVICE_KINDS } from "./cli/devices.ts";
import { faultLine, tryAllFaults } from "./crash/host_errors.ts";
import { killLine, killRounds } from "./crash/kill.ts";
import { repairAtRandom } from "./fsck/random_damage.ts";
import { chooseSeed } from "./support/random.ts";
import { withTempDir } from "./support/tools.ts";
import { walk } from "./support/walk.ts";
import { WALKS } from "./support/walks.ts";

/** What is done, one turn after another. */
interface Activity {
  /** The variable that holds its seed. */
  readonly variable: string;
  /** Its share of the time, against those of the others. */
  readonly share: number;
  /** Time that it has taken, in milliseconds. */
  spent: number;
  /** One part of it with `seed`, or null when all parts of it are done. */
  turn(seed: number, n: number): (() => Promise<void>) | null;
}

const totals = {
  ...{ walks: 0, steps: 0, states: 0, nested: 0, runs: 0 },
  ...{ kills: 0, acknowledged: 0, damaged: 0 },
};
const failures = { crashes: 0, faults: 0, kills: 0, repairs: 0 };
/** Kills of one turn. */
const KILLS = 5;
/** Damaged volumes of one turn; one that is not repaired ends it. */
const DAMAGED = 50;
const VOLUME_KINDS = DEVICE_KINDS.filter(({ family }) => family === "volume");

function tellFailures(texts: readonly string[]): void {
  for (const text of texts) console.error(`FAILED: ${text}\n`);
}

const ACTIVITIES: readonly Activity[] = [
  {
    variable: "WALK_SEED",
    share: 1,
    spent: 0,
    turn(seed, n): (() => Promise<void>) | null {
      if (n >= WALKS.length) return null;
      const { name, steps, ...options } = WALKS[n];
      return async () => {
        console.log(`WALK_SEED=${seed} ${name}`);
        await walk({ ...options, seed }, steps);
        totals.walks++;
        totals.steps += steps;
      };
    },
  },
  {
    variable: "CRASH_SEED",
    share: 3,
    spent: 0,
    turn(seed, n): (() => Promise<void>) | null {
      if (n >= DEVICES.length) return null;
      return async () => {
        const plan = { ...USUAL_PLAN, seed };
        const report = await tryCrashStates(DEVICES[n], plan);
        console.log(`CRASH_SEED=${seed} ${reportLine(DEVICES[n], report)}`);
        totals.states += report.states;
        totals.nested += report.nested;
        failures.crashes += report.failed;
        tellFailures(report.failures);
      };
    },
  },
  {
    variable: "FAULT_SEED",
    share: 1,
    spent: 0,
    turn(seed, n): (() => Promise<void>) | null {
      if (n >= DEVICES.length) return null;
      return () =>
        tryAllFaults(DEVICES[n], {
          seed,
          tell(kind, report): void {
            const line = faultLine(DEVICES[n], kind, report);
            console.log(`FAULT_SEED=${seed} ${line}`);
            totals.runs += report.runs;
            totals.states += report.states;
            failures.faults += report.failed;
            tellFailures(report.failures);
          },
        });
    },
  },
  {
    variable: "KILL_SEED",
    share: 4,
    spent: 0,
    turn(seed, n): (() => Promise<void>) | null {
      if (n >= VOLUME_KINDS.length) return null;
      const kind = VOLUME_KINDS[n];
      return () =>
        withTempDir(async (dir) => {
          const rounds = KILLS;
          try {
            const report = await killRounds({ kind, dir, rounds, seed });
            console.log(`KILL_SEED=${seed} ${killLine(kind, report)}`);
            totals.acknowledged += report.acknowledged;
          } catch (error) {
            failures.kills++;
            tellFailures([`KILL_SEED=${seed} ${kind.name}: ${error}`]);
          }
          totals.kills += rounds;
        });
    },
  },
  {
    variable: "FSCK_SEED",
    share: 1,
    spent: 0,
    turn(seed, n): (() => Promise<void>) | null {
      if (n > 0) return null;
      return async () => {
        try {
          const line = await repairAtRandom(seed, { count: DAMAGED });
          console.log(`FSCK_SEED=${seed} ${line}`);
        } catch (error) {
          failures.repairs++;
          tellFailures([`${error}`]);
        }
        totals.damaged += DAMAGED;
      };
    },
  },
];

/** Does the activities in turns until `end`, the one least done first. */
async function soak(end: number): Promise<void> {
  const rounds = new Map(
    ACTIVITIES.map((one) => [one, { seed: chooseSeed(one.variable), n: 0 }]),
  );
  while (Date.now() < end) {
    const next = ACTIVITIES.toSorted((a, b) =>
      a.spent / a.share - b.spent / b.share
    )[0];
    const round = rounds.get(next)!;
    const turn = next.turn(round.seed, round.n++);
    if (!turn) {
      rounds.set(next, { seed: chooseSeed(next.variable), n: 0 });
      continue;
    }
    const start = performance.now();
    await turn();
    next.spent += performance.now() - start;
  }
}

/** Does all of the activities whose seeds are given, once. */
async function replay(activities: readonly Activity[]): Promise<void> {
  for (const one of activities) {
    const seed = chooseSeed(one.variable);
    for (let n = 0, turn; (turn = one.turn(seed, n)) !== null; n++) {
      await turn();
    }
  }
}

const asked = Deno.args[0] ?? Deno.env.get("SOAK_SECONDS") ?? "600";
const seconds = Number(asked);
if (!(seconds > 0)) {
  console.error(`Cannot soak for ${asked} seconds: not a positive number`);
  Deno.exit(2);
}
const replayed = ACTIVITIES.filter(({ variable }) => Deno.env.has(variable));
if (replayed.length > 0) await replay(replayed);
else await soak(Date.now() + seconds * 1000);

const { walks, steps, states, nested, runs } = totals;
console.log(`${walks} walks of ${steps} steps agree with the model`);
console.log(
  `${states} crash states tried, ${nested} of them of recoveries cut short: ` +
    `${failures.crashes} failures`,
);
console.log(
  `${runs} runs on hosts that fail: ${failures.faults} failures`,
);
console.log(
  `${totals.kills} servers killed, which had acknowledged ` +
    `${totals.acknowledged} syncs: ${failures.kills} failures`,
);
console.log(
  `${totals.damaged} volumes damaged and repaired: ` +
    `${failures.repairs} failures`,
);
if (Object.values(failures).some((count) => count > 0)) Deno.exit(1);
