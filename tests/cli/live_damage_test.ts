/**
 * A host that damages what is stored while the server runs: who meets the
 * damage is told, and nothing else is disturbed.
 */

import assert from "node:assert/strict";
import { debugfs, testWith, withTempDir } from "../support/tools.ts";
import {
  type DeviceKind,
  type MadeDevice,
  make,
  VERIFIED_KINDS,
} from "./devices.ts";
import { nextfs, type Serving, startServer, writeTree } from "./program.ts";

const BLOCK_SIZE = 1024;
/** Little memory, so that blocks are read from the host again. */
const LITTLE = ["--cache-size", "64K", "--tree-cache", "64K"];

/** Changes a byte of a file that somebody else has open. */
async function flip(path: string, position: number): Promise<void> {
  using file = await Deno.open(path, { read: true, write: true });
  const byte = new Uint8Array(1);
  await file.seek(position, Deno.SeekMode.Start);
  await file.read(byte);
  byte[0] ^= 0x80;
  await file.seek(position, Deno.SeekMode.Start);
  await file.write(byte);
}

/** The block that holds byte `position` of a file. */
async function blockOf(
  plain: string,
  path: string,
  position: number,
): Promise<number> {
  const index = Math.floor(position / BLOCK_SIZE);
  return Number((await debugfs(plain, `bmap ${path} ${index}`)).trim());
}

for (const kind of VERIFIED_KINDS) {
  await testWith(
    ["e2fsprogs"],
    `a block that is damaged under the server fails alone: ${kind.name}`,
    () => withTempDir((dir) => damageUnderServer(kind, dir)),
  );
}

async function damageUnderServer(kind: DeviceKind, dir: string): Promise<void> {
  await writeTree(`${dir}/tree`, {
    "bad": "bad?\n".repeat(60_000),
    "good": "good\n".repeat(60_000),
    "d/other": "other",
  });
  const from = { from: `${dir}/tree`, size: "8M", blockSize: BLOCK_SIZE };
  const made = await make(kind, dir, from);
  const plain = await made.dump();
  const block = await blockOf(plain, "/bad", 200_000);
  const server = await startServer([
    ...[...LITTLE, "--log-file", `${dir}/log`],
    ...made.args,
  ]);
  try {
    assert.equal(await server.ok("cat", "/bad"), "bad?\n".repeat(60_000));
    await flip(made.image, block * BLOCK_SIZE + 100);
    await assertFailsAlone(server, dir, block);
    await server.ok("truncate", "-s", "100000", "/bad");
    assert.equal(await server.ok("cat", "/bad"), "bad?\n".repeat(20_000));
  } finally {
    assert.equal((await server.stop()).code, 0);
  }
  await assertFound(made, block);
}

/** The damage is met by reads of it, and by nothing else. */
async function assertFailsAlone(
  server: Serving,
  dir: string,
  block: number,
): Promise<void> {
  for (const command of [["cat", "/bad"], ["get", "/bad", `${dir}/copy`]]) {
    const { code, stdout, stderr } = await server.client(...command);
    assert.equal(code, 1);
    assert.match(stderr, /^nextfs (cat|get): \/bad: Input\/output error/);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    assert("bad?\n".repeat(60_000).startsWith(stdout), "no wrong byte");
  }
  assert.equal(await server.ok("cat", "/good"), "good\n".repeat(60_000));
  assert.equal(await server.ok("cat", "/d/other"), "other");
  await Deno.writeTextFile(`${dir}/new`, "new");
  await server.ok("put", `${dir}/new`, "/d/new");
  await server.ok("mv", "/d/new", "/d/newer");
  assert.equal(await server.ok("ls", "/d"), "newer\nother\n");
  const log = await Deno.readTextFile(`${dir}/log`);
  assert.match(log, new RegExp(`Cannot trust block ${block}: `));
  const others = [...log.matchAll(/Cannot trust block (\d+)/g)]
    .filter(([, number]) => Number(number) !== block);
  assert.deepEqual(others, [], "no other block fails");
}

/** The block is free by now, and still bad until it is written. */
async function assertFound(made: MadeDevice, block: number): Promise<void> {
  const { code, stdout } = await nextfs(["verify", ...made.args]);
  assert.equal(code, 13);
  assert.match(stdout, new RegExp(`^block ${block}: not in use$`, "m"));
  assert.match(stdout, /^1 of \d+ blocks are bad/m);
}
