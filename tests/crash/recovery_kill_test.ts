/**
 * A crash during what follows a crash: recovery is cut short at every write and
 * sync of it, and so is the recovery after that; likewise the acceptance of a
 * rollback. Whoever opens the volume at last finds what the first would have.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { VolumeFile } from "../../bd/volume/mod.ts";
import { look, type Opening } from "../support/put_back.ts";
import {
  type Choice,
  hasTree,
  History,
  type Moment,
  SETTINGS,
} from "../support/put_back_history.ts";
import { withTempDir } from "../support/tools.ts";
import {
  type Contents,
  copyContents,
  Host,
  type HostCall,
} from "./recording.ts";

/** What is left of writes that were not synced. */
const FATES = ["kept", "the last one torn", "lost"] as const;

/** One of so many recoveries that were cut short is followed by another one. */
const STRIDE = 17;

/** What the files hold if all ended behind the first `length` calls of `log`. */
function cut(
  initial: Contents,
  log: readonly HostCall[],
  { length, fate }: { length: number; fate: (typeof FATES)[number] },
): Contents {
  const files = copyContents(initial);
  const calls = log.slice(0, length);
  for (const [i, call] of calls.entries()) {
    if (call.kind !== "write") continue;
    const isDurable = calls.some((one) =>
      one.kind === "synced" && one.file === call.file && one.start > i
    );
    if (fate === "lost" && !isDurable) continue;
    const isTorn = fate === "the last one torn" && i === length - 1;
    const { bytes, position } = call;
    const half = bytes.length >> 1;
    const kept = isTorn ? bytes.subarray(0, half - half % 512) : bytes;
    files.get(call.file)!.set(kept, position);
  }
  return files;
}

/** Opens a volume again and again, each time not to the end. */
class Cutter {
  tried = 0;
  readonly #history: History;
  readonly #path: string;

  constructor(history: History, path: string) {
    this.#history = history;
    this.#path = path;
  }

  /**
   * Opens what is in `files` to write, which must end in what is `expected`;
   * then in all ways in which that is cut short before, `depth` times in a row.
   */
  async cutAll(
    files: Contents,
    expected: Opening,
    { depth, accept }: { depth: number; accept?: number },
  ): Promise<void> {
    const place = (host: Host): { host: Host; path: string } => ({
      host,
      path: this.#path,
    });
    const host = new Host(copyContents(files));
    const at = expected.moment;
    const how = { at, acceptRollback: accept };
    let finding = await look(this.#history, place(host), how);
    if (finding.kind === "refused") {
      // If the checkpoint was stored, it is accepted already.
      assert.ok(accept !== undefined);
      accept = undefined;
      finding = await look(this.#history, place(host), { at });
    }
    assert.equal(finding.kind, "opened");
    const { failed, contents } = finding as Opening;
    assert.equal(failed, expected.failed);
    assert.equal(contents?.name, expected.contents?.name);
    this.tried++;
    if (depth === 0) return;
    let ways = 0;
    for (let length = 0; length <= host.log.length; length++) {
      for (const fate of FATES) {
        const left = cut(host.initial, host.log, { length, fate });
        const isDeep = ways++ % STRIDE === 0;
        const deeper = isDeep ? depth - 1 : 0;
        await this.cutAll(left, expected, { depth: deeper, accept });
      }
    }
  }
}

function allOf(history: History, moment: Moment): Map<VolumeFile, Moment> {
  return new Map(history.names.map((name) => [name, moment]));
}

async function cutAll(
  history: History,
  choice: Choice,
  { accept, depth }: { accept?: number; depth: number },
): Promise<number> {
  const { path } = choice.get("descriptor")!;
  const { contents } = history.host(choice, { copy: true });
  const host = new Host(contents, { replay: false });
  const how = { readOnly: true, acceptRollback: accept };
  const expected = await look(history, { host, path }, how);
  assert.equal(expected.kind, "opened");
  const cutter = new Cutter(history, path);
  await cutter.cutAll(contents, expected as Opening, { depth, accept });
  return cutter.tried;
}

for (const setting of SETTINGS) {
  const { device, anchor } = setting;
  // An anchor that is apart is treated like one beside.
  if (anchor === "apart") continue;
  const what = device === "std" ? "std" : `${device}, anchor ${anchor}`;
  Deno.test(`${what}: recovery may be cut short at any point, twice`, () =>
    withTempDir(async (dir) => {
      const history = await History.make(dir, setting);
      const killed = history.moments.find(({ name }) => name === "killed")!;
      const choice = allOf(history, killed);
      let tried = await cutAll(history, choice, { depth: 2 });
      if (hasTree(setting) && anchor !== "none") {
        // All but the anchor is of a moment at which it was open.
        const then = history.moments[1];
        const { generation } = then.state;
        const back = allOf(history, then).set("anchor", killed);
        tried += await cutAll(history, back, { accept: generation, depth: 1 });
      }
      console.log(`${what}: opened ${tried} times`);
    }));
}
