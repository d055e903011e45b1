import assert from "node:assert/strict";
import { assertDeviceClean, formatted } from "../tests/support/images.ts";
import { allocateBlocks } from "./block_allocator.ts";
import { writeU32 } from "./layout.ts";
import { INODE, Inode } from "./inode.ts";
import { Filesystem, ROOT_INODE } from "./mod.ts";
import { Volume } from "./volume.ts";

const TIB = 2 ** 40;
const NO_SUCH = { code: "ENXIO" };

Deno.test("seekData() finds data and holes, and a hole behind the end", () => {
  const fs = Filesystem.open(formatted({ blockSize: 1024, blockCount: 2048 }));
  const ino = fs.create(ROOT_INODE, "file");
  const [data, hole] = [false, true].map((hole) => (offset: number): number =>
    fs.seekData(ino, offset, { hole })
  );
  assert.throws(() => data(0), NO_SUCH);
  assert.throws(() => hole(0), NO_SUCH);
  fs.write(ino, 5000, Uint8Array.of(1));
  assert.deepEqual([data(0), data(4500), hole(0)], [4096, 4500, 0]);
  assert.deepEqual([hole(4096), hole(5000)], [5001, 5001]);
  assert.throws(() => data(5001), NO_SUCH);
  assert.throws(() => hole(5001), NO_SUCH);
  fs.setattr(ino, { size: 20_000 });
  assert.equal(hole(5000), 5120);
  assert.throws(() => data(5120), NO_SUCH);
  assert.equal(hole(19_999), 19_999);
  assert.throws(() => data(-1), { code: "EINVAL" });
  const dir = { code: "EISDIR" };
  assert.throws(() => fs.seekData(ROOT_INODE, 0, { hole: true }), dir);
});

Deno.test("a hole of a terabyte is passed over in a few steps", () => {
  const fs = Filesystem.open(formatted({ blockSize: 4096, blockCount: 2048 }));
  const ino = fs.create(ROOT_INODE, "file");
  fs.write(ino, 0, Uint8Array.of(1));
  fs.write(ino, TIB, Uint8Array.of(2));
  const { hits, misses } = fs.cacheStatistics;
  assert.equal(fs.seekData(ino, 4096, { hole: false }), TIB);
  const now = fs.cacheStatistics;
  const looks = now.hits + now.misses - hits - misses;
  // Each of three levels of pointers is looked through once at most.
  assert.ok(looks < 3 * 1024, `${looks} looks at blocks`);
});

Deno.test("punching frees all levels of pointers, and those in the middle", async () => {
  for (const blockSize of [1024, 2048, 4096]) {
    const device = formatted({ blockSize, blockCount: 4096 });
    const fs = Filesystem.open(device);
    const ino = fs.create(ROOT_INODE, "file");
    const { blocksFree } = fs.statfs();
    const n = blockSize / 4;
    const places = [0, 11, 12, 11 + n, 12 + n, 12 + 2 * n, 12 + n + n * n];
    const last = 12 + n + n * n + 3 * n;
    for (const index of [...places, last]) {
      fs.write(ino, index * blockSize, Uint8Array.of(1));
    }
    const [size, length] = [last * blockSize + 1, blockSize];
    const how = { keepSize: true, punchHole: true };
    // One after the other: each indirect block goes with its last pointer.
    for (const index of [12 + 2 * n, 12 + n, 11 + n, 12]) {
      fs.allocate(ino, { offset: index * blockSize, length, ...how });
    }
    // Left: two direct blocks, and two with 4 blocks that lead to them.
    assert.equal(fs.getattr(ino).blocks, 8 * blockSize / 512);
    fs.allocate(ino, { offset: 1, length: size, ...how });
    assert.equal(fs.getattr(ino).blocks, blockSize / 512);
    assert.equal(fs.getattr(ino).size, size);
    fs.allocate(ino, { offset: 0, length: size, ...how });
    assert.equal(fs.getattr(ino).blocks, 0);
    assert.equal(fs.statfs().blocksFree, blocksFree);
    await fs.close();
    await assertDeviceClean(device);
  }
});

/**
 * A file whose millions of pointers all lead to one and the same indirect
 * block, of pointers to `data` or to nothing.
 */
function endlessFile(data: boolean): { fs: Filesystem; ino: number } {
  const device = formatted({ blockSize: 1024, blockCount: 2048 });
  const ino = 11;
  const volume = new Volume(device);
  volume.transact(() => {
    const inode = new Inode(volume, ino);
    const { start } = allocateBlocks(volume, 0, 4);
    const levels = [start, start + 1, start + 2, data ? start + 3 : 0];
    for (let level = 0; level < 3; level++) {
      const block = volume.cache.replace(start + level);
      for (let i = 0; i < 256; i++) writeU32(block, 4 * i, levels[level + 1]);
    }
    inode.set(INODE.i_mode, 0o100644);
    inode.setPointer(14, start);
    inode.links = 1;
    inode.size = (12 + 256 + 256 ** 2 + 256 ** 3) * 1024;
  });
  volume.cache.writeBack();
  return { fs: Filesystem.open(device), ino };
}

Deno.test("a search does not follow a map that never ends", () => {
  const start = (12 + 256 + 256 ** 2) * 1024;
  const empty = endlessFile(false);
  const found = empty.fs.seekData(empty.ino, start, { hole: false });
  // What nobody has looked at may be data.
  assert.ok(found > start + 2 ** 30 && found % 1024 === 0);
  const full = endlessFile(true);
  const { size } = full.fs.getattr(full.ino);
  assert.equal(full.fs.seekData(full.ino, start, { hole: true }), size);

  const options = { offset: start, length: size - start, keepSize: true };
  const part = full.fs.allocate(full.ino, options);
  assert.ok(part > 2 ** 30 && part < options.length);
  const corrupt = { code: "EUCLEAN" };
  for (const { fs, ino } of [empty, full]) {
    const before = fs.getattr(ino);
    const punch = (): number =>
      fs.allocate(ino, { ...options, punchHole: true });
    assert.throws(punch, corrupt);
    assert.deepEqual(fs.getattr(ino), before);
  }
});
