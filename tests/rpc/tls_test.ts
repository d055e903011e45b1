import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  connect,
  dial,
  EndpointError,
  formatEndpoint,
  listen,
  parseEndpoint,
  RemoteFiles,
  type TlsClientOptions,
  type Transport,
  type TransportListener,
} from "../../rpc/mod.ts";
import { certificates, clientTls, serverTls } from "../support/certificates.ts";
import { run, testWith, withTempDir } from "../support/tools.ts";
import { message, Served, until } from "./harness.ts";
import { rawTlsClient } from "./tls_client.ts";

const MEGABYTE = 1024 * 1024;

/** Asserts that an ordinary client is served. */
async function assertServing(endpoint: string): Promise<void> {
  await using client = await connect(endpoint, { tls: await clientTls() });
  await new RemoteFiles(client).stat("/lost+found");
}

async function cannotConnect(
  endpoint: string,
  tls: TlsClientOptions | undefined,
  message: RegExp,
): Promise<void> {
  await assert.rejects(connect(endpoint, { tls }), (error) => {
    assert.ok(error instanceof EndpointError, String(error));
    assert.match(error.message, message);
    return true;
  });
}

function test(name: string, fn: () => Promise<void>): Promise<void> {
  return testWith(["openssl"], name, fn);
}

function hash(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

await test("TLS: 16 MiB go there and back", async () => {
  await using served = await Served.start({ tls: await serverTls() });
  const data = new Uint8Array(16 * MEGABYTE);
  for (let at = 0; at < data.length; at += 65536) {
    crypto.getRandomValues(data.subarray(at, at + 65536));
  }
  await served.each(async (endpoint) => {
    await using client = await connect(endpoint, { tls: await clientTls() });
    const files = new RemoteFiles(client);
    await files.writeFile("/big", data);
    assert.equal(hash(await files.readFile("/big")), hash(data));
  });
  assert.deepEqual(served.log, []);
});

await test("TLS: many requests at once are answered in their order", async () => {
  await using served = await Served.start({ tls: await serverTls() });
  await served.each(async (endpoint) => {
    const client = await (await rawTlsClient(endpoint)).greet();
    const ids = Array.from({ length: 200 }, (_, i) => i + 2);
    await client.send(...ids.map((id) => message(id, 83)));
    for (const id of ids) {
      assert.deepEqual((await client.receive())?.slice(0, 2), [id, 0]);
    }
    client.close();
  });
});

await test("TLS: what was sent before the end of sending is answered", async () => {
  await using served = await Served.start({ tls: await serverTls() });
  await served.each(async (endpoint) => {
    const client = await (await rawTlsClient(endpoint)).greet();
    await client.send(message(2, 83), message(3, 88), message(4, 83));
    await client.closeWrite();
    const ids = new Set<unknown>();
    for (let i = 0; i < 3; i++) ids.add((await client.receive())?.[0]);
    assert.deepEqual([...ids].sort(), [2, 3, 4]);
    assert.equal(await client.receive(), null);
    client.close();
    await until(() => served.server.connections === 0);
  });
});

await test("openssl agrees: TLS 1.3, the ALPN, and the chain", async () => {
  const { ca, client } = await certificates();
  await using served = await Served.start({ tls: await serverTls() });
  const { port } = served.endpoints[1] as { port: number };
  const { stdout } = await run("openssl", "s_client", ...[
    ...["-connect", `127.0.0.1:${port}`, "-CAfile", ca.certPath],
    ...["-cert", client.certPath, "-key", client.keyPath],
    ...["-alpn", "nextfs/1", "-verify_ip", "127.0.0.1"],
    ...["-verify_return_error"],
  ]);
  assert.match(stdout, /^New, TLSv1\.3/m);
  assert.match(stdout, /^Verification: OK/m);
  assert.match(stdout, /^ALPN protocol: nextfs\/1/m);
  await until(() => served.server.connections === 0);
});

await test("a server's certificate must be of the CA and for the host", async () => {
  const { otherCa, stranger } = await certificates();
  const tls = await clientTls();
  await using served = await Served.start({ tls: await serverTls() });
  const [unix, port] = served.endpoints.map(formatEndpoint);
  const refused =
    /^Cannot connect to .*: the server's certificate does not come/;
  await served.each(async (endpoint) => {
    const wrong = { ...tls, ca: otherCa.cert };
    await cannotConnect(endpoint, wrong, refused);
  });
  // A certificate of another CA does not become good by trusting both.
  const name = { ...tls, serverName: "elsewhere.test" };
  await cannotConnect(port, name, /is for another name: .*elsewhere\.test/);
  await cannotConnect(unix, name, /is for another name: .*elsewhere\.test/);
  for (const serverName of ["nextfs.test", "localhost", "127.0.0.1"]) {
    await using client = await connect(unix, { tls: { ...tls, serverName } });
    assert.ok(client.root);
  }
  const host = port.replace("127.0.0.1", "localhost");
  await assertServing(host);
  // Not even a client that both sides know is a server.
  const impostor = { ...stranger, ca: otherCa.cert };
  await using false_ = await Served.start({ tls: impostor });
  await cannotConnect(formatEndpoint(false_.endpoints[0]), tls, refused);
});

await test("a client that does not read makes the server wait, no more", async () => {
  await using served = await Served.start({
    tls: await serverTls(),
    stallTimeout: 700,
  });
  const ino = served.fs.create(2, "megabyte", { mode: 0o644 });
  served.fs.write(ino, 0, new Uint8Array(MEGABYTE).fill(1));
  await served.each(async (endpoint) => {
    await using other = await connect(endpoint, { tls: await clientTls() });
    const files = new RemoteFiles(other);
    const { generation } = (await files.stat("/megabyte")).attributes;
    const client = await dial(
      parseEndpoint(endpoint),
      await clientTls(),
    );
    const requests = [message(1, 64, "nextfs", 1, 1024 * 1024, 64, [])];
    requests.push(message(2, 69, [ino, generation], 0));
    for (let id = 3; id < 53; id++) {
      requests.push(message(id, 71, 1, 0, 900_000));
    }
    for (const request of requests) await client.write(request);
    for (let i = 0; i < 20; i++) await files.stat("/megabyte");
    await until(() => served.server.connections === 1);
    // Of 45 MB, what the sockets held is there, and then comes the end.
    const count = await countAll(client);
    assert.ok(count > 100_000 && count < 4 * MEGABYTE, `${count} bytes`);
    client.close();
  });
});

/** A connection: the client's end and the server's. */
async function bothEnds(
  listener: TransportListener,
): Promise<[Transport, Transport]> {
  const [client, server] = await Promise.all([
    dial(listener.endpoint, await clientTls()),
    listener.accept(),
  ]);
  return [client, server!];
}

/** Reads to the end; the number of bytes. */
async function countAll(transport: Transport): Promise<number> {
  const buffer = new Uint8Array(65536);
  let total = 0;
  for (;;) {
    const count = await transport.read(buffer).catch(() => null);
    if (count === null) return total;
    total += count;
  }
}

await test("a server that does not read makes the client wait, no more", async () => {
  for (const text of [`unix:@${crypto.randomUUID()}`, "tls:127.0.0.1:0"]) {
    const listener = await listen(parseEndpoint(text), await serverTls());
    const [client, server] = await bothEnds(listener);
    let sent = 0;
    const piece = new Uint8Array(65536);
    const isTaken = (): Promise<boolean> => {
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const timer = setTimeout(() => resolve(false), 300);
      pending = client.write(piece.fill(sent / piece.length)).then(() => {
        clearTimeout(timer);
        resolve(true);
      });
      return promise;
    };
    let pending = Promise.resolve();
    while (await isTaken()) {
      sent += piece.length;
      assert.ok(sent < 8 * MEGABYTE, "the client is never stopped");
    }
    sent += piece.length;
    // All is there, in its order, once it is read.
    const buffer = new Uint8Array(10_000);
    for (let at = 0; at < sent;) {
      const count = (await server.read(buffer))!;
      for (let i = 0; i < count; i += 100) {
        assert.equal(buffer[i], Math.floor((at + i) / piece.length) % 256);
      }
      at += count;
    }
    await pending;
    client.close();
    assert.equal(await server.read(buffer), null);
    server.close();
    listener.close();
    assert.equal(await listener.accept(), null);
  }
});

/** Pieces whose lengths lie about the bounds of records and writes. */
function pieces(seed: number): Uint8Array[] {
  const around = [1, 100, 4096, 16384, 32768, 65536, 131072];
  return Array.from({ length: 120 }, (_, i) => {
    const most = around[(i * 5 + seed) % around.length];
    const length = Math.max(1, most + (i * 7 + seed) % 5 - 2);
    return new Uint8Array(length).fill(i + seed);
  });
}

async function readHash(from: Transport, length: number): Promise<string> {
  const all = createHash("sha256");
  const buffer = new Uint8Array(50_000);
  for (let left = length; left > 0;) {
    const count = await from.read(buffer.subarray(0, left));
    if (count === null) break;
    all.update(buffer.subarray(0, count));
    left -= count;
  }
  return all.digest("hex");
}

await test("TLS: pieces of all sizes arrive, both ways at once", async () => {
  for (const text of [`unix:@${crypto.randomUUID()}`, "tls:127.0.0.1:0"]) {
    const listener = await listen(parseEndpoint(text), await serverTls());
    const ends = await bothEnds(listener);
    await Promise.all(ends.map(async (end, i) => {
      const sent = pieces(i);
      const send = async (): Promise<void> => {
        for (const piece of sent) await end.write(piece);
      };
      const whole = new Uint8Array(await new Blob(sent as BlobPart[]).bytes());
      const [arrived] = await Promise.all([
        readHash(ends[1 - i], whole.length),
        send(),
      ]);
      assert.equal(arrived, hash(whole));
    }));
    // One who waits for nothing else is told of the end.
    ends[0].close();
    assert.equal(await ends[1].read(new Uint8Array(10)), null);
    ends[1].close();
    listener.close();
  }
});

await test("TLS: questions and answers of all sizes, in turn", async () => {
  const listener = await listen(
    parseEndpoint(`unix:@${crypto.randomUUID()}`),
    await serverTls(),
  );
  const [client, server] = await bothEnds(listener);
  for (const piece of [...pieces(3), ...pieces(4)]) {
    const [asked] = await Promise.all([
      readHash(server, piece.length),
      client.write(piece),
    ]);
    assert.equal(asked, hash(piece));
    const [answered] = await Promise.all([
      readHash(client, piece.length),
      server.write(piece),
    ]);
    assert.equal(answered, hash(piece));
  }
  client.close();
  server.close();
  listener.close();
});

await test("a stream that is closed fails those who wait for it", async () => {
  const listener = await listen(
    parseEndpoint(`unix:@${crypto.randomUUID()}`),
    await serverTls(),
  );
  const [client, server] = await bothEnds(listener);
  const waiting = [
    assert.rejects(server.read(new Uint8Array(10))),
    assert.rejects(server.write(new Uint8Array(8 * MEGABYTE))),
  ];
  await new Promise((resolve) => setTimeout(resolve, 50));
  server.close();
  await Promise.all(waiting);
  client.close();
  for (const transport of [client, server]) {
    await assert.rejects(transport.read(new Uint8Array(10)));
    await assert.rejects(transport.write(new Uint8Array(10)));
    transport.close();
  }
  listener.close();
});

await test("where TLS is, and where it cannot be", async () => {
  const tls = await serverTls();
  await using plain = await Served.start();
  await using server = await Served.start({ tls });
  const insecure = await Served.start({ tls, insecure: true });
  const refuses = async (promise: Promise<unknown>, text: RegExp) => {
    await assert.rejects(promise, (error) => {
      assert.equal((error as { code?: string }).code, "EINVAL");
      assert.match((error as Error).message, text);
      return true;
    });
  };
  await refuses(
    plain.server.listen("tls:127.0.0.1:0"),
    /cannot listen at tls:.*give --tls-cert, --tls-key and --client-ca$/,
  );
  await refuses(
    connect("tls:127.0.0.1:1"),
    /cannot connect to tls:.*give --tls-cert, --tls-key and --ca$/,
  );
  await refuses(
    server.server.listen("tcp:127.0.0.1:0"),
    /with certificates it is tls:127\.0\.0\.1:0$/,
  );
  await refuses(
    connect("tcp:127.0.0.1:1", { tls: await clientTls() }),
    /with certificates it is tls:127\.0\.0\.1:1$/,
  );
  // What is encrypted may be reached from other machines.
  const open = await server.server.listen("tls:0.0.0.0:0") as { port: number };
  await assertServing(`tls:127.0.0.1:${open.port}`);
  const clear = await insecure.server.listen("tcp:127.0.0.1:0");
  await using client = await connect(clear);
  assert.ok(client.root);
  await client.close();
  await insecure[Symbol.asyncDispose]();
});

await test("TLS: a socket's file is its owner's, and goes with the server", async () => {
  await withTempDir(async (dir) => {
    const endpoint = `unix:${dir}/socket`;
    {
      await using served = await Served.start({ tls: await serverTls() });
      await served.server.listen(endpoint);
      assert.equal((await Deno.lstat(`${dir}/socket`)).mode! & 0o777, 0o600);
      await assertServing(endpoint);
      await using second = await Served.start({ tls: await serverTls() });
      await assert.rejects(second.server.listen(endpoint), /another server/);
      // Its look at who is there counts as a client that went away.
      await until(() => served.log.length === 1);
      await assertServing(endpoint);
    }
    await assert.rejects(Deno.lstat(`${dir}/socket`), Deno.errors.NotFound);
    await cannotConnect(endpoint, await clientTls(), /there is no socket/);
  });
});
