/**
 * Contents of an open file in chunks, several of them in flight.
 *
 * @module
 */

import { FsError } from "../fs/errors.ts";
import { Pipeline } from "./_pipeline.ts";
import type { Client } from "./client.ts";
import type { ChunkOptions, SignalOptions } from "./file_options.ts";

/** Bytes of one read or write, where nobody says otherwise. */
const CHUNK_SIZE = 256 * 1024;

/** Reads or writes of one file that are in flight at a time. */
export const IN_FLIGHT = 4;

/** Bytes of one read or write that `client` makes. */
export function chunkSizeOf(client: Client, wanted = CHUNK_SIZE): number {
  return Math.min(wanted, client.limits.maxData);
}

/** An open file, and how far it went when that was last known. */
interface OpenFile {
  readonly descriptor: number;
  readonly size: number;
}

interface Chunk {
  readonly length: number;
  readonly data: Promise<Uint8Array>;
}

/**
 * Reads in order, several reads ahead. The chunks are the caller's to keep,
 * and none is empty. Behind the `size` that is known reads are made one at a
 * time, until one is short: that is the end of the file as the server saw it.
 * What is in flight when the caller leaves early is cancelled.
 */
export async function* readChunks(
  client: Client,
  { descriptor, size }: OpenFile,
  options: ChunkOptions = {},
): AsyncGenerator<Uint8Array> {
  const { readAhead = IN_FLIGHT, signal } = options;
  const step = chunkSizeOf(client, options.chunkSize);
  let next = options.offset ?? 0;
  const end = next + (options.length ?? Infinity);
  const pending: Chunk[] = [];
  const abandoned = new AbortController();
  const abandon = (): void => abandoned.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener("abort", abandon, { once: true });
  try {
    for (;;) {
      while (
        next < end && pending.length < readAhead &&
        (next < size || pending.length === 0)
      ) {
        const part = { descriptor, offset: next, length: step };
        if (end - next < step) part.length = end - next;
        const data = readPart(client, part, abandoned.signal);
        // A failure is reported when its turn comes, not as unhandled.
        data.catch(() => {});
        pending.push({ length: part.length, data });
        next += part.length;
      }
      const first = pending.shift();
      if (first === undefined) return;
      const data = await first.data;
      if (data.length > 0) yield data;
      if (data.length < first.length) {
        pending.length = 0;
        return;
      }
    }
  } finally {
    signal?.removeEventListener("abort", abandon);
    if (pending.length > 0) abandon();
  }
}

/** Where in an open file. */
interface Start {
  readonly descriptor: number;
  readonly offset: number;
}

/** One read. Rejects with `EPROTO` if the server sends more than `length`. */
async function readPart(
  client: Client,
  part: Start & { length: number },
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const { data } = await client.call("read", part, { signal });
  if (data.length <= part.length) return data;
  throw new FsError("EPROTO", "the server sent more than was asked for");
}

/** Fills `into`, as far as the file goes. Resolves to the number of bytes. */
export async function readInto(
  client: Client,
  { descriptor, offset }: Start,
  into: Uint8Array,
  { signal }: SignalOptions = {},
): Promise<number> {
  const { length } = into;
  if (length <= chunkSizeOf(client)) {
    const data = await readPart(client, { descriptor, offset, length }, signal);
    into.set(data);
    return data.length;
  }
  let count = 0;
  const file = { descriptor, size: offset + length };
  const chunks = readChunks(client, file, { offset, length, signal });
  for await (const chunk of chunks) {
    into.set(chunk, count);
    count += chunk.length;
  }
  return count;
}

/**
 * Writes all of `data` from `offset` on, several writes in flight. It must not
 * change until the promise has settled.
 */
export async function writeChunks(
  client: Client,
  { descriptor, offset }: Start,
  data: Uint8Array,
  { signal }: SignalOptions = {},
): Promise<void> {
  const step = chunkSizeOf(client);
  const pipeline = new Pipeline(IN_FLIGHT);
  for (let at = 0; at < data.length; at += step) {
    const args = {
      descriptor,
      offset: offset + at,
      data: data.subarray(at, at + step),
    };
    await pipeline.add(client.call("write", args, { signal }));
  }
  await pipeline.finish();
}

/** No more is allocated for a file on the word of the server alone. */
const TRUSTED_SIZE = 64 * 1024 * 1024;

/** All chunks as one piece; `size` bytes are expected. */
export async function joinChunks(
  chunks: AsyncIterable<Uint8Array>,
  size: number,
): Promise<Uint8Array<ArrayBuffer>> {
  let whole = new Uint8Array(Math.min(size, TRUSTED_SIZE));
  let length = 0;
  for await (const chunk of chunks) {
    const end = length + chunk.length;
    if (end > whole.length) {
      const larger = new Uint8Array(Math.max(end, whole.length * 2));
      larger.set(whole.subarray(0, length));
      whole = larger;
    }
    whole.set(chunk, length);
    length = end;
  }
  return length < whole.length ? whole.slice(0, length) : whole;
}
