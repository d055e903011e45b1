/**
 * What durability costs: writes that are synced one by one against the host's
 * own, many clients against one, long files against the same device without a
 * journal, reads of one client while another syncs without a pause, and
 * recovery.
 *
 * `deno task bench:durability [MIB [DEVICE…]]`: the length of the long file
 * (1024), and the devices (all). Everything that is compared is measured in
 * turns within one run. Needs five times that much room in the temporary
 * directory, which should be on a disk.
 *
 * @module
 */

import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { type DeviceKind, DEVICES } from "../bd/volume/mod.ts";
import { type RecoveryCost, recoveryCost } from "./durability_recovery.ts";
import {
  withJournal,
  withoutJournal,
  writeLongFile,
} from "./durability_sequential.ts";
import { BenchClient, BenchServer } from "./durability_server.ts";

const BLOCK = 4096;
const FILE_BLOCKS = 4096;
/** Rounds of turns, and what is done in a turn of each. */
const ROUNDS = 25;
const WRITES = 100;
const CLIENTS = 16;
const LONG_ROUNDS = 3;
const RECOVERIES = 3;
const READ_SECONDS = 4;

const GOAL_RATIO = 0.4;
const GOAL_CLIENTS = 3;
const GOAL_LONG = 0.4;
const GOAL_STALL_MS = 5;

const [mebibytes = "1024", ...chosen] = Deno.args;
const devices = chosen.length > 0 ? chosen as DeviceKind[] : DEVICES;

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

function quantile(values: number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
}

async function timed(action: () => void | Promise<void>): Promise<number> {
  const began = performance.now();
  await action();
  return performance.now() - began;
}

/** The host's own: blocks of a file written in place, each of them synced. */
class RawFile {
  readonly #fd: number;
  readonly #data = crypto.getRandomValues(new Uint8Array(BLOCK));
  #turn = 0;

