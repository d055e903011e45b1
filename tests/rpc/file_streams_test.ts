import assert from "node:assert/strict";
import { FaultyDevice } from "../../bd/faulty.ts";
import { MemoryDevice } from "../../bd/memory.ts";
import { FsError } from "../../fs/errors.ts";
import { type Client, connect, DisconnectedError } from "../../rpc/mod.ts";
import { GateTransport } from "./gate_transport.ts";
import { Served, type ServedOptions, until } from "./harness.ts";

/** Numbers of operations. */
const [CLOSE, READ, WRITE, CANCEL] = [70, 71, 72, 93];
const MEGABYTE = 1024 * 1024;

/** What a test has: a client whose replies can be held back. */
interface Scene {
  readonly client: Client;
  readonly gate: GateTransport;
  readonly served: Served;
}

/**
 * Declares a test. Its connection may have two open files, of which it has
 * none in the end.
 */
function testStreams(
  name: string,
  test: (scene: Scene) => Promise<void>,
  options: ServedOptions = {},
): void {
  Deno.test(name, async () => {
    await using served = await Served.start({ ...options, maxDescriptors: 2 });
    const [endpoint] = served.endpoints;
    const gate = await GateTransport.dial(endpoint);
    await using client = await connect(endpoint, {
      dial: () => Promise.resolve(gate),
    });
    await test({ client, gate, served });
    if (client.ended) return;
    await using _one = await client.files.open("/");
    await using _two = await client.files.open("/");
  });
}

