import assert from "node:assert/strict";
import { Random } from "../../tests/support/random.ts";
import { Staging } from "./staging.ts";

const value = (fill: number): Uint8Array => new Uint8Array(8).fill(fill);

Deno.test("the newest value is read, in whichever layer it is", () => {
  const staging = new Staging(8);
  staging.recover(1, value(1));
  staging.leave();
  staging.recover(1, value(2));
  assert.deepEqual(staging.get(1), value(2));
  staging.set(1, value(3));
  staging.freeze();
  assert.deepEqual(staging.get(1), value(3));
  staging.set(1, value(4));
  assert.deepEqual(staging.get(1), value(4));
  assert.deepEqual([staging.pendingCount, staging.isEmpty], [1, false]);
  staging.stay();
  staging.thaw();
  assert.deepEqual(staging.get(1), value(4));
  staging.freeze();
  staging.commit();
  staging.leave();
  staging.release();
  assert.deepEqual([staging.get(1), staging.isEmpty], [undefined, true]);
});

Deno.test("a value is a copy, and layers are in the order of numbers", () => {
  const staging = new Staging(8);
  const from = value(1);
  for (const key of [30, 2 ** 40, 2, 11]) staging.set(key, from);
  from.fill(9);
  const frozen = staging.freeze();
  assert.deepEqual([...frozen.keys()], [2, 11, 30, 2 ** 40]);
  assert.ok([...frozen.values()].every(([first]) => first === 1));
  staging.commit();
  staging.set(3, value(2));
  staging.freeze();
  staging.commit();
  assert.deepEqual([...staging.leave().keys()], [2, 3, 11, 30, 2 ** 40]);
});

Deno.test("whatever fails, no value is lost and none comes back", () => {
  const random = new Random(5);
  const staging = new Staging(8);
  /** What there is in each layer, newest first. */
  const model = [1, 2, 3, 4].map(() => new Map<number, number>());
  const into = (to: number, from: number, newer: "to" | "from"): void => {
    const [a, b] = newer === "to" ? [from, to] : [to, from];
    model[to] = new Map([...model[a], ...model[b]]);
    model[from] = new Map();
  };
  let frozen = false;
  let leaving = false;
  for (let step = 1; step < 20_000; step++) {
    const key = random.below(40);
    if (random.chance(0.8)) {
      staging.set(key, value(step % 256));
      model[0].set(key, step % 256);
    } else if (random.chance(0.5)) {
      if (!frozen) {
        staging.freeze();
        into(1, 0, "from");
      } else if (random.chance(0.7)) {
        staging.commit();
        into(2, 1, "from");
      } else {
        staging.thaw();
        into(0, 1, "to");
      }
      frozen = !frozen;
    } else {
      if (!leaving) {
        staging.leave();
        into(3, 2, "from");
      } else if (random.chance(0.5)) {
        staging.release();
        model[3].clear();
      } else {
        staging.stay();
        into(2, 3, "to");
      }
      leaving = !leaving;
    }
    const expected = model.map((layer) => layer.get(key))
      .find((one) => one !== undefined);
    const found = staging.get(key);
    if (expected === undefined) assert.equal(found, undefined);
    else assert.deepEqual(found, value(expected), `step ${step}`);
    assert.equal(staging.pendingCount, model[0].size);
  }
});
