import assert from "node:assert/strict";
import { connect, DisconnectedError, ProtocolError } from "../../rpc/mod.ts";
import { message, Served } from "./harness.ts";

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
      /ended the connection/.test(error.message));
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
