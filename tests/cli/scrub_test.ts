import assert from "node:assert/strict";
import { HostFile } from "../../bd/mod.ts";
import { pagedLayout } from "../../bd/tree_layout.ts";
import { makeSpecimen } from "../support/corrupt.ts";
import { saveImage } from "../support/images.ts";
import {
  assertClean,
  debugfs,
  testWith,
  withTempDir,
} from "../support/tools.ts";
import { nextfs, ok, writeTree } from "./program.ts";

/** How a verified volume or image in a directory is opened and spoiled. */
interface Case {
  /** Its kind, for messages. */
  name: string;
  /** Flags that open it, then its path. */
  args: string[];
  /** The file with the stored blocks. */
  image: string;
  /** The file with the tree. */
  tree: string;
}

async function makeTree(dir: string): Promise<void> {
  await writeTree(`${dir}/tree`, { "docs/": "", "empty": "" });
  const content = new Uint8Array(300_000).map((_, i) => i * 7 + (i >> 8));
  await Deno.writeFile(`${dir}/tree/docs/a.txt`, content);
  await Deno.writeFile(`${dir}/key`, new Uint8Array(32).fill(7));
  await Deno.writeTextFile(`${dir}/password`, "secret");
}

/** Makes a volume of ours, of blocks of 1 KiB. */
async function makeVolume(dir: string, device: string): Promise<Case> {
  const name = `${dir}/${device}`;
  const key = device === "std" ? [] : ["--keyfile", `${dir}/key`];
  const options = ["--device", device, "-b", "1024", "-s", "4M"];
  await ok(["init", ...options, ...key, "--from", `${dir}/tree`, name]);
  return {
    name: device,
    args: [...key, name],
    image: `${name}/image`,
    tree: `${name}/tree`,
  };
}

/** Makes an image as the original has it, of blocks of 1 KiB. */
async function makeOriginal(dir: string, encrypted: boolean): Promise<Case> {
  const name = encrypted ? "bdvericrypt" : "bdverity";
  const image = `${dir}/${name}.img`;
  const tree = `${dir}/${name}.tree`;
  const secret = `file:${dir}/password`;
  const password = encrypted ? ["-p", secret] : [];
  const options = ["-b", "1024", "-s", "4M", ...password];
  await ok(["makefs", ...options, image, `${dir}/tree`]);
  const made = await ok([
    "makemerkle",
    "-b",
    "1024",
    "-k",
    secret,
    image,
    tree,
  ]);
  const root = /^([0-9a-f]{64}@\d+)$/m.exec(made)![1];
  const parts = [name, tree, `file=${dir}/password`, root];
  if (encrypted) parts.push(`file=${dir}/password`, "aes-256-xts");
  return { name, args: ["-b", parts.join(":"), image], image, tree };
}

/** Flips a bit of a file. */
async function flip(path: string, position: number): Promise<void> {
  using file = await Deno.open(path, { read: true, write: true });
  await file.seek(position, Deno.SeekMode.Start);
  const byte = new Uint8Array(1);
  await file.read(byte);
  byte[0] ^= 0x20;
  await file.seek(position, Deno.SeekMode.Start);
  await file.write(byte);
}

/** The device block of block `index` of a file, as debugfs finds it. */
async function blockOf(
  image: string,
  path: string,
  index: number,
): Promise<number> {
  return Number((await debugfs(image, `bmap ${path} ${index}`)).trim());
}

await testWith(
  ["e2fsprogs"],
  "verify and dump of every device: sound, with bad blocks, with a bad tree",
  (t) =>
    withTempDir(async (dir) => {
      await makeTree(dir);
      const cases = [
        await makeVolume(dir, "verity"),
        await makeVolume(dir, "vericrypt"),
        await makeOriginal(dir, false),
        await makeOriginal(dir, true),
      ];
      for (const one of cases) {
        await t.step(one.name, () => checkCase(dir, one));
      }
    }),
);

async function checkCase(dir: string, one: Case): Promise<void> {
  const plain = `${dir}/${one.name}.plain`;
  assert.match(
    await ok(["verify", ...one.args]),
    /^0 of 4096 blocks are bad( \(\d+ were read, others were never written\))?\n$/,
  );
  const sound = JSON.parse(await ok(["verify", "--json", ...one.args]));
  assert.equal(sound.bad, 0);
  assert.deepEqual(sound.ranges, []);
  await ok(["dump", ...one.args, plain]);
  await assertClean(plain, one.name);

  const data = await blockOf(plain, "/docs/a.txt", 100);
  const names = await blockOf(plain, "/docs", 0);
  await flip(one.image, data * 1024 + 17);
  await flip(one.image, (data + 1) * 1024);
  await flip(one.image, names * 1024 + 1000);
  await checkBad(one, data, names);
  await checkBadDump(dir, one, { plain, data, names });
  for (const block of [data, data + 1]) {
    await flip(one.image, block * 1024 + (block === data ? 17 : 0));
  }
  await flip(one.image, names * 1024 + 1000);
  await ok(["verify", ...one.args]);

  await checkBadTree(dir, one);
}

