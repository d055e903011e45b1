/**
 * What a program does with the client library, whatever it runs in: each of
 * the runtimes that are supported goes through it. It imports types of the
 * project only, and uses nothing that Node 20 does not have.
 *
 * @module
 */

import assert from "node:assert/strict";
import type * as Library from "../../rpc/client_mod.ts";

/** Where the server is, and what TLS needs if that is spoken there. */
export interface ScenarioOptions {
  /** The endpoint. */
  readonly endpoint: string;
  /** What TLS needs. */
  readonly tls?: Library.TlsClientOptions;
  /** A CA that the server's certificate does not come from. */
  readonly otherCa?: string;
}

/** Goes through everything, in a directory of its own. */
export async function scenario(
  library: typeof Library,
  options: ScenarioOptions,
): Promise<void> {
  const { endpoint, tls } = options;
  const client = await library.connect(endpoint, { tls });
  const { files } = client;
  const dir = `/scenario-${crypto.randomUUID()}`;
  try {
    await files.mkdir(`${dir}/sub`, { recursive: true });
    await wholeFiles(files, dir);
    await openFiles(library, files, dir);
    await streams(files, dir);
    await names(library, files, dir);
    await signals(files, dir);
    await locks(library, options, dir);
    await manyAtOnce(client, dir);
    await files.sync();
    await files.remove(dir, { recursive: true });
  } finally {
    await client.close();
  }
  await assert.rejects(files.stat("/"), library.DisconnectedError);
  await refusals(library, options);
}

type Files = Library.RemoteFiles;

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** `length` bytes that tell their position. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i >> 8) ^ i;
  return bytes;
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length &&
    one.every((byte, i) => byte === other[i]);
}

async function wholeFiles(files: Files, dir: string): Promise<void> {
  await files.writeTextFile(`${dir}/text`, "grüß Gott");
  await files.writeTextFile(`${dir}/text`, "!", { append: true });
  assert.equal(await files.readTextFile(`${dir}/text`), "grüß Gott!");
  const data = pattern(3_000_001);
  await files.writeFile(`${dir}/big`, data, { mode: 0o600 });
  assert.ok(same(await files.readFile(`${dir}/big`), data));
  await files.copyFile(`${dir}/big`, `${dir}/copy`);
  assert.ok(same(await files.readFile(`${dir}/copy`), data));
  const info = await files.stat(`${dir}/big`);
  assert.deepEqual([info.size, info.mode], [data.length, 0o100600]);
  assert.ok(Math.abs(info.mtime.getTime() - Date.now()) < 600_000);
}

async function openFiles(
  library: typeof Library,
  files: Files,
  dir: string,
): Promise<void> {
  const flags = { read: true, write: true, createNew: true };
  const file = await files.open(`${dir}/open`, flags);
  assert.equal(await file.write(encode("hello, world")), 12);
  assert.equal(await file.seek(7, library.SeekMode.Start), 7);
  const into = new Uint8Array(20);
  assert.equal(await file.read(into), 5);
  assert.equal(await file.read(into), null);
  await file.writeAt(encode("W"), 7);
  assert.equal(await file.readAt(into, 7), 5);
  assert.equal(new TextDecoder().decode(into.subarray(0, 5)), "World");
  await file.truncate(5);
  await file.utime(new Date(1000), 2);
  await file.syncData();
  const { size, atime, mtime } = await file.stat();
  assert.deepEqual([size, +atime, +mtime], [5, 1000, 2000]);
  await file.close();
  await file.close();
  await assert.rejects(file.read(into), { code: "EBADF" });
}

async function streams(files: Files, dir: string): Promise<void> {
  const data = pattern(2_500_000);
  const parts = new ReadableStream<Uint8Array>({
    start(controller): void {
      for (let at = 0; at < data.length; at += 100_000) {
        controller.enqueue(data.subarray(at, at + 100_000));
      }
      controller.close();
    },
  });
  await files.writeFile(`${dir}/stream`, parts);
  const file = await files.open(`${dir}/stream`);
  const through = new CompressionStream("gzip");
  const back = file.readable.pipeThrough(through).pipeThrough(
    new DecompressionStream("gzip"),
  );
  const read = new Uint8Array(await new Response(back).arrayBuffer());
  assert.ok(same(read, data));
  const target = await files.open(`${dir}/stream2`, {
    write: true,
    create: true,
  });
  await (await files.open(`${dir}/stream`)).readable.pipeTo(target.writable);
  assert.ok(same(await files.readFile(`${dir}/stream2`), data));
}

