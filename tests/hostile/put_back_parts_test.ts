/**
 * A host that puts back parts of files: a slot of the journal's checkpoint, its
 * ring, a slot of the anchor, and blocks and hashes of another moment.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { CHECKPOINT_SLOTS, RING_START } from "../../bd/journal/checkpoint.ts";
import { decodeState, isSameState } from "../../bd/journal/state.ts";
import { ANCHOR_BYTES, ANCHOR_SLOTS } from "../../bd/volume/anchor.ts";
import type { VolumeFile } from "../../bd/volume/mod.ts";
import { Host } from "../crash/recording.ts";
import { type Finding, look } from "../support/put_back.ts";
import { hasTree, History, type Moment } from "../support/put_back_history.ts";
import { withTempDir } from "../support/tools.ts";

/** A part of a file, or all of it. */
interface Part {
  readonly file: VolumeFile;
  readonly from: number;
  readonly to?: number;
}

/** A part as it was at some moment. */
type Version = Part & { readonly moment: Moment; readonly bytes: Uint8Array };

const [FIRST, SECOND] = CHECKPOINT_SLOTS;
const JOURNAL: readonly Part[] = [
  { file: "journal", from: FIRST, to: SECOND },
  { file: "journal", from: SECOND, to: RING_START },
  { file: "journal", from: RING_START },
];
const BLOCKS: readonly Part[] = [
  { file: "image", from: 0 },
  { file: "tree", from: 0 },
];
const ANCHOR: readonly Part[] = [
  { file: "anchor", from: ANCHOR_SLOTS[0], to: ANCHOR_SLOTS[1] },
  { file: "anchor", from: ANCHOR_SLOTS[1], to: ANCHOR_BYTES },
];

function versionsOf(history: History, part: Part): Version[] {
  const versions: Version[] = [];
  for (const moment of history.moments.toReversed()) {
    const bytes = moment.files.get(part.file)?.subarray(part.from, part.to);
    if (!bytes) continue;
    const isKnown = versions.some((one) =>
      Buffer.compare(one.bytes, bytes) === 0
    );
    if (!isKnown) versions.push({ ...part, moment, bytes });
  }
  return versions;
}

/** Every way to take one of each of `lists`, but for those that are empty. */
function* product<T>(lists: readonly (readonly T[])[]): Generator<T[]> {
  const [first, ...rest] = lists;
  if (!first) return yield [];
  for (const others of product(rest)) {
    if (first.length === 0) yield others;
    for (const one of first) yield [one, ...others];
  }
}

/** A host that puts parts into the files of one moment. */
class Patching {
  readonly counts = { tried: 0, refused: 0, partial: 0 };
  readonly #history: History;

  constructor(history: History) {
    this.#history = history;
  }

  /** Puts every choice of versions of `parts` into the files of `now`. */
  async patchAll(
    now: Moment,
    parts: readonly Part[],
    check: (finding: Finding, versions: readonly Version[]) => void,
  ): Promise<void> {
    const history = this.#history;
    const lists = parts.map((part) => versionsOf(history, part));
    for (const versions of product(lists)) {
      const files = new Map(now.files);
      for (const { file, from, bytes, to } of versions) {
        if (from === 0 && to === undefined) {
          files.set(file, bytes);
          continue;
        }
        const isOurs = files.get(file) !== now.files.get(file);
        const patched = isOurs ? files.get(file)! : files.get(file)!.slice();
        patched.set(bytes, from);
        files.set(file, patched);
      }
      const host = new Host(files, { replay: false });
      const { path } = now;
      const finding = await look(history, { host, path }, { readOnly: true });
      this.#count(finding);
      check(finding, versions);
    }
  }

  #count(finding: Finding): void {
    this.counts.tried++;
    if (finding.kind === "refused") this.counts.refused++;
    else if (finding.failed > 0) this.counts.partial++;
    if (finding.kind === "refused" || !hasTree(this.#history.setting)) return;
    assert.equal(finding.contents?.name, finding.moment.name);
  }

  print(what: string): void {
    const { tried, refused, partial } = this.counts;
    console.log(
      `${what.padEnd(45)} ${tried} choices, ${refused} refused, ` +
        `${partial} with blocks that cannot be read`,
    );
  }
}

function makeHistory(
  visit: (history: History) => Promise<void>,
  anchor: "apart" | "beside" | "none",
  device: "verity" | "crypt" | "vericrypt",
): Promise<void> {
  return withTempDir(async (dir) => {
    await visit(await History.make(dir, { device, anchor }));
  });
}

Deno.test("parts of a journal that are put back make nothing but a state that was", () =>
  makeHistory(
    async (history) => {
      const host = new Patching(history);
      const killed = history.moments.at(-2)!;
      await host.patchAll(killed, [...JOURNAL, ...BLOCKS], () => {});
      host.print("verity, none: parts of the journal");
    },
    "none",
    "verity",
  ));

for (const device of ["crypt", "vericrypt"] as const) {
  Deno.test(`${device}: parts of a journal make nothing but what the anchor says`, () =>
    makeHistory(
      async (history) => {
        const host = new Patching(history);
        for (const now of history.moments.slice(-2)) {
          await host.patchAll(now, [...JOURNAL, BLOCKS[0]], (finding) => {
            if (finding.kind === "refused") assert.equal(finding.code, 14);
            else assert.ok(isSameState(finding.moment.state, now.state));
          });
        }
        host.print(`${device}, apart: parts of the journal`);
      },
      "apart",
      device,
    ));
}

Deno.test("slots of the anchor that are put back or spoilt take back one commit at most", () =>
  makeHistory(
    async (history) => {
      const host = new Patching(history);
      for (const now of history.moments) {
        await host.patchAll(now, ANCHOR, (finding, versions) => {
          const lag = lagOf(now, versions);
          const isLast = lag === 1 && HAS_RECORDS.test(now.name);
          assert.equal(finding.kind === "opened", lag === 0 || isLast);
          if (finding.kind === "refused") assert.equal(finding.code, 14);
          else assert.equal(finding.generation, now.state.generation - lag);
        });
      }
      host.print("vericrypt, beside: slots of the anchor");
    },
    "beside",
    "vericrypt",
  ));

/** Names of moments at which the last commit was only in the journal. */
const HAS_RECORDS = /records in the journal|before the kill|killed/;

/** How many commits the latest of the slots is behind the files. */
function lagOf(now: Moment, slots: readonly Version[]): number {
  const generations = slots.map(({ bytes }) =>
    decodeState("anchor", bytes, { mac: null })?.generation ?? 0
  );
  return now.state.generation - Math.max(...generations);
}
