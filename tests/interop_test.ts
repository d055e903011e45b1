/**
 * Volumes of mke2fs and the kernel's driver, read and changed by the engine,
 * and judged by e2fsck, debugfs and the kernel again.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { MemoryDevice } from "../bd/memory.ts";
import { INCOMPAT } from "../fs/features.ts";
import { Filesystem, type FormatOptions, Paths } from "../fs/mod.ts";
import { SUPERBLOCK, SUPERBLOCK_OFFSET } from "../fs/superblock.ts";
import { changeEverything } from "./support/changes.ts";
import {
  editImage,
  formatted,
  loadImage,
  saveImage,
} from "./support/images.ts";
import {
  changeByKernel,
  fillByKernel,
  kernelTree,
} from "./support/kernel_tree.ts";
import {
  assertClean,
  debugfs,
  must,
  testWith,
  withMount,
  withTempDir,
} from "./support/tools.ts";
import {
  assertSameTree,
  describeHost,
  describeVolume,
  type Tree,
} from "./support/tree.ts";

interface Volume {
  name: string;
  blockSize: number;
  /** Options of mke2fs, or those of our own format(). */
  made: string | FormatOptions;
  xattrs?: false;
}

const VOLUMES: readonly Volume[] = [
  { name: "1 KiB blocks, 128-byte inodes", blockSize: 1024, made: "-I 128" },
  { name: "1 KiB blocks, 256-byte inodes", blockSize: 1024, made: "-I 256" },
  { name: "2 KiB blocks, 256-byte inodes", blockSize: 2048, made: "-I 256" },
  { name: "4 KiB blocks, 128-byte inodes", blockSize: 4096, made: "-I 128" },
  { name: "4 KiB blocks, 256-byte inodes", blockSize: 4096, made: "-I 256" },
  { name: "revision 0", blockSize: 1024, made: "-r 0", xattrs: false },
  { name: "no dir_index", blockSize: 2048, made: "-O ^dir_index" },
  { name: "no resize_inode", blockSize: 4096, made: "-O ^resize_inode" },
  {
    name: "no sparse_super, small groups",
    blockSize: 1024,
    made: "-O ^sparse_super,^resize_inode -g 1024",
  },
  {
    name: "sparse_super2, small groups",
    blockSize: 1024,
    made: "-O sparse_super2,^sparse_super,^resize_inode -g 1024",
  },
  { name: "a clean journal", blockSize: 4096, made: "-O has_journal -I 256" },
  { name: "no filetype", blockSize: 1024, made: "-O ^filetype" },
  { name: "ours, 1 KiB blocks", blockSize: 1024, made: { inodeSize: 128 } },
  { name: "ours, 2 KiB blocks", blockSize: 2048, made: { inodeSize: 256 } },
  { name: "ours, 4 KiB blocks", blockSize: 4096, made: { inodeSize: 256 } },
];

/** Size of a volume, in bytes. */
const VOLUME_SIZE = 48 * 2 ** 20;
/** Number of its inodes. */
const INODES = 8000;

for (const volume of VOLUMES) {
  await testWith(
    ["e2fsprogs", "loop mounts", "setfattr", "setfacl"],
    `kernel and engine see and change the same tree: ${volume.name}`,
    () => withTempDir((dir) => exchange(`${dir}/volume.img`, volume)),
  );
}

async function makeVolume(
  image: string,
  { blockSize, made }: Volume,
): Promise<void> {
  const blockCount = VOLUME_SIZE / blockSize;
  if (typeof made === "string") {
    const sizes = ["-b", String(blockSize), "-N", String(INODES)];
    const given = ["-q", "-F", "-t", "ext2", ...sizes, ...made.split(" ")];
    await must("mke2fs", ...given, image, String(blockCount));
  } else {
    const shape = { blockSize, blockCount, inodeCount: INODES, ...made };
    await saveImage(formatted(shape), image);
  }
}

async function exchange(image: string, volume: Volume): Promise<void> {
  const { blockSize, xattrs = true } = volume;
  await makeVolume(image, volume);
  await withMount(
    image,
    xattrs ? "user_xattr,acl" : "rw",
    (root) => fillByKernel(root, { blockSize, xattrs, acls: true }),
  );
  assertSameTree(
    await ourTree(image),
    await kernelTree(image),
    "as the kernel left it",
  );

  await editImage(image, (fs) => changeEverything(fs, { xattrs }));
  await assertClean(image, "after our changes");
  const ours = await ourTree(image);
  assertSameTree(await kernelTree(image), ours, "as we left it");
  await compareByDebugfs(image);

  await withMount(image, "rw", changeByKernel);
  await assertClean(image, "after the kernel changed what we had changed");
  assertSameTree(await ourTree(image), await kernelTree(image), "at last");
}

async function ourTree(image: string): Promise<Tree> {
  const device = await loadImage(image);
  const fs = Filesystem.open(device, { readOnly: true, atime: "noatime" });
  assert.deepEqual(fs.warnings, []);
  const tree = describeVolume(fs);
  await fs.close();
  return tree;
}

