import assert from "node:assert/strict";
import { HostileFile } from "../tests/support/hostile.ts";
import {
  TREE_KINDS,
  type TreeKind,
  VeritySpecimen,
} from "../tests/support/verity.ts";
import { BAD_RANGES_MAX } from "./bad_ranges.ts";
import { pagedLayout } from "./tree_layout.ts";
import { FaultyDevice } from "./faulty.ts";
import { scrub, type ScrubReport } from "./scrub.ts";

const BLOCK = 1024;

/** Ranges as `[first, count]`. */
const ranges = ({ bad }: ScrubReport): number[][] =>
  bad.ranges.map(({ first, count }) => [first, count]);

/** A device with something in the blocks that are named. */
async function specimen(
  kind: TreeKind,
  blocks: number,
  used: Iterable<number>,
): Promise<VeritySpecimen> {
  const made = new VeritySpecimen({ kind, blocks });
  const device = made.open();
  for (const block of used) {
    const bytes = new Uint8Array(BLOCK).fill(1 + block % 255);
    device.write(block, bytes);
    made.note(block, bytes);
  }
  await device.flush();
  device.close();
  return made;
}

function* count(to: number, from = 0): Generator<number> {
  for (let i = from; i < to; i++) yield i;
}

/** Changes one byte of a block of the image. */
function spoil({ image }: VeritySpecimen, block: number): void {
  const bytes = new Uint8Array(BLOCK);
  image.read(block, bytes);
  bytes[block % BLOCK] ^= 0x10;
  image.write(block, bytes);
}

for (const kind of TREE_KINDS) {
  Deno.test(`${kind}: a sound device has no bad block`, async () => {
    for (const blocks of [1, 2, 63, 64, 65, 700]) {
      const made = await specimen(kind, blocks, count(blocks));
      const device = made.open();
      const report = await scrub(device, { workers: 0 });
      const bad = { ranges: [], count: 0 };
      assert.deepEqual(report, { checked: blocks, bad });
      device.close();
    }
  });

  Deno.test(`${kind}: bad blocks are found, each of them and no other`, async () => {
    const made = await specimen(kind, 700, count(700));
    for (const block of [0, 5, 63, 64, 65, 66, 300, 699]) spoil(made, block);
    for (const workers of [0, 2]) {
      const device = made.open();
      const report = await scrub(device, { workers });
      assert.deepEqual(ranges(report), [
        [0, 1],
        [5, 1],
        [63, 4],
        [300, 1],
        [699, 1],
      ]);
      assert.equal(report.bad.count, 8);
      assert.equal(report.checked, 700);
      device.close();
    }
  });

  Deno.test(`${kind}: blocks that cannot be read are bad, even if of zeros`, async () => {
    const made = await specimen(kind, 700, count(700));
    const zeros = new Uint8Array(BLOCK);
    const device = made.open();
    device.write(400, zeros);
    made.note(400, zeros);
    await device.flush();
    device.close();
    const image = new FaultyDevice(made.image);
    image.rule = ({ block, count }) =>
      [20, 400].some((bad) => block <= bad && bad < block + count)
        ? "EIO"
        : null;
    const opened = made.open({ image });
    const report = await scrub(opened, { workers: 0 });
    assert.deepEqual(ranges(report), [[20, 1], [400, 1]]);
    opened.close();
  });

  Deno.test(`${kind}: every byte of the tree counts, and hides the rest no more than it must`, async () => {
    const blocks = 200;
    const made = await specimen(kind, blocks, count(blocks));
    const sound = made.tree.bytes.slice();
    const digest = 32;
    const firstNode = kind === "array" ? digest : 2 * digest;
    let most = 0;
    for (let at = firstNode; at < sound.length; at += digest) {
      made.tree.bytes.set(sound);
      made.tree.bytes[at + at / digest % digest] ^= 1;
      const device = made.open();
      const { bad, checked } = await scrub(device, { workers: 0 });
      const badCount = bad.count;
      device.close();
      // In the pages, those of leaves behind the last are of no use.
      if (kind === "array") assert(badCount >= 2, `byte ${at}`);
      most = Math.max(most, badCount);
      assert(badCount + checked >= blocks);
      for (const { first, count } of bad.ranges) {
        assert(first + count <= blocks);
      }
    }
    assert.equal(most, blocks);
  });

  Deno.test(`${kind}: where the tree cannot be read, blocks are bad`, async () => {
    const made = await specimen(kind, 700, count(700));
    const tree = new HostileFile(made.tree);
    tree.rule = ({ position }) =>
      position >= 0.8 * made.tree.size ? "EIO" : null;
    const device = made.open({ tree });
    const report = await scrub(device, { workers: 0 });
    const { checked, bad: { count: badCount } } = report;
    assert(badCount > 100 && badCount < 500, `${badCount}`);
    assert(checked >= 700 - badCount);
    tree.rule = () => "EBADF";
    await assert.rejects(scrub(made.open({ tree })), { code: "EBADF" });
    device.close();
  });
}

