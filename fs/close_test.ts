import assert from "node:assert/strict";
import { FaultyDevice } from "../bd/mod.ts";
import { assertDeviceClean, formatted } from "../tests/support/images.ts";
import { Filesystem, Paths, ROOT_INODE } from "./mod.ts";

const volume = { blockSize: 1024, blockCount: 8192 };

Deno.test("close() writes everything though an open inode cannot be read", async () => {
  const memory = formatted(volume);
  const device = new FaultyDevice(memory);
  const fs = Filesystem.open(device, { cacheSize: 16 << 10 });
  const dirs = Array.from({ length: 40 }, (_, i) => {
    const dir = fs.mkdir(ROOT_INODE, `d${i}`);
    for (let k = 0; k < 8; k++) fs.create(dir, `f${k}`);
    return dir;
  });
  fs.retain(fs.lookup(dirs[0], "f0"));
  await fs.sync();
  for (const dir of dirs) fs.readdir(dir, 0);
  new Paths(fs).writeFile("/precious", "kept");
  device.rule = ({ kind }) => kind === "read" ? "EIO" : null;
  await fs.close().catch(() => {});
  device.rule = null;
  const again = Filesystem.open(memory.copy());
  assert.deepEqual(
    new Paths(again).readFile("/precious"),
    new TextEncoder().encode("kept"),
  );
});

Deno.test("after a failed flush nothing is reported as durable any more", async () => {
  const memory = formatted(volume);
  const device = new FaultyDevice(memory);
  const fs = Filesystem.open(device);
  const first = device.calls.flush + 1;
  device.rule = ({ kind, ordinal }) =>
    kind === "flush" && ordinal === first ? "EIO" : null;
  fs.create(ROOT_INODE, "a");
  await assert.rejects(fs.sync(), { code: "EIO" });
  await assert.rejects(fs.sync(), { code: "EIO" });
  assert.equal(fs.getattr(ROOT_INODE).nlink, 3);
  await assert.rejects(fs.close(), { code: "EIO" });
  const again = Filesystem.open(memory.copy());
  assert.match(again.warnings.join(), /not closed cleanly/);
});

Deno.test("no call is accepted once close() was called", async () => {
  const memory = formatted(volume);
  const fs = Filesystem.open(memory);
  const closing = fs.close();
  assert.throws(() => fs.create(ROOT_INODE, "late"), { code: "EIO" });
  assert.equal(fs.close(), closing);
  await closing;
  await assertDeviceClean(memory);
});

Deno.test("an orphan that cannot be freed does not keep the others", async () => {
  const memory = formatted(volume);
  const fs = Filesystem.open(memory);
  const free = fs.statfs().inodesFree;
  for (const name of ["a", "b", "c"]) {
    const ino = fs.create(ROOT_INODE, name);
    fs.write(ino, 0, new Uint8Array(100 << 10).fill(1));
    fs.retain(ino);
    fs.unlink(ROOT_INODE, name);
  }
  await fs.sync();
  const crashed = memory.copy();
  const device = new FaultyDevice(crashed);
  // The eighth read is that of an indirect block.
  device.rule = ({ kind, ordinal }) =>
    kind === "read" && ordinal === 8 ? "EIO" : null;
  const again = Filesystem.open(device);
  assert.equal(device.faults, 1);
  assert.equal(again.statfs().inodesFree, free - 1);
  await again.close();
  await assertDeviceClean(crashed);
});

Deno.test("closing thousands of removed files takes no walk for each", async () => {
  const memory = formatted({ ...volume, inodeCount: 5000 });
  const fs = Filesystem.open(memory);
  const inodes = Array.from({ length: 4000 }, (_, i) => {
    const ino = fs.create(ROOT_INODE, `f${i}`);
    fs.retain(ino);
    fs.unlink(ROOT_INODE, `f${i}`);
    return ino;
  });
  const before = fs.cacheStatistics.hits;
  for (const ino of inodes) fs.release(ino);
  const perFile = (fs.cacheStatistics.hits - before) / inodes.length;
  assert.ok(perFile < 200, `${perFile} block accesses for each`);
  await fs.close();
  await assertDeviceClean(memory);
});

Deno.test("a removed directory that is open has no entries", async () => {
  const memory = formatted(volume);
  const fs = Filesystem.open(memory);
  const paths = new Paths(fs);
  const parent = paths.mkdir("/a");
  const dir = paths.mkdir("/a/b");
  fs.retain(dir);
  fs.rmdir(parent, "b");
  fs.rmdir(ROOT_INODE, "a");
  assert.deepEqual(fs.readdir(dir, 0), []);
  assert.throws(() => fs.lookup(dir, ".."), { code: "ENOENT" });
  assert.throws(() => fs.create(dir, "x"), { code: "ENOENT" });
  fs.release(dir);
  await fs.close();
  await assertDeviceClean(memory);
});
