import { deepEqual, equal, throws } from "node:assert/strict";
import { isoTime, parseTime } from "./times.ts";

Deno.test("parseTime() reads seconds and ISO 8601 to the nanosecond", () => {
  deepEqual(parseTime("@1770000000"), { sec: 1770000000, nsec: 0 });
  deepEqual(parseTime("@5.25"), { sec: 5, nsec: 250_000_000 });
  deepEqual(parseTime("2026-02-01T12:30:00.000000001Z"), {
    sec: Date.UTC(2026, 1, 1, 12, 30) / 1000,
    nsec: 1,
  });
  deepEqual(parseTime("2026-02-01 12:30+02:00"), {
    sec: Date.UTC(2026, 1, 1, 10, 30) / 1000,
    nsec: 0,
  });
});

Deno.test("parseTime() refuses what is no time", () => {
  for (
    const text of ["", "@", "yesterday", "2026-13-01", "2026-02-30", "12:30"]
  ) {
    throws(() => parseTime(text), RangeError, text);
  }
});

Deno.test("isoTime() keeps nanoseconds", () => {
  equal(isoTime({ sec: 0, nsec: 1 }), "1970-01-01T00:00:00.000000001Z");
});
