import assert from "node:assert/strict";
import { BAD_RANGES_MAX, BadRanges } from "./bad_ranges.ts";

Deno.test("BadRanges puts in order and joins what it is told", () => {
  const bad = new BadRanges();
  for (const [first, count] of [[5, 1], [6, 2], [100, 4], [20, 1], [1, 3]]) {
    bad.note(first, count);
  }
  bad.note(102, 10);
  assert.deepEqual(bad.finish(), {
    ranges: [
      { first: 1, count: 3 },
      { first: 5, count: 3 },
      { first: 20, count: 1 },
      { first: 100, count: 12 },
    ],
    count: 19,
  });
});

Deno.test("BadRanges counts what it does not keep", () => {
  const bad = new BadRanges();
  for (let i = 0; i < BAD_RANGES_MAX + 10; i++) bad.note(3 * i, 2);
  const { ranges, count } = bad.finish();
  assert.equal(ranges.length, BAD_RANGES_MAX);
  assert.equal(count, 2 * (BAD_RANGES_MAX + 10));
});
