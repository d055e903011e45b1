import assert from "node:assert/strict";
import { fileInfo, timestampOf } from "./file_info.ts";

Deno.test("timestampOf() takes dates, seconds and what is exact", () => {
  const all = [
    [new Date(1500), { sec: 1, nsec: 500_000_000 }],
    [new Date(-1), { sec: -1, nsec: 999_000_000 }],
    [0, { sec: 0, nsec: 0 }],
    [-0.25, { sec: -1, nsec: 750_000_000 }],
    [{ sec: 7, nsec: 123_456_789 }, { sec: 7, nsec: 123_456_789 }],
    ["now", "now"],
  ] as const;
  for (const [time, expected] of all) {
    assert.deepEqual(timestampOf(time), expected);
  }
  for (const time of [NaN, Infinity, new Date(NaN)]) {
    assert.throws(() => timestampOf(time), RangeError);
  }
});

Deno.test("fileInfo() gives the millisecond that a time is in", () => {
  const time = (sec: number, nsec: number): { sec: number; nsec: number } => ({
    sec,
    nsec,
  });
  const info = fileInfo({
    ...{ ino: 12, generation: 3, mode: 0o100644, nlink: 1, uid: 0, gid: 0 },
    ...{ rdev: { major: 0, minor: 0 }, size: 5, blocks: 8, flags: 0 },
    atime: time(1, 999_999_999),
    mtime: time(-1, 1),
    ctime: time(0, 0),
    birthtime: null,
  });
  assert.deepEqual(
    [+info.atime, +info.mtime, +info.ctime, info.birthtime],
    [1999, -1000, 0, null],
  );
  assert.deepEqual([info.isFile, info.isDirectory], [true, false]);
});
