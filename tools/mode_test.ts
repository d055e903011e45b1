import { equal, throws } from "node:assert/strict";
import { modeString, parseModeChange } from "./mode.ts";

Deno.test("modeString() writes kinds and special bits as ls -l does", () => {
  const cases: [number, string][] = [
    [0o100644, "-rw-r--r--"],
    [0o040755, "drwxr-xr-x"],
    [0o041777, "drwxrwxrwt"],
    [0o104755, "-rwsr-xr-x"],
    [0o102644, "-rw-r-Sr--"],
    [0o101644, "-rw-r--r-T"],
    [0o120777, "lrwxrwxrwx"],
    [0o020620, "crw--w----"],
    [0o060660, "brw-rw----"],
    [0o010600, "prw-------"],
    [0o140600, "srw-------"],
  ];
  for (const [mode, text] of cases) equal(modeString(mode), text);
});

Deno.test("parseModeChange() does what chmod does", () => {
  const cases: [number, string, number][] = [
    [0o100644, "755", 0o755],
    [0o100644, "u+x", 0o744],
    [0o100644, "+x", 0o755],
    [0o100755, "go-rwx", 0o700],
    [0o100755, "a=r", 0o444],
    [0o100640, "g=u,o=g", 0o666],
    [0o100644, "a+X", 0o644],
    [0o040644, "a+X", 0o755],
    [0o100755, "u+s,o+t", 0o5755],
    [0o104755, "u=rwx", 0o755],
    [0o042755, "g=rx", 0o2755],
    [0o100644, "u-w+x", 0o544],
    [0o100777, "o=", 0o770],
  ];
  for (const [mode, text, expected] of cases) {
    equal(parseModeChange(text)(mode).toString(8), expected.toString(8), text);
  }
});

Deno.test("parseModeChange() refuses what is no mode", () => {
  for (const text of ["", "8", "77777", "u", "u+q", "z+x", "u+x,", "+gu"]) {
    throws(() => parseModeChange(text), RangeError, text);
  }
});
