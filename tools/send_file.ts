/**
 * Contents on their way to an open file of the server.
 *
 * @module
 */

import type { Client } from "../rpc/mod.ts";
import { Pool } from "./pool.ts";

const CHUNK_BYTES = 256 * 1024;
const HOLE_UNIT = 4096;
const WRITES_IN_FLIGHT = 4;

/** Reads some bytes; 0 at the end. */
export type Read = (into: Uint8Array) => number | Promise<number>;

/** What is sent. */
export interface Contents {
  /** Where it comes from. */
  read: Read;
  /** Leave out blocks of zeros. */
  sparse: boolean;
  /** How many bytes there should be. */
  expected: number;
}

/** Sends contents, several writes in flight. Resolves to their length. */
export async function sendFile(
  client: Client,
  descriptor: number,
  { read, sparse, expected }: Contents,
): Promise<number> {
  const pool = new Pool(WRITES_IN_FLIGHT);
  // One byte more than is expected tells the end of a small file.
  const step = Math.min(CHUNK_BYTES, client.limits.maxData, expected + 1);
  for (let at = 0;;) {
    const buffer = new Uint8Array(step);
    const count = await fill(buffer, read);
    if (count > 0) {
      const runs = sparse ? dataRuns(buffer, count) : [[0, count]];
      for (const [start, end] of runs) {
        const data = buffer.subarray(start, end);
        const offset = at + start;
        await pool.add(async () => {
          await client.call("write", { descriptor, offset, data });
        });
      }
      at += count;
    }
    if (count < step) {
      await pool.finish();
      return at;
    }
  }
}

async function fill(buffer: Uint8Array, read: Read): Promise<number> {
  let count = 0;
  while (count < buffer.length) {
    const more = await read(buffer.subarray(count));
    if (more === 0) break;
    count += more;
  }
  return count;
}

/** The parts of a buffer that are not blocks of zeros. */
function dataRuns(buffer: Uint8Array, count: number): number[][] {
  const runs: number[][] = [];
  for (let start = 0; start < count; start += HOLE_UNIT) {
    const end = Math.min(count, start + HOLE_UNIT);
    if (buffer.subarray(start, end).every((byte) => byte === 0)) continue;
    const last = runs.at(-1);
    if (last && last[1] === start) last[1] = end;
    else runs.push([start, end]);
  }
  return runs;
}
