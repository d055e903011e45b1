import assert from "node:assert/strict";
import type { BlockOwner } from "../fs/mod.ts";
import { blocksText, ownerFields, ownerText } from "./block_owners.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const TEXTS: [BlockOwner, string][] = [
  [{ kind: "superblock", group: 0 }, "superblock"],
  [{ kind: "superblock", group: 3 }, "superblock, copy in group 3"],
  [
    { kind: "group descriptors", group: 1 },
    "group descriptors, copy in group 1",
  ],
  [{ kind: "block bitmap", group: 0 }, "block bitmap of group 0"],
  [
    { kind: "inode table", group: 2, firstInode: 33, lastInode: 48 },
    "inode table of group 2 (inodes 33 to 48)",
  ],
  [{ kind: "free" }, "not in use"],
  [
    { kind: "data", ino: 12, path: bytes("/docs/a.txt"), names: 1 },
    "data of /docs/a.txt",
  ],
  [
    { kind: "data", ino: 12, path: bytes("/a\n"), names: 3 },
    "data of /a\\n (3 names)",
  ],
  [
    { kind: "directory", ino: 2, path: bytes("/"), names: 1 },
    "directory /",
  ],
  [
    { kind: "directory", ino: 20, path: null, names: 1 },
    "names in a directory: inode 20, of which no path was found",
  ],
  [
    { kind: "data", ino: 8, path: null, names: 1 },
    "data of the journal (inode 8)",
  ],
  [
    { kind: "indirect block", ino: 99, path: null, names: 0 },
    "indirect block of a removed file (inode 99)",
  ],
];

Deno.test("every owner has a text", () => {
  for (const [owner, text] of TEXTS) assert.equal(ownerText(owner), text);
});

Deno.test("blocksText() names one block or a range", () => {
  assert.equal(blocksText({ start: 7, count: 1 }), "block 7");
  assert.equal(blocksText({ start: 7, count: 3 }), "blocks 7 to 9");
});

Deno.test("ownerFields() gives paths that are not UTF-8 in hex, too", () => {
  const path = Uint8Array.of(0x2f, 0xff);
  const fields = ownerFields({ kind: "data", ino: 12, path, names: 1 });
  assert.equal(fields.pathHex, "2fff");
  assert.deepEqual(ownerFields({ kind: "free" }), { kind: "free" });
  const lost = { kind: "data", ino: 12, path: null, names: 1 } as const;
  assert.deepEqual(ownerFields(lost), lost);
});
