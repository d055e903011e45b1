import assert from "node:assert/strict";
import { DeviceError } from "./block_device.ts";
import { MemoryDevice } from "./memory.ts";

const filled = (length: number, byte: number): Uint8Array =>
  new Uint8Array(length).fill(byte);

Deno.test("MemoryDevice reads zeros where nothing was written", () => {
  const device = new MemoryDevice(1024, 2 ** 40);
  const into = filled(2048, 0xff);
  device.read(2 ** 39, into);
  assert.deepEqual(into, filled(2048, 0));
});

Deno.test("MemoryDevice keeps runs of blocks that cross its slabs", () => {
  const device = new MemoryDevice(1024, 1000);
  const run = new Uint8Array(300 * 1024).map((_, i) => i * 7 + (i >> 10));
  device.write(3, run);
  run.subarray(1024, 2048).fill(0);
  device.write(4, filled(1024, 0));
  const into = new Uint8Array(run.length);
  device.read(3, into);
  assert.deepEqual(into, run);
});

Deno.test("MemoryDevice refuses what is not whole blocks inside it", () => {
  const device = new MemoryDevice(1024, 10);
  const refused = { name: "DeviceError", code: "EINVAL" };
  for (const [block, size] of [[10, 1024], [-1, 1024], [0, 100], [0.5, 1024]]) {
    assert.throws(() => device.read(block, filled(size, 0)), refused);
    assert.throws(() => device.write(block, filled(size, 0)), refused);
  }
  device.close();
  device.close();
  assert.throws(() => device.read(0, filled(1024, 0)), DeviceError);
});

Deno.test("MemoryDevice.extents() holds all that is not zero, and no more", () => {
  const device = new MemoryDevice(1024, 70);
  device.write(0, filled(64 * 1024, 0));
  assert.deepEqual([...device.extents()], []);
  device.write(69, filled(1024, 1));
  const [extent, ...rest] = device.extents();
  assert.deepEqual(rest, []);
  assert.equal(extent.position, 64 * 1024);
  assert.equal(extent.bytes.length, 6 * 1024);
  assert.deepEqual(extent.bytes.subarray(5 * 1024), filled(1024, 1));
});

Deno.test("MemoryDevice.copy() makes an independent open twin", () => {
  const device = new MemoryDevice(1024, 8);
  device.write(2, filled(1024, 1));
  device.close();
  const twin = device.copy();
  const into = new Uint8Array(1024);
  twin.read(2, into);
  assert.deepEqual(into, filled(1024, 1));
  twin.write(2, filled(1024, 2));
  assert.equal(device.extents().next().value!.bytes[2048], 1);
});
