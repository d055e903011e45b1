import assert from "node:assert/strict";
import { FaultyDevice } from "../bd/mod.ts";
import { assertDeviceClean, formatted } from "../tests/support/images.ts";
import { Filesystem, ROOT_INODE } from "./mod.ts";

/** More blocks than one step frees: 96 MiB in blocks of 1 KiB. */
const LARGE = 96 << 20;
const volume = { blockSize: 1024, blockCount: 160 << 10 };

function writeLarge(fs: Filesystem, name: string): number {
  const ino = fs.create(ROOT_INODE, name);
  const data = new Uint8Array(1 << 20).fill(7);
  for (let at = 0; at < LARGE; at += data.length) fs.write(ino, at, data);
  return ino;
}

Deno.test("a file of many steps is freed: unlinked, cut, and unlinked open", async () => {
  const device = formatted(volume);
  const fs = Filesystem.open(device);
  const free = fs.statfs().blocksFree;
  writeLarge(fs, "unlinked");
  fs.unlink(ROOT_INODE, "unlinked");
  assert.equal(fs.statfs().blocksFree, free);

  const cut = writeLarge(fs, "cut");
  assert.equal(fs.setattr(cut, { size: 1000 }).blocks, 2);
  assert.equal(fs.statfs().blocksFree, free - 1);

  const open = writeLarge(fs, "open");
  fs.retain(open);
  fs.unlink(ROOT_INODE, "open");
  fs.setattr(open, { size: 10 });
  assert.equal(fs.read(open, 0, new Uint8Array(20)), 10);
  fs.release(open);
  assert.equal(fs.statfs().blocksFree, free - 1);
  assert.equal(fs.statfs().inodesFree, fs.statfs().inodes - 12);
  await fs.close();
  await assertDeviceClean(device);
});

Deno.test("freeing that the device interrupts is finished later", async () => {
  for (const how of ["cut", "unlink", "cut and unlink", "crash"]) {
    const memory = formatted(volume);
    const device = new FaultyDevice(memory);
    // So small a cache that indirect blocks are read again.
    let fs = Filesystem.open(device, { cacheSize: 64 << 10 });
    const free = fs.statfs().blocksFree;
    const ino = writeLarge(fs, "large");
    await fs.sync();
    const reads = device.calls.read;
    device.rule = ({ kind, ordinal }) =>
      kind === "read" && ordinal > reads + 300 ? "EIO" : null;
    if (how === "unlink") fs.unlink(ROOT_INODE, "large");
    else fs.setattr(ino, { size: 100 });
    assert.ok(device.faults > 0, "the fault came too late");
    const taken = free - fs.statfs().blocksFree;
    assert.ok(taken > 1000 && taken < 90_000, `${taken} blocks are taken`);
    if (how !== "unlink") {
      // What lies behind the end must not come back.
      assert.throws(() => fs.setattr(ino, { size: 5000 }), { code: "EIO" });
      assert.equal(fs.getattr(ino).size, 100);
    }
    device.rule = null;
    if (how === "cut") {
      fs.setattr(ino, { size: LARGE });
      const tail = new Uint8Array(4096).fill(1);
      fs.read(ino, LARGE - 4096, tail);
      assert.ok(tail.every((byte) => byte === 0), "old contents came back");
    }
    if (how === "cut and unlink") fs.unlink(ROOT_INODE, "large");
    if (how === "crash") {
      await fs.sync().catch(() => {});
      fs = Filesystem.open(device);
    }
    await fs.close();
    await assertDeviceClean(memory);
    fs = Filesystem.open(memory.copy(), { readOnly: true });
    const left = how === "cut" || how === "crash" ? 1 : 0;
    assert.equal(fs.statfs().blocksFree, free - left, how);
  }
});
