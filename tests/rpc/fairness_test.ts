import assert from "node:assert/strict";
import { connect, RemoteFiles } from "../../rpc/mod.ts";
import { framed, message, RawClient, Served } from "./harness.ts";

const MEGABYTE = 1024 * 1024;

/** Waits as long as a few of the server's looks at its connections take. */
function aWhile(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 800));
}

/** Writes and reads 200 KB at `path` as an ordinary client. */
async function exchange(endpoint: string, path: string): Promise<void> {
  await using client = await connect(endpoint);
  const files = new RemoteFiles(client);
  const whole = new Uint8Array(200_000).map((_, i) => i % 251);
  await files.writeFile(path, whole);
  assert.deepEqual(await files.readFile(path), whole);
}

Deno.test("long frames that are not sent on make way for others", async () => {
  await using served = await Served.start({
    maxLargeBuffers: 2,
    contendedTimeout: 200,
  });
  await served.each(async (endpoint) => {
    const holders: RawClient[] = [];
    for (let i = 0; i < 6; i++) {
      const holder = await RawClient.greet(endpoint);
      await holder.send(framed(new Uint8Array(90_000), MEGABYTE));
      holders.push(holder);
    }
    await exchange(endpoint, "/sent");
    // Buffers go to whoever came first: these, and one more, had theirs.
    for (const holder of holders.slice(0, 4)) {
      assert.equal(await holder.receive(), null);
    }
    for (const holder of holders) holder.close();
  });
});

Deno.test("a trickle is no progress while others wait", async () => {
  await using served = await Served.start({
    maxLargeBuffers: 1,
    contendedTimeout: 200,
  });
  await served.each(async (endpoint) => {
    const holder = await RawClient.greet(endpoint);
    await holder.send(framed(new Uint8Array(90_000), MEGABYTE));
    const timer = setInterval(() => {
      holder.send(Uint8Array.of(0)).catch(() => {});
    }, 20);
    await exchange(endpoint, "/sent");
    assert.equal(await holder.receive(), null);
    clearInterval(timer);
    holder.close();
  });
});

Deno.test("long replies that are not taken make way for others", async () => {
  await using served = await Served.start({
    maxLargeBuffers: 1,
    contendedTimeout: 200,
  });
  await served.each(async (endpoint) => {
    await using client = await connect(endpoint);
    const files = new RemoteFiles(client);
    const data = new Uint8Array(MEGABYTE);
    await files.writeFile("/big", data);
    const { ino, generation } = (await files.stat("/big")).attributes;
    const holder = await RawClient.greet(endpoint);
    await holder.ask(2, 69, [ino, generation], 0);
    for (let id = 3; id < 43; id++) {
      await holder.send(message(id, 71, 1, 0, 1_000_000));
    }
    await exchange(endpoint, "/sent");
    holder.close();
  });
});

Deno.test("a slow sender is waited for while nobody else waits", async () => {
  await using served = await Served.start({
    maxLargeBuffers: 1,
    contendedTimeout: 1,
  });
  await served.each(async (endpoint) => {
    const slow = await RawClient.greet(endpoint);
    const name = new TextEncoder().encode("slow");
    await slow.ask(2, 73, [2, 0], name, 0o644, 2);
    const write = message(3, 72, 1, 0, new Uint8Array(200_000));
    await slow.send(write.subarray(0, 100_000));
    await aWhile();
    await slow.send(write.subarray(100_000));
    assert.deepEqual(await slow.receive(), [3, 0, 200_000]);
    await slow.ask(4, 79, [2, 0], name);
    slow.close();
  });
});

Deno.test("slow requests of one client leave others their turns", async () => {
  await using served = await Served.start();
  const { fs } = served;
  const here = "./".repeat(2040);
  for (let i = 0; i < 39; i++) fs.symlink(2, `l${i}`, `${here}l${i + 1}`);
  const path = new TextEncoder().encode("l0");
  const requests = 60;
  await served.each(async (endpoint) => {
    const busy = await RawClient.greet(endpoint);
    const other = await RawClient.greet(endpoint);
    const all = Array.from(
      { length: requests },
      (_, i) => message(i + 2, 65, [2, 0], path, true),
    );
    await busy.send(Uint8Array.from(all.flatMap((one) => [...one])));
    await busy.receive();
    let answered = 1;
    const answers = (async (): Promise<void> => {
      for (; answered < requests; answered++) await busy.receive();
    })();
    assert.equal((await other.ask(2, 83))[0], 0);
    assert.ok(answered < requests, "the other waited for all of them");
    await answers;
    busy.close();
    other.close();
  });
});
