import assert from "node:assert/strict";
import { connect, formatEndpoint } from "../../rpc/mod.ts";
import { Random } from "../support/random.ts";
import { Observed } from "./conformance/observed.ts";
import { fuzz, sendDamaged } from "./fuzz/campaign.ts";
import { mutated } from "./fuzz/mutations.ts";
import { recordedSessions } from "./fuzz/recordings.ts";
import { hello, message, RawClient, Served } from "./harness.ts";
import { ServerProcess } from "./server_process.ts";

const onLinux = { ignore: Deno.build.os !== "linux" };

Deno.test("whatever is asked, the answer is in the table, and what is refused changes nothing", async () => {
  const observed = new Observed();
  const plan = { orderly: 5, requests: 40, damaged: 60, observed };
  for (let seed = 1; seed <= 8; seed++) await fuzz({ ...plan, seed });
  assert.deepEqual(observed.unexpected(), []);
});

Deno.test(
  "thousands of damaged sessions leave a server's memory as it was",
  onLinux,
  async () => {
    await using server = await ServerProcess.start();
    const recorded = await recordedSessions(server.endpoint);
    const random = new Random(12);
    const observed = new Observed();
    const some = async (count: number): Promise<number> => {
      for (let i = 0; i < count; i++) {
        await sendDamaged(server.endpoint, { random, recorded, observed });
      }
      return server.residentMebibytes();
    };
    // So that the runtime has compiled what it will, and has its buffers.
    const before = await some(800);
    const grown = await some(1600) - before;
    assert.ok(grown < 40, `the server grew by ${grown} MiB`);
    await using client = await connect(server.endpoint);
    await client.call("statfs", {});
    assert.deepEqual(observed.unexpected(), []);
  },
);

Deno.test("no mutated answer fells the client", async () => {
  await using served = await Served.start();
  const real = formatEndpoint(served.endpoints[0]);
  const recorder = await RawClient.connect(real);
  const answers: Uint8Array[] = [];
  await recorder.send(hello());
  const first = await recorder.receive();
  answers.push(message(...first!));
  const listing = message(2, 74, [2, 0], 0, 100);
  await recorder.send(listing);
  answers.push(message(...(await recorder.receive())!));
  recorder.close();
  const endpoint = `unix:@nextfs-test-liar-${crypto.randomUUID()}`;
  const path = `\0${endpoint.slice(6)}`;
  using listener = Deno.listen({ transport: "unix", path });
  for (let seed = 1; seed <= 300; seed++) {
    const random = new Random(seed * 104729);
    const lie = random.below(3) === 0
      ? [mutated(random, answers[0]), answers[1]]
      : [answers[0], mutated(random, answers[1])];
    const lying = (async (): Promise<void> => {
      using conn = await listener.accept();
      for (const answer of lie) {
        if (await conn.read(new Uint8Array(1000)) === null) return;
        await conn.write(answer);
      }
    })().catch(() => {});
    try {
      await using client = await connect(endpoint, { helloTimeout: 20 });
      await client.call("readdir", { node: client.root, cookie: 0, count: 9 });
    } catch (error) {
      assert.ok(error instanceof Error);
      assert.notEqual(error.name, "TypeError", String(error.stack));
      assert.notEqual(error.name, "RangeError", String(error.stack));
    }
    await lying;
  }
});
