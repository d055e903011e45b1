import assert from "node:assert/strict";
import { BorrowedDevice } from "./borrowed.ts";
import { FaultyDevice } from "./faulty.ts";
import { MemoryDevice } from "./memory.ts";

Deno.test("BorrowedDevice passes everything on but its closing", async () => {
  const below = new FaultyDevice(new MemoryDevice(1024, 8));
  const device = new BorrowedDevice(below);
  assert.deepEqual(
    [device.blockSize, device.blockCount, device.readOnly],
    [1024, 8, false],
  );
  const block = new Uint8Array(1024).fill(5);
  device.write(3, block);
  await device.flush();
  const into = new Uint8Array(1024);
  device.read(3, into);
  assert.deepEqual(into, block);
  assert.deepEqual(below.calls, { read: 1, write: 1, flush: 1 });
  device.close();
  assert.throws(() => device.read(3, into), { code: "EBADF" });
  assert.throws(() => device.write(3, into), { code: "EBADF" });
  await assert.rejects(device.flush(), { code: "EBADF" });
  below.read(3, into);
});
