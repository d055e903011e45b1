import assert from "node:assert/strict";
import {
  BLOCK,
  filled,
  FIRST,
  formatOf,
  IDENTITY,
  JournalSpecimen,
  type OpenJournal,
  readAll,
  writeAll,
} from "../../tests/support/journal_specimen.ts";
import { IntegrityError } from "../block_device.ts";
import { Slices } from "../slices.ts";
import { RING_START } from "./checkpoint.ts";
import { RollbackError } from "./errors.ts";
import { type Contents, writeRecord } from "./record.ts";
import { Ring } from "./ring.ts";
import { encodeState, type VolumeState } from "./state.ts";
import { MemoryFile } from "../memory_file.ts";

/** A specimen with three commits that no checkpoint has brought to its place. */
async function threeCommits(
  options: OpenJournal & { fills?: number[] } = {},
): Promise<JournalSpecimen> {
  const { isKeyed, fills = [1, 2, 3] } = options;
  const specimen = await JournalSpecimen.make({ isKeyed });
  const journal = await specimen.open(options);
  for (const fill of fills) {
    writeAll(journal, { 5: fill, [10 + fill]: fill });
    await journal.commit({ root: filled(32, fill) });
  }
  journal.close();
  return specimen;
}

const AFTER: Record<number, number>[] = [
  {},
  { 5: 1, 11: 1 },
  { 5: 2, 11: 1, 12: 2 },
  { 5: 3, 11: 1, 12: 2, 13: 3 },
];
/** Each of the three records: head, tables, two blocks, two nodes. */
const RECORD_BYTES = 512 + 512 + 2 * BLOCK + 512;

/** What is found of a specimen by one who only reads. */
async function look(
  specimen: JournalSpecimen,
  options: OpenJournal = {},
): Promise<[number, Record<number, number>]> {
  const journal = await specimen.open({ readOnly: true, ...options });
  const found: [number, Record<number, number>] = [
    journal.state.generation,
    readAll(journal),
  ];
  journal.close();
  return found;
}

Deno.test("what was committed is found, by readers and by writers", async () => {
  for (const isAnchored of [true, false]) {
    const specimen = await threeCommits({ isAnchored });
    const before = specimen.copy();
    assert.deepEqual(await look(specimen, { isAnchored }), [10, AFTER[3]]);
    for (const name of ["journal", "image", "tree", "anchor"] as const) {
      assert.deepEqual(specimen.bytes(name), before.bytes(name), name);
    }
    const journal = await specimen.open({ isAnchored });
    assert.deepEqual(readAll(journal), AFTER[3]);
    assert.deepEqual(journal.state.root, filled(32, 3));
    journal.close();
    // Now it is in its place, and the records are not needed any more.
    specimen.bytes("journal").fill(0, RING_START);
    assert.deepEqual(await look(specimen, { isAnchored }), [10, AFTER[3]]);
  }
});

Deno.test("a record that is torn in any sector ends the chain", async () => {
  const specimen = await threeCommits({ isAnchored: false });
  const anchored = await threeCommits();
  const sectors = RECORD_BYTES / 512;
  for (let record = 0; record < 3; record++) {
    for (let i = 0; i < sectors; i++) {
      const at = RING_START + record * RECORD_BYTES + i * 512;
      for (const fill of [0, 0xee]) {
        const tear = (one: JournalSpecimen): JournalSpecimen => {
          const copy = one.copy();
          copy.bytes("journal").fill(fill, at, at + 512);
          return copy;
        };
        const how = { isAnchored: false };
        assert.deepEqual(
          await look(tear(specimen), how),
          [7 + record, AFTER[record]],
          `record ${record}, sector ${i}`,
        );
        await assert.rejects(
          look(tear(anchored)),
          (error) =>
            error instanceof RollbackError && error.message.includes(
              `at generation ${7 + record}, the anchor says 10: rolled back`,
            ),
        );
      }
    }
  }
});

