/**
 * What every part of the measurement needs: servers, generators, turns.
 *
 * @module
 */

import type { DeviceKind } from "../bd/volume/mod.ts";
import { connect, O_RDWR, type TlsClientOptions } from "../rpc/mod.ts";
import { BenchServer } from "./durability_server.ts";
import type { Job, JobResult } from "./rpc_job.ts";
import { EchoServer, Generator } from "./rpc_processes.ts";

/** The processor of servers, and of generators beside them. */
export const SERVER_CPU = 0;
/** The processor of generators apart from the servers. */
export const OTHER_CPU = 1;

/** Bytes of a block. */
export const BLOCK = 4096;
/** Blocks of the file `bench`: 16 MiB, which every cache holds. */
export const BLOCKS = 4096;
/** Blocks of the file `cold`: 48 MiB. */
export const COLD_BLOCKS = 12288;

/** Rounds of turns. */
const ROUNDS = 5;
/** Milliseconds of one measurement. */
const TURN_MS = 300;
/** Milliseconds of the same before a measurement. */
const WARM_UP_MS = 50;
/** The same before the first, in which the runtime compiles what is hot. */
export const FIRST_WARM_UP_MS = 1200;

/** Medians of several measurements. */
export interface Figures {
  /** Microseconds for each request. */
  readonly us: number;
  /** Microseconds of processor time of the server for each. */
  readonly serverUs: number;
  /** The same of the load generator. */
  readonly clientUs: number;
}

/** The middle one of some values. */
export function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** A server of a volume, with the directory that it is in. */
export interface Served {
  /** The server; another one after {@link Bench.restart}. */
  server: BenchServer;
  /** Where the volume and its key are. */
  readonly directory: string;
}

/** Servers and generators, which are started when they are first used. */
export class Bench implements AsyncDisposable {
  readonly #servers = new Map<string, Served>();
  readonly #generators = new Map<number, Generator>();
  #echo: EchoServer | null = null;

  /**
   * The server of a new volume on `device`, which has the files in it; one
   * that speaks TLS if there is what its clients need.
   */
  async served(
    device: DeviceKind,
    { args, tls }: { args?: string[]; tls?: TlsClientOptions } = {},
  ): Promise<Served> {
    const name = `${device} ${tls ? "tls" : "plain"}`;
    let served = this.#servers.get(name);
    if (served === undefined) {
      const directory = Deno.makeTempDirSync({ prefix: "nextfs-bench-" });
      const options = { cpu: SERVER_CPU, args };
      const server = await BenchServer.start(device, directory, options);
      served = { server, directory };
      this.#servers.set(name, served);
      await writeFiles(server.endpoint, tls);
    }
    return served;
  }

  /** Starts the server of a volume again, so that nothing is cached. */
  async restart(device: DeviceKind): Promise<Served> {
    const served = await this.served(device);
    await served.server[Symbol.asyncDispose]();
    served.server = await BenchServer.serve(device, served.directory, {
      cpu: SERVER_CPU,
    });
    return served;
  }

  /** The yardstick. */
  async echo(): Promise<EchoServer> {
    return this.#echo ??= await EchoServer.start(SERVER_CPU);
  }

  /** Carries a job out from a processor. */
  async run(cpu: number, job: Job): Promise<JobResult> {
    let generator = this.#generators.get(cpu);
    if (generator === undefined) {
      generator = new Generator(cpu);
      this.#generators.set(cpu, generator);
    }
    return await generator.run(job);
  }

  /**
   * Measures jobs in turns, round after round, so that the moods of the
   * machine fall on all of them alike. Resolves to the figures of each, and to
   * how many times the first's time each has taken.
   */
  async turns(
    cpu: number,
    jobs: readonly Job[],
  ): Promise<{ figures: Figures[]; ratios: number[] }> {
    const rounds: Figures[][] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const figures: Figures[] = [];
      for (const job of jobs) {
        const warmUpMs = round === 0 ? FIRST_WARM_UP_MS : WARM_UP_MS;
        const limit = job.count === undefined ? { ms: TURN_MS, warmUpMs } : {};
        figures.push(figuresOf(await this.run(cpu, { ...job, ...limit })));
      }
      rounds.push(figures);
    }
    return {
      figures: jobs.map((_, i) => medians(rounds.map((round) => round[i]))),
      ratios: jobs.map((_, i) =>
        median(rounds.map((round) => round[i].us / round[0].us))
      ),
    };
  }

  /** Ends all processes, and removes all volumes. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#generators.values()) {
      await one[Symbol.asyncDispose]();
    }
    await this.#echo?.[Symbol.asyncDispose]();
    for (const { server, directory } of this.#servers.values()) {
      await server[Symbol.asyncDispose]();
      Deno.removeSync(directory, { recursive: true });
    }
  }
}

/** The figures of one job. */
export function figuresOf(result: JobResult): Figures {
  const [us, serverUs, clientUs] = [
    ...[result.ms, result.serverMs, result.clientMs],
  ].map((ms) => ms * 1000 / result.count);
  return { us, serverUs, clientUs };
}

/** The medians of the figures of several rounds. */
export function medians(rounds: readonly Figures[]): Figures {
  const of = (key: keyof Figures): number =>
    median(rounds.map((round) => round[key]));
  return { us: of("us"), serverUs: of("serverUs"), clientUs: of("clientUs") };
}

/** Makes the files that are read and written. */
async function writeFiles(
  endpoint: string,
  tls: TlsClientOptions | undefined,
): Promise<void> {
  await using client = await connect(endpoint, { tls });
  for (const [name, blocks] of [["bench", BLOCKS], ["cold", COLD_BLOCKS]]) {
    const { descriptor } = await client.call("create", {
      dir: client.root,
      name: new TextEncoder().encode(String(name)),
      mode: 0o644,
      flags: O_RDWR,
    });
    const data = new Uint8Array(16 * BLOCK);
    for (let block = 0; block < Number(blocks); block += 16) {
      crypto.getRandomValues(data);
      const offset = block * BLOCK;
      await client.call("write", { descriptor, offset, data });
    }
    await client.call("fsync", { descriptor });
    await client.call("close", { descriptor });
  }
}