  constructor(path: string) {
    this.#fd = openSync(path, "w+");
    for (let i = 0; i < FILE_BLOCKS; i++) {
      writeSync(this.#fd, this.#data, 0, BLOCK, i * BLOCK);
    }
    fsyncSync(this.#fd);
  }

  /** Writes and syncs `count` blocks. */
  write(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#turn = (this.#turn + 1021) % FILE_BLOCKS;
      writeSync(this.#fd, this.#data, 0, BLOCK, this.#turn * BLOCK);
      fsyncSync(this.#fd);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

function line(what: string, value: string, goal: string, isMet: boolean): void {
  console.log(
    `  ${what.padEnd(50)} ${value.padStart(21)}   ${goal.padEnd(10)}` +
      (isMet ? "met" : "MISSED"),
  );
}

/** Writes that are synced, by one client and by many, against the host's. */
async function benchWrites(
  endpoint: string,
  raw: RawFile,
  pairs: number,
): Promise<void> {
  const clients: BenchClient[] = [];
  for (let i = 0; i < CLIENTS; i++) {
    clients.push(await BenchClient.start(endpoint, `file${i}`, 256));
  }
  const times = { raw: [], one: [], many: [] } as Record<string, number[]>;
  // Each turn measures all three, so that the disk's moods fall on them alike.
  for (let round = 0; round < ROUNDS; round++) {
    const one = await timed(() => clients[0].writeDurably(WRITES));
    const host = await timed(() => raw.write(pairs * WRITES));
    const many = await timed(async () => {
      await Promise.all(clients.map((client) => client.writeDurably(WRITES)));
    });
    times.one.push(one / WRITES);
    times.raw.push(host / WRITES);
    times.many.push(many / WRITES / CLIENTS);
  }
  const ratio = median(times.raw.map((time, i) => time / times.one[i]));
  const gain = median(times.one.map((time, i) => time / times.many[i]));
  const us = (list: number[]): string =>
    `${(median(list) * 1000).toFixed(0)} µs`;
  console.log(
    `  ${pairs} raw write+fsync: ${us(times.raw)}; one client: ` +
      `${us(times.one)}; ${CLIENTS} clients: ${us(times.many)} each`,
  );
  line(
    `4 KiB write + fsync against ${pairs} of the host's`,
    `${ratio.toFixed(2)}×`,
    `≥ ${GOAL_RATIO}×`,
    ratio >= GOAL_RATIO,
  );
  line(
    `${CLIENTS} clients against one`,
    `${gain.toFixed(1)}×`,
    `≥ ${GOAL_CLIENTS}×`,
    gain >= GOAL_CLIENTS,
  );
  for (const client of clients) await client[Symbol.asyncDispose]();
}

/** Upper ends of the classes of latencies, in milliseconds. */
const CLASSES = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, Infinity];

function histogram(latencies: number[]): string {
  let rest = latencies.toSorted((a, b) => a - b);
  const parts: string[] = [];
  for (const end of CLASSES) {
    const count = rest.findIndex((latency) => latency > end);
    const here = count < 0 ? rest.length : count;
    rest = rest.slice(here);
    if (here > 0) {
      parts.push(`${end === Infinity ? "more" : `≤${end}`}: ${here}`);
    }
  }
  return parts.join(", ");
}

/** Latencies of reads of one client, alone and while another one syncs. */
async function benchReads(endpoint: string): Promise<void> {
  await using reader = await BenchClient.start(endpoint, "read", 1024);
  await using writer = await BenchClient.start(endpoint, "written", 1024);
  for (const isBusy of [false, true]) {
    let isOver = false;
    const writing = (async (): Promise<void> => {
      while (isBusy && !isOver) await writer.writeDurably(1);
    })();
    const latencies: number[] = [];
    const end = performance.now() + READ_SECONDS * 1000;
    while (performance.now() < end) {
      latencies.push(await timed(() => reader.read()));
    }
    isOver = true;
    await writing;
    const [half, most] = [0.5, 0.99].map((part) => quantile(latencies, part));
    const max = quantile(latencies, 1);
    const name = isBusy ? "reads while another fsyncs" : "reads alone";
    console.log(`  ${name}, ms: ${histogram(latencies)}`);
    line(
      `${name}: median / p99 / longest`,
      [half, most, max].map((one) => one.toFixed(2)).join(" / ") + " ms",
      `p99 ≤ ${GOAL_STALL_MS}`,
      most <= GOAL_STALL_MS,
    );
  }
}

/** Opening after a crash. */
async function benchRecovery(device: DeviceKind): Promise<void> {
  const costs: RecoveryCost[] = [];
  for (let i = 0; i < RECOVERIES; i++) costs.push(await recoveryCost(device));
  const { mebibytes } = costs[0];
  const each = (of: (cost: RecoveryCost) => number): string =>
    (median(costs.map(of)) / mebibytes).toFixed(1);
  console.log(
    `  recovery of ${mebibytes} MiB of records, ms for each MiB: ` +
      `${each(({ reader, clean }) => reader - clean)} to read, ` +
      `${each(({ writer, clean }) => writer - clean)} to write`,
  );
}

/** A long file with the journal and without. */
async function benchLong(device: DeviceKind): Promise<void> {
  const bytes = Number(mebibytes) * 2 ** 20;
  const seconds: [number, number][] = [];
  for (let round = 0; round < LONG_ROUNDS; round++) {
    const without = await writeLongFile(withoutJournal, device, bytes);
    const journalled = await writeLongFile(withJournal, device, bytes);
    seconds.push([without, journalled]);
  }
  const ratio = median(seconds.map(([without, other]) => without / other));
  const rates = [0, 1].map((i) =>
    Number(mebibytes) / median(seconds.map((pair) => pair[i]))
  );
  console.log(
    `  ${mebibytes} MiB in order: ${rates[1].toFixed(0)} MiB/s; without a ` +
      `journal ${rates[0].toFixed(0)} MiB/s`,
  );
  line(
    "a long file against none of a journal",
    `${ratio.toFixed(2)}×`,
    `≥ ${GOAL_LONG}×`,
    ratio >= GOAL_LONG,
  );
}

for (const device of devices) {
  console.log(`\nbd-${device}`);
  const work = Deno.makeTempDirSync({ prefix: "nextfs-bench-" });
  try {
    using raw = new RawFile(`${work}/raw`);
    await using server = await BenchServer.start(device, work);
    // Where there is no key, there is no anchor beside the journal.
    await benchWrites(server.endpoint, raw, device === "std" ? 1 : 2);
    await benchReads(server.endpoint);
  } finally {
    Deno.removeSync(work, { recursive: true });
  }
  await benchRecovery(device);
  await benchLong(device);
}