Deno.test("what was never written is not read, and cannot be bad", async () => {
  const blocks = 64 ** 4;
  const used = [3, 4, 5, 100_000, 16_000_000, blocks - 1];
  const made = await specimen("pages", blocks, used);
  spoil(made, 6);
  spoil(made, 100_000);
  const image = new FaultyDevice(made.image);
  const device = made.open({ image });
  let checked = 0;
  let skipped = 0;
  const report = await scrub(device, {
    workers: 0,
    progress: (step) => {
      checked += step.checked;
      skipped += step.skipped;
    },
  });
  assert.deepEqual(ranges(report), [[100_000, 1]]);
  assert.equal(report.checked, used.length);
  assert.equal(image.calls.read, 4);
  assert.deepEqual([checked, skipped], [used.length, blocks - used.length]);
  device.close();
});

Deno.test("junk in the tree is found, too, where nothing was ever written", async () => {
  const blocks = 64 * 64 + 900;
  const made = await specimen("pages", blocks, [70, 71, 4000]);
  const sound = made.tree.bytes.slice();
  const { firstLeaf } = pagedLayout(blocks);
  const parts: number[] = [];
  for (let page = 0, turn = 0; page < sound.length / 4096; page++) {
    for (let slot = 2 + turn++ % 11; slot < 128; slot += 11) {
      const node = nodeAt(page, slot);
      made.tree.bytes.set(sound);
      made.tree.bytes[page * 4096 + slot * 32 + slot % 32] ^= 0x80;
      const device = made.open();
      const { bad, checked } = await scrub(device, { workers: 0 });
      device.close();
      const span = firstLeaf / 2 ** Math.floor(Math.log2(node / 2));
      const first = Math.floor(node / 2) * span - firstLeaf;
      if (first >= blocks) assert.equal(bad.count, 0);
      else {
        assert(bad.count >= Math.min(span, blocks - first), `node ${node}`);
        assert(bad.ranges[0].first <= first);
        parts.push(bad.count / blocks);
      }
      assert(checked <= 3);
    }
  }
  // Most nodes lie deep, and have little below.
  assert(parts.length > 600);
  assert(parts.filter((part) => part < 0.01).length > 400);
});

/** The number of the node in a slot of a page, of a tree of three tiers. */
function nodeAt(page: number, slot: number): number {
  const apex = page === 0 ? 1 : page < 65 ? 64 + page - 1 : 4096 + page - 65;
  const depth = Math.floor(Math.log2(slot));
  return apex * 2 ** depth + slot - 2 ** depth;
}

Deno.test("a page that fails makes the blocks below it one range", async () => {
  const blocks = 64 * 64 * 3;
  const made = await specimen("pages", blocks, count(blocks, 1));
  const page = 4096;
  // Tier 0 has one page, tier 1 has 64, then come those with leaves.
  const damaged = [1 + 1, 65 + 5, 65 + 6, 65 + 130];
  for (const number of damaged) {
    made.tree.bytes.fill(7, number * page, (number + 1) * page);
  }
  const tree = new HostileFile(made.tree);
  const device = made.open({ tree });
  const report = await scrub(device, { workers: 0 });
  assert.deepEqual(ranges(report), [
    [5 * 64, 2 * 64],
    [64 * 64, 64 * 64],
    [130 * 64, 64],
  ]);
  assert.equal(report.checked, blocks - 1 - 67 * 64);
  assert.equal(report.bad.count, 67 * 64);
  assert(tree.calls.read < 400, `${tree.calls.read} reads`);
  device.close();
});

Deno.test("a root that is another makes every block bad at once", async () => {
  for (const kind of TREE_KINDS) {
    const made = await specimen(kind, 5000, count(300));
    const state = { ...made.state, root: new Uint8Array(32).fill(1) };
    const device = made.open({ state });
    const report = await scrub(device, { workers: 0 });
    if (kind === "pages") assert.deepEqual(ranges(report), [[0, 5000]]);
    assert.equal(report.bad.count, 5000);
    device.close();
  }
});

Deno.test("of very many bad ranges the first are kept and all are counted", async () => {
  const blocks = 2 * BAD_RANGES_MAX + 200;
  const made = await specimen("pages", blocks, count(blocks));
  for (let block = 0; block < blocks; block += 2) spoil(made, block);
  const device = made.open();
  const report = await scrub(device);
  assert.equal(report.bad.ranges.length, BAD_RANGES_MAX);
  assert.equal(report.bad.count, blocks / 2);
  device.close();
});

Deno.test("what progress throws ends the scrub", async () => {
  const made = await specimen("pages", 700, count(700));
  const device = made.open();
  const progress = (): never => {
    throw new Error("enough");
  };
  await assert.rejects(scrub(device, { progress }), /enough/);
  device.close();
});
