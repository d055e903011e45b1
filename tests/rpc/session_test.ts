/**
 * Sessions: keep-alive, ends, cancellation, compounds.
 *
 * @module
 */

import assert from "node:assert/strict";
import { connect, ERRNO_NUMBER, LOCK_EXCLUSIVE } from "../../rpc/mod.ts";
import type { Client, ServerOptions } from "../../rpc/mod.ts";
import { O_RDWR } from "../../rpc/mod.ts";
import { message, RawClient, Served } from "./harness.ts";

const { EBADF, ECANCELED, EINVAL, ENOENT, ENOSYS, ESHUTDOWN, ETIMEDOUT } =
  ERRNO_NUMBER;

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: unknown): string =>
  new TextDecoder().decode(bytes as Uint8Array);
const ROOT = [2, 0];
const SOON = 5_000;

/** A raw client of a server of its own. */
async function withRaw(
  test: (client: RawClient, served: Served) => Promise<void>,
  options: ServerOptions = {},
): Promise<void> {
  await using served = await Served.start(options);
  await served.each(async (endpoint) => {
    const client = await RawClient.greet(endpoint);
    try {
      await test(client, served);
    } finally {
      client.close();
    }
  });
}

/** Makes a file with contents, and returns its descriptor. */
async function make(
  client: RawClient,
  name: string,
  contents: string,
): Promise<number> {
  const [status, descriptor] = await client.ask(
    ...[2, 73, ROOT, encode(name), 0o644, O_RDWR],
  );
  assert.equal(status, 0);
  const data = encode(contents);
  assert.equal((await client.ask(3, 72, descriptor, 0, data))[0], 0);
  return descriptor as number;
}

Deno.test("a client that says nothing for too long is told and let go", async () => {
  await withRaw(async (client) => {
    const began = performance.now();
    assert.deepEqual(await client.ask(2, 91), [0]);
    const last = await client.receive();
    assert.deepEqual(last?.slice(0, 2), [0, ETIMEDOUT]);
    assert.equal(await client.receive(), null);
    assert.ok(performance.now() - began >= 400);
  }, { idleTimeout: 400 });
});

Deno.test("a client that pings is not let go", async () => {
  await withRaw(async (client) => {
    for (let i = 0; i < 8; i++) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      assert.deepEqual(await client.ask(2 + i, 91), [0]);
    }
  }, { idleTimeout: 700 });
});

Deno.test("a client that waits for a lock is not idle", async () => {
  await withRaw(async (client, served) => {
    const descriptor = await make(client, "locked", "x");
    const [endpoint] = served.endpoints;
    await using other = await connect(endpoint);
    await lockWhole(other, "locked");
    await client.send(
      message(9, 95, descriptor, 1, LOCK_EXCLUSIVE, 0, 0, true),
    );
    const first = client.receive();
    for (let i = 0; i < 8; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      await other.call("ping", {});
    }
    await other.close();
    assert.deepEqual(await first, [9, 0]);
  }, { idleTimeout: 500 });
});

async function lockWhole(client: Client, name: string): Promise<void> {
  const { attributes: node } = await client.call("lookup", {
    dir: client.root,
    name: encode(name),
  });
  const { descriptor } = await client.call("open", { node, flags: O_RDWR });
  await client.call("setLock", {
    ...{ descriptor, owner: 1, kind: LOCK_EXCLUSIVE },
    ...{ start: 0, length: 0, wait: false },
  });
}

Deno.test("goodbye is answered last, and ends the connection", async () => {
  await withRaw(async (client) => {
    const descriptor = await make(client, "file", "contents");
    await client.send(
      message(5, 89, descriptor),
      message(6, 71, descriptor, 0, 8),
      message(7, 92),
      message(8, 91),
    );
    const replies = [];
    for (let reply; (reply = await client.receive());) replies.push(reply);
    assert.deepEqual(replies.map(([id, status]) => [id, status]).sort(), [
      ...[[5, 0], [6, 0], [7, 0]],
    ]);
    assert.equal(replies.at(-1)?.[0], 7);
  });
});

Deno.test("a server that stops says so", async () => {
  await using served = await Served.start();
  const [endpoint] = served.endpoints;
  const client = await RawClient.greet(
    endpoint.kind === "unix" ? `unix:@${endpoint.path}` : "",
  );
  const stopped = served.server.stop();
  const last = await client.receive();
  assert.deepEqual(last?.slice(0, 2), [0, ESHUTDOWN]);
  assert.equal(await client.receive(), null);
  await stopped;
  client.close();
});

Deno.test("what waits for a lock can be cancelled, by its id", async () => {
  await withRaw(async (client, served) => {
    const descriptor = await make(client, "locked", "x");
    await using other = await connect(served.endpoints[0]);
    await lockWhole(other, "locked");
    const lock = [95, descriptor, 1, LOCK_EXCLUSIVE, 0, 0, true];
    await client.send(message(10, ...lock), message(11, 93, 12));
    assert.deepEqual(await client.receive(), [11, 0, false]);
    await client.send(message(12, 93, 10));
    const replies = [await client.receive(), await client.receive()];
    const byId = new Map(replies.map((reply) => [reply![0], reply!.slice(1)]));
    assert.deepEqual(byId.get(12), [0, true]);
    assert.equal(byId.get(10)?.[0], ECANCELED);
    // It waits no longer, and nothing waits for it.
    assert.deepEqual(await client.ask(13, 93, 10), [0, false]);
  });
});

