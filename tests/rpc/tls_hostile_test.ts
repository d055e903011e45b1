import assert from "node:assert/strict";
import type { ConnectionOptions } from "node:tls";
import {
  connect,
  EndpointError,
  formatEndpoint,
  RemoteFiles,
} from "../../rpc/mod.ts";
import {
  certificates,
  clientTls,
  type Identity,
  serverTls,
} from "../support/certificates.ts";
import { run, testWith, withTempDir } from "../support/tools.ts";
import { hello, message, RawClient, Served, until } from "./harness.ts";
import { rawTlsClient, TlsStream } from "./tls_client.ts";

const ALPN = ["nextfs/1"];

function test(name: string, fn: () => Promise<void>): Promise<void> {
  return testWith(["openssl"], name, fn);
}

/** Asserts that an ordinary client is served. */
async function assertServing(endpoint: string): Promise<void> {
  await using client = await connect(endpoint, { tls: await clientTls() });
  await new RemoteFiles(client).stat("/lost+found");
}

/** Asserts that the one line in the log says `reason`, and empties it. */
async function assertRefused(
  served: Served,
  endpoint: string,
  reason: RegExp,
): Promise<void> {
  await until(() => served.log.length > 0);
  const [line] = served.log.splice(0);
  const from = endpoint.startsWith("unix:")
    ? ""
    : / from 127\.0\.0\.1:\d+/.source;
  const start = new RegExp(`^Refused a client${from} at ${endpoint}: (.*)$`);
  const match = start.exec(line);
  assert.ok(match, line);
  assert.match(match[1], reason);
  await assertServing(endpoint);
  assert.deepEqual(served.log, [], "one line for one client");
  await until(() => served.server.connections === 0);
}

/** Clients that are refused, and what the log says of each. */
async function refusedClients(): Promise<
  [name: string, offer: ConnectionOptions, reason: RegExp][]
> {
  const { client, stranger, expired } = await certificates();
  const as = ({ cert, key }: Identity): ConnectionOptions => ({ cert, key });
  const notGood = /^its certificate does not come from the CA, is out of date/;
  return [
    ["no certificate", { ALPNProtocols: ALPN }, /^it has no certificate$/],
    ["another CA", { ...as(stranger), ALPNProtocols: ALPN }, notGood],
    [
      "expired",
      { ...as(expired), ALPNProtocols: ALPN },
      /^its certificate has expired$/,
    ],
    [
      "TLS 1.2",
      { ...as(client), ALPNProtocols: ALPN, maxVersion: "TLSv1.2" },
      /^it does not speak TLS 1\.3$/,
    ],
    ["no ALPN", as(client), /^it does not offer nextfs\/1 \(ALPN\)$/],
    [
      "another ALPN",
      { ...as(client), ALPNProtocols: ["h2", "http/1.1"] },
      /^it does not offer nextfs\/1 \(ALPN\)$/,
    ],
    // A CA that both trust makes no server a client.
    [
      "a server's certificate",
      { ...as((await certificates()).server), ALPNProtocols: ALPN },
      notGood,
    ],
  ];
}

await test("clients that are not let in are told apart in the log", async () => {
  await using served = await Served.start({ tls: await serverTls() });
  for (const [name, offer, reason] of await refusedClients()) {
    await served.each(async (endpoint) => {
      const stream = await TlsStream.start(endpoint, offer);
      stream.write(hello()).catch(() => {});
      const buffer = new Uint8Array(100);
      assert.equal(await stream.read(buffer), null, `${name}: not answered`);
      stream.close();
      await assertRefused(served, endpoint, reason);
    });
  }
});

await test("openssl with TLS 1.2, or without a certificate, is refused", async () => {
  const { ca, client } = await certificates();
  await using served = await Served.start({ tls: await serverTls() });
  const endpoint = formatEndpoint(served.endpoints[1]);
  const always = ["-connect", endpoint.slice(4), "-CAfile", ca.certPath];
  const identity = ["-cert", client.certPath, "-key", client.keyPath];
  const alpn = ["-alpn", "nextfs/1"];
  for (
    const [options, reason] of [
      [[...identity, ...alpn, "-tls1_2"], /^it does not speak TLS 1\.3$/],
      [alpn, /^it has no certificate$/],
      [identity, /^it does not offer nextfs\/1/],
    ] as const
  ) {
    await run("openssl", "s_client", ...always, ...options);
    await assertRefused(served, endpoint, reason);
  }
});

