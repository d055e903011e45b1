/**
 * A host that fails, at each of its calls: what was acknowledged is there after
 * a crash, a commit that failed is there as a whole or not at all, and when the
 * fault is over all goes on.
 */

import assert from "node:assert/strict";
import {
  filled,
  type HostCall,
  JournalSpecimen,
  readAll,
  writeAll,
} from "../../tests/support/journal_specimen.ts";
import { DeviceError } from "../block_device.ts";
import type { Journal } from "./journal.ts";

type Contents = Record<number, number>;

/** Number of commits of the workload: the ring is filled several times. */
const COMMITS = 12;

/** One who commits, and knows what a crash may leave. */
class Worker {
  readonly specimen: JournalSpecimen;
  readonly isAnchored: boolean;
  readonly journal: Journal;
  /** What was acknowledged last. */
  acknowledged: Contents = {};
  /** What is written. */
  written: Contents = {};
  failures = 0;
  /** Calls since the host has failed; before, all is as in `journal_test.ts`. */
  #since = 3;

  private constructor(
    specimen: JournalSpecimen,
    journal: Journal,
    isAnchored: boolean,
  ) {
    this.specimen = specimen;
    this.journal = journal;
    this.isAnchored = isAnchored;
  }

  static async open(isAnchored: boolean): Promise<Worker> {
    const specimen = await JournalSpecimen.make();
    const journal = await specimen.open({ isAnchored });
    specimen.calls = 0;
    return new Worker(specimen, journal, isAnchored);
  }

  /** Commits again and again, and checkpoints; a failure is tried again. */
  async work(): Promise<void> {
    for (let i = 0; i < COMMITS; i++) {
      const change = { [i]: i + 1, [50 + i % 3]: i + 1, [90 - i]: i + 1 };
      writeAll(this.journal, change);
      this.written = { ...this.written, ...change };
      await this.#try(() => this.#commit(i));
      if (i % 4 === 3) await this.#try(() => this.journal.checkpoint());
    }
  }

  async #commit(i: number): Promise<void> {
    const written = { ...this.written };
    await this.journal.commit({ root: filled(32, i + 1) });
    this.acknowledged = written;
  }

  async #try(call: () => Promise<void>): Promise<void> {
    for (let attempts = 0;; attempts++) {
      assert.ok(attempts < 5, "it goes on failing");
      try {
        return await call();
      } catch (error) {
        assert.ok(error instanceof DeviceError, String(error));
        this.failures++;
        this.#since = 0;
      } finally {
        assert.deepEqual(readAll(this.journal), this.written);
        if (this.#since++ < 3) await this.check();
      }
    }
  }

  /** Asserts that a crash leaves one of the states that it may leave. */
  async check(): Promise<void> {
    const { isAnchored } = this;
    for (const copy of [this.specimen.crashed(), this.specimen.copy()]) {
      const before = copy.copy();
      const journal = await copy.open({ isAnchored });
      const found = readAll(journal);
      journal.close();
      const isLast = isSame(found, this.acknowledged);
      assert.ok(isLast || isSame(found, this.written), JSON.stringify(found));
      // Recovery finds the same, however often it is begun.
      const again = await before.open({ isAnchored });
      assert.deepEqual(readAll(again), found);
      again.close();
    }
  }
}

function isSame(a: Contents, b: Contents): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Makes calls fail, in a workload with and one without an anchor. */
async function failing(
  rule: (call: HostCall) => boolean,
  isAnchored: boolean,
): Promise<Worker> {
  const worker = await Worker.open(isAnchored);
  worker.specimen.rule = rule;
  await worker.work();
  worker.specimen.rule = null;
  await worker.journal.commit();
  assert.ok(isSame(worker.acknowledged, worker.written));
  await worker.check();
  await worker.journal.checkpoint();
  await worker.check();
  return worker;
}