Deno.test("a compound finds, opens, reads and closes at once", async () => {
  await withRaw(async (client) => {
    await make(client, "file", "contents");
    const [status, replies] = await client.ask(9, 101, [
      [65, ROOT, encode("/file"), true],
      [69, [0, 0], 0],
      [71, 0, 2, 3],
      [70, 0],
    ]);
    assert.equal(status, 0);
    const [found, opened, read, closed] = replies as unknown[][];
    assert.equal(found[0], 0);
    assert.equal(opened[0], 0);
    assert.deepEqual([read[0], decode(read[1])], [0, "nte"]);
    assert.deepEqual(closed, [0]);
    assert.equal((await client.ask(10, 70, opened[1]))[0], EBADF);
  });
});

Deno.test("a compound ends at the first step that fails", async () => {
  await withRaw(async (client) => {
    const [, replies] = await client.ask(9, 101, [
      [75, ROOT, encode("made"), 0o755],
      [68, ROOT, encode("absent")],
      [75, ROOT, encode("not made"), 0o755],
    ]);
    const statuses = (replies as unknown[][]).map(([status]) => status);
    assert.deepEqual(statuses, [0, ENOENT]);
    assert.equal((await client.ask(10, 68, ROOT, encode("made")))[0], 0);
    const [status] = await client.ask(11, 68, ROOT, encode("not made"));
    assert.equal(status, ENOENT);
    assert.equal((await client.ask(12, 80, ROOT, encode("made")))[0], 0);
  });
});

Deno.test("what a step has read stays what it was when it was read", async () => {
  await withRaw(async (client) => {
    const descriptor = await make(client, "file", "before");
    const [, replies] = await client.ask(9, 101, [
      [71, descriptor, 0, 6],
      [72, descriptor, 0, encode("behind")],
      [71, descriptor, 0, 6],
      [89, descriptor],
    ]);
    const [first, , second, synced] = replies as unknown[][];
    assert.equal(decode(first[1]), "before");
    assert.equal(decode(second[1]), "behind");
    assert.deepEqual(synced, [0]);
  });
});

Deno.test("a compound that cannot be right is refused before its first step", async () => {
  await withRaw(async (client) => {
    const made = [75, ROOT, encode("made"), 0o755];
    const cases: [number, unknown][] = [
      [EINVAL, []],
      [EINVAL, [made, [101, [made]]]],
      [EINVAL, [made, [64, "nextfs", 1, 65536, 1, []]]],
      [EINVAL, [made, [93, 1]]],
      [EINVAL, [made, [92]]],
      [EINVAL, [made, [75, ROOT]]],
      [EINVAL, [made, "step"]],
      [EINVAL, [made, ["text"]]],
      [ENOSYS, [made, [4000]]],
      [EINVAL, new Array(17).fill(made)],
      [EINVAL, [made, [71, 1, 0, 1048576], [71, 1, 0, 1048576]]],
      [EINVAL, made],
    ];
    for (const [expected, steps] of cases) {
      const [status] = await client.ask(9, 101, steps);
      assert.equal(status, expected, JSON.stringify(steps));
    }
    const [status] = await client.ask(10, 68, ROOT, encode("made"));
    assert.equal(status, ENOENT);
  });
});

Deno.test("replies stay in order around a compound that has to wait", async () => {
  await withRaw(async (client) => {
    const descriptor = await make(client, "file", "x");
    await client.send(
      message(20, 91),
      message(21, 101, [[88], [71, descriptor, 0, 1]]),
      message(22, 91),
    );
    const ids = [];
    for (let i = 0; i < 3; i++) ids.push((await client.receive())?.[0]);
    assert.deepEqual(ids, [20, 21, 22]);
  });
});

Deno.test("walk goes as far as it can", async () => {
  await withRaw(async (client) => {
    await client.ask(5, 75, ROOT, encode("a"), 0o755);
    const names = (list: string[]): Uint8Array[] => list.map(encode);
    const [, two] = await client.ask(7, 99, ROOT, names(["a", ".."]));
    assert.deepEqual((two as unknown[][]).map(([ino]) => ino).at(-1), 2);
    const [, one] = await client.ask(8, 99, ROOT, names(["a", "b", "c"]));
    assert.equal((one as unknown[]).length, 1);
    const [status] = await client.ask(9, 99, ROOT, names(["b", "a"]));
    assert.equal(status, ENOENT);
    assert.deepEqual(await client.ask(10, 99, ROOT, []), [0, []]);
    await client.ask(11, 80, ROOT, encode("a"));
  });
});

Deno.test("a connection that is reset while it waits leaves no lock", async () => {
  await using served = await Served.start();
  const [endpoint] = served.endpoints;
  const path = endpoint.kind === "unix" ? `unix:@${endpoint.path}` : "";
  const client = await RawClient.greet(path);
  const descriptor = await make(client, "locked", "x");
  await using other = await connect(endpoint);
  await lockWhole(other, "locked");
  await client.send(message(9, 95, descriptor, 1, LOCK_EXCLUSIVE, 0, 0, true));
  await client.ask(10, 91);
  client.close();
  const until = performance.now() + SOON;
  while (served.server.connections > 1 && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(served.server.connections, 1);
  await other.close();
  await using third = await connect(endpoint);
  await lockWhole(third, "locked");
});

Deno.test("a stranger's hello with room for extensions is accepted", async () => {
  await using served = await Served.start();
  const [endpoint] = served.endpoints;
  const path = endpoint.kind === "unix" ? `unix:@${endpoint.path}` : "";
  const client = await RawClient.connect(path);
  const extensions = [[1, encode("resume")], "anything", 5];
  const reply = await client.ask(
    ...[1, 64, "nextfs", 1, 1 << 20, 16, extensions],
  );
  assert.equal(reply[0], 0);
  assert.deepEqual(reply.at(-1), []);
  client.close();
});