async function compareByDebugfs(image: string): Promise<void> {
  const fs = Filesystem.open(await loadImage(image), { atime: "noatime" });
  const paths = new Paths(fs);
  const listing = await debugfs(image, "ls -p /files");
  const theirs = listing.split("\n").filter((row) => row.startsWith("/"))
    .map((row) => row.split("/"))
    .map(([, ino, mode, uid, gid, name, size]) => ({
      ...{ ino: Number(ino), mode: parseInt(mode, 8), name },
      ...{ uid: Number(uid), gid: Number(gid), size: Number(size) },
    })).filter(({ name }) => name !== "." && name !== "..");
  const ours = paths.readDir("/files").map(({ ino, name }) => {
    const { mode, uid, gid, size } = fs.getattr(ino);
    return { ino, mode, name: latin1(name), uid, gid, size };
  });
  assert.ok(ours.length > 10);
  assert.deepEqual(
    ours.map(({ name }) => name).sort(),
    theirs.map(({ name }) => name).sort(),
  );
  await withTempDir(async (dir) => {
    for (const name of ["ours", "odd", "b13", "sparse"]) {
      await debugfs(image, `dump /files/${name} ${dir}/dumped`);
      const dumped = createHash("md5").update(
        await Deno.readFile(`${dir}/dumped`),
      );
      const mine = createHash("md5").update(paths.readFile(`/files/${name}`));
      assert.equal(mine.digest("hex"), dumped.digest("hex"), name);
    }
  });
  await fs.close();
}

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

await testWith(
  ["e2fsprogs"],
  "mke2fs -d: the engine reads a tree that mke2fs copied",
  () =>
    withTempDir(async (dir) => {
      const source = `${dir}/source`;
      await Deno.mkdir(source);
      const fill = `set -e; cd "$1"; mkdir -p a/b/c; echo text > a/file
        ln a/file a/b/again; ln -s ../file a/b/link; mkfifo a/pipe
        head -c 3000000 /dev/urandom > big; truncate -s 1M hole
        for n in $(seq 300); do : > a/b/c/f$n; done`;
      await must("bash", "-c", fill, "bash", source);
      const image = `${dir}/volume.img`;
      await must("mke2fs", "-q", "-t", "ext2", "-d", source, image, "20M");
      const [ours, host] = [await ourTree(image), await describeHost(source)];
      ours.delete("/lost+found");
      assertSameTree(portable(ours), portable(host), "mke2fs -d");
      await editImage(image, (fs) => new Paths(fs).removeAll("/a/b"));
      await assertClean(image, "after removing a directory");
    }),
);

/** Leaves out what depends on the filesystem that holds the tree. */
function portable(tree: Tree): Tree {
  const strip =
    /(?<=^4\d{4}.* )(nlink|size)=\d+ |(blocks|[acm]time|birth)=-?\d+ /g;
  const lines = [...tree].filter(([path]) => path !== "/");
  return new Map(lines.map(([path, text]) => [path, text.replace(strip, "")]));
}

async function made(dir: string, ...options: string[]): Promise<MemoryDevice> {
  const image = `${dir}/volume.img`;
  await must("mke2fs", "-q", "-F", ...options, image, "8M");
  return await loadImage(image);
}

/** Sets bits of a feature word of the superblock. */
function addFeature(
  device: MemoryDevice,
  field: "s_feature_incompat" | "s_feature_ro_compat",
  bits: number,
): void {
  const head = new Uint8Array(4096);
  device.read(0, head);
  const value = SUPERBLOCK[field].get(head, SUPERBLOCK_OFFSET) | bits;
  SUPERBLOCK[field].set(head, SUPERBLOCK_OFFSET, value);
  device.write(0, head);
}

await testWith(
  ["e2fsprogs"],
  "features of ext4 are refused by name",
  () =>
    withTempDir(async (dir) => {
      const device = await made(dir, "-t", "ext4", "-O", "64bit");
      assert.throws(() => Filesystem.open(device), (error: Error) => {
        assert.match(error.message, /extent/);
        assert.match(error.message, /64bit/);
        assert.match(error.message, /flex_bg/);
        return true;
      });
    }),
);

await testWith(
  ["e2fsprogs"],
  "a journal that needs recovery and an unknown feature are refused",
  () =>
    withTempDir(async (dir) => {
      const device = await made(dir, "-t", "ext3");
      addFeature(device, "s_feature_incompat", INCOMPAT.needs_recovery);
      assert.throws(() => Filesystem.open(device), /journal|needs_recovery/);
      assert.throws(() => Filesystem.open(device, { readOnly: true }));
      const unknown = await made(dir, "-t", "ext2");
      addFeature(unknown, "s_feature_incompat", 0x4000_0000);
      assert.throws(() => Filesystem.open(unknown), /0x40000000/);
    }),
);

await testWith(
  ["e2fsprogs"],
  "an unknown read-only feature mounts read-only and says so",
  () =>
    withTempDir(async (dir) => {
      const device = await made(dir, "-t", "ext2");
      addFeature(device, "s_feature_ro_compat", 0x4000_0000);
      const before = [...device.copy().extents()];
      const fs = Filesystem.open(device);
      assert.equal(fs.readOnly, true);
      assert.match(fs.warnings.join(), /0x40000000/);
      const paths = new Paths(fs);
      assert.deepEqual(
        paths.readDir("/").map(({ name }) => latin1(name)),
        ["lost+found"],
      );
      assert.throws(() => fs.create(2, "x"), { code: "EROFS" });
      assert.throws(() => fs.setattr(2, { mode: 0 }), { code: "EROFS" });
      await fs.close();
      assert.deepEqual([...device.extents()], before);
    }),
);

await testWith(
  ["e2fsprogs"],
  "an image survives being saved as it was read",
  () =>
    withTempDir(async (dir) => {
      const image = `${dir}/volume.img`;
      await made(dir, "-t", "ext2");
      const before = await Deno.readFile(image);
      const device = await loadImage(image);
      await Filesystem.open(device, { readOnly: true }).close();
      await saveImage(device, image);
      assert.deepEqual(await Deno.readFile(image), before);
    }),
);
