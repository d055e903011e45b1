/** Tests of the name hashes against debugfs, which computes them too. */

import assert from "node:assert/strict";
import { must } from "../../tests/support/tools.ts";
import { nameHash } from "./_name_hash.ts";

const NAMES = [
  "a",
  "lost+found",
  "0123456789abcdef",
  "0123456789abcdef0",
  "0123456789abcdef0123456789abcde",
  "0123456789abcdef0123456789abcdef",
  "x".repeat(255),
];
const SEEDS = [
  "00000000-0000-0000-0000-000000000000",
  "c53f8d2e-1b52-4cf5-9a38-d4a7c4fd5a10",
];

for (const [version, kind] of ["legacy", "half_md4", "tea"].entries()) {
  Deno.test(`The ${kind} hash of a name is that of debugfs`, async () => {
    for (const text of SEEDS) {
      const bytes = Uint8Array.from(
        text.replaceAll("-", "").match(/../g)!,
        (hex) => parseInt(hex, 16),
      );
      const seed = new Uint32Array(bytes.buffer);
      for (const name of NAMES) {
        const out = await must(
          "debugfs",
          "-R",
          `dx_hash -h ${kind} -s ${text} ${name}`,
        );
        const expected = Number(/is (0x[0-9a-f]+)/.exec(out)![1]);
        const how = { version, seed, isSigned: true };
        const encoded = new TextEncoder().encode(name);
        assert.equal(nameHash(encoded, how), expected, `${text} ${name}`);
      }
    }
  });
}
