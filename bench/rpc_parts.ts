/**
 * The parts of the measurement, each with its goals.
 *
 * @module
 */

import { DEVICES } from "../bd/volume/mod.ts";
import {
  type Bench,
  BLOCK,
  COLD_BLOCKS,
  type Figures,
  figuresOf,
  FIRST_WARM_UP_MS,
  median,
  medians,
  OTHER_CPU,
  SERVER_CPU,
} from "./rpc_bench.ts";
import type { Job } from "./rpc_job.ts";
import { echo, figures, line, read, times, WINDOW } from "./rpc_report.ts";

const MEBIBYTE = 1 << 20;
/** Restarts for a cold cache. */
const COLD_ROUNDS = 3;

/** 4 KiB reads one at a time against the limit. */
export async function one(bench: Bench): Promise<void> {
  const limit = await bench.echo();
  const { server } = await bench.served("std");
  for (const cpu of [SERVER_CPU, OTHER_CPU]) {
    const where = cpu === SERVER_CPU ? "one processor" : "two processors";
    const { figures: [raw, ours, client], ratios } = await bench.turns(cpu, [
      echo(limit),
      read(server),
      { ...read(server), client: true },
    ]);
    figures(`${where}: the limit`, raw);
    figures(`${where}: 4 KiB read`, ours);
    figures(`${where}: by the project's client`, client);
    times(`${where}: rate of the limit`, 1 / ratios[1], 0.75);
    times(`${where}: by the project's client`, 1 / ratios[2]);
  }
}

/** 4 KiB reads, 16 in flight, against the limit. */
export async function many(bench: Bench): Promise<void> {
  const limit = await bench.echo();
  const { server } = await bench.served("std");
  const { figures: [raw, ours, client], ratios } = await bench.turns(
    OTHER_CPU,
    [
      echo(limit, BLOCK, WINDOW),
      read(server, BLOCK, WINDOW),
      { ...read(server, BLOCK, WINDOW), client: true },
    ],
  );
  figures("the limit", raw);
  figures("4 KiB read", ours);
  figures("by the project's client", client);
  const rate = 1e6 / ours.us;
  line("reads a second", rate.toFixed(0), {
    text: "≥ 100000 or 0.25×",
    isMet: rate >= 100_000 || 1 / ratios[1] >= 0.25,
  });
  times("rate of the limit", 1 / ratios[1]);
}

/** Warm reads of every device, and cold ones. */
export async function devices(bench: Bench): Promise<void> {
  const jobs: Job[] = [];
  for (const device of DEVICES) {
    const { server } = await bench.served(device);
    jobs.push(read(server, BLOCK, WINDOW));
  }
  const warm = await bench.turns(OTHER_CPU, jobs);
  DEVICES.forEach((device, i) => {
    figures(`bd-${device}: warm, ${WINDOW} in flight`, warm.figures[i]);
  });
  times("bd-vericrypt warm against bd-std", 1 / warm.ratios[3], 0.85);
  await cold(bench, { order: "forward", window: WINDOW });
  await cold(bench, { order: "forward", window: 1 });
  await cold(bench, { order: "random", window: WINDOW });
}

async function cold(
  bench: Bench,
  { order, window }: Required<Pick<Job, "order" | "window">>,
): Promise<void> {
  const all: Figures[][] = [];
  for (let round = 0; round < COLD_ROUNDS; round++) {
    const figures: Figures[] = [];
    for (const device of ["std", "vericrypt"] as const) {
      const { server } = await bench.restart(device);
      const job = read(server, BLOCK, window);
      // The program itself is to be warm.
      await bench.run(OTHER_CPU, { ...job, ms: FIRST_WARM_UP_MS });
      const result = await bench.run(OTHER_CPU, {
        ...{ ...job, file: "cold", blocks: COLD_BLOCKS, count: COLD_BLOCKS },
        order,
      });
      figures.push(figuresOf(result));
    }
    all.push(figures);
  }
  const name = `cold, ${order === "forward" ? "in order" : "at random"}, ` +
    `${window} in flight`;
  ["bd-std", "bd-vericrypt"].forEach((device, i) => {
    figures(`${device}: ${name}`, medians(all.map((round) => round[i])));
  });
  const ratio = median(all.map(([std, other]) => std.us / other.us));
  times(
    `bd-vericrypt against bd-std: ${name}`,
    ratio,
    order === "forward" ? 0.6 : undefined,
  );
}

/** Reads of 1 MiB against the limit's bandwidth. */
export async function large(bench: Bench): Promise<void> {
  const limit = await bench.echo();
  const { server } = await bench.served("std");
  for (
    const [cpu, window] of [[SERVER_CPU, 1], [OTHER_CPU, 1], [OTHER_CPU, 4]]
  ) {
    const { figures: all, ratios } = await bench.turns(cpu, [
      echo(limit, MEBIBYTE, window),
      read(server, MEBIBYTE, window),
    ]);
    const where = cpu === SERVER_CPU ? "one processor" : "two processors";
    const name = `${where}, ${window} in flight`;
    [`${name}: the limit`, `${name}: 1 MiB read`].forEach((what, i) => {
      line(what, `${(1e6 / all[i].us).toFixed(0)} MiB/s`);
    });
    const goal = window === 1 ? 0.5 : undefined;
    times(`${name}: bandwidth of the limit`, 1 / ratios[1], goal);
  }
}
