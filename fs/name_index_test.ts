import assert from "node:assert/strict";
import { FaultyDevice } from "../bd/mod.ts";
import { assertDeviceClean, formatted } from "../tests/support/images.ts";
import { Filesystem, FsError, Paths, ROOT_INODE } from "./mod.ts";

const NAMES = 5000;
const volume = { blockSize: 1024, blockCount: 16384, inodeCount: 6000 };

/** The errno name with which `call` is refused. */
function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof FsError) return error.code;
    throw error;
  }
  return "none";
}

Deno.test("an undone operation leaves the index of a large directory right", async () => {
  const memory = formatted(volume);
  const device = new FaultyDevice(memory);
  const fs = Filesystem.open(device);
  const dir = fs.mkdir(ROOT_INODE, "large");
  const names = new Set<string>();
  for (let i = 0; i < NAMES; i++) {
    fs.create(dir, `name ${i}`);
    names.add(`name ${i}`);
  }
  const longest = "x".repeat(1024);
  for (let round = 0; round < 300; round++) {
    const fresh = `fresh ${round}`.padEnd(1 + (round * 37) % 200, "-");
    // The name is entered, perhaps in a new block, before the target is seen.
    assert.equal(
      refusal(() => fs.symlink(dir, fresh, longest)),
      "ENAMETOOLONG",
    );
    assert.equal(refusal(() => fs.lookup(dir, fresh)), "ENOENT");
    assert.equal(refusal(() => fs.create(dir, `name ${round}`)), "EEXIST");
    fs.unlink(dir, `name ${round}`);
    names.delete(`name ${round}`);
    fs.create(dir, fresh);
    names.add(fresh);
  }
  for (const name of names) fs.lookup(dir, name);
  const listed = new Paths(fs).readDir("/large")
    .map(({ name }) => new TextDecoder().decode(name));
  assert.deepEqual(new Set(listed), names);
  assert.equal(listed.length, names.size);
  await fs.close();
  await assertDeviceClean(memory);
});

Deno.test("an undone operation does not cost others a scan of the directory", () => {
  const fs = Filesystem.open(formatted(volume));
  const dir = fs.mkdir(ROOT_INODE, "large");
  for (let i = 0; i < NAMES; i++) fs.create(dir, `name ${i}`);
  const blocks = fs.getattr(dir).size / volume.blockSize;
  const before = fs.cacheStatistics.hits;
  const target = "x".repeat(1024);
  assert.equal(
    refusal(() => fs.symlink(dir, "fresh", target)),
    "ENAMETOOLONG",
  );
  fs.lookup(dir, "name 77");
  assert.ok(fs.cacheStatistics.hits - before < 5 * blocks);
});
