import { deepEqual, equal, throws } from "node:assert/strict";
import { humanSize, parseSize } from "./sizes.ts";

Deno.test("parseSize() reads plain numbers and powers of 1024", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["4096", 4096],
    ["1k", 1024],
    ["128M", 128 * 1024 ** 2],
    ["128MiB", 128 * 1024 ** 2],
    ["1.5G", 1.5 * 1024 ** 3],
    ["2TB", 2 * 1024 ** 4],
  ];
  deepEqual(cases.map(([text]) => parseSize(text)), cases.map(([, n]) => n));
});

Deno.test("parseSize() refuses what is no whole number of bytes", () => {
  for (
    const text of ["", "M", "-1", "1.0001", "0x10", "1e3", "12Q", "99999P"]
  ) {
    throws(() => parseSize(text), RangeError, text);
  }
});

Deno.test("humanSize() rounds up to four characters, as ls -h does", () => {
  const cases: [number, string][] = [
    [0, "0"],
    [1023, "1023"],
    [1024, "1.0K"],
    [1025, "1.1K"],
    [10 * 1024, "10K"],
    [1024 ** 2 - 1, "1.0M"],
    [1.5 * 1024 ** 3, "1.5G"],
  ];
  for (const [bytes, text] of cases) equal(humanSize(bytes), text);
});
