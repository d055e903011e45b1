/**
 * `get --skip-bad`: what can be read of a damaged file is copied, what cannot
 * is told, and nobody waits for ever for a server that reads nothing.
 */

import assert from "node:assert/strict";
import { BorrowedDevice } from "../../bd/borrowed.ts";
import { FaultyDevice } from "../../bd/faulty.ts";
import { MemoryDevice } from "../../bd/memory.ts";
import { Filesystem, format, Paths } from "../../fs/mod.ts";
import { ERRNO_NUMBER, Server } from "../../rpc/mod.ts";
import { message } from "../rpc/harness.ts";
import { usual, withScript } from "../rpc/scripted_server.ts";
import { debugfs, testWith, withTempDir } from "../support/tools.ts";
import { type DeviceKind, make, VERIFIED_KINDS } from "./devices.ts";
import { nextfs, type Run, startServer, writeTree } from "./program.ts";

const BLOCK = 1024;
const FILE_BYTES = 700_000;

/** What the files of the tests hold: no block like another. */
function contents(seed: number, length = FILE_BYTES): Uint8Array {
  return Uint8Array.from(
    { length },
    (_, i) => 1 + (seed + i + (i >> 10) * 7) % 255,
  );
}

/** The same with zeros in `[first, last]` of each range. */
function without(bytes: Uint8Array, ranges: number[][]): Uint8Array {
  const rest = bytes.slice();
  for (const [first, last] of ranges) rest.fill(0, first, last + 1);
  return rest;
}

/** The lines that tell of ranges that are lost, in their order. */
function told(path: string, ranges: number[][]): string {
  return ranges.map(([first, last]) =>
    `nextfs get: ${path}: bytes ${first} to ${last} cannot be read: ` +
    "filled with zeros\n"
  ).join("");
}

/** Changes bytes of a file that somebody else may have open. */
async function damage(path: string, position: number): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.seek(position, Deno.SeekMode.Start);
  await file.write(new Uint8Array([0xde, 0xad]));
}

for (const kind of VERIFIED_KINDS) {
  await testWith(
    ["e2fsprogs"],
    `get --skip-bad copies what is not damaged: ${kind.name}`,
    () => withTempDir((dir) => copyAround(kind, dir)),
  );
}

/** File blocks that are damaged, and the ranges of bytes that go with them. */
const BAD_BLOCKS = [0, 300, 301, 302, 400, Math.floor(FILE_BYTES / BLOCK)];
const BAD_RANGES = [
  [0, BLOCK - 1],
  [300 * BLOCK, 303 * BLOCK - 1],
  [400 * BLOCK, 401 * BLOCK - 1],
  [Math.floor(FILE_BYTES / BLOCK) * BLOCK, FILE_BYTES - 1],
];

async function copyAround(kind: DeviceKind, dir: string): Promise<void> {
  await writeTree(`${dir}/tree`, { "d/good": "good" });
  await Deno.writeFile(`${dir}/tree/d/bad`, contents(1));
  const made = await make(kind, dir, {
    ...{ from: `${dir}/tree`, size: "8M", blockSize: BLOCK },
  });
  const plain = await made.dump();
  for (const index of BAD_BLOCKS) {
    const block = await debugfs(plain, `bmap /d/bad ${index}`);
    await damage(made.image, Number(block.trim()) * BLOCK + 100);
  }
  const server = await startServer(made.args);
  try {
    const expected = without(contents(1), BAD_RANGES);
    const copy = `${dir}/copy`;
    const isTold = ({ code, stderr }: Run, path: string): void => {
      assert.equal(stderr, told(path, BAD_RANGES));
      assert.equal(code, 13);
    };
    isTold(await server.client("get", "--skip-bad", "/d/bad", copy), "/d/bad");
    assert.deepEqual(await Deno.readFile(copy), expected);
    const output = await server.client("get", "--skip-bad", "/d/bad", "-");
    isTold(output, "/d/bad");
    assert.deepEqual(output.bytes, expected);
    const all = ["get", "-r", "--skip-bad", "/d", `${dir}/all`];
    isTold(await server.client(...all), "/d/bad");
    assert.deepEqual(await Deno.readFile(`${dir}/all/bad`), expected);
    assert.equal(await Deno.readTextFile(`${dir}/all/good`), "good");
    const modified = (path: string): number | undefined =>
      Deno.statSync(path).mtime?.getTime();
    assert.equal(modified(`${dir}/all/bad`), modified(`${dir}/tree/d/bad`));
    // As before without the flag, and with it for what is not damaged.
    const plainly = await server.client("get", "/d/bad", `${dir}/plainly`);
    assert.equal(plainly.code, 1);
    assert.match(plainly.stderr, /^nextfs get: \/d\/bad: Input\/output error/);
    await server.ok("get", "--skip-bad", "/d/good", `${dir}/good`);
  } finally {
    assert.equal((await server.stop()).code, 0);
  }
}

