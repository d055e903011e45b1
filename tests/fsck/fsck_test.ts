/**
 * One damage case, or more, for each row of the table of problems, on volumes
 * of ours and of mke2fs: our check and e2fsck find it; our repair leaves
 * nothing to find for either, and no file that was whole has changed.
 */

import assert from "node:assert/strict";
import { PROBLEMS } from "../../fs/check/mod.ts";
import { testWith } from "../support/tools.ts";
import { CASES } from "./cases.ts";
import { examine } from "./examine.ts";
import { makeSpecimen, SPECIMEN_KINDS } from "./specimen.ts";

Deno.test("every kind of problem has a damage case", () => {
  const covered = new Set(CASES.flatMap(({ code, also = [] }) => [
    code,
    ...also,
  ]));
  const missing = Object.keys(PROBLEMS).filter((code) => {
    return !covered.has(code as keyof typeof PROBLEMS);
  });
  assert.deepEqual(missing, []);
});

for (const kind of SPECIMEN_KINDS) {
  await testWith(
    ["e2fsprogs"],
    `each damage is found, and repaired without loss: ${kind.name}`,
    async () => {
      const specimen = await makeSpecimen(kind);
      const failures: string[] = [];
      for (const damageCase of CASES) {
        if (damageCase.on && !damageCase.on(kind)) continue;
        try {
          await examine(damageCase, specimen);
        } catch (error) {
          const { message } = error as Error;
          failures.push(`${damageCase.code}, ${damageCase.name}: ${message}`);
        }
      }
      const text = failures.join("\n\n");
      assert.equal(failures.length, 0, `${failures.length} fail\n${text}`);
    },
  );
}
