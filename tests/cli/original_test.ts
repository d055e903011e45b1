/**
 * `makemerkle` and `makefs -p`, compared with an independent implementation.
 */

import assert from "node:assert/strict";
import type { CipherName } from "../../bd/crypt.ts";
import { HASH_ALGORITHMS } from "../../bd/hmac.ts";
import { HostFile } from "../../bd/mod.ts";
import { decodeState } from "../../bd/original/root_file.ts";
import { assertSameFile, type Job, original } from "../support/original.ts";
import { must, testWith, withTempDir } from "../support/tools.ts";
import { nextfs, ok, writeTree } from "./program.ts";

const KEY = "the key";

/** Makes `image` of random bytes, and the file `key`. */
async function makeInput(dir: string, bytes: number): Promise<void> {
  const random = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65536) {
    crypto.getRandomValues(random.subarray(at, at + 65536));
  }
  await Deno.writeFile(`${dir}/image`, random);
  await Deno.writeTextFile(`${dir}/key`, `${KEY}\n`);
}

await testWith(
  ["python3"],
  "makemerkle makes the same tree and prints the same root",
  () =>
    withTempDir(async (dir) => {
      await makeInput(dir, 257 * 4096);
      const job: Job = {
        do: "tree",
        image: `${dir}/image`,
        tree: `${dir}/expected`,
        algorithm: "sha256",
        blockSize: 4096,
        key: null,
      };
      const cases: { flags: string[]; job: Job; leaves: number }[] = [
        { flags: [], job, leaves: 257 },
        { flags: ["-k", "file=key"], job: { ...job, key: KEY }, leaves: 257 },
        {
          flags: ["-b", "2048", "-a", "sha512", "-k", "file:key"],
          job: { ...job, blockSize: 2048, algorithm: "sha512", key: KEY },
          leaves: 514,
        },
        {
          flags: ["-b", "1K", "-a", "md5"],
          job: { ...job, blockSize: 1024, algorithm: "md5" },
          leaves: 1028,
        },
      ];
      for (const { flags, job, leaves } of cases) {
        const [root] = await original([job]);
        const out = await ok(
          ["makemerkle", "--force", ...flags, "image", "tree"],
          { cwd: dir },
        );
        assert.equal(out, `${root}@${leaves}\n${root}\n`, flags.join(" "));
        await assertSameFile(`${dir}/tree`, `${dir}/expected`);
      }
    }),
);

await testWith(
  ["python3"],
  "makemerkle of an image that takes a while is the same for each hash",
  () =>
    withTempDir(async (dir) => {
      // Long enough for the workers to take part.
      await makeInput(dir, 32 << 20);
      const jobs = HASH_ALGORITHMS.map((algorithm): Job => ({
        do: "tree",
        image: `${dir}/image`,
        tree: `${dir}/${algorithm}.expected`,
        algorithm,
        blockSize: 1024,
        key: KEY,
      }));
      const roots = await original(jobs);
      for (const [i, algorithm] of HASH_ALGORITHMS.entries()) {
        const tree = `${dir}/${algorithm}`;
        const out = await ok(
          ["makemerkle", "-a", algorithm, "-b1024", "-kfile:key"].concat(
            ["image", tree],
          ),
          { cwd: dir },
        );
        assert.equal(out.trimEnd().split("\n").at(-1), roots[i]);
        await assertSameFile(tree, `${tree}.expected`);
      }
    }),
);

