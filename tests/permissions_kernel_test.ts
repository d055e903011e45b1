/**
 * Permissions compared with the kernel's: the same calls by the same users on
 * the same volume.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { MemoryDevice } from "../bd/memory.ts";
import { ACL_TAG, decodeAcl, encodeAcl } from "../fs/acl.ts";
import {
  type Credentials,
  Filesystem,
  FsError,
  GuardedFilesystem,
  ROOT_INODE,
} from "../fs/mod.ts";
import { formatted, saveImage } from "./support/images.ts";
import {
  actThroughEngine,
  type PermissionCase,
  type PermissionResult,
  randomAcl,
  randomCase,
  randomize,
  randomUser,
} from "./support/permission_cases.ts";
import { chooseSeed, Random } from "./support/random.ts";
import { must, testWith, withMount, withTempDir } from "./support/tools.ts";

const SCRIPT = new URL("./support/permissions.py", import.meta.url).pathname;
const SEED = "NEXTFS_PERMISSIONS_SEED";
const ACCESS = "system.posix_acl_access";
const CASES = 1500;
const FILES = 300;
const USERS = 12;

/** Carries out `cases` through the kernel, on a copy of the volume. */
async function actThroughKernel(
  device: MemoryDevice,
  cases: readonly PermissionCase[],
): Promise<PermissionResult[]> {
  return await withTempDir(async (dir) => {
    await saveImage(device, `${dir}/image`);
    await Deno.writeTextFile(`${dir}/cases`, JSON.stringify(cases));
    return await withMount(`${dir}/image`, "rw", async (root) => {
      return JSON.parse(await must("python3", SCRIPT, root, `${dir}/cases`));
    });
  });
}

await testWith(
  ["loop mounts", "python3"],
  "every call is permitted and refused as by the kernel",
  async () => {
    const seed = chooseSeed(SEED);
    const random = new Random(seed);
    const inodeCount = CASES * 10;
    const shape = { blockSize: 1024, blockCount: 65536, inodeCount };
    const device = formatted(shape);
    const fs = Filesystem.open(device);
    const cases = Array.from(
      { length: CASES },
      (_, i) => randomCase(fs, i, random),
    );
    await fs.sync();
    const theirs = await actThroughKernel(device, cases);
    for (const [i, one] of cases.entries()) {
      const what = `${SEED}=${seed}: ${JSON.stringify(one)}`;
      assert.deepEqual(actThroughEngine(fs, one), theirs[i], what);
    }
    await fs.close();
    report(cases, theirs);
  },
);

/** Prints how often each outcome was compared, for each call. */
function report(
  cases: readonly PermissionCase[],
  results: readonly PermissionResult[],
): void {
  const counts = new Map<string, Map<string, number>>();
  for (const [i, { call }] of cases.entries()) {
    const outcome = results[i].outcome as string;
    const row = counts.get(call) ?? new Map<string, number>();
    row.set(outcome, (row.get(outcome) ?? 0) + 1);
    counts.set(call, row);
  }
  console.log(`${cases.length} calls compared with the kernel's:`);
  for (const [call, row] of [...counts].sort()) {
    const cells = [...row].sort().map(([outcome, n]) => `${outcome} ${n}`);
    console.log(`  ${call.padEnd(12)} ${cells.join(", ")}`);
  }
}

await testWith(
  ["loop mounts", "python3"],
  "modes and access control lists permit what the kernel permits",
  async () => {
    const seed = chooseSeed(SEED);
    const random = new Random(seed);
    const device = formatted({ blockSize: 1024, blockCount: 8192 });
    const fs = Filesystem.open(device);
    const dir = fs.mkdir(ROOT_INODE, "d");
    const names = Array.from({ length: FILES }, (_, i) => `${i}`);
    for (const name of names) {
      const ino = random.chance(0.5)
        ? fs.create(dir, name)
        : fs.mkdir(dir, name);
      randomize(fs, ino, random);
      if (random.chance(0.5)) {
        fs.setxattr(ino, ACCESS, encodeAcl(randomAcl(random)));
      }
    }
    const users = Array.from({ length: USERS }, () => randomUser(random));
    users.push({ uid: 0, gid: 0, groups: [] });
    await fs.sync();
    const cases = users.map((by) => {
      return { path: "/d", by, call: "decide", args: [".", names] };
    });
    const theirs = await actThroughKernel(device, cases);
    let lists = 0;
    for (const [u, by] of users.entries()) {
      for (const [n, name] of names.entries()) {
        const ino = fs.lookup(dir, name);
        lists += fs.listxattr(ino).length;
        const what = `${SEED}=${seed} ${JSON.stringify(by)} ${name}`;
        assert.equal(decisions(fs, by, ino), theirs[u].outcome[n], what);
      }
    }
    await fs.close();
    const pairs = users.length * names.length;
    console.log(`${8 * pairs} decisions compared, ${lists} of lists × users`);
  },
);

/** The sum of `1 << mask` for every mask of access(2) that is permitted. */
function decisions(fs: Filesystem, by: Credentials, ino: number): number {
  const guarded = new GuardedFilesystem(fs, { credentials: by });
  let permitted = 0;
  for (let mask = 0; mask < 8; mask++) {
    try {
      guarded.checkAccess(ino, mask);
      permitted |= 1 << mask;
    } catch (error) {
      assert.ok(error instanceof FsError && error.code === "EACCES");
    }
  }
  return permitted;
}

await testWith(
  ["loop mounts", "python3"],
  "a list with an empty mask refuses those it names, unlike the kernel's",
  async () => {
    const device = formatted({ blockSize: 1024, blockCount: 1024 });
    const fs = Filesystem.open(device);
    const dir = fs.mkdir(ROOT_INODE, "d");
    const ino = fs.create(dir, "f");
    const list = randomAcl(new Random(1)).filter(({ tag }) =>
      tag !== ACL_TAG.user && tag !== ACL_TAG.group
    ).map((entry) => {
      const permissions = entry.tag === ACL_TAG.mask ? 0 : 7;
      return { ...entry, permissions };
    });
    const named = { tag: ACL_TAG.user, permissions: 7, id: 1000 };
    list.splice(1, 0, named);
    fs.setxattr(ino, ACCESS, encodeAcl(list));
    assert.equal(decodeAcl(fs.getxattr(ino, ACCESS)).length, 5);
    await fs.sync();
    const by = { uid: 1000, gid: 50, groups: [] };
    const args = [".", ["f"]];
    const one = { path: "/d", by, call: "decide", args };
    const [{ outcome }] = await actThroughKernel(device, [one]);
    assert.deepEqual(outcome, [0b11111111]);
    assert.equal(decisions(fs, by, ino), 0b1);
    await fs.close();
  },
);
