import assert from "node:assert/strict";
import { FaultyDevice } from "../../bd/faulty.ts";
import { MemoryDevice } from "../../bd/memory.ts";
import { FsError } from "../../fs/errors.ts";
import {
  type Client,
  connect,
  type RemoteFile,
  SeekMode,
} from "../../rpc/mod.ts";
import { Served } from "./harness.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const BOTH = { read: true, write: true };

/** Declares a test with a client of a fresh volume. */
function testClient(
  name: string,
  test: (client: Client, served: Served) => Promise<void>,
): void {
  Deno.test(name, async () => {
    await using served = await Served.start();
    await using client = await connect(served.endpoints[0]);
    await test(client, served);
  });
}

async function refuses(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(
    promise,
    (error) => error instanceof FsError && error.code === code,
    code,
  );
}

async function readText(file: RemoteFile, length: number): Promise<string> {
  const into = new Uint8Array(length);
  return textOf(into.subarray(0, await file.read(into) ?? 0));
}

testClient("options that do not go together are refused", async ({ files }) => {
  const all = [
    { read: false },
    { create: true },
    { read: true, create: true },
    { read: true, createNew: true },
    { read: true, truncate: true },
    { append: true, truncate: true },
    { write: true, append: true, truncate: true },
  ];
  for (const options of all) await refuses(files.open("/f", options), "EINVAL");
  await refuses(files.open("/f", { write: true }), "ENOENT");
  await refuses(files.open("/", { write: true }), "EISDIR");
});

testClient("an open file has a position", async ({ files }) => {
  await using file = await files.open("/f", { ...BOTH, createNew: true });
  assert.equal(await file.write(bytesOf("hello, ")), 7);
  assert.equal(await file.write(bytesOf("world")), 5);
  assert.equal(await file.read(new Uint8Array(1)), null);
  assert.equal(await file.seek(-5, SeekMode.Current), 7);
  assert.equal(await readText(file, 3), "wor");
  assert.equal(await readText(file, 3), "ld");
  assert.equal(await file.seek(0, Deno.SeekMode.Start), 0);
  assert.equal(await file.read(new Uint8Array(0)), 0);
  assert.equal(await readText(file, 5), "hello");
  assert.equal(await file.seek(-12n, SeekMode.End), 0);
  assert.equal(await file.seek(3, SeekMode.End), 15);
  await file.write(bytesOf("!"));
  assert.equal(await files.readTextFile("/f"), "hello, world\0\0\0!");
  await refuses(file.seek(-1, SeekMode.Start), "EINVAL");
  assert.equal(await file.seek(0, SeekMode.Current), 16);
});

testClient(
  "reads and writes that overlap follow one another",
  async ({ files }) => {
    await using file = await files.open("/f", { ...BOTH, create: true });
    const words = Array.from({ length: 500 }, (_, i) => `word ${i}, `);
    await Promise.all(words.map((word) => file.write(bytesOf(word))));
    assert.equal(await files.readTextFile("/f"), words.join(""));
    await file.seek(0, SeekMode.Start);
    const read = await Promise.all(
      words.map((word) => readText(file, word.length)),
    );
    assert.deepEqual(read, words);
    // At the end all are short: the position is the end.
    await file.seek(-5, SeekMode.End);
    const ends = Array.from({ length: 3 }, () => readText(file, 4));
    assert.deepEqual(await Promise.all(ends), ["499,".slice(-4), " ", ""]);
    assert.equal(
      await file.seek(0, SeekMode.Current),
      words.join("").length,
    );
  },
);

testClient("positional calls leave the position alone", async ({ files }) => {
  await using file = await files.open("/f", { ...BOTH, create: true });
  await file.writeAt(bytesOf("0123456789"), 100);
  assert.equal(await readText(file, 3), "\0\0\0");
  const into = new Uint8Array(20);
  assert.equal(await file.readAt(into, 105), 5);
  assert.equal(textOf(into.subarray(0, 5)), "56789");
  assert.equal(await file.readAt(into, 110), null);
  assert.equal(await file.readAt(into.subarray(0, 0), 110), 0);
  assert.equal(await file.seek(0, SeekMode.Current), 3);
});

