import assert from "node:assert/strict";
import {
  BLOCK,
  BLOCK_COUNT,
  filled,
  JournalSpecimen,
  NODE,
  readAll,
  RING_BYTES,
  writeAll,
} from "../../tests/support/journal_specimen.ts";
import { Random } from "../../tests/support/random.ts";
import { CHECKPOINT_SLOTS, RING_START } from "./checkpoint.ts";
import type { Journal } from "./journal.ts";

/** What a crash now would leave. */
async function afterCrash(
  specimen: JournalSpecimen,
  isAnchored: boolean,
): Promise<Record<number, number>> {
  const journal = await specimen.crashed().open({ isAnchored });
  const found = readAll(journal);
  journal.close();
  return found;
}

Deno.test("what is written is read, and is nowhere before it is committed", async () => {
  const specimen = await JournalSpecimen.make();
  const before = specimen.copy();
  const journal = await specimen.open();
  specimen.calls = 0;
  writeAll(journal, { 3: 1, 4: 2, 99: 3 });
  assert.deepEqual(readAll(journal), { 3: 1, 4: 2, 99: 3 });
  const pair = new Uint8Array(3 * BLOCK);
  journal.image.read(2, pair);
  assert.deepEqual([pair[0], pair[BLOCK], pair[2 * BLOCK]], [0, 1, 2]);
  // Nodes are read in pieces, too.
  const piece = new Uint8Array(40);
  journal.tree!.readAt(3 * NODE - 4, piece);
  assert.deepEqual([piece[3], piece[4], piece[35], piece[36]], [0, 1, 1, 2]);
  assert.equal(specimen.calls, 0);
  await journal.commit();
  for (const name of ["image", "tree"] as const) {
    assert.deepEqual(specimen.bytes(name), before.bytes(name), name);
  }
  await journal.checkpoint();
  journal.close();
  assert.equal(specimen.bytes("image")[99 * BLOCK], 3);
  assert.equal(specimen.bytes("tree")[99 * NODE], 3);
});

Deno.test("a commit is one write and sync of the journal, then of the anchor", async () => {
  const specimen = await JournalSpecimen.make();
  const journal = await specimen.open();
  const calls: string[] = [];
  specimen.rule = ({ name, kind }): boolean => {
    calls.push(`${kind} ${name}`);
    return false;
  };
  await journal.commit();
  assert.deepEqual(calls, [], "there is nothing to commit");
  writeAll(journal, { 3: 1, 90: 2 });
  await journal.commit();
  const record = ["write journal", "sync journal"];
  const anchor = ["write anchor", "sync anchor"];
  assert.deepEqual(calls.splice(0), [...record, ...anchor]);
  await journal.commit({ root: filled(32, 1) });
  assert.deepEqual(calls.splice(0), [...record, ...anchor]);
  await journal.checkpoint();
  assert.deepEqual(calls, [
    ...["write image", "write image", "write tree"],
    ...["sync image", "sync tree", ...record],
  ]);
  await journal.checkpoint();
  journal.close();
});

for (const isAnchored of [true, false]) {
  const how = isAnchored ? "with an anchor" : "without an anchor";

  Deno.test(`whatever is committed outlives a crash, ${how}`, async () => {
    const random = new Random(isAnchored ? 1 : 2);
    const specimen = await JournalSpecimen.make();
    let journal = await specimen.open({ isAnchored });
    const model: Record<number, number> = {};
    for (let i = 0; i < 100; i++) {
      for (let j = random.below(journal.commitBlocksMax); j >= 0; j--) {
        const change = { [random.below(BLOCK_COUNT)]: 1 + random.below(255) };
        writeAll(journal, change);
        Object.assign(model, change);
      }
      assert.deepEqual(readAll(journal), model);
      await journal.commit();
      if (random.chance(0.1)) await journal.checkpoint();
      assert.deepEqual(await afterCrash(specimen, isAnchored), model);
      if (random.chance(0.1)) {
        journal.close();
        journal = await specimen.open({ isAnchored });
      }
    }
    journal.close();
  });

  Deno.test(`commits and checkpoints overlap in any way, ${how}`, async () => {
    const random = new Random(isAnchored ? 3 : 4);
    const specimen = await JournalSpecimen.make();
    const journal = await specimen.open({ isAnchored });
    const model: Record<number, number> = {};
    const work: Promise<void>[] = [];
    for (let i = 0; i < 300; i++) {
      const change = { [random.below(BLOCK_COUNT)]: 1 + random.below(255) };
      writeAll(journal, change);
      Object.assign(model, change);
      if (random.chance(0.4)) work.push(journal.commit());
      if (random.chance(0.1)) work.push(journal.checkpoint());
      if (random.chance(0.3)) await Promise.race([null, ...work.slice(-2)]);
      // There is never more than a commit can hold.
      if (i % journal.commitBlocksMax === 0) await journal.commit();
      assert.deepEqual(readAll(journal), model);
    }
    work.push(journal.commit());
    await Promise.all(work);
    assert.deepEqual(await afterCrash(specimen, isAnchored), model);
    await journal.checkpoint();
    journal.close();
    assert.deepEqual(await afterCrash(specimen, isAnchored), model);
  });
}

