import assert from "node:assert/strict";
import {
  type Client,
  connect,
  DisconnectedError,
  FsError,
  ProtocolError,
} from "../../rpc/mod.ts";
import { message, Served } from "./harness.ts";
import {
  type Answer,
  attributesOf,
  usual,
  withScript,
} from "./scripted_server.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

Deno.test("a client whose server has gone rejects what is pending", async () => {
  const served = await Served.start();
  const { path } = served.endpoints[0] as { path: string };
  const client = await connect(`unix:@${path}`);
  await served[Symbol.asyncDispose]();
  await client.closed;
  for (const call of [client.call("statfs", {}), client.call("sync", {})]) {
    await assert.rejects(call, (error) =>
      error instanceof DisconnectedError &&
      /ended the connection: .*the server is stopping/.test(error.message));
  }
});

Deno.test("a client refuses a server that speaks something else", async () => {
  const endpoint = `unix:@nextfs-test-other-${crypto.randomUUID()}`;
  const path = `\0${endpoint.slice(6)}`;
  using listener = Deno.listen({ transport: "unix", path });
  const answers = [
    bytesOf("HTTP/1.1 400 Bad Request\r\n\r\n"),
    message(1, 0, "text"),
    message(2, 0),
    message(0, 11, "go away"),
    new Uint8Array(0),
  ];
  const served = (async (): Promise<void> => {
    for (const answer of answers) {
      using conn = await listener.accept();
      await conn.read(new Uint8Array(100));
      await conn.write(answer);
    }
  })();
  await assert.rejects(connect(endpoint), ProtocolError);
  await assert.rejects(connect(endpoint), ProtocolError);
  await assert.rejects(connect(endpoint), ProtocolError);
  await assert.rejects(connect(endpoint), /go away/);
  await assert.rejects(connect(endpoint), DisconnectedError);
  await served;
});

Deno.test("a client gives up on a server that does not answer", async () => {
  const endpoint = `unix:@nextfs-test-mute-${crypto.randomUUID()}`;
  const path = `\0${endpoint.slice(6)}`;
  using listener = Deno.listen({ transport: "unix", path });
  const accepted = listener.accept();
  await assert.rejects(
    connect(endpoint, { helloTimeout: 50 }),
    /no answer to the hello within 50 ms/,
  );
  (await accepted).close();
});

/** What a server answers to requests, by operation; as usual if absent. */
type Replies = Readonly<Record<number, readonly unknown[]>>;

/** Runs `test` with a client of a server that gives these replies. */
async function withReplies(
  replies: Replies,
  test: (client: Client) => Promise<void>,
): Promise<void> {
  const answer: Answer = (id, operation) => {
    const reply = replies[operation];
    return reply ? message(id, 0, ...reply) : usual(id, operation, 100);
  };
  await withScript(answer, async (endpoint) => {
    await using client = await connect(endpoint);
    await test(client);
  });
}

Deno.test("a client refuses contents that it has not asked for", async () => {
  const data = new Uint8Array(400_000);
  await withReplies({ 71: [data] }, async ({ files }) => {
    const file = await files.open("/f");
    const into = new Uint8Array(10);
    for (const read of [file.read(into), files.readFile("/f")]) {
      await assert.rejects(read, { code: "EPROTO" });
    }
  });
});

Deno.test("a client refuses names that lead elsewhere", async () => {
  for (const name of ["../x", "/x", "x/", "x\0y"]) {
    const entry = [bytesOf(name), 12, 1, attributesOf(100)];
    await withReplies({ 74: [[entry], true] }, async ({ files }) => {
      await assert.rejects(files.readDir("/").next(), { code: "EPROTO" });
    });
  }
});

Deno.test("a client refuses a list that has no end", async () => {
  await withReplies({ 74: [[], false] }, async ({ files }) => {
    await assert.rejects(files.readDir("/").next(), { code: "EPROTO" });
  });
});

Deno.test("a client ends a conversation that makes no sense", async () => {
  for (const reply of [["text"], [attributesOf(1), 1], [[1, 2, 3]]]) {
    await withReplies({ 65: reply }, async (client) => {
      const both = [client.files.stat("/"), client.files.sync()];
      for (const one of await Promise.allSettled(both)) {
        assert.ok(one.status === "rejected");
        assert.ok(one.reason instanceof ProtocolError);
      }
      assert.ok(client.ended);
    });
  }
});

Deno.test("an error of the connection is not blamed on a path", async () => {
  const served = await Served.start();
  const client = await connect(served.endpoints[0]);
  await served[Symbol.asyncDispose]();
  await client.closed;
  await assert.rejects(
    client.files.stat("/f"),
    (error) =>
      error instanceof DisconnectedError && error.cause instanceof FsError &&
      error.cause.code === "ESHUTDOWN",
  );
});
