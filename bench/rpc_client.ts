/**
 * Reads by the project's own client, in a process of its own.
 *
 * Takes jobs from its standard input, one line of JSON each, and answers each
 * with one line of what it took.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { pid, stdin } from "node:process";
import { createInterface } from "node:readline";
import { connect, O_RDONLY } from "../rpc/mod.ts";
import type { Job, JobResult } from "./rpc_job.ts";
import { offsets, readTls } from "./rpc_requests.ts";

/** Milliseconds of processor time in a tick of /proc (proc(5)). */
const TICK_MS = 10;

/** Milliseconds of processor time that a process has taken. */
function processorTime(process: number): number {
  const stat = readFileSync(`/proc/${process}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

async function run(job: Job): Promise<JobResult> {
  const { length, window, ms = Infinity, warmUpMs = 0 } = job;
  await using client = await connect(job.endpoint, { tls: readTls(job.tls) });
  const path = new TextEncoder().encode(job.file);
  const { attributes: node } = await client.call("resolve", {
    ...{ dir: client.root, path, follow: false },
  });
  const { descriptor } = await client.call("open", { node, flags: O_RDONLY });
  const places = offsets(job);
  let count = 0;
  const read = async (end: number): Promise<void> => {
    while (performance.now() < end) {
      const offset = places[count++ % places.length];
      await client.call("read", { descriptor, offset, length });
    }
  };
  const all = (end: number): Promise<void[]> =>
    Promise.all(Array.from({ length: window }, () => read(end)));
  await all(performance.now() + warmUpMs);
  count = 0;
  const before = [job.pid, pid].map(processorTime);
  const began = performance.now();
  await all(began + ms);
  const took = performance.now() - began;
  const [serverMs, clientMs] = [job.pid, pid].map((process, i) =>
    processorTime(process) - before[i]
  );
  return { count, ms: took, serverMs, clientMs };
}

if (import.meta.main) {
  for await (const line of createInterface({ input: stdin })) {
    console.log(JSON.stringify(await run(JSON.parse(line))));
  }
}