testClient(
  "buffers beyond the longest message are read and written as a whole",
  async ({ files }) => {
    const data = Uint8Array.from({ length: 5_000_001 }, (_, i) => (i >> 8) ^ i);
    await using file = await files.open("/f", { ...BOTH, create: true });
    assert.equal(await file.write(data), data.length);
    const into = new Uint8Array(data.length + 10);
    assert.equal(await file.readAt(into, 0), data.length);
    assert.deepEqual(into.subarray(0, data.length), data);
  },
);

testClient("appending goes to the end, wherever that is", async ({ files }) => {
  await using one = await files.open("/f", { append: true, create: true });
  await using other = await files.open("/f", { append: true });
  for (let i = 0; i < 5; i++) {
    await one.write(bytesOf("one "));
    await other.write(bytesOf("other "));
  }
  assert.equal(await files.readTextFile("/f"), "one other ".repeat(5));
  await refuses(one.read(new Uint8Array(1)), "EBADF");
});

testClient("a file is known by its node, too", async ({ files }) => {
  await files.writeTextFile("/f", "contents");
  const { attributes } = await files.stat("/f");
  await using file = await files.openNode(attributes);
  await files.rename("/f", "/g");
  assert.equal(await readText(file, 20), "contents");
  assert.equal((await file.stat()).ino, attributes.ino);
  await refuses(file.write(bytesOf("x")), "EBADF");
});

testClient("what is open outlives its last name", async ({ files }) => {
  await files.writeTextFile("/f", "contents");
  await using file = await files.open("/f", BOTH);
  await files.remove("/f");
  assert.equal((await file.stat()).nlink, 0);
  await file.truncate(4);
  assert.equal(await readText(file, 20), "cont");
});

testClient("attributes of an open file are set", async ({ files }) => {
  await using file = await files.open("/f", { ...BOTH, create: true });
  await file.truncate(1000);
  await file.utime(new Date(5000), { sec: 7, nsec: 8 });
  const { size, atime, attributes } = await file.stat();
  assert.deepEqual([size, +atime], [1000, 5000]);
  assert.deepEqual(attributes.mtime, { sec: 7, nsec: 8 });
  await file.truncate();
  assert.equal((await file.stat()).size, 0);
});

testClient("data and holes are found", async ({ files }) => {
  await using file = await files.open("/f", { ...BOTH, create: true });
  await file.writeAt(new Uint8Array(4096), 1 << 20);
  await file.truncate(4 << 20);
  assert.equal(await file.seekData(0), 1 << 20);
  assert.equal(await file.seekHole(0), 0);
  assert.equal(await file.seekHole(1 << 20), (1 << 20) + 4096);
  assert.equal(await file.seekData((1 << 20) + 4096), null);
  assert.equal(await file.seekHole(4 << 20), null);
});

testClient("holes are neither sent nor stored", async ({ files }) => {
  await using file = await files.open("/f", { ...BOTH, create: true });
  const data = new Uint8Array(4096).fill(7);
  await file.writeAt(data, 8 << 20);
  await file.writeAt(data, 0);
  await file.truncate(64 << 20);
  const { size, blocks } = await file.stat();
  assert.equal(size, 64 << 20);
  assert.ok(blocks < 100);
  const into = new Uint8Array(8192);
  await file.readAt(into, 0);
  assert.deepEqual(into.subarray(0, 4096), data);
  assert.ok(into.subarray(4096).every((byte) => byte === 0));
});

testClient("chunks hold a part of a file", async ({ files }) => {
  const data = Uint8Array.from({ length: 300_000 }, (_, i) => (i >> 8) ^ i);
  await files.writeFile("/f", data);
  await using file = await files.open("/f");
  const parts = [[0, 1], [299_999, 5], [300_000, 5], [7, 250_000], [1, 0]];
  for (const [offset, length] of parts) {
    const found: Uint8Array[] = [];
    const options = { offset, length, chunkSize: 9999 };
    for await (const chunk of file.chunks(options)) found.push(chunk);
    assert.deepEqual(
      Uint8Array.from(Buffer.concat(found)),
      data.subarray(offset, offset + length),
    );
  }
  // Leaving early leaves the file open.
  for await (const _ of file.chunks({ chunkSize: 100 })) break;
  assert.equal(await file.readAt(new Uint8Array(10), 0), 10);
});

