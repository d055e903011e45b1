import assert from "node:assert/strict";
import { Slices } from "./slices.ts";

/** Works for `ms` milliseconds. */
function work(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

Deno.test("a slice is long when its time is over, and anew after a pause", async () => {
  const slices = new Slices(5);
  assert.equal(slices.isLong, false);
  work(6);
  assert.equal(slices.isLong, true);
  await slices.pause();
  assert.equal(slices.isLong, false);
  work(6);
  await slices.pauseIfLong();
  assert.equal(slices.isLong, false);
});

Deno.test("pauseIfLong() lets others go on only when the slice is over", async () => {
  let others = 0;
  const slices = new Slices(1000);
  const timer = setInterval(() => others++, 0);
  work(5);
  await slices.pauseIfLong();
  assert.equal(others, 0);
  const short = new Slices(0);
  work(5);
  await short.pauseIfLong();
  assert.equal(others, 1);
  clearInterval(timer);
});

Deno.test("every pause serves a socket that something has come in from", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/socket`;
  const listener = Deno.listen({ transport: "unix", path });
  const accepted = listener.accept();
  const client = await Deno.connect({ transport: "unix", path });
  const server = await accepted;
  let requests = 0;
  const serving = (async (): Promise<void> => {
    while (await server.read(new Uint8Array(16)) !== null) requests++;
  })();
  const slices = new Slices(1);
  let served = 0;
  for (let i = 0; i < 50; i++) {
    const sent = client.write(new Uint8Array(1));
    work(1);
    const before = requests;
    await slices.pauseIfLong();
    if (requests > before) served++;
    await sent;
    while (requests <= i) await slices.pause();
  }
  // A busy machine may be late once.
  assert.ok(served >= 45, `${served} pauses of 50`);
  client.close();
  await serving;
  server.close();
  listener.close();
  await Deno.remove(directory, { recursive: true });
});
