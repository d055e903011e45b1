/**
 * Whether the tests of crashes can fail: a host that does not sync one of the
 * files, and says that it has, is found out. Each sync is needed, then.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { DeviceKind, VolumeFile } from "../../bd/volume/mod.ts";
import { testWith } from "../support/tools.ts";
import { tryCrashStates } from "./crash_states.ts";

const CASES: readonly [DeviceKind, readonly VolumeFile[]][] = [
  ["std", ["image", "journal"]],
  ["vericrypt", ["image", "tree", "journal", "anchor"]],
];

for (const [device, files] of CASES) {
  for (const file of files) {
    const title = `crashes show that a host does not sync: bd-${device}, ` +
      `its ${file}`;
    await testWith(["e2fsprogs"], title, async () => {
      const plan = { randomStates: 2000, pairStates: 0, lies: [file] };
      const { failed, states } = await tryCrashStates(device, {
        ...plan,
        seed: 1,
      });
      assert.ok(failed > 0, `${states} states, and none of them was wrong`);
    });
  }
}
