/**
 * The way out after files were put back, and what a host can do afterwards
 * with the history that was given up.
 *
 * @module
 */

import assert from "node:assert/strict";
import { isSameState } from "../../bd/journal/state.ts";
import { RollbackError, type VolumeFile } from "../../bd/volume/mod.ts";
import { Host } from "../crash/recording.ts";
import {
  type Finding,
  isSameFile,
  look,
  type Opening,
} from "../support/put_back.ts";
import {
  type Choice,
  History,
  type Moment,
  type Setting,
} from "../support/put_back_history.ts";
import { withTempDir } from "../support/tools.ts";
import { block } from "../support/volumes.ts";

const SETTINGS: readonly Setting[] = [
  { device: "crypt", anchor: "apart" },
  { device: "verity", anchor: "beside" },
  { device: "vericrypt", anchor: "apart" },
];

/** What is put back together: hashes go with the blocks that they are of. */
const GROUPS: readonly (readonly VolumeFile[])[] = [
  ["anchor"],
  ["journal"],
  ["descriptor"],
  ["image", "tree"],
];

/** Every way to put some of the files of `now` back to `then`. */
function* puttingBack(now: Moment, then: Moment): Generator<Choice> {
  for (let i = 0; i < 2 ** GROUPS.length; i++) {
    yield new Map(GROUPS.flatMap((names, j) => {
      const moment = i & 1 << j ? then : now;
      return names.map((name): [VolumeFile, Moment] => [name, moment]);
    }));
  }
}

function opened(finding: Finding): Opening {
  assert.equal(finding.kind, "opened");
  return finding as Opening;
}

/** Someone who accepts what the host has put back. */
class Accepting {
  readonly counts = { accepted: 0, refused: 0, after: 0 };
  readonly #history: History;

  constructor(history: History) {
    this.#history = history;
  }

  async acceptAll(): Promise<void> {
    const { moments } = this.#history;
    const killed = moments.at(-2)!;
    for (const moment of moments.slice(0, -2)) {
      for (const choice of puttingBack(killed, moment)) {
        await this.#accept(choice);
      }
    }
  }

  /** Accepts what the journal is at, if the volume is refused without that. */
  async #accept(choice: Choice): Promise<void> {
    const history = this.#history;
    const { path } = choice.get("descriptor")!;
    const journal = choice.get("journal")!;
    const host = history.host(choice, { copy: true });
    const place = { host, path };
    const refused = await look(history, place);
    if (refused.kind !== "refused" || refused.code !== 14) return;
    const { error } = refused;
    assert.ok(error instanceof RollbackError && error.isAcceptable);
    const { generation } = journal.state;
    assert.match(
      error.message,
      new RegExp(`(is at|goes on to) generation ${generation}\\b`),
    );
    await this.#refuseOthers(choice, host);
    const how = { acceptRollback: generation };
    const shown = await look(history, place, { ...how, readOnly: true });
    assert.equal(host.log.length, 0);
    if (!isSameFile("descriptor", journal, choice.get("descriptor")!)) {
      return await this.#refuseOldKeys(shown, place, how);
    }
    const { moment: at } = opened(shown);
    assert.ok(isSameState(at.state, journal.state));
    const said = choice.get("anchor")!.state.generation;
    const taken = opened(await look(history, place, { ...how, at }));
    assert.ok(taken.generation > Math.max(said, generation));
    this.#checkSame(taken, opened(shown));
    this.counts.accepted++;
    await this.#goOn(place, taken);
  }

  /** No other generation is taken, and nothing is written. */
  async #refuseOthers(choice: Choice, host: Host): Promise<void> {
    const { generation } = choice.get("journal")!.state;
    const { path } = choice.get("descriptor")!;
    for (const other of [0, 1, generation + 1, generation + 2]) {
      const how = { acceptRollback: other };
      const finding = await look(this.#history, { host, path }, how);
      assert.equal(finding.kind === "refused" && finding.code, 14);
    }
    assert.equal(host.log.length, 0);
  }

  /** A descriptor of another time is not taken, whatever is accepted. */
  async #refuseOldKeys(
    shown: Finding,
    place: { host: Host; path: string },
    how: { acceptRollback: number },
  ): Promise<void> {
    assert.equal(shown.kind === "refused" && shown.code, 13);
    const finding = await look(this.#history, place, how);
    assert.equal(finding.kind === "refused" && finding.code, 13);
    assert.equal(place.host.log.length, 0);
    this.counts.refused++;
  }

  #checkSame(a: Opening, b: Opening): void {
    assert.equal(a.failed, b.failed);
    assert.equal(a.contents?.name, b.contents?.name);
  }

  /** What was accepted is the present; nothing else ever is again. */
  async #goOn(
    { host, path }: { host: Host; path: string },
    taken: Opening,
  ): Promise<void> {
    const history = this.#history;
    const { moment: at } = taken;
    const again = opened(await look(history, { host, path }, { at }));
    this.#checkSame(again, taken);
    assert.equal(again.generation, taken.generation);
    await this.#putBackAbandoned({ host, path });
    if (taken.failed > 0) return;
    // So it is after more commits, as many as have been given up.
    const volume = await history.open(host, path);
    for (let i = 0; i < 4; i++) {
      volume.device.write(200, block(i));
      await volume.device.flush();
    }
    volume.close();
    await this.#putBackAbandoned({ host, path });
  }

  /** Puts journal or anchor of any moment into the files. */
  async #putBackAbandoned(
    { host, path }: { host: Host; path: string },
  ): Promise<void> {
    for (const moment of this.#history.moments) {
      for (const name of ["journal", "anchor"] as const) {
        const files = new Map(host.contents);
        files.set(name, moment.files.get(name)!);
        await this.#refuse(new Host(files, { replay: false }), path);
      }
    }
  }

  async #refuse(host: Host, path: string): Promise<void> {
    const finding = await look(this.#history, { host, path });
    assert.equal(finding.kind === "refused" && finding.code, 14);
    assert.equal(host.log.length, 0);
    this.counts.after++;
  }
}

for (const setting of SETTINGS) {
  const { device, anchor } = setting;
  const what = `${device}, anchor ${anchor}`;
  Deno.test(`${what}: what was given up for a rollback is refused for ever`, () =>
    withTempDir(async (dir) => {
      const host = new Accepting(await History.make(dir, setting));
      await host.acceptAll();
      const { accepted, refused, after } = host.counts;
      assert.ok(accepted > 10);
      console.log(
        `${what.padEnd(25)} ${accepted} accepted, ${refused} not, for their ` +
          `keys; ${after} times, what was given up was put back and refused`,
      );
    }));
}
