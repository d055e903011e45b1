/**
 * SIGKILL of the real server under load from real clients: a part of what
 * `deno task soak` does.
 */

import assert from "node:assert/strict";
import { DEVICE_KINDS } from "../cli/devices.ts";
import { chooseSeed } from "../support/random.ts";
import { testWith, withTempDir } from "../support/tools.ts";
import { killLine, killRounds } from "./kill.ts";

const ROUNDS = 10;

for (const kind of DEVICE_KINDS.filter(({ family }) => family === "volume")) {
  await testWith(
    ["e2fsprogs"],
    `a server may be killed at any moment under load: ${kind.name}`,
    () =>
      withTempDir(async (dir) => {
        const seed = chooseSeed("KILL_SEED");
        const rounds = Number(Deno.env.get("KILL_ROUNDS") ?? ROUNDS);
        const report = await killRounds({ kind, dir, rounds, seed });
        console.log(killLine(kind, report));
        assert.ok(report.acknowledged > 0, "nothing was acknowledged");
      }),
  );
}
