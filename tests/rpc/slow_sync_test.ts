import assert from "node:assert/strict";
import { BorrowedDevice } from "../../bd/borrowed.ts";
import { FsError } from "../../fs/errors.ts";
import {
  type Client,
  connect,
  DisconnectedError,
  O_RDWR,
} from "../../rpc/mod.ts";
import type { Served } from "./harness.ts";
import { type Serve, testOnStacks } from "./stacks.ts";

async function create(client: Client, name: string): Promise<number> {
  const { descriptor } = await client.call("create", {
    dir: client.root,
    name: new TextEncoder().encode(name),
    mode: 0o644,
    flags: O_RDWR,
  });
  return descriptor;
}

/** A layer whose flush ends when the test says so. */
class SlowFlush extends BorrowedDevice {
  gate: Promise<void> = Promise.resolve();

  override async flush(): Promise<void> {
    await this.gate;
    await super.flush();
  }
}

/** Serves a volume over a layer whose flush ends when the test says so. */
async function serveSlowly(
  serve: Serve,
  options?: Parameters<Serve>[0],
): Promise<{ served: Served; device: SlowFlush }> {
  let device: SlowFlush | null = null;
  const served = await serve(
    options,
    (image) => device = new SlowFlush(image),
  );
  return { served, device: device! };
}

testOnStacks(
  "a sync is answered late and holds up no other request",
  async (serve) => {
    const { served: slow, device } = await serveSlowly(serve);
    await using served = slow;
    await served.each(async (endpoint) => {
      await using client = await connect(endpoint);
      await using other = await connect(endpoint);
      const descriptor = await create(client, "synced");
      const gate = Promise.withResolvers<void>();
      device.gate = gate.promise;
      const order: string[] = [];
      const syncs = [
        client.call("fsync", { descriptor }).then(() => order.push("fsync")),
        client.call("sync", {}).then(() => order.push("sync")),
      ];
      for (let i = 0; i < 20; i++) {
        await client.call("statfs", {});
        await other.call("statfs", {});
      }
      order.push("statfs");
      gate.resolve();
      await Promise.all(syncs);
      assert.equal(order[0], "statfs");
      await assert.rejects(
        client.call("fsync", { descriptor: 999 }),
        (error) => error instanceof FsError && error.code === "EBADF",
      );
    });
  },
);

testOnStacks(
  "stop() ends within its bound though a sync never does",
  async (serve) => {
    const { served, device } = await serveSlowly(serve, { stopTimeout: 100 });
    const client = await connect(served.endpoints[0]);
    await create(client, "stuck");
    const gate = Promise.withResolvers<void>();
    device.gate = gate.promise;
    const sync = assert.rejects(client.call("sync", {}), DisconnectedError);
    await client.call("statfs", {});
    await served.server.stop();
    await sync;
    await client.closed;
    gate.resolve();
    await served.fs.close();
  },
);
