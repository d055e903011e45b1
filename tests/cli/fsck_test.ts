/**
 * `nextfs fsck` as a user runs it: what it prints, what it changes, and how it
 * exits, on images and volumes with every device.
 */

import assert from "node:assert/strict";
import { parseCommand } from "../../tools/cli.ts";
import { fsck } from "../../tools/fsck.ts";
import { type DeviceValues, openDevice } from "../../tools/open_device.ts";
import { Filesystem, Paths } from "../../fs/mod.ts";
import { Damage } from "../fsck/damage.ts";
import { assertClean, must, testWith, withTempDir } from "../support/tools.ts";
import {
  DEVICE_KINDS,
  type DeviceKind,
  MadeDevice,
  make,
  PLAIN,
  VERICRYPT_VOLUME,
} from "./devices.ts";
import { nextfs, type Run, startServer, writeTree } from "./program.ts";

const BLOCK_SIZE = 1024;
/** The four devices, two as images and two as volumes. */
const KINDS = DEVICE_KINDS.filter(({ name }) =>
  ["bdstd", "a crypt volume", "bdverity", "a vericrypt volume"].includes(name)
);
/** The two that verify, each of the other family. */
const VERIFIED = DEVICE_KINDS.filter(({ name }) =>
  ["a verity volume", "bdvericrypt with aes-256-xts"].includes(name)
);

/** Makes a device with a few files. */
async function makeFiled(kind: DeviceKind, dir: string): Promise<MadeDevice> {
  const tree = `${dir}/tree`;
  await writeTree(tree, {
    "docs/file": "text\n".repeat(4000),
    "docs/other": "other\n",
    "loose": "loose\n",
  });
  return await make(kind, dir, {
    from: tree,
    size: "4M",
    blockSize: BLOCK_SIZE,
  });
}

/** Changes the plaintext of a device, past the filesystem. */
async function edit(
  made: MadeDevice,
  change: (image: Damage) => void,
): Promise<void> {
  const { values } = parseCommand(fsck, made.args);
  const options = { readOnly: false, warn: (): void => {} };
  const { device } = await openDevice(
    made.path,
    values as DeviceValues,
    options,
  );
  try {
    const paths = new Paths(Filesystem.open(device, { readOnly: true }));
    const names = ["/docs", "/docs/file", "/docs/other", "/loose"];
    const inodes = Object.fromEntries(names.map((name) => {
      return [name, paths.resolve(name)];
    }));
    change(
      new Damage(device, { inodes: { "/": 2, ...inodes }, hasFeatures: true }),
    );
    await device.flush();
  } finally {
    device.close();
  }
}

/** Runs `fsck`, which must exit with `code`. */
async function check(
  made: MadeDevice,
  flags: string[],
  code: number,
): Promise<Run> {
  const run = await nextfs(["fsck", ...flags, ...made.args]);
  assert.equal(run.code, code, `${flags}: ${run.stdout}${run.stderr}`);
  return run;
}

/** A problem in the JSON of a report. */
interface JsonProblem {
  code: string;
  inode?: number;
  path: string | null;
  repaired: boolean;
}

async function problems(
  made: MadeDevice,
  flags: string[],
  code: number,
): Promise<JsonProblem[]> {
  const { stdout } = await check(made, ["--json", ...flags], code);
  return JSON.parse(stdout).problems;
}

for (const kind of KINDS) {
  await testWith(
    ["e2fsprogs"],
    `fsck checks and repairs ${kind.name}`,
    () =>
      withTempDir(async (dir) => {
        const made = await makeFiled(kind, dir);
        const { stdout } = await check(made, [], 0);
        assert.match(stdout, /: clean, /);
        assert.deepEqual(await problems(made, ["-y"], 0), []);
        await repairsCounter(made);
        await repairsName(made);
        await made.check("after the repairs");
      }),
  );
}

/** A wrong counter, which is safe to repair. */
async function repairsCounter(made: MadeDevice): Promise<void> {
  await edit(made, (image) => image.inode("/loose", "i_links_count", 7));
  const before = await Deno.readFile(made.image);
  const { stdout } = await check(made, ["-n"], 4);
  assert.match(stdout, /\/loose\): 1 links counted, 7 stored: not corrected/);
  assert.match(stdout, /nothing was changed: -p repairs/);
  assert.deepEqual(await Deno.readFile(made.image), before);
  const found = await problems(made, ["-p"], 1);
  assert.equal(found[0].code, "links.count");
  assert.equal(found[0].path, "/loose");
  assert.equal(found[0].repaired, true);
  await check(made, ["-p"], 0);
}

