/**
 * Runs cases against one served volume.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { DeviceErrorCode } from "../../../bd/block_device.ts";
import type { Answer, Caller } from "./caller.ts";
import type { Case, Condition } from "./case.ts";
import { Trial } from "./trial.ts";
import type { World } from "./world.ts";

/** What a volume becomes for many cases at once. */
type Whole = "damaged" | "unreadable" | "full" | "crowded" | "refusing";

/** A case that was prepared. */
interface Prepared {
  readonly one: Case;
  readonly trial: Trial;
  readonly args: unknown;
  before: ReadonlyMap<string, string>;
}

/** What may not have changed when the case is over. */
function snapshotOf(
  { one, trial }: Pick<Prepared, "one" | "trial">,
): Map<string, string> {
  return one.changes ? new Map() : trial.snapshot();
}

/** What the volume has free. */
function freeIn({ fs }: World): unknown {
  const { blocksFree, inodesFree } = fs.statfs();
  return { blocksFree, inodesFree };
}

/** Conditions in which a host fails, and their cases have a volume of theirs. */
const FAILURES: ReadonlyMap<Condition, DeviceErrorCode> = new Map([
  ["unflushable: EIO", "EIO"],
  ["unflushable: ENOSPC", "ENOSPC"],
  ["unflushable: EROFS", "EROFS"],
]);

/**
 * Runs all cases in worlds that `open` makes; returns what is wrong, a line
 * for each that fails.
 */
export async function runCases(
  open: (options: { isAtomic: boolean }) => Promise<World>,
  cases: readonly Case[],
): Promise<string[]> {
  const failures: string[] = [];
  const sound = new Run(await open({ isAtomic: false }), failures);
  const fragile = new Run(await open({ isAtomic: true }), failures);
  const byCondition = Map.groupBy(cases, ({ when = "usual" }) => when);
  for (const [condition, some] of byCondition) {
    const code = FAILURES.get(condition);
    if (condition === "usual") await sound.oneByOne(some);
    else if (code) await fragile.oneByOne(some, code);
    else if (condition === "refusing") await fragile.together(some, condition);
    else await sound.together(some, condition as Whole);
  }
  await sound.world.close();
  await fragile.world.close();
  return failures;
}

/** See {@link runCases}. */
class Run {
  readonly world: World;
  readonly #failures: string[];
  readonly #alone: Caller[] = [];

  constructor(world: World, failures: string[]) {
    this.world = world;
    this.#failures = failures;
  }

  /**
   * Cases that concern nothing but their own directories; with `code`, on a
   * host whose disk fails with it while they are carried out.
   */
  async oneByOne(
    cases: readonly Case[],
    code?: DeviceErrorCode,
  ): Promise<void> {
    for (const one of cases) {
      await this.#attempt(one, async () => {
        const prepared = await this.#prepare(one);
        const free = freeIn(this.world);
        const send = (): Promise<Answer> =>
          one.send(prepared.trial, prepared.args);
        try {
          const answer = code
            ? await this.world.unflushable(code, send)
            : await send();
          if (!one.changes) assert.deepEqual(freeIn(this.world), free);
          await this.#judge(prepared, answer);
        } finally {
          await prepared.trial.end();
        }
      });
      for (const caller of this.#alone.splice(0)) await caller.close();
    }
  }

  /** Cases for which the volume becomes something else. */
  async together(
    cases: readonly Case[],
    condition: Whole,
  ): Promise<void> {
    const prepared: Prepared[] = [];
    for (const one of cases) {
      await this.#attempt(one, async () => {
        prepared.push(await this.#prepare(one));
      });
    }
    for (const one of prepared) one.before = snapshotOf(one);
    const free = freeIn(this.world);
    const answers = new Map<Prepared, Answer>();
    await this.#under(condition, prepared, async () => {
      for (const one of prepared) {
        await this.#attempt(one.one, async () => {
          answers.set(one, await one.one.send(one.trial, one.args));
        });
      }
    });
    if (!cases.some(({ changes }) => changes)) {
      await this.#attempt(cases[0], () => {
        assert.deepEqual(freeIn(this.world), free, `all of ${condition}`);
      });
    }
    for (const [one, answer] of answers) {
      await this.#attempt(one.one, () => this.#judge(one, answer));
    }
    for (const { trial } of prepared) await trial.end();
    for (const caller of this.#alone.splice(0)) await caller.close();
  }

  #under(
    condition: Whole,
    prepared: readonly Prepared[],
    fn: () => Promise<void>,
  ): Promise<void> {
    const { world } = this;
    if (condition !== "damaged") return world[condition](fn);
    return world.damaged(prepared.flatMap(({ trial }) => trial.harms), fn);
  }

  async #prepare(one: Case): Promise<Prepared> {
    const actor = one.as ?? "root";
    const caller = one.alone
      ? await this.world.connect(actor)
      : await this.world.caller(actor);
    if (one.alone) this.#alone.push(caller);
    const name = `case-${crypto.randomUUID()}`;
    const trial = new Trial(this.world, { name, actor, caller });
    const args = await one.prepare(trial);
    return { one, trial, args, before: snapshotOf({ one, trial }) };
  }

  async #judge(
    { one, trial, args, before }: Prepared,
    answer: Answer,
  ): Promise<void> {
    const { outcome } = answer;
    const detail = "detail" in answer ? ` (${answer.detail})` : "";
    assert.equal(outcome + detail, one.gives + detail);
    // The snapshot first: looking for something may set times.
    if (!one.changes) assert.deepEqual(trial.snapshot(), before);
    await one.check(trial, answer, args);
  }

  async #attempt(one: Case, fn: () => void | Promise<void>): Promise<void> {
    try {
      await fn();
    } catch (error) {
      const text = error instanceof Error ? error.stack : String(error);
      const title = `${one.operation} ${one.gives}, ${one.what}`;
      this.#failures.push(`${title} (as ${one.as ?? "root"}): ${text}`);
    }
  }
}
