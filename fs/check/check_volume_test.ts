/** Tests of the check as a whole; `tests/fsck` has a case for each problem. */

import assert from "node:assert/strict";
import { type BlockDevice, DeviceError } from "../../bd/block_device.ts";
import { failNth, FaultyDevice } from "../../bd/faulty.ts";
import { MemoryDevice } from "../../bd/memory.ts";
import { Filesystem } from "../filesystem.ts";
import { format } from "../format.ts";
import { INODE, Inode } from "../inode.ts";
import { Paths } from "../paths.ts";
import { STATE_VALID, SUPERBLOCK } from "../superblock.ts";
import { Volume } from "../volume.ts";
import { checkVolume } from "./check_volume.ts";
import { problemMessage, PROBLEMS } from "./problems.ts";

/** A volume with some files, closed. */
async function makeVolume(files = 50): Promise<MemoryDevice> {
  const device = new MemoryDevice(1024, 16384);
  format(device, { blank: true });
  const filesystem = Filesystem.open(device);
  const paths = new Paths(filesystem);
  for (let i = 0; i < files; i++) {
    paths.mkdir(`/d${i}`);
    paths.writeFile(`/d${i}/file`, "contents ".repeat(i * 20));
  }
  await filesystem.close();
  return device.copy();
}

/** Gives every file in use another number of links. */
function damageLinks(device: BlockDevice): number {
  const volume = new Volume(device);
  let count = 0;
  volume.transact(() => {
    for (let ino = 12; ino <= volume.geometry.inodesCount; ino++) {
      const inode = new Inode(volume, ino);
      if (inode.links === 0) continue;
      inode.set(INODE.i_links_count, 77);
      count++;
    }
  });
  volume.cache.writeBack();
  return count;
}

/** Counts what is written between two flushes. */
class CountingDevice extends FaultyDevice {
  override readonly commitBlocksMax = 8;
  most = 0;
  #written = 0;

  override write(block: number, from: Uint8Array): void {
    super.write(block, from);
    this.#written += from.length / this.blockSize;
    this.most = Math.max(this.most, this.#written);
  }

  override async flush(): Promise<void> {
    this.#written = 0;
    await super.flush();
  }
}

Deno.test("A clean volume is clean, and nothing is written to it", async () => {
  for (const mode of ["check", "preen", "repair"] as const) {
    const device = new FaultyDevice(await makeVolume());
    const report = await checkVolume(device, { mode });
    assert.deepEqual(report.problems, []);
    assert.ok(report.isClean && report.isSound && !report.changed);
    assert.equal(report.counts.directories, 52);
    assert.equal(device.calls.write, 0);
  }
});

Deno.test("check finds, and changes nothing", async () => {
  const device = new FaultyDevice(await makeVolume());
  const count = damageLinks(device);
  const { write } = device.calls;
  const lines: string[] = [];
  const report = await checkVolume(device, {
    mode: "check",
    log: ({ code, message }) => lines.push(`${code}: ${message}`),
  });
  assert.equal(report.found, count);
  assert.equal(report.repaired, 0);
  assert.equal(device.calls.write, write);
  assert.ok(lines.includes("links.count: 1 links counted, 77 stored"));
});

Deno.test("A problem names a path of its inode", async () => {
  const device = await makeVolume();
  damageLinks(device);
  const { problems } = await checkVolume(device, { mode: "preen" });
  const paths = problems.map(({ path }) => new TextDecoder().decode(path));
  assert.ok(paths.includes("/d7") && paths.includes("/d7/file"));
  assert.ok(problems.every(({ repaired }) => repaired));
  assert.ok((await checkVolume(device, { mode: "check" })).isClean);
});

Deno.test("A device that takes little at once gets little at once", async () => {
  const stored = await makeVolume();
  damageLinks(stored);
  const device = new CountingDevice(stored);
  const report = await checkVolume(device, { mode: "repair" });
  assert.ok(report.isSound);
  assert.ok(device.most <= device.commitBlocksMax, `${device.most} blocks`);
});

Deno.test("A repair that is cut short leaves a volume to be checked", async () => {
  const stored = await makeVolume();
  damageLinks(stored);
  const device = new CountingDevice(stored);
  device.rule = failNth("write", 4);
  await assert.rejects(checkVolume(device, { mode: "repair" }), DeviceError);
  const state = new Volume(device).superblock(SUPERBLOCK.s_state);
  assert.equal(state & STATE_VALID, 0);
  assert.ok((await checkVolume(device, { mode: "repair" })).isSound);
  const after = new Volume(device).superblock(SUPERBLOCK.s_state);
  assert.equal(after, STATE_VALID);
});

Deno.test("preen changes nothing where not all is safe to repair", async () => {
  const device = new FaultyDevice(await makeVolume());
  damageLinks(device);
  const volume = new Volume(device);
  volume.transact(() => new Inode(volume, 12).setPointer(0, 0xffffff));
  volume.cache.writeBack();
  const { write } = device.calls;
  const report = await checkVolume(device, { mode: "preen" });
  assert.equal(device.calls.write, write);
  assert.ok(!report.isSound && report.repaired === 0);
});

Deno.test("An error other than EIO ends the check", async () => {
  const device = new FaultyDevice(await makeVolume());
  device.rule = ({ kind, block }) =>
    kind === "read" && block > 20 ? "EBADF" : null;
  await assert.rejects(checkVolume(device, { mode: "check" }), DeviceError);
});

Deno.test("A volume of 1 TiB that is nearly empty is checked at once", async () => {
  const device = new MemoryDevice(4096, 2 ** 28);
  format(device, { blank: true });
  const report = await checkVolume(device, { mode: "check" });
  assert.ok(report.isClean);
  assert.equal(report.counts.blocksTotal, 2 ** 28);
});

Deno.test("What a message leaves out is marked", () => {
  assert.equal(
    problemMessage("links.count", { found: 2, stored: 3 }),
    "2 links counted, 3 stored",
  );
  assert.match(problemMessage("links.count", {}), /\?/);
  for (const code of Object.keys(PROBLEMS)) assert.match(code, /^\w+\.\w+$/);
});
