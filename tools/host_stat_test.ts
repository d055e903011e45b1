import { deepEqual, equal } from "node:assert/strict";
import fs from "node:fs";
import { S_IFIFO, S_IFMT } from "../fs/attributes.ts";
import { lstat, makeNode, setTimes } from "./host_stat.ts";

Deno.test({
  name: "lstat() and setTimes() are exact to the nanosecond, also for links",
  ignore: Deno.build.os !== "linux",
  // The C library stays loaded: it is loaded once for the whole process.
  sanitizeResources: false,
  fn(): void {
    const dir = Deno.makeTempDirSync();
    try {
      const file = `${dir}/file-ü`;
      const link = `${dir}/link`;
      Deno.writeTextFileSync(file, "12345");
      Deno.symlinkSync("nowhere", link);
      const atime = { sec: -5, nsec: 999_999_999 };
      const mtime = { sec: 1_700_000_000, nsec: 1 };
      for (const path of [file, link]) {
        setTimes(path, atime, mtime);
        const stat = lstat(path);
        deepEqual([stat.atime, stat.mtime], [atime, mtime]);
        const other = fs.lstatSync(path);
        deepEqual(
          [stat.mode, stat.ino, stat.nlink, stat.uid, stat.size, stat.blocks],
          [
            other.mode,
            other.ino,
            other.nlink,
            other.uid,
            other.size,
            other.blocks,
          ],
        );
      }
      makeNode(`${dir}/pipe`, S_IFIFO | 0o600, { major: 0, minor: 0 });
      equal(lstat(`${dir}/pipe`).mode & S_IFMT, S_IFIFO);
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  },
});

Deno.test({
  name: "without the C library, times are good to the millisecond",
  permissions: { read: true, write: true, ffi: false },
  async fn(): Promise<void> {
    // A module of its own, which has not loaded the library yet.
    const { lstat, setTimes } = await import("./host_stat.ts?coarse");
    const dir = Deno.makeTempDirSync();
    try {
      const times = [5_000_000, 999_000_000, 123_456_789];
      for (const nsec of times) {
        setTimes(dir, { sec: 1, nsec }, { sec: 1_700_000_000, nsec });
        const { atime, mtime } = lstat(dir);
        const ms = Math.floor(nsec / 1e6) * 1e6;
        deepEqual([atime.nsec, mtime.nsec], [ms, ms]);
        deepEqual([atime.sec, mtime.sec], [1, 1_700_000_000]);
      }
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  },
});
