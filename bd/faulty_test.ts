import assert from "node:assert/strict";
import { failNth, FaultyDevice } from "./faulty.ts";
import { MemoryDevice } from "./memory.ts";

const block = (byte: number, count = 1): Uint8Array =>
  new Uint8Array(1024 * count).fill(byte);

function readBack(device: MemoryDevice, at: number): number {
  const into = block(0xee);
  device.read(at, into);
  assert.deepEqual(into, block(into[0]));
  return into[0];
}

Deno.test("FaultyDevice without a rule passes everything on", async () => {
  const memory = new MemoryDevice(1024, 8);
  const device = new FaultyDevice(memory);
  device.write(3, block(7));
  assert.equal(readBack(memory, 3), 7);
  device.read(3, block(0));
  await device.flush();
  assert.deepEqual(device.calls, { read: 1, write: 1, flush: 1 });
  assert.equal(device.faults, 0);
  device.close();
  assert.throws(() => memory.read(0, block(0)), { code: "EBADF" });
});

Deno.test("FaultyDevice fails the n-th call of a kind, and no other", async () => {
  const device = new FaultyDevice(new MemoryDevice(1024, 8));
  device.rule = failNth("read", 2);
  device.write(0, block(1));
  device.read(0, block(0));
  assert.throws(() => device.read(0, block(0)), {
    name: "DeviceError",
    code: "EIO",
  });
  device.read(0, block(0));
  device.rule = failNth("flush", 1, "ENOSPC");
  await assert.rejects(device.flush(), { code: "ENOSPC" });
  await device.flush();
  assert.equal(device.faults, 2);
});

Deno.test("FaultyDevice tears a failing write of several blocks", () => {
  const memory = new MemoryDevice(1024, 8);
  const device = new FaultyDevice(memory);
  device.rule = (call) => call.kind === "write" ? "ENOSPC" : null;
  assert.throws(() => device.write(1, block(9, 5)), { code: "ENOSPC" });
  assert.deepEqual([1, 2, 3, 4, 5].map((n) => readBack(memory, n)), [
    9,
    9,
    0,
    0,
    0,
  ]);
});
