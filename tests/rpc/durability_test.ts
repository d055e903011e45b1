/**
 * What a client that asks for durable changes waits for, and what it is told;
 * and clients that wait until there is room for their changes.
 */

import assert from "node:assert/strict";
import { BorrowedDevice } from "../../bd/borrowed.ts";
import { FaultyDevice } from "../../bd/faulty.ts";
import { MemoryDevice } from "../../bd/memory.ts";
import { FsError } from "../../fs/errors.ts";
import {
  type Client,
  connect,
  DisconnectedError,
  O_DSYNC,
  O_EXCL,
  O_RDWR,
  O_SYNC,
  O_TRUNC,
  O_WRONLY,
} from "../../rpc/mod.ts";
import { message, RawClient, Served, type ServedOptions } from "./harness.ts";
import { type Serve, testOnStacks } from "./stacks.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function create(
  client: Client,
  name: string,
  flags = O_RDWR,
): Promise<number> {
  const { descriptor } = await client.call("create", {
    dir: client.root,
    name: bytesOf(name),
    mode: 0o644,
    flags,
  });
  return descriptor;
}

function mkdir(client: Client, name: string): Promise<unknown> {
  const args = { dir: client.root, name: bytesOf(name), mode: 0o755 };
  return client.call("mkdir", args);
}

/** Asserts the errno of a failure, and that it says more than that. */
function failure(
  code: string,
  text: RegExp = /./,
): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof FsError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, text);
    return true;
  };
}

for (const [name, flag] of Object.entries({ O_DSYNC, O_SYNC })) {
  testOnStacks(
    `a write with ${name} replies when it is durable`,
    (serve) => eachWrite(serve, flag),
  );
}

async function eachWrite(serve: Serve, flag: number): Promise<void> {
  let device: FaultyDevice | undefined;
  await using served = await serve({}, (image) => {
    return device = new FaultyDevice(image);
  });
  const { calls } = device!;
  await served.each(async (endpoint) => {
    await using client = await connect(endpoint);
    const plain = await create(client, "plain");
    const durable = await create(client, "durable", O_RDWR | flag);
    const data = bytesOf("data");
    const write = (descriptor: number): Promise<unknown> =>
      client.call("write", { descriptor, offset: 0, data });
    let before = calls.flush;
    await write(plain);
    assert.equal(calls.flush, before, "nobody asked for a commit");
    for (let i = 0; i < 3; i++) {
      before = calls.flush;
      assert.deepEqual(await write(durable), { count: 4 });
      assert.ok(calls.flush > before, "it was not durable yet");
    }
    const { data: read } = await client.call("read", {
      ...{ descriptor: durable, offset: 0, length: 9 },
    });
    assert.deepEqual(read, data);
    before = calls.flush;
    await client.call("fdatasync", { descriptor: plain });
    assert.ok(calls.flush > before);
    await assert.rejects(
      client.call("fdatasync", { descriptor: 99 }),
      failure("EBADF"),
    );
    const { attributes: node } = await client.call("lookup", {
      ...{ dir: client.root, name: bytesOf("durable") },
    });
    const opened = await client.call("open", { node, flags: O_WRONLY | flag });
    before = calls.flush;
    await write(opened.descriptor);
    assert.ok(calls.flush > before);
    await assert.rejects(
      client.call("open", { node, flags: O_WRONLY | flag | 0o40000 }),
      failure("EINVAL"),
    );
  });
}

for (const code of ["ENOSPC", "EIO", "EROFS"] as const) {
  Deno.test(`a commit that the host refuses is ${code} for who waits`, () =>
    refusedCommit(code));
}

