import assert from "node:assert/strict";
import { connect, ERRNO_NUMBER, RemoteFiles } from "../../rpc/mod.ts";
import { framed, hello, message, RawClient, Served, until } from "./harness.ts";

const { EBADF, EINVAL, EPROTO, ENOSYS, EAGAIN, ENAMETOOLONG } = ERRNO_NUMBER;

/** Asserts that an ordinary client is served. */
async function assertServing(endpoint: string): Promise<void> {
  await using client = await connect(endpoint);
  await new RemoteFiles(client).stat("/lost+found");
}

Deno.test("a connection that does not begin with a hello is ended", async () => {
  await using served = await Served.start();
  await served.each(async (endpoint) => {
    for (
      const first of [
        message(7, 83),
        message(7, 9999),
        message(7, 64, "other", 1, 1024 * 1024, 64, []),
        message(7, 64, "nextfs", 0, 1024 * 1024, 64, []),
      ]
    ) {
      const client = await RawClient.connect(endpoint);
      await client.send(first, message(8, 83));
      await client.refused(7, EPROTO);
    }
    const client = await RawClient.connect(endpoint);
    await client.send(message(7, 64, "nextfs", 1, 100, 64, []));
    await client.refused(7, EINVAL);
    await assertServing(endpoint);
  });
});

Deno.test("a second hello ends the connection", async () => {
  await using served = await Served.start();
  await served.each(async (endpoint) => {
    const client = await RawClient.greet(endpoint);
    await client.send(hello(2));
    await client.refused(2, EPROTO);
  });
});

Deno.test("a malformed frame is answered with EPROTO and the end", async () => {
  await using served = await Served.start();
  const deep = new Uint8Array(60).fill(0x81);
  const bodies: [string, Uint8Array, number][] = [
    ["nothing", new Uint8Array(0), 0],
    ["no array", Uint8Array.of(1), 0],
    ["a map", Uint8Array.of(0xa1, 1, 2), 0],
    ["a tag", Uint8Array.of(0x82, 5, 0xc1, 0), 0],
    ["a float", Uint8Array.of(0x82, 5, 0xf9, 0, 0), 0],
    ["deep nesting", deep, 0],
    ["a huge array", Uint8Array.of(0x9a, 0xff, 0xff, 0xff, 0xff), 0],
    ["a huge string", Uint8Array.of(0x82, 5, 0x5a, 0xff, 0xff, 0xff, 0xff), 0],
    ["id 0", Uint8Array.of(0x82, 0, 0x18, 83), 0],
    ["a negative id", Uint8Array.of(0x82, 0x20, 0x18, 83), 0],
    ["an operation that is text", Uint8Array.of(0x82, 5, 0x61, 0x61), 5],
    ["no operation", Uint8Array.of(0x81, 5), 5],
    ["bytes behind it", Uint8Array.of(0x82, 5, 0x18, 83, 0), 0],
    ["a cut message", Uint8Array.of(0x83, 5, 0x18, 83), 0],
  ];
  await served.each(async (endpoint) => {
    for (const [what, body, id] of bodies) {
      const client = await RawClient.greet(endpoint);
      await client.send(message(3, 83), framed(body), message(4, 83));
      const before = await client.receive();
      assert.deepEqual(before?.slice(0, 2), [3, 0], what);
      await client.refused(id, EPROTO);
    }
    await assertServing(endpoint);
  });
});

Deno.test("a frame that is declared too long is refused at once", async () => {
  await using served = await Served.start();
  await served.each(async (endpoint) => {
    for (const length of [0xffffffff, 0x7fffffff, 1024 * 1024 + 1]) {
      const client = await RawClient.greet(endpoint);
      await client.send(framed(new Uint8Array(0), length));
      await client.refused(0, EPROTO);
    }
    // Before the hello, the limit is lower.
    const stranger = await RawClient.connect(endpoint);
    await stranger.send(framed(new Uint8Array(0), 257));
    await stranger.refused(0, EPROTO);
  });
});

Deno.test("an unknown operation is ENOSYS and the connection goes on", async () => {
  await using served = await Served.start();
  await served.each(async (endpoint) => {
    const client = await RawClient.greet(endpoint);
    for (const number of [43, 63, 102, 4_000_000_000]) {
      const [status] = await client.ask(5, number, 1, "x", [2]);
      assert.equal(status, ENOSYS);
    }
    assert.equal((await client.ask(6, 83))[0], 0);
    client.close();
  });
});

