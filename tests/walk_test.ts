import assert from "node:assert/strict";
import { chooseSeed } from "./support/random.ts";
import { testWith } from "./support/tools.ts";
import { walk } from "./support/walk.ts";
import { WALKS } from "./support/walks.ts";

const seed = chooseSeed("WALK_SEED");
console.log(`random walks: WALK_SEED=${seed} replays them`);

for (const { name, steps, ...options } of WALKS) {
  const title = `a random walk agrees with the model: ${name}`;
  await testWith(["e2fsprogs"], title, async () => {
    const { outcomes } = await walk({ ...options, seed }, steps);
    // A walk that mostly fails, or never does, would prove little; one on a
    // full volume and a failing device still does half of what it tries.
    const good = outcomes.get("ok")!;
    assert.ok(good > steps / 4, `only ${good} of ${steps} steps did anything`);
    for (const code of ["ENOENT", "EEXIST", "ESTALE"]) {
      assert.ok(outcomes.has(code), `no step met ${code}`);
    }
    if (options.faults) assert.ok(outcomes.get("EIO")! > 20, "few faults");
  });
}
