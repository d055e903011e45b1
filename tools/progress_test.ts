import assert from "node:assert/strict";
import { progressLine } from "./progress.ts";

Deno.test("progressLine() shows how far, how fast, and how long yet", () => {
  const mib = 1 << 20;
  assert.equal(
    progressLine(32 * mib, 128 * mib, 500),
    "[######..................]  25% 32M of 128M, 64M/s",
  );
  assert.equal(
    progressLine(32 * mib, 128 * mib, 2000),
    "[######..................]  25% 32M of 128M, 16M/s, 0:06 left",
  );
  const slow = progressLine(mib, 4096 * mib, 1000);
  assert.match(slow, /, 1:08:15 left$/);
  assert.match(progressLine(mib, 100 * mib, 10_000), /, 16:30 left$/);
});

Deno.test("progressLine() stands nothing done, and more than the total", () => {
  assert.equal(
    progressLine(0, 0, 5000),
    "[########################] 100% 0 of 0, 0/s",
  );
  assert.match(progressLine(0, 100, 5000), / 0% 0 of 100, 0\/s$/);
  assert.match(progressLine(300, 200, 5000), /100% 300 of 200.*0:00 left$/);
});