testClient(
  "a file that grows or shrinks is read to where it ends",
  async ({ files }) => {
    await files.writeFile("/f", new Uint8Array(100_000));
    await using file = await files.open("/f", BOTH);
    let length = 0;
    for await (const chunk of file.chunks({ chunkSize: 50_000 })) {
      if (length === 0) await file.writeAt(new Uint8Array(150_000), 100_000);
      length += chunk.length;
    }
    assert.equal(length, 250_000);
    length = 0;
    for await (const chunk of file.chunks({ chunkSize: 10_000 })) {
      if (length === 0) await file.truncate(95_000);
      length += chunk.length;
    }
    assert.equal(length, 95_000);
  },
);

Deno.test("writes are made durable by sync(), or one by one", async () => {
  const device = new FaultyDevice(new MemoryDevice(4096, 4096));
  await using served = await Served.start({ device });
  await using client = await connect(served.endpoints[0]);
  const { files } = client;
  const { calls } = device;
  const flags = { write: true, create: true };
  await using plain = await files.open("/plain", flags);
  const syncs = [
    (): Promise<void> => plain.sync(),
    (): Promise<void> => plain.syncData(),
    (): Promise<void> => files.sync(),
  ];
  for (const sync of syncs) {
    const before = calls.flush;
    await plain.write(bytesOf("x"));
    assert.equal(calls.flush, before);
    await sync();
    assert.ok(calls.flush > before);
  }
  await using synced = await files.open("/synced", { ...flags, sync: true });
  const before = calls.flush;
  await synced.write(bytesOf("x"));
  assert.ok(calls.flush > before);
});

testClient("closing is done once", async (client) => {
  const { files } = client;
  const file = await files.open("/f", { ...BOTH, create: true });
  await Promise.all([file.close(), file.close()]);
  await file.close();
  const into = new Uint8Array(1);
  const calls = [file.read(into), file.write(into), file.sync(), file.lock()];
  for (const call of calls) {
    await assert.rejects(call, { code: "EBADF", path: "/f" });
  }
  const other = await files.open("/f");
  await client.close();
  await other.close();
});

testClient("locks keep others out, in part or as a whole", async (client, {
  endpoints,
}) => {
  await using second = await connect(endpoints[1]);
  await using one = await client.files.open("/f", { ...BOTH, create: true });
  await using other = await second.files.open("/f", BOTH);
  await using same = await client.files.open("/f", BOTH);
  await one.lock(true, { start: 100, length: 50 });
  for (const file of [other, same]) {
    assert.equal(await file.tryLock(), false);
    assert.equal(await file.tryLock(true, { start: 149, length: 1 }), false);
    assert.equal(await file.tryLock(false, { start: 150 }), true);
  }
  assert.equal(await one.tryLock(true, { start: 150 }), false);
  await other.unlock();
  await same.close();
  assert.equal(await one.tryLock(true, { start: 150 }), true);
  const granted = other.lock(true);
  await one.close();
  await granted;
});

testClient(
  "waiting for a lock ends with its signal, and leaves nothing",
  async (client, { endpoints }) => {
    await using second = await connect(endpoints[1]);
    await using one = await client.files.open("/f", { ...BOTH, create: true });
    await using other = await second.files.open("/f", BOTH);
    await one.lock(true);
    const reason = new Error("too long");
    const controllers = Array.from({ length: 20 }, () => new AbortController());
    const waiting = controllers.map(({ signal }) =>
      assert.rejects(other.lock(true, { signal }), reason)
    );
    await second.call("ping", {});
    for (const controller of controllers) controller.abort(reason);
    await Promise.all(waiting);
    await second.call("ping", {});
    await one.unlock();
    assert.equal(await one.tryLock(true), true);
    await one.unlock();
    // The lock comes, and nobody waits for it any more.
    const controller = new AbortController();
    const { signal } = controller;
    const late = assert.rejects(other.lock(true, { signal }), reason);
    await Promise.resolve();
    controller.abort(reason);
    await late;
    await second.call("ping", {});
    assert.equal(await one.tryLock(true), true);
  },
);
