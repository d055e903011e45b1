import assert from "node:assert/strict";
import {
  BLOCK,
  filled,
  JournalSpecimen,
  readAll,
} from "../../tests/support/journal_specimen.ts";
import { withTempDir } from "../../tests/support/tools.ts";
import {
  block,
  newVolume,
  withVolume,
  writeBlocks,
} from "../../tests/support/volumes.ts";
import type { ByteFile } from "../byte_file.ts";
import { JournaledDevice } from "./journaled_device.ts";

/** A device over a new journal, without a tree. */
async function plain(): Promise<{
  specimen: JournalSpecimen;
  device: JournaledDevice;
}> {
  const specimen = await JournalSpecimen.make();
  const journal = await specimen.open();
  const device = new JournaledDevice(journal.image, {
    journal,
    verifies: false,
    closeAll: () => journal.close(),
  });
  return { specimen, device };
}

Deno.test("a flush waits for a commit that is under way, with nothing to add", async () => {
  const { specimen, device } = await plain();
  const { promise: until, resolve: release } = Promise.withResolvers<void>();
  specimen.hold = { name: "journal", until };
  device.write(1, filled(BLOCK, 1));
  const first = device.flush();
  for (let i = 0; i < 20; i++) await new Promise((wake) => setTimeout(wake));
  let isDone = false;
  const second = device.flush().then(() => {
    isDone = true;
  });
  for (let i = 0; i < 20; i++) await new Promise((wake) => setTimeout(wake));
  assert.ok(!isDone);
  release();
  await Promise.all([first, second]);
  const crashed = await specimen.crashed().open();
  const into = new Uint8Array(BLOCK);
  crashed.image.read(1, into);
  assert.deepEqual(into, filled(BLOCK, 1));
  crashed.close();
  device.close();
});

Deno.test("to settle a device brings all of it to its place; to close it is final", async () => {
  const { specimen, device } = await plain();
  assert.ok(device.commitBlocksMax! > 0);
  device.write(7, filled(BLOCK, 7));
  await device.flush();
  assert.equal(specimen.bytes("image")[7 * BLOCK], 0);
  await device.settle();
  assert.equal(specimen.bytes("image")[7 * BLOCK], 7);
  device.close();
  device.close();
  await assert.rejects(device.flush(), { code: "EBADF" });
  const again = await specimen.open({ readOnly: true });
  assert.throws(() => readAll(again), /not that of its node/);
  again.close();
});

/** A file whose sync waits. */
function held(file: ByteFile, sync: () => Promise<void>): ByteFile {
  return {
    size: file.size,
    readOnly: file.readOnly,
    readAt: (position, into) => file.readAt(position, into),
    writeAt: (position, from) => file.writeAt(position, from),
    sync: () => sync().then(() => file.sync()),
    close: () => file.close(),
  };
}

Deno.test("what is written during a flush is committed with its place in the tree", () =>
  withTempDir(async (dir) => {
    const path = `${dir}/v`;
    await newVolume(path, "verity");
    await withVolume(path, (volume) => writeBlocks(volume, { 1: 1, 2: 2 }));
    let during: (() => void) | null = null;
    const sync = (): Promise<void> => {
      during?.();
      during = null;
      return Promise.resolve();
    };
    await withVolume(path, async ({ device }) => {
      device.write(1, block(3));
      during = (): void => device.write(2, block(4));
      await device.flush();
    }, {
      wrap: (file, name) => name === "journal" ? held(file, sync) : file,
    });
    await withVolume(path, ({ device }) => {
      const bytes = new Uint8Array(2 * 1024);
      device.read(1, bytes);
      assert.deepEqual(bytes.subarray(0, 1024), block(3));
      assert.deepEqual(bytes.subarray(1024), block(2));
    }, { readOnly: true });
  }));
