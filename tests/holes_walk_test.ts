import assert from "node:assert/strict";
import { holeWalk } from "./support/hole_walk.ts";
import { chooseSeed } from "./support/random.ts";
import { testWith } from "./support/tools.ts";

const seed = chooseSeed("HOLE_SEED");
console.log(`walks over holes: HOLE_SEED=${seed} replays them`);

/** Blocks of a volume that is often full, and of one that seldom is. */
const SMALL = 192;
const LARGE = 24_000;
const STEPS = 8000;

for (const blockSize of [1024, 2048, 4096]) {
  const title = `each block of a file is there or not as it should be: `;
  for (const faults of [false, true]) {
    for (const blockCount of [SMALL, LARGE]) {
      const name = `${blockCount} blocks of ${blockSize} bytes` +
        (faults ? ", a failing device" : "");
      await testWith(["e2fsprogs"], title + name, async () => {
        const options = { seed, blockSize, blockCount, faults };
        const outcomes = await holeWalk(options, STEPS);
        const good = outcomes.get("ok")!;
        assert.ok(good > STEPS / 2, `only ${good} steps did anything`);
        if (faults) assert.ok(outcomes.get("EIO")! > 20, "few faults");
        if (blockCount === SMALL) assert.ok(outcomes.get("ENOSPC")! > 20);
      });
    }
  }
}
