/**
 * The requests of each kind of job.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import {
  type Arguments,
  connect,
  type Node,
  O_RDWR,
  operationNamed,
  type TlsClientOptions,
} from "../rpc/mod.ts";
import { echoRequest, Requests } from "./rpc_frames.ts";
import type { Job, JobTls } from "./rpc_job.ts";

/** Requests that are made beforehand, and sent again and again. */
const REQUESTS = 4096;
/** Most bytes of data of writes that are made beforehand. */
const REQUEST_BYTES = 64 << 20;
/** Bytes of a reply besides its results, with an id of three bytes. */
const REPLY_OVERHEAD = 4 + 1 + 3 + 1;
/** A file is made, closed and removed under this name. */
const MADE = new TextEncoder().encode("made");

/** Bytes of the reply to a read or a write of 256 bytes or more. */
function replySize({ kind, length }: Job): number {
  // The head of a byte string, or the number of bytes that were written.
  const head = length < 0x10000 ? 3 : 5;
  return REPLY_OVERHEAD + head + (kind === "write" ? 0 : length);
}

/** The requests of a job, those first that are made once. */
export interface Prepared {
  readonly requests: Requests;
  readonly before: number;
  /** Bytes of every reply, if all have the same. */
  readonly replySize?: number;
}

/** What TLS needs, from its files. */
export function readTls(tls: JobTls | undefined): TlsClientOptions | undefined {
  if (tls === undefined) return undefined;
  const [ca, cert, key] = [tls.ca, tls.cert, tls.key].map((path) =>
    readFileSync(path, "utf8")
  );
  return { ca, cert, key };
}

/** Where the reads and writes of a job go, one after the other. */
export function offsets({ kind, length, blocks, order }: Job): number[] {
  const most = kind === "write" ? REQUEST_BYTES / length : REQUESTS;
  const places = Array.from(
    { length: order ? blocks : Math.min(REQUESTS, most) },
    // The step meets every block, of a number that is a power of two.
    (_, i) => (order ? i : i * 1021) % blocks * length,
  );
  if (order === "random") shuffle(places);
  return places;
}

function shuffle(places: number[]): void {
  for (let i = places.length - 1; i > 0; i--) {
    const other = Math.floor(Math.random() * (i + 1));
    [places[i], places[other]] = [places[other], places[i]];
  }
}

/** Makes the requests of a job. */
export async function prepare(job: Job): Promise<Prepared> {
  const requests = new Requests();
  const { kind, length } = job;
  if (kind === "echo") {
    // As many bytes as a reply that has so much data in it.
    const size = replySize(job);
    for (let i = 0; i < REQUESTS; i++) requests.addBytes(echoRequest(size));
    return { requests, before: 0, replySize: size };
  }
  const { root, node } = await nodesOf(job);
  requests.add("hello", {
    ...{ magic: "nextfs", version: 1, maxFrame: 0x101000, maxInFlight: 64 },
    extensions: [],
  });
  if (kind === "names") {
    for (let i = 1; i <= REQUESTS; i++) addNames(requests, root, i);
    return { requests, before: 1 };
  }
  if (kind === "compound") {
    for (let i = 0; i < REQUESTS; i++) addCompound(requests, root);
    return { requests, before: 1 };
  }
  // The first descriptor of a connection is 1.
  requests.add("open", { node, flags: O_RDWR });
  const data = kind === "write" ? randomBytes(length) : new Uint8Array(0);
  const descriptor = 1;
  for (const offset of offsets(job)) {
    if (kind === "read") requests.add("read", { descriptor, offset, length });
    else requests.add("write", { descriptor, offset, data });
  }
  return { requests, before: 2, replySize: replySize(job) };
}

/** The root, and the job's file. */
async function nodesOf(job: Job): Promise<{ root: Node; node: Node }> {
  await using client = await connect(job.endpoint, { tls: readTls(job.tls) });
  const { root } = client;
  const path = new TextEncoder().encode(job.file);
  const { attributes: node } = await client.call("resolve", {
    ...{ dir: root, path, follow: false },
  });
  return { root, node };
}

function creation(dir: Node): Arguments<"create"> {
  return { dir, name: MADE, mode: 0o644, flags: O_RDWR };
}

function addNames(requests: Requests, dir: Node, descriptor: number): void {
  requests.add("create", creation(dir));
  requests.add("close", { descriptor });
  requests.add("unlink", { dir, name: MADE });
}

function addCompound(requests: Requests, dir: Node): void {
  requests.add("compound", {
    steps: [
      { operation: operationNamed("create"), args: creation(dir) },
      // The descriptor that the step before has opened.
      { operation: operationNamed("close"), args: { descriptor: 0 } },
      { operation: operationNamed("unlink"), args: { dir, name: MADE } },
    ],
  });
}
