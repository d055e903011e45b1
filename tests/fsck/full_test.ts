/**
 * Repairs on a volume without a free block: what needs none is done, what
 * finds none says so and leaves no trace, and is done once there is room.
 */

import assert from "node:assert/strict";
import type { MemoryDevice } from "../../bd/memory.ts";
import { Filesystem, FsError, Paths } from "../../fs/mod.ts";
import { assertDeviceClean, formatted } from "../support/images.ts";
import { testWith } from "../support/tools.ts";
import { lost } from "./case.ts";
import { Damage } from "./damage.ts";
import { describe } from "./describe.ts";
import { codes, e2fsck, lines, Patient } from "./examine.ts";

/** A volume with a few files, and one that takes all that is left. */
interface Full {
  readonly device: MemoryDevice;
  /** Inode numbers by path. */
  readonly inodes: Readonly<Record<string, number>>;
}

async function fullVolume(): Promise<Full> {
  const sizes = { blockSize: 1024, blockCount: 2048 } as const;
  const device = formatted({ ...sizes, inodeSize: 128, inodeCount: 64 });
  const fs = Filesystem.open(device);
  const paths = new Paths(fs);
  const inodes: Record<string, number> = { "/": 2, "/lost+found": 11 };
  inodes["/dir"] = paths.mkdir("/dir");
  for (const path of ["/one", "/two", "/dir/file", "/fill"]) {
    inodes[path] = paths.writeFile(path, new Uint8Array(3000).fill(1));
  }
  assert.throws(() => {
    for (let at = 3000;;) {
      at += fs.write(inodes["/fill"], at, new Uint8Array(1024).fill(9));
    }
  }, FsError);
  assert.equal(fs.statfs().blocksFree, 0);
  await fs.close();
  return { device: device.copy(), inodes };
}

async function damaged(
  { device, inodes }: Full,
  damage: (image: Damage) => void,
): Promise<Patient> {
  const stored = device.copy();
  damage(new Damage(stored, { inodes, hasFeatures: true }));
  const { finds, output } = await e2fsck(stored);
  assert.ok(finds, output);
  return new Patient(stored);
}

async function assertRepaired(patient: Patient): Promise<void> {
  const repaired = await patient.check("repair");
  assert.ok(repaired.isSound, lines(repaired));
  assert.equal(repaired.lacksSpace, false);
  assert.equal(repaired.repaired, repaired.found);
  const second = await patient.check("check");
  assert.deepEqual(codes(second), [], lines(second));
  await assertDeviceClean(patient.stored, "after the repair");
}

await testWith(
  ["e2fsprogs"],
  "a full volume on which lost+found has lost its name is repaired",
  async () => {
    const full = await fullVolume();
    const before = describe(full.device);
    const { "/one": one, "/dir": dir } = full.inodes;
    const name = await damaged(full, (image) => {
      image.unlink("/", "lost+found");
      image.unlink("/", "one");
    });
    await assertRepaired(name);
    const after = describe(name.stored);
    assert.equal(after.get("/lost+found"), before.get("/lost+found"));
    assert.equal(after.get(lost(one)), before.get("/one"));

    const root = await damaged(full, (image) => {
      image.inodeBytes("/", (bytes) => bytes.fill(0));
    });
    await assertRepaired(root);
    const rescued = describe(root.stored);
    assert.equal(rescued.get(lost(one)), before.get("/one"));
    const file = rescued.get(`${lost(dir)}/file`);
    assert.equal(file, before.get("/dir/file"));
  },
);

await testWith(
  ["e2fsprogs"],
  "a repair that finds no room says so, leaves no trace, and can follow",
  async () => {
    const full = await fullVolume();
    const before = describe(full.device);
    const patient = await damaged(full, (image) => {
      image.unlink("/", "lost+found");
      // It is not to be known any more as what it was.
      image.inode("/lost+found", "i_mode", 0o040755);
      image.unlink("/", "one");
    });
    const repaired = await patient.check("repair");
    assert.ok(repaired.lacksSpace && !repaired.isSound, lines(repaired));
    // It does not go round in circles.
    assert.equal(repaired.found - repaired.repaired, 3, lines(repaired));
    const left = await patient.check("check");
    assert.deepEqual(codes(left), [
      "connect.directory",
      "connect.lost_found",
      "connect.file",
    ], lines(left));
    assert.ok(left.lacksSpace);
    // Nothing is marked that is not in use.
    const { output } = await e2fsck(patient.stored);
    assert.doesNotMatch(output, /bitmap|Free \w+ count/, output);

    const fs = Filesystem.open(patient.stored);
    new Paths(fs).remove("/two");
    await fs.close();
    const roomy = new Patient(patient.stored.copy());
    await assertRepaired(roomy);
    const after = describe(roomy.stored);
    assert.equal(after.get(lost(full.inodes["/one"])), before.get("/one"));
  },
);

await testWith(
  ["e2fsprogs"],
  "a file that shares blocks, and finds no others, is told of",
  async () => {
    const patient = await damaged(await fullVolume(), (image) => {
      // It has no block there: nothing is freed by this.
      image.setPointer("/one", 3, image.pointer("/two", 0));
    });
    const repaired = await patient.check("repair");
    assert.ok(codes(repaired).includes("map.duplicate"), lines(repaired));
    assert.ok(repaired.lacksSpace && repaired.isSound, lines(repaired));
    assert.equal((await patient.check("check")).lacksSpace, false);
    await assertDeviceClean(patient.stored, "after the repair");
  },
);
