/**
 * Hosts that stop in the middle: what is on the device then can be repaired
 * by e2fsck, as with any volume without a journal, and never harms the engine.
 */

import assert from "node:assert/strict";
import { FaultyDevice } from "../bd/faulty.ts";
import type { MemoryDevice } from "../bd/memory.ts";
import { Filesystem, Paths } from "../fs/mod.ts";
import { exercise } from "./support/corrupt.ts";
import { formatted, loadImage, saveImage } from "./support/images.ts";
import { must, run, testWith, withTempDir } from "./support/tools.ts";
import { describeVolume } from "./support/tree.ts";

/** Fills a volume and empties it in part, until the device fails. */
function work(fs: Filesystem): void {
  const paths = new Paths(fs);
  const data = new Uint8Array(30_000).fill(5);
  for (let n = 0;; n++) {
    paths.mkdir(`/dir${n}`);
    for (let m = 0; m < 20; m++) {
      paths.writeFile(`/dir${n}/file${m}`, data.subarray(0, 1500 * m));
    }
    paths.rename(`/dir${n}/file1`, "/moved");
    if (n % 2 === 1) paths.removeAll(`/dir${n - 1}`);
  }
}

/** What is on the device when the host stops after so many writes. */
function stopAfter(writes: number): MemoryDevice {
  const memory = formatted({ blockSize: 1024, blockCount: 8192 });
  const device = new FaultyDevice(memory);
  device.rule = ({ kind, ordinal }) =>
    kind === "write" && ordinal > writes ? "EIO" : null;
  const fs = Filesystem.open(device, { cacheSize: 32 * 1024 });
  assert.throws(() => work(fs), { code: "EIO" });
  return memory.copy();
}

await testWith(
  ["e2fsprogs"],
  "e2fsck repairs what a host leaves that stops between two writes",
  () =>
    withTempDir(async (dir) => {
      const image = `${dir}/volume.img`;
      for (const writes of [1, 2, 5, 9, 17, 40, 90, 200]) {
        const device = stopAfter(writes);
        await exercise(device.copy());
        await saveImage(device, image);
        const { code, stdout } = await run("e2fsck", "-fy", image);
        assert.ok(code <= 1, `after ${writes} writes: ${code}\n${stdout}`);
        const fs = Filesystem.open(await loadImage(image));
        assert.deepEqual(fs.warnings, []);
        describeVolume(fs);
        await fs.close();
      }
    }),
);

await testWith(
  ["e2fsprogs"],
  "a volume is marked as not clean while it is open for writing",
  () =>
    withTempDir(async (dir) => {
      const image = `${dir}/volume.img`;
      const device = formatted({ blockSize: 4096, blockCount: 1024 });
      const state = async (): Promise<string | undefined> => {
        await saveImage(device, image);
        const header = await must("dumpe2fs", "-h", image);
        return header.match(/Filesystem state: +(.*)/)?.[1];
      };
      assert.equal(await state(), "clean");
      const fs = Filesystem.open(device);
      assert.equal(await state(), "not clean");
      await fs.sync();
      assert.equal(await state(), "not clean");
      await fs.close();
      assert.equal(await state(), "clean");
    }),
);
