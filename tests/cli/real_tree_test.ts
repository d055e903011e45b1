import assert from "node:assert/strict";
import { assertClean, must, testWith, withTempDir } from "../support/tools.ts";
import { describeTree, digestTree, linkGroups } from "./host_listing.ts";
import { ok, startServer, withServer } from "./program.ts";

const PROJECT = new URL("../../", import.meta.url).pathname;
const CACHES = [".cache/deno/npm", ".npm/_cacache"];
const SMALL_FILES = 2000;

/**
 * A copy of this repository with its `.git`, of the package cache, thousands
 * of small files, and what a clone seldom has: hard links, holes, odd modes.
 */
async function copyRealTree(root: string): Promise<void> {
  await must("mkdir", `${root}`);
  await must("cp", "-a", PROJECT, `${root}/project`);
  await must("rm", "-rf", `${root}/project/demo`);
  const home = Deno.env.get("HOME") ?? "/root";
  for (const cache of CACHES) {
    const exists = await Deno.lstat(`${home}/${cache}`).catch(() => null);
    const name = cache.replaceAll("/", "-");
    if (exists) await must("cp", "-a", `${home}/${cache}`, `${root}/${name}`);
  }
  for (let i = 0; i < SMALL_FILES; i++) {
    const dir = `${root}/many/${i % 16}/${i % 7}/deeper/still`;
    if (i < 16 * 7) await Deno.mkdir(dir, { recursive: true });
    await Deno.writeTextFile(`${dir}/file-${i}`, `${i}\n`.repeat(i));
  }
  await must("cp", "-al", `${root}/project/fs`, `${root}/hard-links`);
  await must("truncate", "-s", "20M", `${root}/hole`);
  await must("mkdir", "-m", "1700", `${root}/odd`);
  await must("ln", "-s", "../hole", `${root}/odd/link`);
  await must("ln", "-s", "/no/such/file", `${root}/odd/broken`);
  await must("touch", "-h", "-d", "@1.000000001", `${root}/odd/link`);
}

async function assertSame(copy: string, original: string): Promise<void> {
  assert.deepEqual(await describeTree(copy), await describeTree(original));
  assert.deepEqual(await digestTree(copy), await digestTree(original));
  assert.deepEqual(await linkGroups(copy), await linkGroups(original));
}

await testWith(
  ["e2fsprogs"],
  "a real tree comes back from makefs by get -r as it was",
  () =>
    withTempDir(async (dir) => {
      await copyRealTree(`${dir}/tree`);
      const image = `${dir}/x.img`;
      await ok(["makefs", image, `${dir}/tree`]);
      await assertClean(image);
      await withServer(image, async (server) => {
        await server.ok("get", "-r", "/", `${dir}/out`);
      });
      await assertClean(image, "after it was served");
      await must("rmdir", `${dir}/out/lost+found`);
      await must("diff", "-r", "--no-dereference", `${dir}/tree`, `${dir}/out`);
      await assertSame(`${dir}/out`, `${dir}/tree`);
    }),
);

await testWith(
  ["e2fsprogs"],
  "a real tree put in by four clients at a time comes back as it was",
  () =>
    withTempDir(async (dir) => {
      await copyRealTree(`${dir}/tree`);
      const image = `${dir}/x.img`;
      await ok(["makefs", "-s", "4G", image]);
      const server = await startServer([image]);
      try {
        const clients = [0, 1, 2, 3];
        await Promise.all(clients.map(async (client) => {
          await server.ok("put", "-r", `${dir}/tree`, `/${client}`);
        }));
        await server.ok("get", "-r", "/3", `${dir}/out`);
        await assertSame(`${dir}/out`, `${dir}/tree`);
        // All at once in one place: each client finds what others have made.
        await server.ok("mkdir", "/one");
        const tops = [...Deno.readDirSync(`${dir}/tree`)]
          .map(({ name }) => `${dir}/tree/${name}`);
        await Promise.all(clients.map(async (client) => {
          const part = tops.filter((_, i) => i % clients.length === client);
          await server.ok("put", "-r", ...part, "/one");
        }));
        await server.ok("get", "-r", "/one", `${dir}/one`);
        assert.deepEqual(
          await digestTree(`${dir}/one`),
          await digestTree(`${dir}/tree`),
        );
      } finally {
        assert.equal((await server.stop()).code, 0);
      }
      await assertClean(image);
    }),
);