/** `length` bytes that tell their position. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i >> 8) ^ i);
}

async function bytesOf(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

testStreams("a stream holds what the file does", async ({ client }) => {
  const { files } = client;
  for (const size of [0, 1, 262_144, 262_145, 3_000_001]) {
    const data = pattern(size);
    await files.writeFile("/f", data);
    const file = await files.open("/f");
    assert.deepEqual(await bytesOf(file.readable), data);
    await file.close();
    const other = await files.open("/f");
    await other.seek(size >> 1, 0);
    assert.deepEqual(await bytesOf(other.readable), data.slice(size >> 1));
  }
});

testStreams("a stream of bytes becomes the file", async ({ client }) => {
  const { files } = client;
  const data = pattern(3_000_001);
  const file = await files.open("/f", { write: true, create: true });
  await file.write(Uint8Array.of(1, 2, 3));
  const writer = file.writable.getWriter();
  const buffer = new Uint8Array(70_000);
  for (let at = 0; at < data.length; at += buffer.length) {
    const chunk = data.subarray(at, at + buffer.length);
    buffer.set(chunk);
    await writer.write(buffer.subarray(0, chunk.length));
    // Whoever has written a chunk may use it for something else.
    buffer.fill(0xee);
  }
  await writer.close();
  const found = await files.readFile("/f");
  assert.deepEqual([...found.subarray(0, 3)], [1, 2, 3]);
  assert.deepEqual(found.subarray(3), data);
});

testStreams(
  "a reader is read ahead of, and no further",
  async ({ client, gate }) => {
    await client.files.writeFile("/f", pattern(8 * MEGABYTE));
    const file = await client.files.open("/f");
    const reader = file.readable.getReader();
    await client.call("ping", {});
    assert.equal(gate.count(READ), 0);
    for (let i = 1; i <= 10; i++) {
      const { value } = await reader.read();
      assert.equal(value?.length, 262_144);
      await client.call("ping", {});
      assert.equal(gate.count(READ), 3 + i);
    }
    await reader.cancel();
    await until(() => gate.count(CLOSE) === 2);
  },
);

testStreams(
  "a writer goes on until four chunks are in flight",
  async ({ client, gate }) => {
    const flags = { write: true, create: true };
    const file = await client.files.open("/f", flags);
    const writer = file.writable.getWriter();
    gate.hold();
    let taken = 0;
    const writes = Array.from({ length: 20 }, async () => {
      await writer.write(new Uint8Array(1000));
      taken++;
    });
    await until(() => gate.count(WRITE) === 4);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual([gate.count(WRITE), taken], [4, 3]);
    gate.release();
    await Promise.all(writes);
    await writer.close();
    assert.equal((await client.files.stat("/f")).size, 20_000);
  },
);

testStreams(
  "leaving a stream early closes the file, and cancels what is in flight",
  async ({ client, gate }) => {
    await client.files.writeFile("/f", pattern(4 * MEGABYTE));
    for (let i = 0; i < 5; i++) {
      const file = await client.files.open("/f");
      for await (const _ of file.readable) break;
    }
    const file = await client.files.open("/f");
    const reader = file.readable.getReader();
    gate.hold();
    const read = reader.read();
    await until(() => gate.asked.at(-1) === READ);
    const before = gate.count(CANCEL);
    // Nothing has to arrive for it.
    await reader.cancel();
    assert.deepEqual(await read, { done: true, value: undefined });
    await until(() => gate.asked.at(-1) === CLOSE);
    assert.equal(gate.count(CANCEL) - before, 4);
    gate.release();
  },
);

testStreams(
  "aborting a stream closes the file",
  async ({ client, gate }) => {
    const { files } = client;
    const file = await files.open("/f", { write: true, create: true });
    const writer = file.writable.getWriter();
    await writer.write(pattern(1000));
    gate.hold();
    const reason = new Error("enough");
    const writes = Array.from(
      { length: 8 },
      () => writer.write(pattern(1000)),
    );
    const settled = Promise.allSettled(writes);
    await until(() => gate.count(WRITE) === 4);
    // Nothing has to arrive for it.
    await writer.abort(reason);
    assert.ok((await settled).some(({ status }) => status === "rejected"));
    await assert.rejects(writer.closed, reason);
    gate.release();
    await until(() => gate.asked.includes(CLOSE));
  },
);

testStreams(
  "a signal ends a copy in the middle",
  async ({ client }) => {
    const { files } = client;
    await files.writeFile("/from", pattern(8 * MEGABYTE));
    for (let i = 0; i < 5; i++) {
      const reason = new Error("enough");
      const controller = new AbortController();
      const { signal } = controller;
      const from = await files.open("/from");
      const to = await files.open("/to", { write: true, create: true });
      let chunks = 0;
      const counting = new TransformStream<
        Uint8Array<ArrayBuffer>,
        Uint8Array<ArrayBuffer>
      >({
        transform(chunk, passOn): void {
          if (++chunks === 6) controller.abort(reason);
          passOn.enqueue(chunk);
        },
      });
      const copy = from.readable.pipeThrough(counting, { signal }).pipeTo(
        to.writable,
        { signal },
      );
      await assert.rejects(copy, reason);
    }
  },
);

testStreams(
  "writeFile() of a stream ends with its signal, and cancels the stream",
  async ({ client }) => {
    const reason = new Error("enough");
    const controller = new AbortController();
    let cancelled: unknown;
    const endless = new ReadableStream<Uint8Array>({
      pull(stream): void {
        stream.enqueue(new Uint8Array(1000));
      },
      cancel(why): void {
        cancelled = why;
      },
    });
    const { signal } = controller;
    const writing = client.files.writeFile("/f", endless, { signal });
    setTimeout(() => controller.abort(reason), 20);
    await assert.rejects(writing, reason);
    assert.equal(cancelled, reason);
  },
);

testStreams(
  "writeFile() cancels a stream that it has no file for",
  async ({ client }) => {
    let cancelled: unknown;
    const stream = new ReadableStream<Uint8Array>({
      cancel(why): void {
        cancelled = why;
      },
    });
    const writing = client.files.writeFile("/no/file", stream);
    await assert.rejects(writing, { code: "ENOENT" });
    assert.ok(cancelled instanceof FsError);
  },
);

testStreams("a source that fails ends the writing", async ({ client }) => {
  const failure = new Error("the source has failed");
  let chunks = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller): void {
      if (++chunks > 5) controller.error(failure);
      else controller.enqueue(new Uint8Array(1000));
    },
  });
  await assert.rejects(client.files.writeFile("/f", stream), failure);
});

testStreams(
  "a full volume fails the next write, and the closing",
  async ({ client }) => {
    const { files } = client;
    let cancelled: unknown;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller): void {
        controller.enqueue(new Uint8Array(100_000).fill(1));
      },
      cancel(why): void {
        cancelled = why;
      },
    });
    await assert.rejects(files.writeFile("/f", endless), {
      code: "ENOSPC",
      path: "/f",
    });
    assert.equal((cancelled as FsError).code, "ENOSPC");
    const file = await files.open("/f", { append: true });
    const writer = file.writable.getWriter();
    // It is in flight when the writer goes on.
    await writer.write(new Uint8Array(100_000).fill(1));
    await assert.rejects(writer.close(), { code: "ENOSPC" });
    await files.remove("/f");
  },
  { device: new MemoryDevice(4096, 512) },
);

testStreams("a chunk must be bytes", async ({ client }) => {
  const file = await client.files.open("/f", { write: true, create: true });
  const writer = file.writable.getWriter();
  await assert.rejects(writer.write("text" as never), TypeError);
  await assert.rejects(writer.closed, TypeError);
});

const faulty = new FaultyDevice(new MemoryDevice(4096, 4096));

testStreams(
  "a block that cannot be read fails the stream where it is",
  async ({ client, served }) => {
    const { files } = client;
    await files.writeFile("/f", pattern(4 * MEGABYTE));
    await served.fs.sync();
    const file = await files.open("/f");
    const reader = file.readable.getReader();
    const { value } = await reader.read();
    assert.deepEqual(value, pattern(262_144));
    faulty.rule = ({ kind }) => kind === "read" ? "EIO" : null;
    const rest = async (): Promise<void> => {
      while (!(await reader.read()).done);
    };
    await assert.rejects(rest(), { code: "EIO", path: "/f" });
    faulty.rule = null;
  },
  { device: faulty, cacheSize: 256 << 10 },
);

testStreams(
  "the end of the connection fails streams of both kinds",
  async ({ client, served }) => {
    const { files } = client;
    await files.writeFile("/f", pattern(4 * MEGABYTE));
    const reader = (await files.open("/f")).readable.getReader();
    const flags = { write: true, create: true };
    const writer = (await files.open("/g", flags)).writable.getWriter();
    await reader.read();
    await writer.write(new Uint8Array(10));
    await served.server.stop();
    await client.closed;
    const rest = async (): Promise<void> => {
      while (!(await reader.read()).done);
    };
    await assert.rejects(rest(), DisconnectedError);
    await assert.rejects(writer.write(new Uint8Array(10)), DisconnectedError);
  },
);