Deno.test("makemerkle keeps the trusted state in a root file", () =>
  withTempDir(async (dir) => {
    await makeInput(dir, 3 * 2048);
    const args = ["makemerkle", "-b2048", "-a", "sha1", "--root-file", "root"];
    const run = (...more: string[]): ReturnType<typeof nextfs> =>
      nextfs([...args, ...more, "image", "tree"], { cwd: dir });
    const { stdout } = await run();
    const root = stdout.trimEnd().split("\n").at(-1)!;
    const expected = {
      algorithm: "sha1",
      blockSize: 2048,
      leafCount: 3,
      root: Uint8Array.fromHex(root),
    };
    const bytes = await Deno.readFile(`${dir}/root`);
    assert.deepEqual(decodeState(bytes), expected);

    // A root file is replaced only if that is wanted; nor is a tree.
    for (const name of ["root", "tree"]) {
      await Deno.rename(`${dir}/${name}`, `${dir}/kept`);
      const { code, stderr } = await run();
      assert.equal(code, 1);
      assert.match(stderr, /File exists \(--force replaces it\)/);
      await assert.rejects(Deno.stat(`${dir}/${name}`));
      await Deno.rename(`${dir}/kept`, `${dir}/${name}`);
    }
    await Deno.writeTextFile(`${dir}/root`, "damaged");
    assert.equal((await run("--force")).code, 0);
    assert.deepEqual(decodeState(await Deno.readFile(`${dir}/root`)), expected);
    const names = [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
    assert.deepEqual(names, ["image", "key", "root", "tree"]);
  }));

Deno.test("makemerkle refuses what has no whole blocks, or is no image", () =>
  withTempDir(async (dir) => {
    await makeInput(dir, 4096 + 1024);
    const run = (...args: string[]): ReturnType<typeof nextfs> =>
      nextfs(["makemerkle", ...args], { cwd: dir });
    const cases: [string[], number, RegExp][] = [
      [["image", "tree"], 1, /5120 bytes are not a whole number of blocks/],
      [["none", "tree"], 10, /none: No such image/],
      [[".", "tree"], 1, /not a regular file/],
      [["image", "image"], 1, /File exists/],
      [["-b1024", "image", "no/tree"], 1, /No such file or directory/],
      [["-b512", "image", "tree"], 2, /not a block size/],
      [["-a", "sha3", "image", "tree"], 2, /not a hash: md5, sha1, sha224/],
      [["-b1024", "-k", "", "image", "tree"], 2, /-k: the password is empty/],
      [["-b1024", "-k", "file:none", "image", "tree"], 2, /none: No such/],
      [["-b1024", "-k", "fd:x", "image", "tree"], 2, /not the number/],
      [["image"], 2, /Missing operand/],
    ];
    for (const [args, code, message] of cases) {
      const run1 = await run(...args);
      assert.equal(run1.code, code, `${args}: ${run1.stderr}`);
      assert.match(run1.stderr, message);
      assert.equal(run1.stderr.trimEnd().split("\n").length, 1);
      assert.equal(run1.stdout, "");
    }
    const writer = HostFile.open(`${dir}/image`);
    assert.equal((await run("-b1024", "image", "tree")).code, 11);
    writer.close();
    const reader = HostFile.open(`${dir}/image`, { readOnly: true });
    const { code, stderr } = await run("-b1024", "-ksecret", "image", "tree");
    assert.equal(code, 0);
    assert.match(stderr, /a password on the command line can be seen/);
    reader.close();
  }));

Deno.test("makemerkle warns of the wrong size of a block", () =>
  withTempDir(async (dir) => {
    const image = `${dir}/x.img`;
    await ok(["makefs", "-b1024", "-s", "256K", image]);
    const { code, stderr } = await nextfs(["makemerkle", image, `${dir}/t`]);
    assert.equal(code, 0);
    assert.match(stderr, /blocks of 1024 bytes: .*give -b 1024/);
  }));

const FILES = {
  "readme": "To be encrypted.\n",
  "a/deep/file": "deep\n".repeat(5000),
  "a/empty/": "",
};

const ENCRYPTED: [CipherName, number][] = [
  ["aes-256-xts", 1024],
  ["aes-256-xts", 2048],
  ["aes-256-xts", 4096],
  ["aes-256-cbc", 1024],
  ["aes-256-cbc", 2048],
  ["aes-256-cbc", 4096],
];

for (const [cipher, blockSize] of ENCRYPTED) {
  await testWith(
    ["python3"],
    `makefs -p makes the plain image encrypted: ${cipher}, ${blockSize}`,
    () =>
      withTempDir(async (dir) => {
        await writeTree(`${dir}/files`, FILES);
        await must("touch", "-d", "@1700000000", `${dir}/files/a/deep/file`);
        await Deno.writeTextFile(`${dir}/key`, `${KEY}\n`);
        const flags = ["--reproducible", "-b", String(blockSize), "-N", "32"];
        await ok(["makefs", ...flags, `${dir}/plain`, `${dir}/files`]);
        const secret = ["-p", `file:${dir}/key`];
        // The usual cipher need not be named.
        if (cipher !== "aes-256-xts") secret.push("-c", cipher);
        await ok(["makefs", ...flags, ...secret, `${dir}/x`, `${dir}/files`]);
        await original([{
          do: "encrypt",
          from: `${dir}/plain`,
          to: `${dir}/expected`,
          cipher,
          blockSize,
          password: KEY,
        }]);
        await assertSameFile(`${dir}/x`, `${dir}/expected`);
      }),
  );
}

await testWith(
  ["python3"],
  "makefs -p takes an archive and a size",
  () =>
    withTempDir(async (dir) => {
      await writeTree(`${dir}/files`, FILES);
      await must("tar", "-cf", `${dir}/tar`, "-C", `${dir}/files`, ".");
      const stdin = await Deno.readFile(`${dir}/tar`);
      const flags = ["--reproducible", "-s", "200K", "-b1024", "--tar", "-"];
      await ok(["makefs", ...flags, `${dir}/plain`], { stdin });
      const { code, stderr } = await nextfs(
        ["makefs", ...flags, "-pliteral", `${dir}/x`],
        { stdin },
      );
      assert.equal(code, 0);
      assert.match(stderr, /a password on the command line can be seen/);
      await original([{
        do: "encrypt",
        from: `${dir}/plain`,
        to: `${dir}/expected`,
        cipher: "aes-256-xts",
        blockSize: 1024,
        password: "literal",
      }]);
      await assertSameFile(`${dir}/x`, `${dir}/expected`);
    }),
);

Deno.test("makefs -p refuses what would put plaintext on the disk, and more", () =>
  withTempDir(async (dir) => {
    const cases: [string[], RegExp][] = [
      [["-p", "x", "--tar", "-"], /unencrypted: give --size/],
      [["-s1M", "-c", "aes-256-cbc"], /--cipher needs a password/],
      [["-s1M", "-p", "x", "-c", "aes-128-xts"], /is not a cipher/],
      [["-s1M", "-p", ""], /the password is empty/],
      [["-s1M", "-p", "file:none"], /No such file/],
      [["-s1M", "-p", "fd=x"], /not the number/],
    ];
    for (const [flags, message] of cases) {
      const args = ["makefs", ...flags, "image"];
      const { code, stderr } = await nextfs(args, { cwd: dir });
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    }
    assert.deepEqual([...Deno.readDirSync(dir)], []);
  }));