Deno.test("one record behind the anchor is discarded, and never comes back", async () => {
  const specimen = await threeCommits();
  const before = specimen.bytes("anchor").slice();
  const journal = await specimen.open();
  writeAll(journal, { 5: 9, 20: 9 });
  await journal.commit();
  journal.close();
  const crashed = specimen.with("anchor", before);
  assert.deepEqual(await look(crashed), [10, AFTER[3]]);
  (await crashed.open()).close();
  // Not even without an anchor: it is of an older epoch.
  for (const isAnchored of [true, false]) {
    assert.deepEqual(await look(crashed, { isAnchored }), [10, AFTER[3]]);
  }
});

Deno.test("an anchor that was put back is found out by two records", async () => {
  const specimen = await JournalSpecimen.make();
  const journal = await specimen.open();
  const anchors: Uint8Array[] = [];
  for (const fill of [1, 2, 3]) {
    anchors.push(specimen.bytes("anchor").slice());
    writeAll(journal, { 5: fill });
    await journal.commit();
  }
  journal.close();
  for (const [i, anchor] of anchors.slice(0, 2).entries()) {
    await assert.rejects(look(specimen.with("anchor", anchor)), (error) => {
      assert.ok(error instanceof RollbackError);
      assert.match(error.message, /the journal goes on to generation \d+/);
      assert.ok(error.message.includes(`the anchor says ${7 + i}: `));
      return true;
    });
  }
  assert.deepEqual(await look(specimen.with("anchor", anchors[2])), [9, {
    5: 2,
  }]);
});

Deno.test("a journal behind its anchor, or another history, is refused", async () => {
  const specimen = await JournalSpecimen.make();
  const moments: JournalSpecimen[] = [];
  for (const fill of [1, 2]) {
    moments.push(specimen.copy());
    const journal = await specimen.open();
    writeAll(journal, { 5: fill });
    await journal.commit();
    await journal.checkpoint();
    journal.close();
  }
  const [old] = moments;
  const refused = async (
    one: JournalSpecimen,
    message: RegExp,
  ): Promise<void> => {
    await assert.rejects(look(one), (error) => {
      assert.ok(error instanceof RollbackError, String(error));
      assert.match(error.message, message);
      return true;
    });
  };
  await refused(
    specimen.with("journal", old.bytes("journal")),
    /at generation 7, the anchor says 9: rolled back, or the wrong copy$/,
  );
  await refused(
    specimen.with("anchor", old.bytes("anchor")),
    /at generation 9, the anchor says 7: the anchor was rolled back/,
  );
  // A copy of an earlier moment that went its own way as far.
  const copy = moments[1].copy();
  const journal = await copy.open();
  writeAll(journal, { 6: 6 });
  await journal.commit();
  await journal.checkpoint();
  journal.close();
  await refused(
    specimen.with("journal", copy.bytes("journal")),
    /at generation 9, and so is the anchor, but not with the same contents/,
  );
});

Deno.test("who accepts an older state goes on from there, and nothing follows", async () => {
  const specimen = await threeCommits();
  const old = await JournalSpecimen.make();
  const rolledBack = specimen.with("journal", old.bytes("journal"));
  await assert.rejects(look(rolledBack), RollbackError);
  await assert.rejects(rolledBack.open({ acceptRollback: 8 }), /says 8/);
  assert.deepEqual(await look(rolledBack, { acceptRollback: 7 }), [7, {}]);
  const journal = await rolledBack.open({ acceptRollback: 7 });
  assert.ok(journal.state.generation > 10);
  assert.deepEqual(readAll(journal), {});
  writeAll(journal, { 8: 8 });
  await journal.commit();
  const { generation } = journal.state;
  journal.close();
  assert.deepEqual(await look(rolledBack), [generation, { 8: 8 }]);
  // The history that was given up is not the present one any more.
  const back = rolledBack.with("journal", specimen.bytes("journal"));
  await assert.rejects(look(back), RollbackError);
  // What was acknowledged, and is there, is not given up.
  await assert.rejects(specimen.open({ acceptRollback: 9 }), /generation 10/);
  assert.deepEqual(await look(specimen), [10, AFTER[3]]);
});

