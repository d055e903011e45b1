/**
 * The main path of every device: made, served, changed, stopped, verified,
 * dumped and checked, and all of it once more.
 */

import assert from "node:assert/strict";
import { debugfs, must, testWith, withTempDir } from "../support/tools.ts";
import { DEVICE_KINDS, type DeviceKind, make } from "./devices.ts";
import { describeTree, digestTree, linkGroups } from "./host_listing.ts";
import { type Serving, startServer, writeTree } from "./program.ts";

/** Text that a host must not find in what is encrypted. */
const MARK = "a text that tells plain from encrypted\n";
/** Bytes of a block: each kind has another, by turns. */
const BLOCK_SIZES = [4096, 1024, 2048];
/** Little memory: blocks and nodes are read again and again. */
const LITTLE = ["--cache-size", "64K", "--tree-cache", "64K"];

for (const [i, kind] of DEVICE_KINDS.entries()) {
  const blockSize = BLOCK_SIZES[i % BLOCK_SIZES.length];
  await testWith(
    ["e2fsprogs"],
    `made, served, changed and dumped, twice: ${kind.name}, ${blockSize}`,
    () => withTempDir((dir) => walkMainPath(kind, dir, blockSize)),
  );
}

/** `length` bytes that depend on `seed`, and on their places. */
function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => seed + i * 7 + (i >> 8));
}

async function makeTree(root: string): Promise<void> {
  await writeTree(root, {
    "mark": MARK.repeat(500),
    "a/b/c/deep": "deep\n",
    "a/empty": "",
    "old/x": "x",
    "old/y": "y",
    "none/": "",
  });
  await Deno.writeFile(`${root}/large`, pattern(3_000_000, 1));
  await Deno.link(`${root}/a/b/c/deep`, `${root}/again`);
  await Deno.symlink("a/b", `${root}/link`);
  await must("truncate", "-s", "9M", `${root}/hole`);
}

async function walkMainPath(
  kind: DeviceKind,
  dir: string,
  blockSize: number,
): Promise<void> {
  const tree = `${dir}/tree`;
  await makeTree(tree);
  const made = await make(kind, dir, { from: tree, size: "24M", blockSize });
  await made.check("when it is new");
  assert.equal(await isFound(made.image), kind.cipher === undefined);

  await made.serve((server) => change(server, dir));
  const plain = await made.check("after it was changed");
  assert.equal(await debugfs(plain, "cat /new/mark"), MARK.repeat(500));
  assert.equal(await isFound(made.image), kind.cipher === undefined);

  const server = await startServer([...LITTLE, ...made.args]);
  await readAgain(server, dir);
  await server.ok("rm", "-r", "/new", "/large");
  assert.equal((await server.stop()).code, 0);
  const left = await debugfs(await made.check("in the end"), "ls -p /");
  assert.doesNotMatch(left, /\/(large|new)\//);
}

/** Whether the host sees the mark. */
async function isFound(path: string): Promise<boolean> {
  const bytes = new TextDecoder("latin1").decode(await Deno.readFile(path));
  return bytes.includes(MARK);
}

/** Changes files by every command, here and there alike. */
async function change(server: Serving, dir: string): Promise<void> {
  const tree = `${dir}/tree`;
  await server.ok("get", "-r", "/", `${dir}/first`);
  await must("rmdir", `${dir}/first/lost+found`);
  await assertSame(`${dir}/first`, tree);

  await Deno.writeFile(`${dir}/put`, pattern(1_500_000, 2));
  await server.ok("put", `${dir}/put`, "/put");
  await server.ok("mkdir", "-p", "/new/dir");
  await server.ok("mv", "/mark", "/new/mark");
  await server.ok("mv", "/old/x", "/put", "/new/dir");
  await server.ok("rm", "-r", "/old", "/a/empty", "/none");
  await server.ok("ln", "-s", "dir/put", "/new/link");
  await server.ok("truncate", "-s", "2000001", "/large");
  await server.ok("chmod", "600", "/large");
  const script = `
    cd "$0"
    mkdir -p new/dir
    mv mark new/mark
    cp ../put put
    mv old/x put new/dir
    rm -r old a/empty none
    ln -s dir/put new/link
    truncate -s 2000001 large
    chmod 600 large
  `;
  await must("sh", "-ec", script, tree);
}

/** What was changed is there again; only times are of the server's own. */
async function readAgain(server: Serving, dir: string): Promise<void> {
  await server.ok("get", "-r", "/", `${dir}/second`);
  await must("rmdir", `${dir}/second/lost+found`);
  assert.deepEqual(
    await digestTree(`${dir}/second`),
    await digestTree(`${dir}/tree`),
  );
  assert.deepEqual(
    await linkGroups(`${dir}/second`),
    await linkGroups(`${dir}/tree`),
  );
  assert.match(await server.ok("ls", "-l", "/large"), /^-rw------- .*2000001 /);
  assert.match(await server.ok("ls", "-l", "/new/link"), / -> dir\/put\n$/);
  assert.match(await server.ok("ls", "-R"), /\n\/a\/b\/c:\ndeep\n/);
}

async function assertSame(copy: string, original: string): Promise<void> {
  assert.deepEqual(await describeTree(copy), await describeTree(original));
  assert.deepEqual(await digestTree(copy), await digestTree(original));
  assert.deepEqual(await linkGroups(copy), await linkGroups(original));
}
