import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { HostileFile } from "../tests/support/hostile.ts";
import { hex } from "../tests/support/naive_tree.ts";
import { Random } from "../tests/support/random.ts";
import { TREE_KINDS, VeritySpecimen } from "../tests/support/verity.ts";
import { FaultyDevice } from "./faulty.ts";
import type { VerityDevice } from "./verity.ts";

const SIZE = 1024;
/** So many leaves that their fold takes several slices. */
const BLOCKS = 16_384;

/** Writes and notes every block. */
function fill(specimen: VeritySpecimen, device: VerityDevice): void {
  const run = new Random(1).bytes(64 * SIZE);
  for (let block = 0; block < BLOCKS; block += 64) {
    run.fill(block / 64, 0, SIZE);
    device.write(block, run);
    specimen.note(block, run);
  }
}

/** Flushes; calls `meanwhile` in every pause, again and again. */
async function flushed(
  device: VerityDevice,
  meanwhile: () => void,
): Promise<void> {
  let isDone = false;
  const flush = device.flush().finally(() => isDone = true);
  flush.catch(() => {});
  while (!isDone) {
    await setImmediate();
    if (!isDone) meanwhile();
  }
  await flush;
}

Deno.test("blocks are read, and verified, in the pauses of a flush", async () => {
  for (const kind of TREE_KINDS) {
    const specimen = new VeritySpecimen({ kind, blocks: BLOCKS });
    const device = specimen.open({ treeCache: 32 << 20 });
    fill(specimen, device);
    const random = new Random(2);
    const into = new Uint8Array(SIZE);
    const progress = new Set<number>();
    await flushed(device, () => {
      const block = random.below(BLOCKS);
      device.read(block, into);
      assert.deepEqual(into, specimen.expected(block));
      progress.add(device.statistics.nodesHashed);
    });
    assert.ok(progress.size > 2, `${progress.size} pauses`);
    assert.deepEqual(specimen.published, [hex(specimen.root())]);
    assert.deepEqual(specimen.tree.bytes, specimen.naiveTree());
  }
});

Deno.test("what is written in the pauses of a flush is part of it, and is flushed", async () => {
  for (const kind of TREE_KINDS) {
    const specimen = new VeritySpecimen({ kind, blocks: BLOCKS });
    const image = new FaultyDevice(specimen.image);
    const device = specimen.open({ image, treeCache: 32 << 20 });
    fill(specimen, device);
    const random = new Random(3);
    const before = device.statistics.nodesHashed;
    let writes = 0;
    await flushed(device, () => {
      // The last ones come when the fold is done and the tree is written.
      if (device.statistics.nodesHashed === before || writes === 4) return;
      const bytes = random.bytes(SIZE);
      const block = random.below(BLOCKS);
      device.write(block, bytes);
      specimen.note(block, bytes);
      writes++;
    });
    assert.equal(writes, 4);
    assert.deepEqual(specimen.published, [hex(specimen.root())]);
    assert.deepEqual(specimen.tree.bytes, specimen.naiveTree());
    assert.equal(image.calls.flush, 2);
  }
});

Deno.test("a device that is closed in a pause is not written any more", async () => {
  const specimen = new VeritySpecimen({ kind: "pages", blocks: BLOCKS });
  const tree = new HostileFile(specimen.tree);
  const device = specimen.open({ tree, treeCache: 32 << 20 });
  fill(specimen, device);
  let writes = -1;
  const flush = flushed(device, () => {
    device.close();
    writes = tree.calls.write;
  });
  await assert.rejects(flush, { code: "EBADF" });
  assert.equal(tree.calls.write, writes);
  assert.deepEqual(specimen.published, []);
});

Deno.test("an image that fails in a pause fails the flush, and the next is whole", async () => {
  const specimen = new VeritySpecimen({ kind: "pages", blocks: BLOCKS });
  const image = new FaultyDevice(specimen.image);
  image.rule = ({ kind }) => kind === "flush" ? "EIO" : null;
  const device = specimen.open({ image, treeCache: 32 << 20 });
  fill(specimen, device);
  let pauses = 0;
  await assert.rejects(flushed(device, () => pauses++), { code: "EIO" });
  assert.ok(pauses > 0);
  assert.deepEqual(specimen.published, []);
  image.rule = null;
  await device.flush();
  assert.deepEqual(specimen.published, [hex(specimen.root())]);
});