/** What the test says fails, of the device of {@link withFailing}. */
interface Failing {
  /** The device. */
  device: FaultyDevice;
  /** Runs a client command against the server. */
  client: (...args: string[]) => Promise<Run>;
  /** A directory for copies. */
  dir: string;
  /** Makes the device fail to read blocks that hold data of files. */
  failData: (isBad: (block: number) => boolean) => void;
}

/** The blocks that hold contents of files: these begin without zeros. */
function blocksOfData(device: MemoryDevice): Set<number> {
  const found = new Set<number>();
  const bytes = new Uint8Array(BLOCK);
  for (let block = 0; block < device.blockCount; block++) {
    device.read(block, bytes);
    if (!bytes.subarray(0, 32).includes(0)) found.add(block);
  }
  return found;
}

/** Serves files of a device that can fail, while `visit` runs. */
async function withFailing(
  visit: (failing: Failing) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const memory = new MemoryDevice(BLOCK, 8192);
    format(memory, { blank: true });
    const first = Filesystem.open(new BorrowedDevice(memory));
    new Paths(first).writeFile("/file", contents(2));
    await first.close();
    const dataBlocks = blocksOfData(memory);
    const device = new FaultyDevice(memory);
    // So little memory that blocks are read again.
    const options = { readOnly: true, cacheSize: 64 << 10 };
    const fs = Filesystem.open(device, options);
    const server = new Server(fs);
    const connect = `unix:${dir}/s`;
    await server.listen(connect);
    try {
      const env = { NEXTFS_CONNECT: connect };
      const client: Failing["client"] = (...args) => nextfs(args, { env });
      const failData: Failing["failData"] = (isBad) => {
        device.rule = ({ kind, block, count }): "EIO" | null => {
          if (kind !== "read") return null;
          for (let i = block; i < block + count; i++) {
            if (dataBlocks.has(i) && isBad(i)) return "EIO";
          }
          return null;
        };
      };
      await visit({ device, client, dir, failData });
    } finally {
      await server.stop();
      await fs.close();
    }
  });
}

Deno.test("a server that reads no data at all gives zeros, and an end", () =>
  withFailing(async ({ client, dir, failData }) => {
    failData(() => true);
    const copy = `${dir}/copy`;
    const { code, stderr } = await client("get", "--skip-bad", "/file", copy);
    assert.equal(stderr, told("/file", [[0, FILE_BYTES - 1]]));
    assert.equal(code, 13);
    assert.deepEqual(await Deno.readFile(copy), new Uint8Array(FILE_BYTES));
  }));

Deno.test("every other block that fails is told by its range", () =>
  withFailing(async ({ client, dir, failData }) => {
    failData((block) => block % 2 === 0);
    const copy = `${dir}/copy`;
    const { code, stderr } = await client("get", "--skip-bad", "/file", copy);
    assert.equal(code, 13);
    const lines = stderr.trimEnd().split("\n");
    const ranges = lines.map((line) => {
      const numbers = /bytes (\d+) to (\d+) cannot be read/.exec(line)!;
      return [Number(numbers[1]), Number(numbers[2])];
    });
    assert.ok(ranges.length > 300, `${ranges.length} ranges`);
    assert.equal(stderr, told("/file", ranges));
    assert.deepEqual(
      await Deno.readFile(copy),
      without(contents(2), ranges),
    );
  }));

const STATISTICS = (blockSize: number): unknown[] => [
  ...[blockSize, 9, 0, 0, 9, 0, 255, new Uint8Array(16), "", true],
];

const READ = 71;
const STATFS = 83;
const { EIO } = ERRNO_NUMBER;

/** Copies `/x` from a server of one connection, around what is bad. */
function copyFrom(connect: string, dir: string): Promise<Run> {
  const args = ["--skip-bad", "--connect", connect, "/x", `${dir}/x`];
  return nextfs(["get", ...args]);
}

Deno.test("a connection that ends is no bad block", () =>
  withTempDir(async (dir) => {
    const endings = [
      (): null => null,
      // An error of the whole connection, with the code of a bad block.
      (): Uint8Array => message(0, EIO, "the whole server fails"),
    ];
    for (const ending of endings) {
      await withScript((id, operation) => {
        if (operation === READ) return ending();
        return operation === STATFS
          ? message(id, 0, STATISTICS(4096))
          : usual(id, operation, 2n ** 50n);
      }, async (connect) => {
        const { code, stderr } = await copyFrom(connect, dir);
        assert.equal(code, 1, stderr);
        assert.match(stderr, /ended the connection|the whole server fails/);
        assert.doesNotMatch(stderr, /filled with zeros/);
        assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
      });
    }
  }));

Deno.test("a server with blocks of a byte is refused", () =>
  withTempDir((dir) =>
    withScript(
      (id, operation) =>
        operation === STATFS
          ? message(id, 0, STATISTICS(1))
          : usual(id, operation, 9),
      async (connect) => {
        const { code, stderr } = await copyFrom(connect, dir);
        assert.equal(code, 1);
        assert.match(stderr, /Protocol error: .* its blocks have 1 bytes/);
      },
    )
  ));