async function checkBad(one: Case, data: number, names: number): Promise<void> {
  const found = await nextfs(["verify", ...one.args]);
  assert.equal(found.code, 13, found.stderr);
  assert.equal(found.stderr, "");
  const lines = found.stdout.split("\n");
  const range = `blocks ${data} to ${data + 1}`;
  // Without its directory the file is found, but not its name.
  assert(
    lines.some((line) => line.startsWith(`${range}: data of inode `)),
    found.stdout,
  );
  assert(lines.includes(`block ${names}: directory /docs`), found.stdout);
  assert.match(found.stdout, /^Files may be missing here: 1 place of /m);
  assert.match(found.stdout, /^3 of 4096 blocks are bad( \(.*\))?\n$/m);

  await flip(one.image, names * 1024 + 1000);
  const again = await nextfs(["verify", "--json", ...one.args]);
  await flip(one.image, names * 1024 + 1000);
  assert.equal(again.code, 13);
  const json = JSON.parse(again.stdout);
  assert.equal(json.bad, 2);
  assert.equal(json.blocks, 4096);
  assert.deepEqual(json.ranges, [{
    first: data,
    count: 2,
    owner: {
      kind: "data",
      ino: json.ranges[0].owner.ino,
      names: 1,
      path: "/docs/a.txt",
    },
  }]);
}

async function checkBadDump(
  dir: string,
  one: Case,
  { plain, data, names }: { plain: string; data: number; names: number },
): Promise<void> {
  const target = `${dir}/bad.plain`;
  const refused = await nextfs(["dump", ...one.args, target]);
  assert.equal(refused.code, 13);
  const first = Math.min(data, names);
  assert.match(
    refused.stderr,
    new RegExp(`block ${first} is (data|directory)`),
  );
  assert.equal(refused.stderr.split("\n").length, 2, refused.stderr);
  assert.throws(() => Deno.statSync(target), Deno.errors.NotFound);
  const left = [...Deno.readDirSync(dir)].map(({ name }) => name);
  assert.deepEqual(left.filter((name) => name.includes("partial")), []);

  const skipped = await nextfs(["dump", "--skip-bad", ...one.args, target]);
  assert.equal(skipped.code, 13);
  assert.match(skipped.stderr, /3 blocks are bad, and of zeros in the copy/);
  const expected = await Deno.readFile(plain);
  for (const block of [data, data + 1, names]) {
    expected.fill(0, block * 1024, (block + 1) * 1024);
  }
  const copy = await Deno.readFile(target);
  assert(copy.every((byte, i) => byte === expected[i]), one.name);
  await Deno.remove(target);
}

async function checkBadTree(dir: string, one: Case): Promise<void> {
  const isPaged = !one.image.endsWith(".img");
  const layout = pagedLayout(4096);
  const page = layout.position(layout.unitOf(layout.firstLeaf));
  // Slot 2 of a page stands for all of it; the array's last leaf for itself.
  const at = isPaged ? page + 2 * 32 : Deno.statSync(one.tree).size - 1;
  await flip(one.tree, at);
  const found = await nextfs(["verify", ...one.args]);
  assert.equal(found.code, 13, found.stderr);
  const bad = Number(/^(\d+) of 4096/m.exec(found.stdout)![1]);
  assert.equal(bad, isPaged ? 64 : 2);
  if (isPaged) {
    // The superblock is among them.
    assert.match(found.stdout, /^blocks 0 to 63\n/);
    assert.match(found.stdout, /^What they belong to cannot be told: /m);
  } else assert.match(found.stdout, /^blocks 4094 to 4095: not in use$/m);
  const target = `${dir}/bad.plain`;
  const dumped = await nextfs(["dump", "--skip-bad", ...one.args, target]);
  assert.equal(dumped.code, 13);
  await Deno.remove(target);
  await flip(one.tree, at);
  await ok(["verify", ...one.args]);
  if (!isPaged) return;

  // Something where nothing was ever written: nobody can write there.
  const unused = page + 63 * 4096 + 3000;
  await flip(one.tree, unused);
  const junk = await nextfs(["verify", ...one.args]);
  assert.equal(junk.code, 13, junk.stderr);
  assert.match(junk.stdout, /^blocks \d+ to \d+: not in use\n2 of 4096 /);
  await flip(one.tree, unused);
}

