import assert from "node:assert/strict";
import { Filesystem, format, Paths } from "../fs/mod.ts";
import { assertDeviceClean, formatted } from "../tests/support/images.ts";
import { BorrowedDevice } from "./borrowed.ts";
import { FaultyDevice } from "./faulty.ts";
import { MemoryDevice } from "./memory.ts";
import { OverlayDevice } from "./overlay.ts";

const filled = (byte: number, count = 1): Uint8Array =>
  new Uint8Array(1024 * count).fill(byte);

/** The first byte of each of `count` blocks from `block` on. */
function marks(device: OverlayDevice, block: number, count: number): number[] {
  const into = filled(0xee, count);
  device.read(block, into);
  return Array.from({ length: count }, (_, i) => into[i * 1024]);
}

Deno.test("OverlayDevice reads what was written to it, else what is below", () => {
  const memory = new MemoryDevice(1024, 10);
  for (let i = 0; i < 10; i++) memory.write(i, filled(i));
  const below = new FaultyDevice(memory);
  const device = new OverlayDevice(below);
  device.write(3, filled(103, 2));
  device.write(6, filled(106));
  device.write(4, filled(204));
  assert.deepEqual(marks(device, 1, 8), [1, 2, 103, 204, 5, 106, 7, 8]);
  // Three runs lie between and around what was written.
  assert.equal(below.calls.read, 3);
  assert.deepEqual(device.writtenBlocks(), [3, 4, 6]);
});

Deno.test("OverlayDevice never writes to the device below", async () => {
  const below = new FaultyDevice(new MemoryDevice(1024, 10));
  const device = new OverlayDevice(below);
  const from = filled(1, 10);
  device.write(0, from);
  from.fill(2);
  await device.flush();
  assert.deepEqual(marks(device, 0, 10), Array(10).fill(1));
  assert.deepEqual(below.calls, { read: 0, write: 0, flush: 0 });
});

Deno.test("OverlayDevice refuses what is not whole blocks inside it", () => {
  const memory = new MemoryDevice(1024, 10);
  const device = new OverlayDevice(memory);
  const refused = { name: "DeviceError", code: "EINVAL" };
  for (const [block, size] of [[10, 1024], [-1, 1024], [0, 100], [0.5, 1024]]) {
    assert.throws(() => device.read(block, new Uint8Array(size)), refused);
    assert.throws(() => device.write(block, new Uint8Array(size)), refused);
  }
  device.close();
  assert.throws(() => device.read(0, filled(0)), { code: "EBADF" });
  assert.throws(() => memory.read(0, filled(0)), { code: "EBADF" });
});

Deno.test("a volume with orphans becomes clean in an overlay alone", async () => {
  const memory = formatted({ blockSize: 1024, blockCount: 4096 });
  const fs = Filesystem.open(memory);
  const paths = new Paths(fs);
  paths.writeFile("/kept", filled(7, 30));
  const orphan = paths.writeFile("/open", filled(8, 300));
  fs.retain(orphan);
  paths.remove("/open");
  await fs.sync();
  const image = memory.copy();
  const before = [...image.extents()].map(({ bytes }) => bytes.slice());

  const overlay = new OverlayDevice(image);
  await Filesystem.open(new BorrowedDevice(overlay)).close();
  const after = [...image.extents()].map(({ bytes }) => bytes);
  assert.deepEqual(after, before);
  const merged = new MemoryDevice(1024, 4096);
  const block = filled(0);
  for (let i = 0; i < 4096; i++) {
    overlay.read(i, block);
    merged.write(i, block);
  }
  await assertDeviceClean(merged);
});

Deno.test("a volume can be made in an overlay", () => {
  const overlay = new OverlayDevice(new MemoryDevice(1024, 1024));
  format(overlay);
  assert.equal(Filesystem.open(overlay).statfs().blocks > 0, true);
});
