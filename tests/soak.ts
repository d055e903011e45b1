/**
 * Random walks for as long as asked, each with a new seed:
 * `deno task soak [SECONDS]`, or `SOAK_SECONDS`; ten minutes if not said.
 * `WALK_SEED` replays the walks of one seed, once.
 *
 * @module
 */

import { chooseSeed } from "./support/random.ts";
import { walk } from "./support/walk.ts";
import { WALKS } from "./support/walks.ts";

const asked = Deno.args[0] ?? Deno.env.get("SOAK_SECONDS") ?? "600";
const seconds = Number(asked);
if (!(seconds > 0)) {
  console.error(`Cannot soak for ${asked} seconds: not a positive number`);
  Deno.exit(2);
}
const replayed = Deno.env.has("WALK_SEED");
const end = Date.now() + seconds * 1000;
let walks = 0;
let steps = 0;
do {
  const seed = chooseSeed("WALK_SEED");
  for (const { name, steps: length, ...options } of WALKS) {
    if (Date.now() > end && !replayed) break;
    console.log(`WALK_SEED=${seed} ${name}`);
    await walk({ ...options, seed }, length);
    walks++;
    steps += length;
  }
} while (Date.now() < end && !replayed);
console.log(`${walks} walks of ${steps} steps agree with the model`);
