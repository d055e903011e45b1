/**
 * Web streams on an open file.
 *
 * @module
 */

import { IN_FLIGHT } from "./_chunks.ts";
import { Pipeline } from "./_pipeline.ts";
import type { RemoteFile } from "./remote_file.ts";

/**
 * Reads the chunks of `file`, and closes it in the end. The chunks come from
 * `start`, which gives up when its signal fires.
 */
export function readableOf(
  file: RemoteFile,
  start: (signal: AbortSignal) => AsyncGenerator<Uint8Array>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const cancelled = new AbortController();
  let chunks: AsyncGenerator<Uint8Array> | undefined;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller): Promise<void> {
      try {
        chunks ??= start(cancelled.signal);
        const { done, value } = await chunks.next();
        if (!done) {
          controller.enqueue(value as Uint8Array<ArrayBuffer>);
          return;
        }
      } catch (error) {
        release(file);
        throw error;
      }
      release(file);
      controller.close();
    },
    async cancel(reason): Promise<void> {
      cancelled.abort(reason);
      await chunks?.return(undefined);
      release(file);
    },
    // The chunks are read ahead where they come from: nothing waits here.
  }, { highWaterMark: 0 });
}

/** Writes to `file`, several chunks in flight, and closes it in the end. */
export function writableOf(file: RemoteFile): WritableStream<Uint8Array> {
  const pipeline = new Pipeline(IN_FLIGHT);
  return new WritableStream<Uint8Array>({
    async write(chunk, { signal }): Promise<void> {
      try {
        if (!(chunk instanceof Uint8Array)) {
          throw new TypeError("Cannot write a chunk that is not a Uint8Array");
        }
        // It is the caller's again before it has been sent.
        const data = chunk.slice();
        await pipeline.add(file.write(data, { signal }));
      } catch (error) {
        release(file);
        throw error;
      }
    },
    async close(): Promise<void> {
      try {
        await pipeline.finish();
      } catch (error) {
        release(file);
        throw error;
      }
      await file.close();
    },
    async abort(): Promise<void> {
      // The stream's own signal has ended what was in flight.
      await pipeline.finish().catch(() => {});
      release(file);
    },
  });
}

/** Closes a file of which nobody wants to hear any more. */
function release(file: RemoteFile): void {
  file.close().catch(() => {});
}
