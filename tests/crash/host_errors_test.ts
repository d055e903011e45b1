import assert from "node:assert/strict";
import { DEVICES } from "../../bd/volume/mod.ts";
import { chooseSeed } from "../support/random.ts";
import { testWith } from "../support/tools.ts";
import { faultLine, FAULTS, tryAllFaults } from "./host_errors.ts";

const seed = chooseSeed("FAULT_SEED");
console.log(`failing hosts: FAULT_SEED=${seed} replays them`);

for (const device of DEVICES) {
  const title = `a host call that fails harms nothing: bd-${device}`;
  await testWith(["e2fsprogs"], title, async () => {
    const failures: string[] = [];
    // All kinds where there are most files, and a few on each device.
    const kinds = device === "vericrypt" ? FAULTS : FAULTS.slice(1, 3);
    await tryAllFaults(device, {
      seed,
      kinds,
      tell(kind, report): void {
        console.log(faultLine(device, kind, report));
        assert.ok(report.faults > 10, "few calls were made to fail");
        failures.push(...report.failures);
      },
    });
    assert.equal(failures.length, 0, failures.join("\n\n"));
  });
}
