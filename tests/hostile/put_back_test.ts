/**
 * A host that puts back every file of a volume to every earlier moment, in
 * every combination: with a hash tree nothing is ever read that is not of one
 * moment, and nothing is older than the anchor.
 *
 * What is found is the table in docs/durability.md.
 *
 * @module
 */

import assert from "node:assert/strict";
import { IntegrityError } from "../../bd/block_device.ts";
import { isSameState } from "../../bd/journal/state.ts";
import { WrongKeyError } from "../../bd/volume/mod.ts";
import {
  choices,
  type Finding,
  isSameFile,
  look,
  type Opening,
} from "../support/put_back.ts";
import {
  type Choice,
  hasTree,
  History,
  type Moment,
  REMOVED_KEY,
  SETTINGS,
} from "../support/put_back_history.ts";
import {
  documentedTable,
  PutBackTable,
  withoutPadding,
} from "../support/put_back_table.ts";
import { tryReading } from "../support/reading.ts";
import { withTempDir } from "../support/tools.ts";

const DOCUMENT = new URL("../../docs/durability.md", import.meta.url);

/** What is found in all tests of this file. */
const table = new PutBackTable();

/** A host that puts together what it has kept. */
class PuttingBack {
  /** Combinations, those that are refused, and those with unread blocks. */
  readonly counts = { tried: 0, refused: 0, partial: 0 };
  readonly #history: History;

  constructor(history: History) {
    this.#history = history;
  }

  /** Everything. The present is when it was closed, or killed before that. */
  async putBack(): Promise<void> {
    const { moments } = this.#history;
    for (const choice of choices(this.#history)) {
      const finding = await this.#open(choice);
      this.counts.tried++;
      for (const now of moments.slice(-2)) {
        if (!isUpTo(choice, now, moments)) continue;
        table.add(this.#history, { choice, now }, finding);
      }
      if (finding.kind === "refused") {
        this.counts.refused++;
        continue;
      }
      if (finding.failed > 0) this.counts.partial++;
      await this.#checkFiles(choice, finding);
      await this.#checkRemovedKey(choice);
    }
  }

  /** Opens it, only to look and to be written; the same must come of both. */
  async #open(choice: Choice): Promise<Finding> {
    const history = this.#history;
    const { path } = choice.get("descriptor")!;
    let host = history.host(choice, { copy: false });
    const finding = await look(history, { host, path }, { readOnly: true });
    checkRules(history, choice, finding);
    const isRefused = finding.kind === "refused";
    if (!isRefused) host = history.host(choice, { copy: true });
    const again = await look(history, { host, path });
    assert.deepEqual(comparable(again), comparable(finding));
    // What is refused is left as it is, so that it can be set right.
    if (isRefused) assert.equal(host.log.length, 0);
    else {
      // Nor does it make a difference that it was opened to be written.
      const third = await look(history, { host, path }, { readOnly: true });
      assert.deepEqual(comparable(third), comparable(finding));
    }
    return finding;
  }

  /** Every file is of the one moment, or cannot be read. */
  async #checkFiles(choice: Choice, { moment }: Opening): Promise<void> {
    const history = this.#history;
    const host = history.host(choice, { copy: false });
    const { path } = choice.get("descriptor")!;
    const volume = await history.open(host, path, { readOnly: true });
    const sights = await tryReading(volume.device);
    if (!hasTree(history.setting)) return;
    if (sights instanceof Error) return assert.ok(isDamage(sights));
    for (const [i, sight] of sights.entries()) {
      assert.ok(isDamage(sight) || sight === moment.sights[i], String(sight));
    }
  }

  /** The key that was removed opens what was not then. */
  async #checkRemovedKey(choice: Choice): Promise<void> {
    const history = this.#history;
    if (history.setting.device === "std") return;
    const host = history.host(choice, { copy: false });
    const { path } = choice.get("descriptor")!;
    const options = { readOnly: true, key: REMOVED_KEY };
    const opening = history.open(host, path, options);
    const isNow = path === history.moments.at(-1)!.path;
    if (isNow) await assert.rejects(opening, WrongKeyError);
    else (await opening).close();
  }
}

/** Whether all files may have been copied when `now` was the present. */
function isUpTo(
  choice: Choice,
  now: Moment,
  moments: readonly Moment[],
): boolean {
  const earlier = moments.slice(0, moments.indexOf(now) + 1);
  return [...choice].every(([name, one]) =>
    earlier.some((moment) => isSameFile(name, one, moment))
  );
}

function isDamage(sight: unknown): boolean {
  return sight instanceof IntegrityError;
}

/** What must be the same however it is opened. */
function comparable(finding: Finding): unknown {
  return finding.kind === "refused"
    ? { code: finding.code, message: finding.error.message }
    : {
      ...finding,
      moment: finding.moment.name,
      contents: finding.contents?.name,
    };
}

function checkRules(
  history: History,
  choice: Choice,
  finding: Finding,
): void {
  const { setting } = history;
  const journal = choice.get("journal")!;
  const anchor = choice.get("anchor");
  const { generation } = (anchor ?? journal).state;
  if (anchor && anchor.state.generation > journal.state.generation) {
    assert.equal(finding.kind === "refused" && finding.code, 14);
  }
  if (finding.kind === "refused") return;
  const { moment, contents } = finding;
  assert.equal(moment.state.generation, generation);
  assert.ok(isSameState(moment.state, (anchor ?? journal).state));
  // A key that was removed never comes back without its state.
  assert.ok(isSameFile("descriptor", moment, choice.get("descriptor")!));
  if (hasTree(setting)) assert.equal(contents?.name, moment.name);
}

for (const setting of SETTINGS) {
  const { device, anchor } = setting;
  const what = device === "std" ? "std" : `${device}, anchor ${anchor}`;
  Deno.test(`${what}: files put back are of one moment, or refused`, () =>
    withTempDir(async (dir) => {
      const history = await History.make(dir, setting);
      const host = new PuttingBack(history);
      await host.putBack();
      const { tried, refused, partial } = host.counts;
      console.log(
        `${what.padEnd(25)} ${tried} combinations, ${refused} refused, ` +
          `${partial} with blocks that cannot be read`,
      );
    }));
}

Deno.test("docs/durability.md says what comes of files put back", async () => {
  const found = table.markdown();
  console.log(found);
  const said = documentedTable(await Deno.readTextFile(DOCUMENT));
  assert.equal(withoutPadding(said), withoutPadding(found));
});
