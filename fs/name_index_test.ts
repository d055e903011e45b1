import assert from "node:assert/strict";
import { FaultyDevice } from "../bd/mod.ts";
import { assertDeviceClean, formatted } from "../tests/support/images.ts";
import { Random } from "../tests/support/random.ts";
import { Filesystem, FsError, Paths, ROOT_INODE } from "./mod.ts";
import { DirectoryIndex } from "./name_index.ts";

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

Deno.test("DirectoryIndex agrees with a map of sets, also where hashes meet", () => {
  const random = new Random(20261123);
  const index = new DirectoryIndex();
  const model = new Map<number, Set<number>>();
  const all: [number, number][] = [];
  for (let step = 0; step < 30_000; step++) {
    if (all.length < 200 || random.chance(0.52)) {
      // Few different low bits, so that the probes run into each other.
      const hash = random.next() & 0xf000001f;
      const place = 4 * step;
      index.add(hash, place);
      all.push([hash, place]);
      model.set(hash, (model.get(hash) ?? new Set()).add(place));
    } else {
      const at = random.below(all.length);
      const [[hash, place]] = all.splice(at, 1);
      index.remove(hash, place);
      model.get(hash)!.delete(place);
    }
    if (step % 97 === 0) {
      for (const [hash, places] of model) {
        assert.deepEqual(new Set(index.places(hash)), places);
      }
    }
  }
  assert.equal(index.size, all.length);
  assert.deepEqual(index.places(0x40), []);
});
