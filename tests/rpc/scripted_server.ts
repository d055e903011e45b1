/**
 * A server that says what it is told to.
 *
 * @module
 */

import { message, RawClient } from "./harness.ts";

/** The reply to a request, as a frame; null ends the connection. */
export type Answer = (
  id: number,
  operation: number,
  args: unknown[],
) => Uint8Array | null;

/** Serves one connection as `answer` says, at the endpoint given to `visit`. */
export async function withScript(
  answer: Answer,
  visit: (endpoint: string) => Promise<void>,
): Promise<void> {
  const endpoint = `unix:@nextfs-test-${crypto.randomUUID()}`;
  const path = `\0${endpoint.slice("unix:@".length)}`;
  const listener = Deno.listen({ transport: "unix", path });
  const served = (async (): Promise<void> => {
    using conn = await listener.accept();
    const requests = new RawClient(conn);
    for (;;) {
      const request = await requests.receive();
      if (request === null) break;
      const [id, operation, ...args] = request as [number, number];
      const reply = answer(id, operation, args);
      if (reply === null) break;
      // The client may have left meanwhile.
      await requests.send(reply).catch(() => {});
    }
  })();
  try {
    await visit(endpoint);
    await served;
  } finally {
    listener.close();
  }
}

const TIME = [0, 0];

/** Attributes of a regular file, as they are on the wire. */
export function attributesOf(size: number | bigint): unknown[] {
  return [
    ...[11, 0, 0o100644, 1, 0, 0, [0, 0], size, 0, TIME, TIME, TIME, null, 0],
  ];
}

/** Answers a hello, a resolve, an open and a close, as a server would. */
export function usual(
  id: number,
  operation: number,
  size: number | bigint,
): Uint8Array {
  const limits = [
    ...[1, 1052672, 1048576, 64, 9, 9, 9, 1024, 0, true, 0, 0, [2, 0], []],
  ];
  if (operation === 64) return message(id, 0, ...limits);
  if (operation === 65) return message(id, 0, attributesOf(size));
  if (operation === 69) return message(id, 0, 1, attributesOf(size));
  return message(id, 0);
}
