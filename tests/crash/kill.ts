/**
 * Rounds of service, each of which ends by SIGKILL under load, and what is to
 * be true after every one of them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { HostFile, StdDevice } from "../../bd/std.ts";
import { Filesystem } from "../../fs/mod.ts";
import { connect, RemoteFiles } from "../../rpc/mod.ts";
import { type DeviceKind, type MadeDevice, make } from "../cli/devices.ts";
import { ok, type Serving, startProgram, startServer } from "../cli/program.ts";
import { Random } from "../support/random.ts";
import { assertClean } from "../support/tools.ts";
import { KillClient } from "./kill_client.ts";
import { findAt, findIn } from "./kill_states.ts";

const CLIENTS = 4;
const SIZE = "32M";
/** Milliseconds under load before the kill, at least and at most. */
const LOAD_MS = { least: 20, most: 300 };
/** Milliseconds after its start when a server is killed that may recover. */
const START_MS = { least: 60, most: 350 };

/** What is done, and how often. */
export interface KillOptions {
  /** The device. */
  kind: DeviceKind;
  /** A directory for it. */
  dir: string;
  /** How many times the server is killed under load. */
  rounds: number;
  /** Replays what clients do, though not when what happens. */
  seed: number;
}

/** What was seen. */
export interface KillReport {
  /** Kills under load. */
  kills: number;
  /** Kills of servers that were starting, in addition. */
  early: number;
  /** Replies that said that changes are durable. */
  acknowledged: number;
  /** States that the kills could have left, of all directories. */
  possible: number;
}

/**
 * Makes a volume, and kills its server under load again and again. Rejects if
 * anything that was acknowledged as durable is not there after a kill, if a
 * directory is none of its possible states, if what `dump` writes is not what
 * is served afterwards, or if e2fsck or `verify` find anything.
 */
export async function killRounds(options: KillOptions): Promise<KillReport> {
  const { kind, dir, rounds, seed } = options;
  const random = new Random(seed);
  const made = await make(kind, dir, { size: SIZE });
  const clients: KillClient[] = [];
  for (let i = 0; i < CLIENTS; i++) {
    new KillClient(`client${i}`, clients, new Random(random.next()));
  }
  const report = { kills: 0, early: 0, acknowledged: 0, possible: 0 };
  await makeDirectories(made, clients);
  for (let round = 0; round < rounds; round++) {
    await loadAndKill(made, clients, { round, random });
    report.kills++;
    if (round % 4 === 3) {
      await killEarly(made, random);
      report.early++;
    }
    for (const { states } of clients) report.possible += states.possible;
    await settle(made, clients, `seed ${seed}, after kill ${round + 1}`);
  }
  for (const { acknowledged } of clients) report.acknowledged += acknowledged;
  return report;
}

async function makeDirectories(
  made: MadeDevice,
  clients: KillClient[],
): Promise<void> {
  const server = await startServer(made.args);
  try {
    await server.ok(
      "mkdir",
      ...clients.map(({ directory }) => `/${directory}`),
    );
  } finally {
    assert.equal((await server.stop()).code, 0);
  }
}

function between(
  { least, most }: { least: number; most: number },
  random: Random,
): number {
  return least + random.below(most - least);
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/**
 * Flags of a round's server: half of them commit without being asked, and half
 * have so little memory that they must.
 */
function roundFlags(round: number): string[] {
  return [
    ...(round % 2 === 1 ? ["--commit-interval", "0.05"] : []),
    ...((round >> 1) % 2 === 1 ? ["--cache-size", "512K"] : []),
  ];
}

async function loadAndKill(
  made: MadeDevice,
  clients: KillClient[],
  { round, random }: { round: number; random: Random },
): Promise<void> {
  const server = await startServer([...roundFlags(round), ...made.args]);
  let work: Promise<void>[] = [];
  const end = Promise.withResolvers<void>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await checkServed(server, clients);
    for (const client of clients) await client.connect(server.endpoint);
    work = clients.map((client) => client.run());
    timer = setTimeout(end.resolve, between(LOAD_MS, random));
    // A client ends before only if something is wrong.
    await Promise.race([end.promise, ...work]);
  } finally {
    clearTimeout(timer);
    await server.stop("SIGKILL");
    await Promise.all(work);
  }
}

/** Starts a server and kills it, whatever it is at. */
async function killEarly(made: MadeDevice, random: Random): Promise<void> {
  const child = startProgram(["serve", ...made.args]);
  await sleep(between(START_MS, random));
  child.kill("SIGKILL");
  await child.stdin.close();
  await child.output();
}

/** What a server serves is what was found before it was started. */
async function checkServed(
  { endpoint }: Serving,
  clients: KillClient[],
): Promise<void> {
  await using client = await connect(endpoint);
  const files = new RemoteFiles(client);
  for (const { directory, states } of clients) {
    states.settle(await findAt(files, directory));
  }
}

/** Looks at what a kill has left, without a change to it. */
async function settle(
  made: MadeDevice,
  clients: KillClient[],
  when: string,
): Promise<void> {
  try {
    const [plain] = await Promise.all([
      made.dump(),
      made.kind.hasTree ? ok(["verify", ...made.args]) : null,
    ]);
    await assertClean(plain, when);
    const fs = Filesystem.open(
      new StdDevice(HostFile.open(plain, { readOnly: true }), 4096),
      { readOnly: true },
    );
    try {
      for (const { directory, states } of clients) {
        states.settle(findIn(fs, directory));
      }
    } finally {
      await fs.close();
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${made.kind.name}, ${when}: ${reason}`, { cause: error });
  }
}

/** A line about what was seen. */
export function killLine(kind: DeviceKind, report: KillReport): string {
  const { kills, early, acknowledged, possible } = report;
  return `${kind.name}: ${kills} kills under load and ${early} at the start; ` +
    `${acknowledged} acknowledged syncs, ${possible} possible states; ` +
    "0 failures";
}
