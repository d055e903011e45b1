import assert from "node:assert/strict";
import {
  connect,
  formatEndpoint,
  OPERATION_LIST,
  RemoteFiles,
} from "../../rpc/mod.ts";
import { Random } from "../support/random.ts";
import { framed, hello, message, RawClient, Served } from "./harness.ts";

const NAMES = ["a", "b", "c", "lost+found", ".", "..", "", "a/b", "\0"]
  .map((name) => new TextEncoder().encode(name));

/** An item that may or may not be what the operation wants. */
function item(random: Random): unknown {
  const ino = random.pick([0, 1, 2, 11, 12, 13, 14, 8000, 4_000_000_000]);
  return random.pick<unknown>([
    [ino, random.below(3)],
    [2, 0],
    [2, 0],
    random.pick(NAMES),
    random.pick(NAMES),
    random.below(4),
    random.below(70_000),
    random.pick([BigInt(2 ** 50), BigInt(2 ** 41), 0o100644, 0o1003]),
    random.below(2) === 0,
    null,
    [4, 64],
    [0o644, null, null, random.below(100_000), true, [1, 2], null, null, null],
    new Uint8Array(random.below(5000)),
    "text",
  ]);
}

/** A request whose number is an operation's, and whose rest may fit. */
function request(random: Random, id: number): Uint8Array {
  const operation = random.pick(OPERATION_LIST);
  const items = operation.argumentNames.map((name) => {
    if (random.below(8) === 0) return item(random);
    if (/^(dir|node|fromDir|toDir)$/.test(name)) {
      return [random.pick([2, 2, 2, 11, 12, 13]), random.below(2)];
    }
    if (/name|path|target/i.test(name)) return random.pick(NAMES);
    if (name === "descriptor") return 1 + random.below(3);
    if (name === "flags") return random.pick([0, 1, 2, 0o1001, 0o2002]);
    if (/follow|noReplace|create|replace/.test(name)) return false;
    if (name === "changes") return new Array(9).fill(null);
    if (name === "rdev") return [1, 3];
    if (name === "mode") return random.pick([0o644, 0o20644, 0o10600]);
    if (/data|value/.test(name)) return new Uint8Array(random.below(9000));
    return random.below(1000);
  });
  return message(id, operation.number, ...items);
}

/** Damages `bytes` in one to four places. */
function mutate(random: Random, bytes: Uint8Array): Uint8Array {
  let mutated = [...bytes];
  for (let count = 1 + random.below(4); count > 0; count--) {
    const at = random.below(mutated.length || 1);
    const length = 1 + random.below(8);
    const piece = mutated.slice(at, at + length);
    switch (random.below(5)) {
      case 0:
        mutated[at] = random.below(256);
        break;
      case 1:
        mutated[at] ^= 1 << random.below(8);
        break;
      case 2:
        mutated.splice(at, length);
        break;
      case 3:
        mutated.splice(random.below(mutated.length || 1), 0, ...piece);
        break;
      default:
        if (random.below(4) === 0) mutated = mutated.slice(0, at);
        else mutated.splice(at, 0, random.pick([0x9f, 0xff, 0xa1, 0xc0, 0xfb]));
    }
  }
  return Uint8Array.from(mutated);
}

Deno.test("no mutated conversation fells the server", async () => {
  await using served = await Served.start();
  await served.each(async (endpoint) => {
    for (let seed = 1; seed <= 400; seed++) {
      const random = new Random(seed * 7919);
      const requests: Uint8Array[] = [];
      for (let id = 2; id < 20; id++) {
        const whole = request(random, id);
        // Some damage is within a frame, some is to the stream of frames.
        requests.push(
          random.below(3) > 0
            ? whole
            : random.below(2) === 0
            ? mutate(random, whole)
            : framed(mutate(random, whole.subarray(4))),
        );
      }
      const client = await RawClient.greet(endpoint);
      for (const bytes of requests) {
        await client.send(bytes).catch(() => {});
      }
      await client.closeWrite().catch(() => {});
      while (await client.receive() !== null);
      client.close();
    }
    await using client = await connect(endpoint);
    await new RemoteFiles(client).statfs();
  });
  // What a client cannot be told would be a defect of the server.
  assert.deepEqual(served.log, []);
});

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
      ? [mutate(random, answers[0]), answers[1]]
      : [answers[0], mutate(random, answers[1])];
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
