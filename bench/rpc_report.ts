/**
 * What the parts of the measurement ask for, and how they print it.
 *
 * @module
 */

import { BLOCK, BLOCKS, type Figures } from "./rpc_bench.ts";
import type { Job } from "./rpc_job.ts";

/** Requests in flight, where there is more than one. */
export const WINDOW = 16;
/** Files that are made, closed and removed in one measurement. */
const NAMES = 3000;
/** Blocks that are written: 4 MiB of the file. */
const WRITTEN_BLOCKS = 1024;

/** Where jobs go: an endpoint and its process. */
export interface Target {
  readonly endpoint: string;
  readonly pid: number;
}

/** Reads all over a file. */
export function read(to: Target, length = BLOCK, window = 1): Job {
  const { endpoint, pid } = to;
  const blocks = BLOCKS * BLOCK / length;
  return {
    ...{ endpoint, pid, kind: "read", file: "bench", length, blocks, window },
  };
}

/** Writes all over a file. */
export function write(to: Target, window = 1): Job {
  return { ...read(to, BLOCK, window), kind: "write", blocks: WRITTEN_BLOCKS };
}

/** Files made, closed and removed: three requests each, or one. */
export function names(
  to: Target,
  kind: "names" | "compound",
  window = 1,
): Job {
  const count = kind === "names" ? 3 * NAMES : NAMES;
  return { ...read(to, BLOCK, window), kind, count };
}

/** Replies of the yardstick. */
export function echo(to: Target, length = BLOCK, window = 1): Job {
  return { ...read(to, length, window), kind: "echo" };
}

/** Microseconds as they are printed. */
export function us(value: number): string {
  return value.toFixed(value < 10 ? 2 : 1);
}

/** Prints a figure, and whether it reaches its goal. */
export function line(
  what: string,
  value: string,
  goal?: { text: string; isMet: boolean },
): void {
  const verdict = goal
    ? `   ${goal.text.padEnd(16)} ${goal.isMet ? "met" : "MISSED"}`
    : "";
  console.log(`  ${what.padEnd(46)} ${value.padStart(22)}${verdict}`);
}

/** Prints a ratio. */
export function times(
  what: string,
  ratio: number,
  goal: number | undefined = undefined,
): void {
  line(
    what,
    `${ratio.toFixed(2)}×`,
    goal === undefined
      ? undefined
      : { text: `≥ ${goal}×`, isMet: ratio >= goal },
  );
}

/** Prints what a request takes. */
export function figures(what: string, all: Figures): void {
  const processors = `${us(all.serverUs)} + ${us(all.clientUs)}`;
  line(what, `${us(all.us)} µs (${processors})`);
}
