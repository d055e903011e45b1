import assert from "node:assert/strict";
import { type Client, connect, type ConnectOptions } from "../../rpc/mod.ts";
import { GateTransport } from "./gate_transport.ts";
import { Served, type ServedOptions, until } from "./harness.ts";

/** Numbers of operations. */
const [GETATTR, OPEN, CLOSE, CREATE] = [66, 69, 70, 73];
const [PING, CANCEL] = [91, 93];
const reason = new Error("enough");

/** Declares a test with a client whose replies can be held back. */
function testGate(
  name: string,
  test: (client: Client, gate: GateTransport) => Promise<void>,
  options: { client?: ConnectOptions; served?: ServedOptions } = {},
): void {
  Deno.test(name, async () => {
    await using served = await Served.start(options.served);
    const [endpoint] = served.endpoints;
    const gate = await GateTransport.dial(endpoint);
    await using client = await connect(endpoint, {
      ...options.client,
      dial: () => Promise.resolve(gate),
    });
    await test(client, gate);
  });
}

testGate(
  "a call whose signal has fired is not made",
  async (client, gate) => {
    const signal = AbortSignal.abort(reason);
    const { files, root: node } = client;
    const before = gate.asked.length;
    const calls = [
      client.call("getattr", { node }, { signal }),
      files.readFile("/f", { signal }),
      files.writeFile("/f", new Uint8Array(1), { signal }),
      files.mkdir("/d/e", { recursive: true, signal }),
      files.remove("/d", { recursive: true, signal }),
      files.copyFile("/f", "/g", { signal }),
      files.rename("/f", "/g", { signal }),
      files.readDir("/", { signal }).next(),
      files.setxattr("/f", "user.x", new Uint8Array(1), { signal }),
      files.sync({ signal }),
      connect("unix:/nowhere", { signal }),
    ];
    for (const call of calls) await assert.rejects(call, reason);
    assert.equal(gate.asked.length, before);
  },
);

testGate(
  "a call in flight ends at once, and is cancelled on the server",
  async (client, gate) => {
    const { root: node } = client;
    const controller = new AbortController();
    const { signal } = controller;
    gate.hold();
    const calls = Array.from(
      { length: 20 },
      () => client.call("getattr", { node }, { signal }),
    );
    const settled = Promise.allSettled(calls);
    await until(() => gate.count(GETATTR) === 20);
    controller.abort(reason);
    for (const one of await settled) {
      assert.equal(one.status === "rejected" && one.reason, reason);
    }
    await until(() => gate.count(CANCEL) === 20);
    gate.release();
    // The replies are for nobody, and disturb nothing.
    const { attributes } = await client.call("getattr", { node });
    assert.equal(attributes.ino, node.ino);
  },
);

testGate(
  "a call that waits for its turn is dropped",
  async (client, gate) => {
    const { root: node } = client;
    const controller = new AbortController();
    const { signal } = controller;
    gate.hold();
    const first = client.call("getattr", { node });
    const second = client.call("getattr", { node });
    const dropped = client.call("open", { node, flags: 0 }, { signal });
    const last = client.call("ping", {});
    controller.abort(reason);
    await assert.rejects(dropped, reason);
    gate.release();
    await Promise.all([first, second, last]);
    assert.deepEqual([gate.count(OPEN), gate.count(CANCEL)], [0, 0]);
  },
  { client: { maxInFlight: 2 } },
);

testGate(
  "there is always a place for cancelling what waits on the server",
  async (client, gate) => {
    const { files } = client;
    const flags = { read: true, write: true, create: true };
    const held = await files.open("/f", flags);
    const wanted = await files.open("/f", flags);
    await held.lock(true);
    const controllers = Array.from({ length: 5 }, () => new AbortController());
    const waits = controllers.map(({ signal }) =>
      assert.rejects(wanted.lock(true, { signal }), reason)
    );
    const behind = client.call("ping", {});
    await until(() => gate.asked.length > 6);
    for (const controller of controllers) controller.abort(reason);
    await Promise.all(waits);
    await behind;
    // Three places, of which the locks had two: the rest was never sent.
    assert.equal(gate.count(CANCEL), 2);
    await held.close();
    await wanted.close();
  },
  { client: { maxInFlight: 3 } },
);

testGate(
  "a file that comes open too late is closed",
  async (client, gate) => {
    const { files } = client;
    const ways = [
      { path: "/", options: { read: true }, operation: OPEN },
      {
        path: "/new",
        options: { append: true, create: true },
        operation: CREATE,
      },
    ];
    for (const { path, options, operation } of ways) {
      gate.holdAt = operation;
      const controller = new AbortController();
      const { signal } = controller;
      const closed = gate.count(CLOSE);
      const opening = files.open(path, { ...options, signal });
      const settled = assert.rejects(opening, reason);
      await until(() => gate.asked.includes(operation));
      controller.abort(reason);
      await settled;
      gate.holdAt = null;
      gate.release();
      await until(() => gate.count(CLOSE) === closed + 1);
    }
    await using _file = await files.open("/");
  },
  { served: { maxDescriptors: 1 } },
);

testGate(
  "a signal that fires when all is done changes nothing",
  async (client, gate) => {
    const controller = new AbortController();
    const { signal } = controller;
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: unknown[]): void => {
      listeners++;
      addEventListener.apply(signal, args as never);
    };
    signal.removeEventListener = (...args: unknown[]): void => {
      listeners--;
      removeEventListener.apply(signal, args as never);
    };
    const { files } = client;
    await files.writeFile("/f", new Uint8Array(3_000_000), { signal });
    await files.readFile("/f", { signal });
    await files.copyFile("/f", "/g", { signal });
    for await (const _ of files.readDir("/", { signal }));
    await using file = await files.open("/f", { signal });
    for await (const _ of file.chunks({ signal })) break;
    await assert.rejects(files.stat("/none", { signal }));
    assert.equal(listeners, 0);
    controller.abort(reason);
    await client.call("ping", {});
    assert.equal(await file.read(new Uint8Array(1)), 1);
    // Only the reading that was left early had anything in flight.
    assert.ok(gate.count(CANCEL) <= 3);
  },
);

testGate(
  "a client that has nothing to say keeps its connection",
  async (client, gate) => {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    assert.ok(gate.count(PING) >= 2, `${gate.count(PING)} pings`);
    assert.equal(client.ended, false);
  },
  { served: { idleTimeout: 600 } },
);

Deno.test("connecting ends with its signal", async () => {
  await using served = await Served.start();
  const [endpoint] = served.endpoints;
  const controller = new AbortController();
  const { signal } = controller;
  let closed = 0;
  const gate = await GateTransport.dial(endpoint);
  const { promise, resolve } = Promise.withResolvers<GateTransport>();
  const dialling = connect(endpoint, { signal, dial: () => promise });
  controller.abort(reason);
  await assert.rejects(dialling, reason);
  // What comes too late is closed.
  const { close } = gate;
  gate.close = (): void => {
    closed++;
    close.call(gate);
  };
  resolve(gate);
  await until(() => closed === 1);

  const other = await GateTransport.dial(endpoint);
  other.hold();
  const second = new AbortController();
  const greeting = connect(endpoint, {
    signal: second.signal,
    dial: () => Promise.resolve(other),
  });
  setTimeout(() => second.abort(reason), 10);
  await assert.rejects(greeting, reason);

  const third = new AbortController();
  await using client = await connect(endpoint, { signal: third.signal });
  third.abort(reason);
  await client.call("ping", {});
});
