import assert from "node:assert/strict";
import { connect, O_RDWR, RemoteFiles } from "../../rpc/mod.ts";
import {
  openNew,
  STD_STACK,
  VERICRYPT_STACK,
} from "../support/device_stacks.ts";
import { framed, message, RawClient, Served } from "./harness.ts";
import { ServerProcess } from "./server_process.ts";

const onLinux = { ignore: Deno.build.os !== "linux" };
const MEGABYTE = 1024 * 1024;

/** Sends without waiting for what the peer cannot take yet. */
function sendLater(client: RawClient, bytes: Uint8Array): void {
  client.send(bytes).catch(() => {});
}

Deno.test(
  "500 connections in mid-frame leave others served, and memory bounded",
  onLinux,
  async () => {
    await using server = await ServerProcess.start();
    const clients: RawClient[] = [];
    for (let i = 0; i < 400; i++) {
      clients.push(await RawClient.greet(server.endpoint));
    }
    for (let i = 0; i < 100; i++) {
      clients.push(await RawClient.connect(server.endpoint));
    }
    await using client = await connect(server.endpoint);
    const files = new RemoteFiles(client);
    const before = server.residentMebibytes();
    // Each declares a frame of a megabyte; 300 send a little of it, and 100 all
    // but its last byte.
    const frame = framed(new Uint8Array(MEGABYTE));
    for (let i = 0; i < 400; i++) {
      sendLater(clients[i], frame.subarray(0, i < 300 ? 20_000 : MEGABYTE));
    }
    for (let i = 0; i < 500; i++) {
      await files.stat("/megabyte");
      await files.setattr("/megabyte", { mtime: "now" });
    }
    const parts = [];
    await using file = await files.open("/megabyte");
    for await (const part of file.chunks({ chunkSize: 4096 })) {
      parts.push(part.length);
    }
    assert.equal(parts.length, 256);
    const grown = server.residentMebibytes() - before;
    // 300 × 72 KiB and 100 × 72 KiB of the connections' own buffers, 32 long
    // frames, and as much again for what the runtime has not collected yet.

    assert.ok(grown < 150, `the server grew by ${grown} MiB`);
    for (const one of clients) one.close();
    await files.stat("/megabyte");
  },
);

Deno.test(
  "a slow reader stalls only itself, in bounded memory",
  onLinux,
  async () => {
    await using server = await ServerProcess.start();
    await using client = await connect(server.endpoint);
    const files = new RemoteFiles(client);
    const { ino, generation } = (await files.stat("/megabyte")).attributes;
    const slow: RawClient[] = [];
    const before = server.residentMebibytes();
    for (let i = 0; i < 20; i++) {
      const reader = await RawClient.greet(server.endpoint);
      await reader.ask(2, 69, [ino, generation], 0);
      for (let id = 10; id < 60; id++) {
        sendLater(reader, message(id, 71, 1, 0, 1_000_000));
      }
      slow.push(reader);
    }
    for (let i = 0; i < 500; i++) await files.stat("/megabyte");
    const grown = server.residentMebibytes() - before;
    // A gigabyte is asked for; a megabyte for each reader may be under way.

    assert.ok(grown < 150, `the server grew by ${grown} MiB`);
    for (let id = 10; id < 60; id++) {
      const reply = await slow[0].receive();
      assert.deepEqual(reply?.slice(0, 2), [id, 0]);
      assert.equal((reply?.[2] as Uint8Array).length, 1_000_000);
    }
    for (const one of slow) one.close();
  },
);

Deno.test("a client that floods the server leaves others their turn", async () => {
  await using served = await Served.start();
  await served.each(async (endpoint) => {
    await using flooder = await connect(endpoint, { maxInFlight: 256 });
    await using client = await connect(endpoint);
    let flooding = true;
    let flooded = 0;
    const flood = Array.from({ length: 256 }, async () => {
      while (flooding) {
        await flooder.call("statfs", {});
        flooded++;
      }
    });
    for (let i = 0; i < 100; i++) await client.call("statfs", {});
    flooding = false;
    await Promise.all(flood);
    assert.ok(flooded > 0);
  });
});

for (const stack of [STD_STACK, VERICRYPT_STACK]) {
  const title = "long frames of many clients share few buffers, " +
    `without a deadlock: ${stack.name}`;
  Deno.test(title, async () => {
    await using served = await Served.start({
      maxLargeBuffers: 2,
      device: openNew(stack),
      cacheSize: MEGABYTE,
    });
    await served.each(async (endpoint) => {
      await Promise.all(Array.from({ length: 12 }, async (_, which) => {
        await using client = await connect(endpoint);
        const { descriptor } = await client.call("create", {
          dir: client.root,
          name: new TextEncoder().encode(`file${which}`),
          mode: 0o600,
          flags: O_RDWR,
        });
        const data = new Uint8Array(MEGABYTE).fill(which);
        const calls = [];
        for (let i = 0; i < 6; i++) {
          calls.push(client.call("write", { descriptor, offset: 0, data }));
          calls.push(
            client.call("read", { descriptor, offset: 0, length: MEGABYTE })
              .then((read) => assert.deepEqual(read.data, data)),
          );
          calls.push(client.call("statfs", {}));
        }
        await Promise.all(calls);
      }));
    });
  });
}

Deno.test("stop() lets what is in progress end, and ends the rest", async () => {
  const served = await Served.start({ stopTimeout: 200 });
  const [endpoint] = served.endpoints;
  const client = await connect(endpoint);
  const files = new RemoteFiles(client);
  const data = new Uint8Array(MEGABYTE);
  await files.writeFile("/file", data);
  const { ino, generation } = (await files.stat("/file")).attributes;
  const { path } = endpoint as { path: string };
  const stuck = await RawClient.greet(`unix:@${path}`);
  await stuck.ask(2, 69, [ino, generation], 0);
  for (let id = 10; id < 20; id++) {
    await stuck.send(message(id, 71, 1, 0, 1_000_000));
  }
  await files.stat("/file");
  await served.server.stop();
  await client.closed;
  assert.equal(served.server.connections, 0);
  await assert.rejects(connect(endpoint));
  stuck.close();
  await served.fs.close();
});
