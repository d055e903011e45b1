/**
 * Random damage to the metadata of every specimen: the repair comes to an end,
 * and leaves a volume that e2fsck has nothing to say against.
 */

import { chooseSeed } from "../support/random.ts";
import { testWith } from "../support/tools.ts";
import { repairAtRandom } from "./random_damage.ts";

await testWith(
  ["e2fsprogs"],
  "volumes with random damage are repaired, whatever it is",
  async () => {
    const seed = chooseSeed("FSCK_SEED");
    const report = await repairAtRandom(seed, { count: 200 });
    console.log(report);
  },
);
