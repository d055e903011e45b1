import assert from "node:assert/strict";
import { DEVICES } from "../../bd/volume/mod.ts";
import { chooseSeed } from "../support/random.ts";
import { testWith, withTempDir } from "../support/tools.ts";
import { faultLine, FAULTS, tryFaults } from "./host_errors.ts";
import { Judge } from "./judge.ts";
import { pairsOrigin } from "./pairs.ts";
import { SHAPES, Specimen } from "./specimen.ts";

const seed = chooseSeed("FAULT_SEED");
console.log(`failing hosts: FAULT_SEED=${seed} replays them`);

for (const device of DEVICES) {
  const title = `a host call that fails harms nothing: bd-${device}`;
  await testWith(["e2fsprogs"], title, () =>
    withTempDir((directory) =>
      Judge.with(async (judge) => {
        const shape = { ...SHAPES[0], device };
        const specimen = await Specimen.make(`${directory}/volume`, shape);
        const origin = await pairsOrigin(specimen);
        const trial = { specimen, origin, judge };
        const failures: string[] = [];
        for (const kind of FAULTS) {
          const report = await tryFaults(trial, kind, { seed });
          console.log(faultLine(device, kind, report));
          failures.push(...report.failures);
        }
        await judge.settled();
        failures.push(...judge.complaints);
        assert.equal(failures.length, 0, failures.join("\n\n"));
      })
    ));
}
