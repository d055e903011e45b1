import { deepEqual, equal } from "node:assert/strict";
import {
  baseName,
  compareBytes,
  joinPath,
  printable,
  toBytes,
} from "./names.ts";

Deno.test("printable() escapes what a terminal must not see", () => {
  const cases: [string | Uint8Array, string][] = [
    ["plain ü 日本", "plain ü 日本"],
    ["\x1b[31mred\x07", "\\033[31mred\\a"],
    ["new\nline", "new\\nline"],
    ["\u202egnp.exe", "\\342\\200\\256gnp.exe"],
    ["\u009b", "\\302\\233"],
    [new Uint8Array([0x61, 0xff, 0x0a]), "a\\377\\n"],
  ];
  for (const [name, text] of cases) equal(printable(name), text);
});

Deno.test("joinPath() and baseName() take paths apart and together", () => {
  const join = (a: string, b: string): string =>
    new TextDecoder().decode(joinPath(toBytes(a), toBytes(b)));
  deepEqual([join("/", "a"), join("/a", "b"), join("", "a")], [
    "/a",
    "/a/b",
    "a",
  ]);
  const base = (path: string): string =>
    new TextDecoder().decode(baseName(toBytes(path)));
  deepEqual(["/a/b", "b/", "a//", "/", ""].map(base), ["b", "b", "a", "", ""]);
});

Deno.test("compareBytes() sorts as LC_ALL=C does", () => {
  const names = ["b", "a", "aa", "B", "ü", "~"].map(toBytes).sort(compareBytes);
  deepEqual(names.map((n) => new TextDecoder().decode(n)), [
    "B",
    "a",
    "aa",
    "b",
    "~",
    "ü",
  ]);
});