await test("who was refused does not get in by resuming the session", async () => {
  const { ca, client, stranger } = await certificates();
  await using served = await Served.start({
    tls: await serverTls(),
    helloTimeout: 500,
  });
  const endpoint = formatEndpoint(served.endpoints[1]);
  // It waits for the server to end the connection, and has tickets by then.
  const always = [
    ...["-connect", endpoint.slice(4), "-CAfile", ca.certPath],
    ...["-alpn", "nextfs/1", "-ign_eof"],
  ];
  await withTempDir(async (dir) => {
    const session = `${dir}/session`;
    for (const { certPath, keyPath } of [stranger, client]) {
      const identity = ["-cert", certPath, "-key", keyPath];
      const first = ["-sess_out", session];
      await run("openssl", "s_client", ...always, ...identity, ...first);
      if (certPath === stranger.certPath) {
        await assertRefused(served, endpoint, /^its certificate does not com/);
      }
      assert.ok((await Deno.stat(session)).isFile);
      const second = ["-sess_in", session];
      await run("openssl", "s_client", ...always, ...identity, ...second);
      await assertRefused(served, endpoint, /^it resumes a session, so that/);
      await Deno.remove(session);
    }
  });
});

await test("what is no TLS is refused, whatever it is", async () => {
  await using served = await Served.start({ tls: await serverTls() });
  const text = new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n");
  await served.each(async (endpoint) => {
    for (
      const bytes of [
        hello(),
        text,
        new Uint8Array(100_000),
        new Uint8Array(3000).map(() => Math.random() * 256 | 128),
        // A record that is declared longer than one can be.
        Uint8Array.of(22, 3, 1, 0xff, 0xff, 1, 2, 3),
        // An alert, and application data, instead of a handshake.
        Uint8Array.of(21, 3, 3, 0, 2, 2, 50),
        Uint8Array.of(23, 3, 3, 0, 4, 1, 2, 3, 4),
      ]
    ) {
      const client = await RawClient.connect(endpoint);
      client.send(bytes).catch(() => {});
      await until(() => served.log.length > 0);
      client.close();
      await assertRefused(served, endpoint, /./);
    }
    const closeNotify = [21, 3, 3, 0, 2, 1, 0];
    for (const bytes of [[], [22], [22, 3, 1, 2, 0, 1], closeNotify]) {
      const client = await RawClient.connect(endpoint);
      await client.send(Uint8Array.from(bytes));
      client.close();
      await assertRefused(served, endpoint, /^it went away during the handsh/);
    }
  });
});

await test("those who expect TLS, and those who do not, are told", async () => {
  await using plain = await Served.start();
  await using served = await Served.start({ tls: await serverTls() });
  const tls = await clientTls();
  const [unix] = served.endpoints.map(formatEndpoint);
  await assert.rejects(connect(unix), /wants TLS.*--tls-cert/);
  await assertRefused(served, unix, /^it does not speak TLS$/);
  await assert.rejects(
    connect(formatEndpoint(plain.endpoints[0]), { tls }),
    /^EndpointError: Cannot connect to unix:.*: the server does not speak TLS/,
  );
  // Its port is the same whatever one calls the endpoint.
  const { port } = plain.endpoints[1] as { port: number };
  await assert.rejects(
    connect(`tls:127.0.0.1:${port}`, { tls }),
    /does not speak TLS; connect without certificates/,
  );
});

await test("a client whose certificate is refused can say so", async () => {
  const { ca, stranger } = await certificates();
  await using served = await Served.start({ tls: await serverTls() });
  await served.each(async (endpoint) => {
    const tls = { ca: ca.cert, cert: stranger.cert, key: stranger.key };
    await assert.rejects(connect(endpoint, { tls }), (error) => {
      assert.ok(error instanceof EndpointError, String(error));
      assert.match(error.message, /may refuse the certificate of this client/);
      return true;
    });
    await assertRefused(served, endpoint, /^its certificate does not come/);
  });
});

await test("a byte that is changed on the way does no harm", async () => {
  await using served = await Served.start({ tls: await serverTls() });
  const { path } = served.endpoints[0] as { path: string };
  const endpoint = formatEndpoint(served.endpoints[0]);
  await using bystander = await connect(endpoint, { tls: await clientTls() });
  const files = new RemoteFiles(bystander);
  let ended = 0;
  for (let at = 0; at < 1000; at += 20) {
    using proxy = new BadProxy({ path }, at);
    try {
      await using client = await connect(proxy.endpoint, {
        tls: await clientTls(),
        helloTimeout: 2000,
      });
      // Some bytes of a record's head have no meaning (RFC 8446, 5.1).
      await new RemoteFiles(client).stat("/lost+found");
    } catch {
      ended++;
    }
    await files.stat("/lost+found");
  }
  assert.ok(ended > 40, `${ended} of 50 were noticed`);
  await until(() => served.server.connections === 1);
});

/** Hands bytes on between a client and a server, and changes one of them. */
class BadProxy implements Disposable {
  readonly endpoint: string;
  readonly #listener: Deno.UnixListener;
  readonly #conns: Deno.Conn[] = [];

  /** Changes byte `at` of what the client sends. */
  constructor(server: { path: string }, at: number) {
    const path = `\0nextfs-proxy-${crypto.randomUUID()}`;
    this.endpoint = `unix:@${path.slice(1)}`;
    this.#listener = Deno.listen({ transport: "unix", path });
    this.#run(server.path, at);
  }