for (const isAnchored of [true, false]) {
  const how = isAnchored ? "with an anchor" : "without one";

  Deno.test(`each call of the host fails once, ${how}`, async () => {
    let calls = 0;
    let failures = 0;
    for (let nth = 1; nth === 1 || nth <= calls; nth++) {
      const rule = ({ ordinal }: HostCall): boolean => ordinal === nth;
      const worker = await failing(rule, isAnchored);
      calls = Math.max(calls, worker.specimen.calls - 8);
      failures += worker.failures;
      worker.journal.close();
    }
    assert.ok(calls > 50 && failures > 20, `${calls} calls, ${failures}`);
  });

  Deno.test(`each two calls in a row fail, ${how}`, async () => {
    for (let nth = 1; nth <= 60; nth++) {
      const rule = ({ ordinal }: HostCall): boolean =>
        ordinal === nth || ordinal === nth + 1;
      (await failing(rule, isAnchored)).journal.close();
    }
  });
}

Deno.test("a record that could not be synced never counts after a later one", async () => {
  for (const isAnchored of [true, false]) {
    const specimen = await JournalSpecimen.make();
    const journal = await specimen.open({ isAnchored });
    writeAll(journal, { 1: 1 });
    await journal.commit();
    let left = 1;
    specimen.rule = ({ name, kind }) =>
      name === "journal" && kind === "sync" && left-- > 0;
    writeAll(journal, { 1: 2, 2: 2 });
    await assert.rejects(journal.commit(), { code: "EIO" });
    // What the host was given is all there, though it has failed.
    const failed = specimen.bytes("journal").slice();
    writeAll(journal, { 2: 3 });
    await journal.commit();
    journal.close();
    for (const copy of [specimen.crashed(), specimen.copy()]) {
      const again = await copy.open({ isAnchored, readOnly: true });
      assert.deepEqual(readAll(again), { 1: 2, 2: 3 });
      again.close();
    }
    assert.notDeepEqual(specimen.bytes("journal"), failed);
  }
});

Deno.test("an anchor of which nobody knows whether it was stored is settled first", async () => {
  for (const kind of ["write", "sync"] as const) {
    const specimen = await JournalSpecimen.make();
    const journal = await specimen.open();
    let isFailing = true;
    specimen.rule = (call) =>
      call.name === "anchor" && call.kind === kind && isFailing;
    writeAll(journal, { 1: 1 });
    await assert.rejects(journal.commit(), { code: "EIO" });
    const { generation } = journal.state;
    writeAll(journal, { 2: 2 });
    const calls: string[] = [];
    const failing = specimen.rule;
    specimen.rule = (call) => {
      calls.push(`${call.kind} ${call.name}`);
      return failing(call);
    };
    // As long as it fails, no other record is written.
    await assert.rejects(journal.commit(), { code: "EIO" });
    assert.ok(calls.every((call) => call.endsWith("anchor")), `${calls}`);
    assert.equal(journal.state.generation, generation);
    isFailing = false;
    calls.length = 0;
    await journal.commit();
    assert.deepEqual(calls.slice(0, 3), [
      ...["write anchor", "sync anchor", "write journal"],
    ]);
    assert.equal(journal.state.generation, generation + 2);
    journal.close();
    const again = await specimen.crashed().open();
    assert.deepEqual(readAll(again), { 1: 1, 2: 2 });
    again.close();
  }
});

Deno.test("while image or tree cannot be synced, commits go on until it is full", async () => {
  for (const broken of ["image", "tree"] as const) {
    const specimen = await JournalSpecimen.make();
    const journal = await specimen.open();
    specimen.rule = ({ name, kind }) => name === broken && kind === "sync";
    let acknowledged: Contents = {};
    let written: Contents = {};
    let commits = 0;
    for (let i = 1; i < 40; i++) {
      writeAll(journal, { [i]: i });
      written = { ...written, [i]: i };
      try {
        await journal.commit();
      } catch (error) {
        assert.ok(error instanceof DeviceError && error.code === "EIO");
        break;
      }
      acknowledged = written;
      commits++;
    }
    assert.ok(commits > 8 && commits < 30, `${commits} commits`);
    const crashed = await specimen.crashed().open();
    assert.deepEqual(readAll(crashed), acknowledged);
    crashed.close();
    specimen.rule = null;
    await journal.commit();
    await journal.checkpoint();
    journal.close();
    const image = specimen.bytes("image");
    assert.equal(image[commits * 1024], commits);
    const after = await specimen.crashed().open();
    assert.deepEqual(readAll(after), written);
    after.close();
  }
});