async function names(
  library: typeof Library,
  files: Files,
  dir: string,
): Promise<void> {
  await files.symlink("text", `${dir}/link`);
  assert.equal(await files.readLink(`${dir}/link`), "text");
  await files.link(`${dir}/text`, `${dir}/hard`);
  await files.rename(`${dir}/hard`, `${dir}/sub/moved`);
  await files.setxattr(`${dir}/text`, "user.note", encode("x"));
  assert.deepEqual(await files.listxattr(`${dir}/text`), ["user.note"]);
  const found: string[] = [];
  for await (const entry of files.readDir(dir)) {
    found.push(entry.name + (entry.isDirectory ? "/" : ""));
    if (entry.name === "link") assert.ok(entry.isSymlink);
  }
  for (const name of ["text", "big", "link", "sub/", "stream"]) {
    assert.ok(found.includes(name), name);
  }
  await assert.rejects(files.readFile(`${dir}/none`), (error) => {
    assert.ok(error instanceof library.FsError);
    assert.deepEqual([error.code, error.path], ["ENOENT", `${dir}/none`]);
    return true;
  });
}

async function signals(files: Files, dir: string): Promise<void> {
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  await assert.rejects(files.readFile(`${dir}/big`, { signal }), reason);
  const controller = new AbortController();
  const reading = Promise.allSettled(
    Array.from(
      { length: 100 },
      () => files.readFile(`${dir}/big`, { signal: controller.signal }),
    ),
  );
  controller.abort(reason);
  for (const one of await reading) {
    assert.equal(one.status === "rejected" && one.reason, reason);
  }
  assert.equal((await files.stat(`${dir}/big`)).size, 3_000_001);
}

async function locks(
  library: typeof Library,
  { endpoint, tls }: ScenarioOptions,
  dir: string,
): Promise<void> {
  const one = await library.connect(endpoint, { tls });
  const other = await library.connect(endpoint, { tls });
  try {
    const path = `${dir}/text`;
    const held = await one.files.open(path, { read: true, write: true });
    const wanted = await other.files.open(path, { read: true, write: true });
    await held.lock(true, { start: 10, length: 10 });
    assert.equal(await wanted.tryLock(false), false);
    assert.equal(await wanted.tryLock(true, { start: 20 }), true);
    const reason = new Error("too long");
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = wanted.lock(true, { start: 10, length: 1, signal });
    await other.files.stat(path);
    controller.abort(reason);
    await assert.rejects(waiting, reason);
    const granted = wanted.lock(false);
    await held.unlock();
    await granted;
    await held.close();
    await wanted.close();
  } finally {
    await one.close();
    await other.close();
  }
}

async function manyAtOnce(
  client: Library.Client,
  dir: string,
): Promise<void> {
  const { files } = client;
  const all = Array.from({ length: 200 }, async (_, i) => {
    const path = `${dir}/sub/many-${i}`;
    await files.writeTextFile(path, path);
    assert.equal(await files.readTextFile(path), path);
    await files.remove(path);
  });
  await Promise.all(all);
}

/** What a server, or nothing at all, refuses. */
async function refusals(
  library: typeof Library,
  { endpoint, tls, otherCa }: ScenarioOptions,
): Promise<void> {
  for (const nowhere of ["unix:/nowhere/at/all", "tcp:127.0.0.1:1"]) {
    await assert.rejects(library.connect(nowhere), library.EndpointError);
  }
  if (tls && otherCa) {
    await assert.rejects(
      library.connect(endpoint, { tls: { ...tls, ca: otherCa } }),
      /does not come from the CA/,
    );
  }
}