  async #run(server: string, at: number): Promise<void> {
    const client = await this.#listener.accept().catch(() => null);
    if (client === null) return;
    const path = `\0${server}`;
    const upstream = await Deno.connect({ transport: "unix", path });
    this.#conns.push(client, upstream);
    await Promise.all([pipe(client, upstream, at), pipe(upstream, client, -1)]);
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const conn of this.#conns) {
      try {
        conn.close();
      } catch {
        // It has been.
      }
    }
  }
}

async function pipe(from: Deno.Conn, to: Deno.Conn, at: number): Promise<void> {
  const buffer = new Uint8Array(65536);
  try {
    for (;;) {
      const count = await from.read(buffer);
      if (count === null) break;
      if (at >= 0 && at < count) buffer[at] ^= 0x55;
      at -= count;
      for (let done = 0; done < count;) {
        done += await to.write(buffer.subarray(done, count));
      }
    }
    await to.closeWrite();
  } catch {
    // One of them has gone.
  }
}

await test("half-open handshakes by the hundred leave others served", async () => {
  await using served = await Served.start({
    tls: await serverTls(),
    helloTimeout: 1500,
    maxHandshakes: 100,
  });
  await served.each(async (endpoint) => {
    await using client = await connect(endpoint, { tls: await clientTls() });
    const files = new RemoteFiles(client);
    const halfOpen: RawClient[] = [];
    for (let i = 0; i < 300; i++) {
      const one = await RawClient.connect(endpoint);
      // Some are silent, some have begun a hello and never end it.
      if (i % 2 === 0) await one.send(Uint8Array.of(22, 3, 1, 2, 0, 1));
      halfOpen.push(one);
      if (i % 10 === 0) await files.stat("/lost+found");
    }
    await assertServing(endpoint);
    for (let i = 0; i < 50; i++) await files.stat("/lost+found");
    // The oldest have made room, and the rest run out of time.
    for (const one of halfOpen) {
      while (await one.receive().catch(() => null) !== null);
      one.close();
    }
    await until(() => served.log.length === 300);
    const lines = served.log.splice(0);
    const count = (reason: RegExp): number =>
      lines.filter((line) => reason.test(line)).length;
    const early = count(/there are too many handshakes, and its own is the ol/);
    assert.ok(early >= 200 && early <= 202, `${early} made room`);
    assert.equal(count(/its handshake takes longer than 1500 ms/), 300 - early);
  });
});

await test("a handshake byte by byte is not waited for", async () => {
  await using served = await Served.start({
    tls: await serverTls(),
    helloTimeout: 300,
  });
  await served.each(async (endpoint) => {
    const client = await RawClient.connect(endpoint);
    const dripping = setInterval(() => {
      client.send(Uint8Array.of(22)).catch(() => {});
    }, 20);
    client.send(Uint8Array.of(22, 3, 1, 2, 0, 1)).catch(() => {});
    await assertRefused(served, endpoint, /longer than 300 ms/);
    clearInterval(dripping);
    client.close();
  });
});

await test("silence behind the handshake ends the connection too", async () => {
  await using served = await Served.start({
    tls: await serverTls(),
    helloTimeout: 200,
    stallTimeout: 200,
  });
  await served.each(async (endpoint) => {
    const silent = await rawTlsClient(endpoint);
    const halfway = await (await rawTlsClient(endpoint)).greet();
    await halfway.send(message(3, 83).subarray(0, 5));
    for (const client of [silent, halfway]) {
      assert.equal(await client.receive(), null);
      client.close();
    }
  });
  assert.deepEqual(served.log, []);
});

await test("TLS: a connection too many is told so", async () => {
  const tls = await serverTls();
  await using served = await Served.start({ tls, maxConnections: 1 });
  await served.each(async (endpoint) => {
    const first = await (await rawTlsClient(endpoint)).greet();
    await assert.rejects(
      connect(endpoint, { tls: await clientTls() }),
      (error) => (error as { code?: string }).code === "EAGAIN",
    );
    first.close();
    await until(() => served.server.connections === 0);
    await assertServing(endpoint);
    await until(() => served.server.connections === 0);
  });
});

await test("a server that stops does not wait for handshakes", async () => {
  const served = await Served.start({ tls: await serverTls() });
  const clients: RawClient[] = [];
  await served.each(async (endpoint) => {
    await assertServing(endpoint);
    for (let i = 0; i < 20; i++) {
      clients.push(await RawClient.connect(endpoint));
    }
  });
  const before = performance.now();
  await served[Symbol.asyncDispose]();
  assert.ok(performance.now() - before < 2000);
  for (const client of clients) {
    assert.equal(await client.receive(), null);
    client.close();
  }
  assert.deepEqual(served.log, []);
});