Deno.test("wrong arguments are refused and the connection goes on", async () => {
  await using served = await Served.start();
  const root = [2, 0];
  const long = new Uint8Array(256).fill(0x61);
  const requests: [number, unknown[]][] = [
    [EINVAL, [66]],
    [EINVAL, [66, root, 1]],
    [EINVAL, [66, 2]],
    [EINVAL, [66, [2]]],
    [EINVAL, [66, [2, 0, 0]]],
    [EINVAL, [66, ["2", 0]]],
    [EINVAL, [66, [-2, 0]]],
    [EINVAL, [66, null]],
    [EINVAL, [68, root, "text"]],
    [EINVAL, [68, root, new Uint8Array(0)]],
    [ENAMETOOLONG, [68, root, long]],
    [ENAMETOOLONG, [75, root, long, 0o755]],
    [ENAMETOOLONG, [65, root, new Uint8Array(4096).fill(0x61), true]],
    [EINVAL, [65, root, Uint8Array.of(0x61), 1]],
    [EINVAL, [67, root, [0o10000, null, null, null, null]]],
    [EINVAL, [71, 1, -1, 10]],
    [EINVAL, [71, 1, 0, 1024 * 1024 + 1]],
    [EBADF, [71, 0, 0, 1]],
    [EINVAL, [72, 1, 0, "text"]],
    [EINVAL, [74, root, 0, 0]],
    [EINVAL, [74, root, 0, 1025]],
    [EINVAL, [76, root, Uint8Array.of(0x61), 0o20644, [4096, 0]]],
  ];
  await served.each(async (endpoint) => {
    const client = await RawClient.greet(endpoint);
    for (const [status, items] of requests) {
      const reply = await client.ask(9, ...items);
      assert.equal(reply[0], status, JSON.stringify(items));
      assert.equal(typeof reply[1], "string");
    }
    assert.equal((await client.ask(6, 83))[0], 0);
    client.close();
  });
});

Deno.test("names with a slash or a NUL, and dots, never get in", async () => {
  await using served = await Served.start();
  const client = await RawClient.greet(
    `unix:@${(served.endpoints[0] as { path: string }).path}`,
  );
  for (const name of ["a/b", "/", "a\0b", ".", ".."]) {
    const bytes = new TextEncoder().encode(name);
    const [status] = await client.ask(1, 75, [2, 0], bytes, 0o755);
    assert.notEqual(status, 0, JSON.stringify(name));
  }
  client.close();
});

Deno.test("silence before or within a frame ends the connection", async () => {
  await using served = await Served.start({
    helloTimeout: 100,
    stallTimeout: 200,
  });
  await served.each(async (endpoint) => {
    const silent = await RawClient.connect(endpoint);
    const dripping = await RawClient.connect(endpoint);
    await dripping.send(hello().subarray(0, 9));
    const halfway = await RawClient.greet(endpoint);
    await halfway.send(message(3, 83).subarray(0, 5));
    const idle = await RawClient.greet(endpoint);
    for (const client of [silent, dripping, halfway]) {
      assert.equal(await client.receive(), null);
      client.close();
    }
    assert.equal((await idle.ask(2, 83))[0], 0, "idleness is no silence");
    idle.close();
  });
});

Deno.test("a client that leaves in the middle harms nobody", async () => {
  await using served = await Served.start();
  await served.each(async (endpoint) => {
    await using client = await connect(endpoint);
    const files = new RemoteFiles(client);
    const data = new Uint8Array(4 * 1024 * 1024).fill(7);
    await files.writeFile("/big", data);
    const { ino, generation } = (await files.stat("/big")).attributes;
    for (let i = 0; i < 20; i++) {
      const leaver = await RawClient.greet(endpoint);
      assert.deepEqual(
        (await leaver.ask(2, 69, [ino, generation], 0)).slice(0, 2),
        [0, 1],
      );
      for (let id = 3; id < 8; id++) {
        await leaver.send(message(id, 71, 1, 0, 900_000));
      }
      // In the middle of a reply, and of a request.
      await leaver.send(message(9, 83).subarray(0, i % 7));
      if (i % 2 === 0) await leaver.receive();
      leaver.close();
    }
    await until(() => served.server.connections === 1);
    await assertServing(endpoint);
  });
});

Deno.test("what a client sent before it closed its side is answered", async () => {
  await using served = await Served.start();
  await served.each(async (endpoint) => {
    const client = await RawClient.greet(endpoint);
    await client.send(message(2, 83), message(3, 88), message(4, 83));
    await client.closeWrite();
    const ids = new Set<unknown>();
    for (let i = 0; i < 3; i++) {
      const reply = await client.receive();
      assert.equal(reply?.[1], 0);
      ids.add(reply?.[0]);
    }
    assert.deepEqual([...ids].sort(), [2, 3, 4]);
    assert.equal(await client.receive(), null);
    client.close();
  });
});

Deno.test("a connection too many is told so", async () => {
  await using served = await Served.start({ maxConnections: 2 });
  await served.each(async (endpoint) => {
    const first = await RawClient.greet(endpoint);
    const second = await RawClient.greet(endpoint);
    const third = await RawClient.connect(endpoint);
    await third.refused(0, EAGAIN);
    await assert.rejects(connect(endpoint), /Resource temporarily|ended the/);
    first.close();
    await until(() => served.server.connections === 1);
    await assertServing(endpoint);
    second.close();
    await until(() => served.server.connections === 0);
  });
});
