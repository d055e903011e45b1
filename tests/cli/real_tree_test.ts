import assert from "node:assert/strict";
import { must, testWith, withTempDir } from "../support/tools.ts";
import {
  type DeviceKind,
  MAIN_KINDS,
  make,
  PLAIN,
  VERICRYPT_VOLUME,
} from "./devices.ts";
import { describeTree, digestTree, linkGroups } from "./host_listing.ts";
import type { Serving } from "./program.ts";

const PROJECT = new URL("../../", import.meta.url).pathname;
const CACHES = [".cache/deno/npm", ".npm/_cacache"];
const SMALL_FILES = 2000;
/** The devices that get all of it; the others are spared the large files. */
const WITH_CACHES: readonly DeviceKind[] = [PLAIN, VERICRYPT_VOLUME];

/**
 * A copy of this repository with its `.git`, of the package cache if wanted,
 * thousands of small files, and what a clone seldom has: hard links, holes,
 * odd modes.
 */
async function copyRealTree(
  root: string,
  { withCaches }: { withCaches: boolean },
): Promise<void> {
  await must("mkdir", `${root}`);
  await must("cp", "-a", PROJECT, `${root}/project`);
  await must("rm", "-rf", `${root}/project/demo`);
  const home = Deno.env.get("HOME") ?? "/root";
  for (const cache of withCaches ? CACHES : []) {
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

for (const kind of MAIN_KINDS) {
  await testWith(
    ["e2fsprogs"],
    `a real tree comes back by get -r as it was put in: ${kind.name}`,
    () =>
      withTempDir(async (dir) => {
        const withCaches = WITH_CACHES.includes(kind);
        await copyRealTree(`${dir}/tree`, { withCaches });
        const made = await make(kind, dir, { from: `${dir}/tree` });
        await made.check("when it is new");
        await made.serve(async (server) => {
          await server.ok("get", "-r", "/", `${dir}/out`);
        });
        await made.check("after it was served");
        await must("rmdir", `${dir}/out/lost+found`);
        const options = ["-r", "--no-dereference"];
        await must("diff", ...options, `${dir}/tree`, `${dir}/out`);
        await assertSame(`${dir}/out`, `${dir}/tree`);
      }),
  );
}

for (const kind of WITH_CACHES) {
  await testWith(
    ["e2fsprogs"],
    `a real tree that four clients put in comes back: ${kind.name}`,
    () =>
      withTempDir(async (dir) => {
        await copyRealTree(`${dir}/tree`, { withCaches: true });
        const made = await make(kind, dir, { size: "4G" });
        await made.serve((server) => putByFour(server, dir));
        await made.check("in the end");
      }),
  );
}

async function putByFour(server: Serving, dir: string): Promise<void> {
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
}
