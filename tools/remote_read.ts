/**
 * Contents of a file of the server, by its node.
 *
 * @module
 */

import type { Attributes } from "../fs/mod.ts";
import { type Client, O_RDONLY } from "../rpc/mod.ts";
import {
  AroundReader,
  type FilePart,
  isUnreadable,
  type SkipBad,
} from "./read_around.ts";
import { nodeOf } from "./remote_walk.ts";

const CHUNK_BYTES = 256 * 1024;
const READS_IN_FLIGHT = 4;

/**
 * Reads a file from start to end, as far as it goes now, several reads ahead.
 * A chunk is the caller's to keep. A block that cannot be read ends it, but
 * with `skipBad`.
 */
export async function* readNode(
  client: Client,
  attributes: Attributes,
  skipBad?: SkipBad,
): AsyncGenerator<Uint8Array> {
  const node = nodeOf(attributes);
  const { descriptor } = await client.call("open", { node, flags: O_RDONLY });
  const around = skipBad &&
    new AroundReader(client, skipBad.blockSize, skipBad.report);
  const part = { descriptor, offset: 0, length: attributes.size };
  try {
    yield* readAhead(client, part, around);
  } finally {
    around?.good();
    await client.call("close", { descriptor });
  }
}

async function* readAhead(
  client: Client,
  { descriptor, offset, length: size }: FilePart,
  around: AroundReader | undefined,
): AsyncGenerator<Uint8Array> {
  const step = Math.min(CHUNK_BYTES, client.limits.maxData);
  const pending: { part: FilePart; data: Promise<Uint8Array> }[] = [];
  let next = offset;
  for (;;) {
    while (pending.length < READS_IN_FLIGHT && next < size) {
      const length = Math.min(step, size - next);
      const part = { descriptor, offset: next, length };
      const data = client.call("read", part).then((reply) => reply.data);
      // A failure is reported when its turn comes, not as unhandled.
      data.catch(() => {});
      pending.push({ part, data });
      next += length;
    }
    const first = pending.shift();
    if (first === undefined) return;
    let count = 0;
    for await (const data of contents(client, first, around)) {
      count += data.length;
      yield data;
    }
    // The file has become shorter meanwhile.
    if (count < first.part.length) return;
  }
}

/** What a part holds, which has been asked for. */
async function* contents(
  client: Client,
  { part, data }: { part: FilePart; data: Promise<Uint8Array> },
  around: AroundReader | undefined,
): AsyncGenerator<Uint8Array> {
  let whole: Uint8Array;
  try {
    whole = await data;
  } catch (error) {
    if (!around || !isUnreadable(client, error)) throw error;
    yield* around.read(part);
    return;
  }
  around?.good();
  if (whole.length > 0) yield whole;
}