Deno.test("a commit waits for those that were asked for before it", async () => {
  const specimen = await JournalSpecimen.make();
  const journal = await specimen.open();
  const done: number[] = [];
  const commits = [1, 2, 3].map(async (fill) => {
    writeAll(journal, { [fill]: fill });
    await journal.commit({ root: filled(32, fill) });
    done.push(fill);
    assert.deepEqual(journal.state.root, filled(32, fill));
  });
  await Promise.all(commits);
  assert.deepEqual(done, [1, 2, 3]);
  journal.close();
});

Deno.test("a checkpoint brings what was committed before it was asked for", async () => {
  const specimen = await JournalSpecimen.make();
  const journal = await specimen.open();
  writeAll(journal, { 1: 1 });
  await journal.commit();
  const { promise: until, resolve: release } = Promise.withResolvers<void>();
  specimen.hold = { name: "image", until };
  const first = journal.checkpoint();
  writeAll(journal, { 2: 2 });
  await journal.commit();
  const second = [journal.checkpoint(), journal.checkpoint()];
  assert.equal(second[0], second[1], "they share one");
  release();
  await Promise.all([first, ...second]);
  journal.close();
  const image = specimen.bytes("image");
  assert.deepEqual([image[BLOCK], image[2 * BLOCK]], [1, 2]);
});

Deno.test("a ring that is full makes room by a checkpoint", async () => {
  const specimen = await JournalSpecimen.make();
  const journal = await specimen.open();
  const largest = journal.commitBlocksMax;
  const sequence = (): number => {
    const journal = new DataView(specimen.bytes("journal").buffer);
    return Math.max(...CHECKPOINT_SLOTS.map((at) => {
      return Number(journal.getBigUint64(at + 200, true));
    }));
  };
  const before = sequence();
  for (let i = 0; i < 20; i++) {
    const fills = Array.from({ length: largest }, (_, j) => [j * 7 + i, i + 1]);
    writeAll(journal, Object.fromEntries(fills));
    await journal.commit();
  }
  await journal.checkpoint();
  assert.ok(sequence() - before >= 5, `${sequence() - before} checkpoints`);
  journal.close();
});

Deno.test("a commit that the ring cannot hold is refused, and is no harm", async () => {
  const specimen = await JournalSpecimen.make();
  const journal = await specimen.open();
  const blocks = RING_BYTES / BLOCK;
  const fills = Array.from({ length: blocks }, (_, i) => [i, 9]);
  writeAll(journal, { 80: 1 });
  await journal.commit();
  writeAll(journal, Object.fromEntries(fills));
  await assert.rejects(journal.commit(), { code: "ENOSPC" });
  assert.equal(readAll(journal)[0], 9);
  journal.close();
  assert.deepEqual(await afterCrash(specimen, true), { 80: 1 });
});

Deno.test("what is not a whole node, or behind the end, is not written", async () => {
  const specimen = await JournalSpecimen.make();
  const { image, tree } = await specimen.open() as Required<Journal>;
  const invalid = { code: "EINVAL" };
  assert.throws(() => tree!.writeAt(1, new Uint8Array(NODE)), invalid);
  assert.throws(() => tree!.writeAt(0, new Uint8Array(NODE + 1)), invalid);
  const end = tree!.size;
  assert.throws(() => tree!.writeAt(end, new Uint8Array(NODE)), invalid);
  assert.throws(() => image.write(BLOCK_COUNT, filled(BLOCK, 1)), invalid);
  const reader = await specimen.open({ readOnly: true });
  const refused = { code: "EROFS" };
  assert.throws(() => reader.image.write(0, filled(BLOCK, 1)), refused);
  assert.throws(() => reader.tree!.writeAt(0, filled(NODE, 1)), refused);
});

Deno.test("a journal that is closed commits nothing", async () => {
  const specimen = await JournalSpecimen.make();
  const journal = await specimen.open();
  writeAll(journal, { 1: 1 });
  journal.close();
  journal.close();
  await assert.rejects(journal.commit(), { code: "EBADF" });
  await assert.rejects(journal.checkpoint(), { code: "EBADF" });
  assert.deepEqual(await afterCrash(specimen, true), {});
  assert.equal(specimen.bytes("journal")[RING_START], 0);
});