async function refusedCommit(code: "ENOSPC" | "EIO" | "EROFS"): Promise<void> {
  const device = new FaultyDevice(new MemoryDevice(4096, 4096));
  const served = await Served.start({ device });
  const { fs, server, log } = served;
  await using client = await connect(served.endpoints[0]);
  const descriptor = await create(client, "f", O_RDWR | O_SYNC);
  device.rule = ({ kind }): typeof code | null =>
    kind === "flush" ? code : null;
  const data = bytesOf("data");
  const told = failure(code, /: the server's disk .* not durable/);
  await assert.rejects(
    client.call("write", { descriptor, offset: 0, data }),
    told,
  );
  await assert.rejects(client.call("fsync", { descriptor }), told);
  await assert.rejects(client.call("fdatasync", { descriptor }), told);
  await assert.rejects(client.call("sync", {}), told);
  // The log has the host's own words, which are not for clients.
  assert.match(log[0], /^Cannot make changes durable: ./);
  const { data: read } = await client.call("read", {
    ...{ descriptor, offset: 0, length: 9 },
  });
  assert.deepEqual(read, data, "what was refused is not durable, yet there");
  await client.close();
  await server.stop();
  await fs.close().catch(() => {});
}

/** Serves a volume that has no room for changes until the test says so. */
async function serveFull(options: ServedOptions = {}): Promise<{
  served: Served;
  fill: () => PromiseWithResolvers<void>;
}> {
  const served = await Served.start(options);
  let gate: PromiseWithResolvers<void> | null = null;
  served.fs.room = (): Promise<void> | null => gate?.promise ?? null;
  const fill = (): PromiseWithResolvers<void> => {
    const filled = gate = Promise.withResolvers<void>();
    filled.promise.then(() => gate = null);
    return filled;
  };
  return { served, fill };
}

Deno.test("a change waits for room, and its connection with it", async () => {
  const { served, fill } = await serveFull();
  await using _ = served;
  await served.each(async (endpoint) => {
    await using client = await connect(endpoint);
    await using other = await connect(endpoint);
    const name = endpoint.slice(0, 3);
    const gate = fill();
    const order: string[] = [];
    const all = [
      client.call("statfs", {}).then(() => order.push("before")),
      mkdir(client, name).then(() => order.push("change")),
      client.call("statfs", {}).then(() => order.push("behind")),
    ];
    // What came before is answered, and others go on.
    await all[0];
    for (let i = 0; i < 100; i++) await other.call("statfs", {});
    assert.deepEqual(order, ["before"]);
    await assert.rejects(
      other.call("lookup", { dir: client.root, name: bytesOf(name) }),
      failure("ENOENT", /^/),
    );
    gate.resolve();
    await Promise.all(all);
    assert.deepEqual(order, ["before", "change", "behind"]);
    await other.call("lookup", { dir: client.root, name: bytesOf(name) });
  });
});

Deno.test("reads and the opening of files need no room", async () => {
  const { served, fill } = await serveFull();
  await using _ = served;
  await using client = await connect(served.endpoints[0]);
  const descriptor = await create(client, "f");
  const { attributes: node } = await client.call("lookup", {
    ...{ dir: client.root, name: bytesOf("f") },
  });
  const gate = fill();
  const opened = await client.call("open", { node, flags: O_RDWR });
  await client.call("close", opened);
  await client.call("read", { descriptor, offset: 0, length: 1 });
  await client.call("readdir", { node: client.root, cookie: 0, count: 9 });
  await client.call("fsync", { descriptor });
  await client.call("sync", {});
  let done = false;
  const cut = client.call("open", { node, flags: O_WRONLY | O_TRUNC })
    .then(() => done = true);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(done, false, "to cut a file is a change");
  gate.resolve();
  await cut;
});

Deno.test("the wait for room is not held against the client", async () => {
  const { served, fill } = await serveFull({ stallTimeout: 300 });
  await using _ = served;
  await served.each(async (endpoint) => {
    const raw = await RawClient.greet(endpoint);
    const name = bytesOf(`slow-${endpoint.slice(0, 3)}`);
    const gate = fill();
    const change = message(2, 75, [2, 0], name, 0o755);
    const next = message(3, 83);
    // A part of the next request is there already when the wait begins.
    await raw.send(change, next.subarray(0, 3));
    await new Promise((resolve) => setTimeout(resolve, 1000));
    gate.resolve();
    assert.deepEqual((await raw.receive())?.slice(0, 2), [2, 0]);
    await raw.send(next.subarray(3));
    assert.deepEqual((await raw.receive())?.slice(0, 2), [3, 0]);
    raw.close();
  });
});

Deno.test("a server stops though changes wait for room, undone", async () => {
  const { served, fill } = await serveFull({ stopTimeout: 100 });
  await using client = await connect(served.endpoints[0]);
  await create(client, "open");
  fill();
  const lost = assert.rejects(mkdir(client, "never"), DisconnectedError);
  const next = assert.rejects(client.call("statfs", {}), DisconnectedError);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await served.server.stop();
  await Promise.all([lost, next]);
  assert.throws(() => served.fs.lookup(2, "never"), failure("ENOENT", /^/));
  await served.fs.close();
});

Deno.test("a client may leave while its change waits for room", async () => {
  const { served, fill } = await serveFull({ stopTimeout: 100 });
  await using _ = served;
  await served.each(async (endpoint) => {
    const raw = await RawClient.greet(endpoint);
    const gate = fill();
    await raw.send(message(2, 75, [2, 0], bytesOf("left"), 0o755));
    await new Promise((resolve) => setTimeout(resolve, 50));
    raw.close();
    await using client = await connect(endpoint);
    await client.call("statfs", {});
    gate.resolve();
    await mkdir(client, `stayed-${endpoint.slice(0, 3)}`);
  });
});

Deno.test("changes that waited find what others did meanwhile", async () => {
  const { served, fill } = await serveFull();
  await using _ = served;
  await using one = await connect(served.endpoints[0]);
  await using two = await connect(served.endpoints[0]);
  const gate = fill();
  const made = [one, two].map((client) =>
    create(client, "same", O_RDWR | O_EXCL)
  );
  gate.resolve();
  const results = await Promise.allSettled(made);
  const failed = results.filter(({ status }) => status === "rejected");
  assert.equal(failed.length, 1);
  failure("EEXIST", /^/)((failed[0] as PromiseRejectedResult).reason);
});

Deno.test("a server stops though more syncs are late than may be", async () => {
  const gate = Promise.withResolvers<void>();
  const device = new StuckFlush(new MemoryDevice(4096, 4096), gate.promise);
  const served = await Served.start({ device, maxInFlight: 4, stopTimeout: 1 });
  const clients: RawClient[] = [];
  await served.each(async (endpoint) => {
    const raw = await RawClient.greet(endpoint);
    for (let id = 2; id < 30; id++) await raw.send(message(id, 88));
    clients.push(raw);
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  await served.server.stop();
  for (const raw of clients) raw.close();
  gate.resolve();
  await served.fs.close();
});

/** A layer whose flush waits for the test. */
class StuckFlush extends BorrowedDevice {
  readonly #gate: Promise<void>;

  constructor(next: MemoryDevice, gate: Promise<void>) {
    super(next);
    this.#gate = gate;
  }

  override async flush(): Promise<void> {
    await this.#gate;
    await super.flush();
  }
}
