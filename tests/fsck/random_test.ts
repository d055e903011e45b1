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
    // The same ones each time: to try new ones is what the soak is for.
    const seed = Deno.env.has("FSCK_SEED") ? chooseSeed("FSCK_SEED") : 1;
    const report = await repairAtRandom(seed, { count: 200 });
    console.log(report);
  },
);