Deno.test("a crash while an older state is accepted leaves it to be accepted", async () => {
  for (let fault = 1; fault <= 8; fault++) {
    const older = await threeCommits({ fills: [1] });
    const specimen = (await threeCommits())
      .with("journal", older.bytes("journal"));
    let left = fault;
    specimen.rule = () => --left === 0;
    const opening = specimen.open({ acceptRollback: 8 });
    const failed = await opening.then((one) => one.close(), (error) => error);
    if (!failed) {
      assert.ok(fault > 4);
      break;
    }
    const crashed = specimen.crashed();
    const again = await crashed.open({ acceptRollback: 8 })
      .catch(async () => {
        // The checkpoint is stored already, if the anchor names it.
        const { generation } = (await crashed.open()).state;
        return await crashed.open({ acceptRollback: generation });
      });
    assert.deepEqual(readAll(again), AFTER[1], `fault ${fault}`);
    again.close();
    assert.deepEqual((await look(crashed))[1], AFTER[1]);
  }
});

Deno.test("a journal of another volume, or none, is refused", async () => {
  const specimen = await JournalSpecimen.make({ isKeyed: false });
  const { mac } = formatOf(false);
  const how = { isKeyed: false, isAnchored: false };
  const put = (state: Partial<VolumeState>, position = 0): JournalSpecimen => {
    const bytes = specimen.bytes("journal").slice();
    const first = { ...FIRST, ...state, sequence: 0, position };
    bytes.set(encodeState("checkpoint", first, mac));
    return specimen.with("journal", bytes);
  };
  assert.deepEqual(await look(put({}), how), [7, {}]);
  const cases: [Partial<VolumeState>, number?][] = [
    [{ id: filled(16, 9) }],
    [{ blockSize: 4096 }],
    [{ leafCount: 1 }],
    [{}, 32 << 10],
    [{}, 2 ** 50],
    [{ generation: 2 ** 53 }],
  ];
  for (const [state, position] of cases) {
    await assert.rejects(look(put(state, position), how), IntegrityError);
  }
  const journal = specimen.bytes("journal");
  for (const length of [0, 100, 4096, 8191, RING_START, RING_START + 511]) {
    const short = specimen.with("journal", journal.slice(0, length));
    await assert.rejects(look(short, how), IntegrityError, `${length} bytes`);
  }
  // A ring of one sector holds nothing, and is nothing to fail by.
  const tiny = specimen.with("journal", journal.slice(0, RING_START + 512));
  assert.deepEqual(await look(tiny, how), [7, {}]);
});

Deno.test("what an unsigned record says is bounded", async () => {
  const specimen = await JournalSpecimen.make({ isKeyed: false });
  const how = { isKeyed: false, isAnchored: false };
  const state = { ...FIRST, generation: 8 };
  const block = filled(BLOCK, 1);
  const node = filled(32, 1);
  const withRecord = async (contents: Contents): Promise<JournalSpecimen> => {
    const file = new MemoryFile(specimen.bytes("journal").slice());
    const what = { position: 0, state, contents };
    const format = formatOf(false);
    const slices = new Slices();
    await writeRecord(new Ring(file, RING_START), what, { format, slices });
    return specimen.with("journal", file.bytes);
  };
  for (const number of [IDENTITY.leafCount, 2 ** 32 - 1]) {
    const nodes = new Map();
    const bad = await withRecord({ blocks: new Map([[number, block]]), nodes });
    await assert.rejects(look(bad, how), /journal is damaged: .* block \d+$/);
  }
  const places = [4 * IDENTITY.leafCount, 2 ** 52];
  const blocks = new Map([[3, block]]);
  for (const place of places) {
    const nodes = new Map([[3, node], [place, node]]);
    const beyond = await withRecord({ blocks, nodes });
    assert.deepEqual(await look(beyond, how), [8, { 3: 1 }]);
    const journal = await beyond.open(how);
    await journal.checkpoint();
    journal.close();
    assert.deepEqual(await look(beyond, how), [8, { 3: 1 }]);
  }
  const nodes = new Map([[2 ** 60, node]]);
  await assert.rejects(look(await withRecord({ blocks, nodes }), how), {
    name: "IntegrityError",
  });
});
