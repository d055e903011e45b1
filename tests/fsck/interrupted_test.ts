/**
 * Repairs that do not come to their end: the device fails at some write, or
 * takes only so many blocks at a time. What was done so far must not be in the
 * way of the next repair.
 */

import assert from "node:assert/strict";
import type { BlockDevice } from "../../bd/block_device.ts";
import { failNth, FaultyDevice } from "../../bd/faulty.ts";
import type { MemoryDevice } from "../../bd/memory.ts";
import { checkVolume } from "../../fs/check/mod.ts";
import { assertDeviceClean } from "../support/images.ts";
import { testWith } from "../support/tools.ts";
import { CASES } from "./cases.ts";
import { Damage } from "./damage.ts";
import { describe, differences } from "./describe.ts";
import { codes, lines, mayChange } from "./examine.ts";
import { makeSpecimen, type Specimen, SPECIMEN_KINDS } from "./specimen.ts";

/** What is repaired, by the names of cases. */
const NAMES = [
  "directories form a loop that the root does not lead to",
  "two files share an indirect block",
  "a block of a directory is of text",
  "the root is zeros",
  "the superblock is zeros",
  "a bitmap of inodes is all ones",
];
const DAMAGES = CASES.filter(({ name }) => NAMES.includes(name));

function damaged(
  specimen: Specimen,
  { damage }: (typeof DAMAGES)[number],
): MemoryDevice {
  const device = specimen.device.copy();
  damage!(new Damage(device, specimen));
  return device;
}

async function assertRepairs(
  device: BlockDevice,
  stored: MemoryDevice,
  when: string,
): Promise<void> {
  const report = await checkVolume(device, { mode: "repair" });
  assert.ok(report.isSound, `${when}:\n${lines(report)}`);
  const second = await checkVolume(device, { mode: "check" });
  assert.deepEqual(codes(second), [], `${when}:\n${lines(second)}`);
  await assertDeviceClean(stored, when);
}

/** Lets each write of a repair fail in turn, with half of it done. */
async function failsAtEachWrite(
  specimen: Specimen,
  damageCase: (typeof DAMAGES)[number],
): Promise<void> {
  const { name, hits = [] } = damageCase;
  for (let n = 1;; n++) {
    const stored = damaged(specimen, damageCase);
    const device = new FaultyDevice(stored);
    device.rule = failNth("write", n);
    const repair = checkVolume(device, { mode: "repair" });
    const when = `${name}: write ${n} fails`;
    const failed = await repair.then(() => false, (error) => {
      assert.equal(error.code, "EIO", when);
      return true;
    });
    assert.equal(failed, device.faults > 0, when);
    await assertRepairs(stored, stored, when);
    const after = describe(stored);
    const changed = differences(specimen.before, after, (path) => {
      return mayChange(path, hits);
    });
    assert.deepEqual(changed, [], when);
    if (!failed) return;
  }
}

await testWith(
  ["e2fsprogs"],
  "a repair that fails at any write can be done again",
  async () => {
    assert.equal(DAMAGES.length, NAMES.length);
    const specimen = await makeSpecimen(SPECIMEN_KINDS[0]);
    for (const damageCase of DAMAGES) {
      await failsAtEachWrite(specimen, damageCase);
    }
  },
);

await testWith(
  ["e2fsprogs"],
  "a repair never writes more than the device takes at once",
  async () => {
    const specimen = await makeSpecimen(SPECIMEN_KINDS[0]);
    for (const damageCase of DAMAGES) {
      const stored = damaged(specimen, damageCase);
      let written = 0;
      const device: BlockDevice = {
        blockSize: stored.blockSize,
        blockCount: stored.blockCount,
        readOnly: false,
        commitBlocksMax: 5,
        read: (block, into) => stored.read(block, into),
        write: (block, from) => {
          written += from.length / stored.blockSize;
          assert.ok(written <= 5, `${written} blocks since the last flush`);
          stored.write(block, from);
        },
        flush: () => {
          written = 0;
          return Promise.resolve();
        },
        close: () => {},
      };
      await assertRepairs(device, stored, damageCase.name);
      assert.equal(written, 0, "the last blocks are flushed");
    }
  },
);