/** A file without a name, which is not safe to repair unasked. */
async function repairsName(made: MadeDevice): Promise<void> {
  await edit(made, (image) => image.unlink("/docs", "other"));
  const { stdout } = await check(made, ["-p"], 4);
  assert.match(stdout, /no directory leads to this file: not corrected/);
  assert.match(stdout, /-y repairs everything/);
  const found = await problems(made, ["-y"], 1);
  assert.ok(found.some(({ code }) => code === "connect.file"));
  assert.ok(found.every(({ repaired }) => repaired));
  await check(made, ["-n"], 0);
  await made.serve(async (server) => {
    const name = (await server.ok("ls", "/lost+found")).trim();
    assert.match(name, /^#\d+$/);
    assert.equal(await server.ok("cat", `/lost+found/${name}`), "other\n");
    assert.equal((await server.ok("cat", "/docs/file")).length, 20_000);
  });
}

/** Changes a byte of the stored block `block`. */
async function tamper(made: MadeDevice, block: number): Promise<void> {
  using file = await Deno.open(made.image, { read: true, write: true });
  const byte = new Uint8Array(1);
  await file.seek(block * BLOCK_SIZE + 9, Deno.SeekMode.Start);
  await file.read(byte);
  byte[0] ^= 4;
  await file.seek(block * BLOCK_SIZE + 9, Deno.SeekMode.Start);
  await file.write(byte);
}

for (const kind of VERIFIED) {
  await testWith(
    ["e2fsprogs"],
    `fsck names who has lost tampered blocks: ${kind.name}`,
    () =>
      withTempDir(async (dir) => {
        const made = await makeFiled(kind, dir);
        const blocks = { names: 0, data: 0 };
        await edit(made, (image) => {
          blocks.names = image.blockOf("/docs", 0);
          blocks.data = image.blockOf("/docs/file", 14);
        });
        await tamper(made, blocks.names);
        const [{ code, path }] = await problems(made, ["-n"], 4);
        assert.deepEqual([code, path], ["directory.unreadable", "/docs"]);
        await check(made, ["-y"], 1);
        await check(made, ["-n"], 0);
        await losesData(made, blocks.data);
      }),
  );
}

/** A block of contents is gone for good; the file can be removed. */
async function losesData(made: MadeDevice, block: number): Promise<void> {
  await tamper(made, block);
  const { stdout } = await check(made, ["-n"], 4);
  assert.match(stdout, new RegExp(`block ${block}: not what was written`));
  for (const flags of [["-y"], ["-p"]]) {
    const [{ code, path, repaired }] = await problems(made, flags, 4);
    assert.equal(code, "data.unreadable");
    assert.match(path!, /^\/lost\+found\/#\d+$/);
    assert.equal(repaired, false);
  }
  await made.serve(async (server) => {
    await server.ok("rm", "-r", "/lost+found");
  });
  // A block that nobody uses is written anew.
  const rest = await problems(made, ["-y"], 1);
  assert.ok(rest.some(({ code }) => code === "block.unreadable"));
  await check(made, ["-n"], 0);
}

await testWith(
  ["e2fsprogs"],
  "fsck repairs an image whose superblock is gone",
  () =>
    withTempDir(async (dir) => {
      const path = `${dir}/x.img`;
      await must("truncate", "-s", "20M", path);
      await must("mke2fs", "-q", "-t", "ext2", "-b", "1024", path);
      using file = await Deno.open(path, { write: true });
      await file.seek(1024, Deno.SeekMode.Start);
      await file.write(new Uint8Array(1024));
      const made = new MadeDevice(PLAIN, { path, flags: [] });
      const found = await problems(made, [], 4);
      assert.equal(found[0].code, "superblock.primary");
      await check(made, ["-p"], 4);
      await check(made, ["-y"], 1);
      await check(made, [], 0);
      await assertClean(path);
    }),
);

Deno.test("fsck exits by the reason if nothing can be checked", () =>
  withTempDir(async (dir) => {
    const made = await makeFiled(VERICRYPT_VOLUME, dir);
    const refused = async (
      args: string[],
      code: number,
      message: RegExp,
    ): Promise<void> => {
      const run = await nextfs(["fsck", ...args]);
      assert.equal(run.code, code, run.stderr);
      assert.match(run.stderr, message);
      assert.equal(run.stderr.split("\n").length, 2, run.stderr);
    };
    await refused(["-n", "-y", ...made.args], 16, /exclude each other/);
    await refused([], 16, /Missing operand/);
    await refused(["--no-such-flag"], 16, /no-such-flag/);
    await refused([`${dir}/none`], 10, /No such volume/);
    await Deno.writeFile(`${dir}/junk`, new Uint8Array(100_000).fill(0x61));
    await refused([`${dir}/junk`], 10, /./);
    await Deno.writeFile(`${dir}/wrong`, new Uint8Array(32).fill(5));
    await refused(["--keyfile", `${dir}/wrong`, made.path], 12, /./);
    const server = await startServer([...made.args]);
    try {
      await refused(["-n", ...made.args], 11, /another process/);
      await refused(["-y", ...made.args], 11, /another process/);
    } finally {
      await server.stop();
    }
    await check(made, ["-n"], 0);
  }));

await testWith(
  ["e2fsprogs"],
  "fsck refuses a filesystem that it does not know",
  () =>
    withTempDir(async (dir) => {
      const path = `${dir}/x.img`;
      await must("truncate", "-s", "20M", path);
      await must("mke2fs", "-q", "-t", "ext4", path);
      const before = await Deno.readFile(path);
      for (const flag of ["-n", "-y"]) {
        const { code, stderr } = await nextfs(["fsck", flag, path]);
        assert.equal(code, 8, stderr);
        assert.match(stderr, /features not known: .*extent/);
      }
      assert.deepEqual(await Deno.readFile(path), before);
    }),
);
