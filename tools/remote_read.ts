/**
 * Contents of a file of the server, by its node.
 *
 * @module
 */

import type { Attributes } from "../fs/mod.ts";
import type { Client, RemoteFile, RemoteFiles } from "../rpc/mod.ts";
import { AroundReader, isUnreadable, type SkipBad } from "./read_around.ts";

/** Bytes of one read, and as far as is read around a bad block at a time. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Reads a file from start to end, as far as it goes now, several reads ahead.
 * A chunk is the caller's to keep. A block that cannot be read ends it, but
 * with `skipBad`.
 */
export async function* readNode(
  files: RemoteFiles,
  attributes: Attributes,
  skipBad?: SkipBad,
): AsyncGenerator<Uint8Array> {
  const { size } = attributes;
  await using file = await files.openNode(attributes);
  if (skipBad) yield* readAround(files.client, file, { size, skipBad });
  else yield* file.chunks({ length: size, chunkSize: CHUNK_BYTES });
}

async function* readAround(
  client: Client,
  file: RemoteFile,
  { size, skipBad }: { size: number; skipBad: SkipBad },
): AsyncGenerator<Uint8Array> {
  const around = new AroundReader(client, file, skipBad);
  try {
    for (let at = 0; at < size;) {
      const part = { offset: at, length: size - at, chunkSize: CHUNK_BYTES };
      try {
        for await (const chunk of file.chunks(part)) {
          around.good();
          at += chunk.length;
          yield chunk;
        }
        // To its end, even if the file has become shorter meanwhile.
        return;
      } catch (error) {
        if (!isUnreadable(client, error)) throw error;
      }
      const length = Math.min(CHUNK_BYTES, size - at);
      let count = 0;
      for await (const piece of around.read({ offset: at, length })) {
        count += piece.length;
        yield piece;
      }
      if (count < length) return;
      at += count;
    }
  } finally {
    around.good();
  }
}
