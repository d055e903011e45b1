import assert from "node:assert/strict";
import {
  allSet,
  clearBits,
  countClear,
  findClear,
  findClearByte,
  setBits,
  testBit,
} from "./bitmap.ts";

const BITS = 96;

/** A bitmap and the same as an array of booleans. */
function sample(pattern: number): [Uint8Array, boolean[]] {
  const bitmap = new Uint8Array(BITS / 8);
  const model = Array.from({ length: BITS }, (_, i) => (i * 7) % 13 < pattern);
  model.forEach((set, i) => set && setBits(bitmap, i, 1));
  return [bitmap, model];
}

Deno.test("bitmaps agree with an array of booleans at every boundary", () => {
  for (const pattern of [0, 1, 6, 12, 13]) {
    for (let from = 0; from < BITS; from++) {
      for (const end of [from, from + 1, 64, 71, 72, BITS]) {
        if (end < from) continue;
        const [bitmap, model] = sample(pattern);
        const expected = model.slice(from, end).indexOf(false);
        assert.equal(
          findClear(bitmap, from, end),
          expected < 0 ? -1 : from + expected,
        );
        const run = model.slice(from, end).indexOf(true);
        const clear = run < 0 ? end - from : run;
        assert.equal(countClear(bitmap, from, end), clear);
        assert.equal(allSet(bitmap, from, end - from), expected < 0);
        setBits(bitmap, from, end - from);
        model.fill(true, from, end);
        model.forEach((set, i) => assert.equal(testBit(bitmap, i), set));
        clearBits(bitmap, from, end - from);
        model.fill(false, from, end);
        model.forEach((set, i) => assert.equal(testBit(bitmap, i), set));
      }
    }
  }
});

Deno.test("findClearByte() finds eight clear bits on a byte's boundary", () => {
  const bitmap = Uint8Array.of(0xff, 0x01, 0x00, 0x80, 0x00);
  assert.equal(findClearByte(bitmap, 0, 40), 16);
  assert.equal(findClearByte(bitmap, 17, 40), 32);
  assert.equal(findClearByte(bitmap, 17, 39), -1);
});
