/**
 * Contents of a file of the server, by its node.
 *
 * @module
 */

import type { Attributes } from "../fs/mod.ts";
import { type Client, O_RDONLY } from "../rpc/mod.ts";
import { nodeOf } from "./remote_walk.ts";

const CHUNK_BYTES = 256 * 1024;
const READS_IN_FLIGHT = 4;

/**
 * Reads a file from start to end, as far as it goes now, several reads ahead.
 * A chunk is the caller's to keep.
 */
export async function* readNode(
  client: Client,
  attributes: Attributes,
): AsyncGenerator<Uint8Array> {
  const node = nodeOf(attributes);
  const { descriptor } = await client.call("open", { node, flags: O_RDONLY });
  try {
    yield* readAhead(client, descriptor, attributes.size);
  } finally {
    await client.call("close", { descriptor });
  }
}

async function* readAhead(
  client: Client,
  descriptor: number,
  size: number,
): AsyncGenerator<Uint8Array> {
  const step = Math.min(CHUNK_BYTES, client.limits.maxData);
  const pending: Promise<Uint8Array>[] = [];
  let next = 0;
  for (;;) {
    while (pending.length < READS_IN_FLIGHT && next < size) {
      const length = Math.min(step, size - next);
      const data = client.call("read", { descriptor, offset: next, length })
        .then((reply) => reply.data);
      // A failure is reported when its turn comes, not as unhandled.
      data.catch(() => {});
      pending.push(data);
      next += length;
    }
    const first = pending.shift();
    if (first === undefined) return;
    const data = await first;
    // The file has become shorter meanwhile.
    if (data.length === 0) return;
    yield data;
    if (data.length < step && next < size) return;
  }
}
