/**
 * The yardstick: a raw server in Deno that answers requests of a fixed size
 * with as many bytes as they ask for, and does nothing else.
 *
 * Run with the name of an abstract UNIX socket; without one it listens on a
 * TCP port of the loopback. It prints where, and stops when it is killed.
 *
 * @module
 */

import { ECHO_REQUEST } from "./rpc_frames.ts";

/** Replies up to so many bytes leave in one write; none is longer. */
const BATCH_SIZE = 1 << 21;

async function serve(conn: Deno.Conn): Promise<void> {
  const requests = new Uint8Array(64 * 1024);
  const view = new DataView(requests.buffer);
  const replies = new Uint8Array(BATCH_SIZE);
  const send = async (length: number): Promise<void> => {
    for (let at = 0; at < length;) {
      at += await conn.write(replies.subarray(at, length));
    }
  };
  let end = 0;
  for (;;) {
    const count = await conn.read(requests.subarray(end));
    if (count === null) break;
    end += count;
    let at = 0;
    let length = 0;
    for (; end - at >= ECHO_REQUEST; at += ECHO_REQUEST) {
      const size = Math.min(view.getUint32(at), BATCH_SIZE);
      if (length + size > BATCH_SIZE) {
        await send(length);
        length = 0;
      }
      length += size;
    }
    requests.copyWithin(0, at, end);
    end -= at;
    await send(length);
  }
  conn.close();
}

async function accept(listener: Deno.Listener): Promise<void> {
  for await (const conn of listener) {
    if ("setNoDelay" in conn) (conn as Deno.TcpConn).setNoDelay(true);
    serve(conn).catch(() => conn.close());
  }
}

if (import.meta.main) {
  const [name] = Deno.args;
  if (name !== undefined) {
    const listener = Deno.listen({ transport: "unix", path: `\0${name}` });
    console.log(`Listening on unix:@${name}`);
    await accept(listener);
  } else {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    console.log(`Listening on tcp:127.0.0.1:${listener.addr.port}`);
    await accept(listener);
  }
}
