import assert from "node:assert/strict";
import { DEVICES } from "../../bd/volume/mod.ts";
import { chooseSeed } from "../support/random.ts";
import { testWith } from "../support/tools.ts";
import { reportLine, tryCrashStates, USUAL_PLAN } from "./crash_states.ts";

const seed = chooseSeed("CRASH_SEED");
console.log(`crash states: CRASH_SEED=${seed} replays them`);

for (const device of DEVICES) {
  const title = `no crash loses or tears anything: bd-${device}`;
  await testWith(["e2fsprogs"], title, async () => {
    const report = await tryCrashStates(device, { ...USUAL_PLAN, seed });
    console.log(reportLine(device, report));
    assert.equal(report.failed, 0, report.failures.join("\n\n"));
    // A test that finds one and the same tree over and over proves little.
    assert.ok(report.trees > 50, `${report.trees} trees in all`);
  });
}
