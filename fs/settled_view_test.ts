import assert from "node:assert/strict";
import { type BlockDevice, FaultyDevice, MemoryDevice } from "../bd/mod.ts";
import { makeSpecimen } from "../tests/support/corrupt.ts";
import { assertDeviceClean } from "../tests/support/images.ts";
import { Filesystem, Paths, settledView } from "./mod.ts";

function copyOf(device: BlockDevice): MemoryDevice {
  const { blockSize, blockCount } = device;
  const copy = new MemoryDevice(blockSize, blockCount);
  const bytes = new Uint8Array(blockCount * blockSize);
  device.read(0, bytes);
  copy.write(0, bytes);
  return copy;
}

Deno.test("in a settled view the orphans are gone, and the device is as it was", async () => {
  const { device, inodes } = await makeSpecimen(256);
  const before = copyOf(device);
  const counted = new FaultyDevice(device);
  const view = await settledView(counted);
  assert(view);
  await assertDeviceClean(copyOf(view));
  assert.equal(counted.calls.write, 0);
  assert.deepEqual([...device.extents()], [...before.extents()]);
  const fs = Filesystem.open(view, { readOnly: true });
  assert.equal(new Paths(fs).resolve("/file"), inodes.file);
  await fs.close();
  // It was lent to the view.
  counted.read(0, new Uint8Array(1024));
});

Deno.test("a volume without orphans needs no view", async () => {
  const { device } = await makeSpecimen(256);
  const settled = copyOf((await settledView(device))!);
  assert.equal(await settledView(settled), null);
  // It was not closed, and nobody has checked it.
  const fs = Filesystem.open(settled, { readOnly: true });
  assert.match(fs.warnings.join(), /not closed cleanly/);
});

Deno.test("there is no settled view of what is no volume, or unreadable", async () => {
  await assert.rejects(settledView(new MemoryDevice(1024, 100)), {
    code: "EINVAL",
  });
  const { device } = await makeSpecimen(256);
  const faulty = new FaultyDevice(device);
  faulty.rule = ({ block }) => block === 2 ? "EIO" : null;
  await assert.rejects(settledView(faulty), { code: "EIO" });
});