await testWith(
  ["e2fsprogs"],
  "dump of a volume without a tree, which verify refuses",
  () =>
    withTempDir(async (dir) => {
      await makeTree(dir);
      const cases = [
        await makeVolume(dir, "std"),
        await makeVolume(dir, "crypt"),
      ];
      await ok(["makefs", `${dir}/x.img`, `${dir}/tree`]);
      const image = `${dir}/x.img`;
      cases.push({ name: "bdstd", args: [image], image, tree: "" });
      for (const one of cases) {
        const refused = await nextfs(["verify", ...one.args]);
        assert.equal(refused.code, 2);
        assert.match(refused.stderr, /has no hash tree/);
        const plain = `${dir}/${one.name}.plain`;
        await ok(["dump", ...one.args, plain]);
        await assertClean(plain, one.name);
        if (one.name === "crypt") continue;
        const [a, b] = [one.image, plain].map((path) =>
          Deno.readFileSync(path)
        );
        assert(a.length === b.length && a.every((byte, i) => byte === b[i]));
      }
    }),
);

await testWith(
  ["e2fsprogs"],
  "dump frees files that were removed while they were open",
  () =>
    withTempDir(async (dir) => {
      const { device } = await makeSpecimen(256);
      const image = `${dir}/x.img`;
      const tree = `${dir}/x.tree`;
      await saveImage(device, image);
      const made = await ok(["makemerkle", "-b", "1024", image, tree]);
      const root = made.split("\n")[0];
      const before = await Deno.readFile(image);
      for (const device of ["bdstd", `bdverity:${tree}::${root}`]) {
        const plain = `${dir}/plain`;
        await ok(["dump", "--force", "-b", device, image, plain]);
        await assertClean(plain, device);
      }
      assert.deepEqual(await Deno.readFile(image), before);
    }),
);

Deno.test("dump keeps the holes, and makes a file for its owner alone", () =>
  withTempDir(async (dir) => {
    await Deno.writeFile(`${dir}/key`, new Uint8Array(32));
    const key = ["--keyfile", `${dir}/key`];
    await ok(["init", ...key, "-s", "64G", `${dir}/volume`]);
    assert.match(
      await ok(["verify", ...key, `${dir}/volume`]),
      /^0 of 16777216 blocks are bad \(\d+ were read/,
    );
    await ok(["dump", ...key, `${dir}/volume`, `${dir}/plain`]);
    const { size, blocks, mode } = await Deno.stat(`${dir}/plain`);
    assert.equal(size, 64 * 2 ** 30);
    assert(blocks! * 512 < 64 << 20, `${blocks} blocks on the disk`);
    assert.equal(mode! & 0o777, 0o600);
  }));

Deno.test("dump and verify say what is wrong with their operands", () =>
  withTempDir(async (dir) => {
    await makeTree(dir);
    const image = `${dir}/x.img`;
    await ok(["makefs", image, `${dir}/tree`]);
    const refuse = async (
      args: string[],
      code: number,
      message: RegExp,
    ): Promise<void> => {
      const run = await nextfs(args);
      assert.equal(run.code, code, run.stderr);
      assert.match(run.stderr, message);
      assert.equal(run.stderr.split("\n").length, 2, run.stderr);
    };
    await refuse(["dump", image, image], 1, /File exists/);
    await refuse(["dump", image, "-"], 2, /give its name/);
    await refuse(["dump", image], 2, /Missing operand/);
    await refuse(["dump", `${dir}/none`, `${dir}/p`], 10, /No such volume/);
    await refuse(["verify", `${dir}/none`], 10, /No such volume/);
    await refuse(["dump", image, `${dir}/none/p`], 1, /No such file/);
    const file = HostFile.open(image);
    await refuse(["dump", image, `${dir}/p`], 11, /another process/);
    file.close();
  }));

Deno.test("dump --force replaces nothing of what it reads", () =>
  withTempDir(async (dir) => {
    await makeTree(dir);
    const { args } = await makeVolume(dir, "vericrypt");
    const volume = args.at(-1)!;
    const targets = [
      `${dir}/key`,
      `${volume}/volume.json`,
      `${volume}/anchor`,
      `${volume}/new`,
    ];
    for (const target of targets) {
      const { code, stderr } = await nextfs([
        "dump",
        "--force",
        ...args,
        target,
      ]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /would replace a part of what is read/);
    }
    await ok(["verify", ...args]);
  }));

Deno.test("a key that is given for what has none is refused", () =>
  withTempDir(async (dir) => {
    await makeTree(dir);
    await makeVolume(dir, "std");
    for (const path of [`${dir}/std`, `${dir}/std/image`]) {
      const { code, stderr } = await nextfs([
        "dump",
        "--keyfile",
        `${dir}/key`,
        path,
        `${dir}/out`,
      ]);
      assert.equal(code, 13, stderr);
      assert.match(stderr, /has no key, but --keyfile gives one/);
    }
    const { code, stderr } = await nextfs(["dump", `${dir}/std`, `${dir}/out`]);
    assert.equal(code, 0);
    assert.match(stderr, /it has no key, and is plain/);
  }));
