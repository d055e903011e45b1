/**
 * What a killed process has left can be read, and need not be durable, not even
 * by another sync: the host tells of a failed write once, and drops it.
 */

import assert from "node:assert/strict";
import {
  JournalSpecimen,
  readAll,
  writeAll,
} from "../../tests/support/journal_specimen.ts";

/** A journal whose last record could not be synced, as a kill leaves it. */
async function killed(): Promise<JournalSpecimen> {
  const specimen = await JournalSpecimen.make();
  const journal = await specimen.open({ isAnchored: false });
  writeAll(journal, { 1: 1, 5: 1 });
  await journal.commit();
  // Otherwise its record would put back whatever is in its place.
  await journal.checkpoint();
  specimen.rule = ({ name, kind }) => name === "journal" && kind === "sync";
  writeAll(journal, { 1: 2, 5: 2 });
  await assert.rejects(journal.commit(), { code: "EIO" });
  specimen.rule = null;
  return specimen;
}

Deno.test("a record that was found is durable before it is brought to its place", async () => {
  let states = 0;
  for (let isOpened = false; !isOpened; states++) {
    const specimen = await killed();
    const last = specimen.calls + states;
    specimen.rule = ({ ordinal }) => ordinal > last;
    isOpened = await specimen.open({ isAnchored: false })
      .then(() => true, () => false);
    const journal = await specimen.crashed().open({ isAnchored: false });
    const { 1: one, 5: five } = readAll(journal);
    assert.ok(one === five && (one === 1 || one === 2), `${one}, ${five}`);
    journal.close();
  }
  assert.ok(states > 6, `${states} states`);
});
