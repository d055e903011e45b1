import assert from "node:assert/strict";
import { type BlockDevice, FaultyDevice, MemoryDevice } from "../bd/mod.ts";
import {
  BLOCK,
  block,
  BLOCKS,
  inodeAt,
  makeSpecimen,
  pointer,
} from "../tests/support/corrupt.ts";
import { formatted, loadImage, saveImage } from "../tests/support/images.ts";
import {
  debugfs,
  debugfsWrite,
  must,
  testWith,
  withTempDir,
} from "../tests/support/tools.ts";
import {
  type BlockOwner,
  type BlockOwners,
  type BlockRun,
  Filesystem,
  findBlockOwners,
  ROOT_INODE,
  UNREADABLE_MAX,
} from "./mod.ts";

/** Steps after which a search is taken to be endless. */
const STEPS_MAX = 1_000_000;

/** Runs a search to its end. */
function search(device: BlockDevice, blocks: BlockRun[]): BlockOwners {
  const steps = findBlockOwners(device, blocks);
  for (let n = 0; n < STEPS_MAX; n++) {
    const { done, value } = steps.next();
    if (done) return value;
  }
  throw new Error("endless: too many steps");
}

/** The owner of each block from 0 on. */
function allOwners(device: BlockDevice): BlockOwner[] {
  const count = device.blockCount;
  const owners: BlockOwner[] = [];
  for (const run of search(device, [{ start: 0, count }]).blocks) {
    assert.equal(run.start, owners.length);
    for (let i = 0; i < run.count; i++) owners.push(run.owner);
  }
  assert.equal(owners.length, count);
  return owners;
}

/** The owner of one block. */
function ownerOf(device: BlockDevice, start: number): BlockOwner {
  const { blocks } = search(device, [{ start, count: 1 }]);
  assert.equal(blocks.length, 1);
  assert.equal(blocks[0].start, start);
  return blocks[0].owner;
}

const inodeOf = (owner: BlockOwner): number => "ino" in owner ? owner.ino : 0;

const text = (path: Uint8Array | null): string | null =>
  path && new TextDecoder().decode(path);

/** Compares the owners of every block with what debugfs says. */
async function compareWithDebugfs(image: string): Promise<void> {
  const device = await loadImage(image);
  const owners = allOwners(device);
  const numbers = owners.map((_, i) => i);
  const inodes = new Map<number, number>();
  for (let i = 0; i < numbers.length; i += 8000) {
    const some = numbers.slice(i, i + 8000).join(" ");
    const found = await debugfs(image, `icheck ${some}`);
    for (const [, number, ino] of found.matchAll(/^(\d+)\t(\d+)$/gm)) {
      inodes.set(Number(number), Number(ino));
    }
  }
  assert(inodes.size > 10);
  const used = await debugfs(image, `testb 1 ${owners.length - 1}`);
  const free = new Set<number>();
  for (const [, number] of used.matchAll(/^Block (\d+) not in use$/gm)) {
    free.add(Number(number));
  }
  owners.forEach((owner, i) => {
    // It takes reserved descriptors for blocks of the inode that lists them.
    if (owner.kind === "reserved group descriptors") return;
    // It has no eye for files that were removed while they were open.
    const ino = "names" in owner && owner.names === 0 ? 0 : inodeOf(owner);
    assert.equal(ino, inodes.get(i) ?? 0, `block ${i}`);
    if (i > 0) assert.equal(owner.kind === "free", free.has(i), `block ${i}`);
    assert.notEqual(owner.kind, "unknown", `block ${i}`);
  });
  for (const ino of new Set(inodes.values())) {
    const paths = (await debugfs(image, `ncheck ${ino}`)).split("\n").slice(1)
      .map((line) => line.split("\t")[1]).filter((path) => path)
      .map((path) => path.replace(/^\/\//, "/"));
    const owner = owners.find((owner) => inodeOf(owner) === ino)!;
    const path = "path" in owner ? text(owner.path) : null;
    const known = ino === ROOT_INODE ? ["/"] : paths;
    if (path === null) assert.deepEqual(known, [], `inode ${ino}`);
    else assert(known.includes(path), `inode ${ino}: ${path}`);
  }
}

await testWith(
  ["e2fsprogs"],
  "every block has the owner that debugfs finds for it",
  () =>
    withTempDir(async (dir) => {
      const image = `${dir}/x.img`;
      for (const size of [128, 256] as const) {
        const { device } = await makeSpecimen(size);
        await saveImage(device, image);
        await compareWithDebugfs(image);
      }
    }),
);

await testWith(
  ["e2fsprogs"],
  "owners are found on images that mke2fs makes, journals included",
  () =>
    withTempDir(async (dir) => {
      const tree = `${dir}/tree`;
      await Deno.mkdir(`${tree}/a/b`, { recursive: true });
      await Deno.writeFile(`${tree}/a/b/c`, new Uint8Array(500_000).fill(1));
      await Deno.link(`${tree}/a/b/c`, `${tree}/a/d`);
      await Deno.symlink("x".repeat(100), `${tree}/a/link`);
      for (const type of ["ext2", "ext3"]) {
        for (const blockSize of ["1024", "4096"]) {
          const image = `${dir}/${type}-${blockSize}.img`;
          const options = ["-q", "-t", type, "-b", blockSize, "-d", tree];
          await must("mke2fs", ...options, image, "40M");
          await compareWithDebugfs(image);
        }
      }
    }),
);

Deno.test("structures are named with their group and their inodes", () => {
  const device = formatted({
    blockSize: 1024,
    blockCount: 3 * 8192 + 500,
    inodeSize: 128,
    inodeCount: 1000,
  });
  const owners = allOwners(device);
  const perGroup = 256;
  assert.deepEqual(owners[0], { kind: "boot block" });
  assert.deepEqual(owners[1], { kind: "superblock", group: 0 });
  assert.deepEqual(owners[2], { kind: "group descriptors", group: 0 });
  const third = 1 + 3 * 8192;
  assert.deepEqual(owners[third], { kind: "superblock", group: 3 });
  assert.deepEqual(owners[third + 2], { kind: "block bitmap", group: 3 });
  assert.deepEqual(owners[third + 3], { kind: "inode bitmap", group: 3 });
  const table = third + 4;
  const first = 3 * perGroup + 1;
  assert.deepEqual(search(device, [{ start: table + 2, count: 3 }]).blocks, [
    {
      start: table + 2,
      count: 3,
      owner: {
        kind: "inode table",
        group: 3,
        firstInode: first + 16,
        lastInode: first + 16 + 3 * 8 - 1,
      },
    },
  ]);
  const { blocks } = search(device, [{ start: 9000, count: 5 }]);
  assert.deepEqual(blocks, [
    { start: 9000, count: 5, owner: { kind: "free" } },
  ]);
});

Deno.test("blocks behind the end of the volume are outside of it", () => {
  const large = new MemoryDevice(1024, 2000);
  const small = formatted({ blockSize: 1024, blockCount: 1000 });
  for (const { position, bytes } of small.extents()) {
    large.write(position / 1024, bytes);
  }
  assert.deepEqual(search(large, [{ start: 990, count: 20 }]).blocks, [
    { start: 990, count: 10, owner: { kind: "free" } },
    { start: 1000, count: 10, owner: { kind: "outside" } },
  ]);
});

Deno.test("blocks may be asked for in any order, and twice", async () => {
  const specimen = await makeSpecimen(256);
  const first = pointer(specimen, specimen.inodes.file, 0);
  const wanted = [
    { start: first + 3, count: 4 },
    { start: 5, count: 1 },
    { start: first + 2, count: 2 },
    { start: first + 3, count: 1 },
  ];
  const { blocks } = search(specimen.device, wanted);
  assert.deepEqual(blocks.map(({ start, count }) => [start, count]), [
    [5, 1],
    [first + 2, 5],
  ]);
  const owner = blocks[1].owner;
  assert(owner.kind === "data" && owner.names === 1);
  assert.equal(text(owner.path), "/file");
  assert.deepEqual(search(specimen.device, []).blocks, []);
});

/** Asserts that two owners are one, but for the part of an inode table. */
function assertSame(a: BlockOwner, b: BlockOwner, message: string): void {
  if (a.kind !== "inode table" || b.kind !== "inode table") {
    assert.deepEqual(a, b, message);
  } else assert.equal(a.group, b.group, message);
}

Deno.test("a block that cannot be read has the owner it has when it can", async () => {
  const { device } = await makeSpecimen(256);
  const sound = allOwners(device);
  const faulty = new FaultyDevice(device);
  for (let bad = 0; bad < BLOCKS; bad++) {
    const { kind } = sound[bad];
    if (kind === "free") continue;
    faulty.rule = ({ block, count }) =>
      block <= bad && bad < block + count ? "EIO" : null;
    if (kind === "boot block" || kind === "superblock" && bad === 1) {
      assert.throws(() => ownerOf(faulty, bad), { code: "EIO" });
    } else assertSame(ownerOf(faulty, bad), sound[bad], `block ${bad}`);
  }
});

Deno.test("one bad block hides only what it leads to", async () => {
  const { device } = await makeSpecimen(128);
  const sound = allOwners(device);
  const faulty = new FaultyDevice(device);
  let hidden = 0;
  for (let bad = 2; bad < BLOCKS; bad++) {
    const { kind } = sound[bad];
    if (kind === "free" || kind === "data" && bad % 50 !== 0) continue;
    faulty.rule = ({ block, count }) =>
      block <= bad && bad < block + count ? "EIO" : null;
    const { blocks, unreadable } = search(faulty, [
      { start: 0, count: BLOCKS },
    ]);
    for (const { start, count, owner } of blocks) {
      for (let i = start; i < start + count; i++) {
        if (owner.kind === "unknown") hidden++;
        else if ("path" in owner && owner.path === null) {
          const { ino, kind } = sound[i] as typeof owner;
          assert.deepEqual({ ino, kind }, { ino: owner.ino, kind: owner.kind });
        } else if ("ino" in owner) {
          // Another of its names may be the first that is found.
          const { ino, kind, names } = sound[i] as typeof owner;
          assert.deepEqual({ ino, kind, names }, {
            ino: owner.ino,
            kind: owner.kind,
            names: owner.names,
          });
        } else assert.deepEqual(owner, sound[i]);
      }
    }
    const leads = kind === "indirect block" || kind === "directory" ||
      kind === "block bitmap";
    if (leads) assert(unreadable.length > 0, `${bad} ${kind}`);
  }
  assert(hidden > 0);
});

Deno.test("a file in a directory that cannot be read is found by its inode", async () => {
  const specimen = await makeSpecimen(256);
  const { device, inodes } = specimen;
  const faulty = new FaultyDevice(device);
  const root = pointer(specimen, ROOT_INODE, 0);
  faulty.rule = ({ block }) => block === root ? "EIO" : null;
  const data = pointer(specimen, inodes.file, 3);
  const { blocks, unreadable } = search(faulty, [{ start: data, count: 1 }]);
  assert.deepEqual(blocks[0].owner, {
    kind: "data",
    ino: inodes.file,
    path: null,
    names: 1,
  });
  assert.equal(unreadable.length, 1);
  assert.equal(text(unreadable[0].path), "/");
  assert.match(unreadable[0].reason, /injected fault/);
});

Deno.test("a file that was removed while it was open has no name", async () => {
  const specimen = await makeSpecimen(256);
  const ino = specimen.inodes.orphan;
  const owner = ownerOf(specimen.device, pointer(specimen, ino, 0));
  assert.deepEqual(owner, { kind: "data", ino, path: null, names: 0 });
});

/** Writes a 32-bit number at a byte of a device. */
function poke(device: MemoryDevice, at: number, value: number): void {
  const bytes = block(device, Math.floor(at / BLOCK));
  new DataView(bytes.buffer).setUint32(at % BLOCK, value, true);
  device.write(Math.floor(at / BLOCK), bytes);
}

Deno.test("indirect blocks that lead to themselves end the search", async () => {
  for (const level of [1, 2, 3]) {
    const specimen = await makeSpecimen(256);
    const { device, inodes } = specimen;
    const indirect = pointer(specimen, inodes.file, 12);
    const self = new Uint8Array(BLOCK);
    const view = new DataView(self.buffer);
    for (let i = 0; i < BLOCK; i += 4) view.setUint32(i, indirect, true);
    device.write(indirect, self);
    poke(device, inodeAt(specimen, inodes.file) + 40 + 4 * 12, 0);
    poke(
      device,
      inodeAt(specimen, inodes.file) + 40 + 4 * (11 + level),
      indirect,
    );
    const wanted = [{ start: indirect, count: 1 }, { start: 500, count: 1 }];
    const { blocks } = search(device, wanted);
    assert.equal(inodeOf(blocks[0].owner), inodes.file);
    // What is looked for in vain makes it go everywhere.
    const lost = search(device, [{ start: 0, count: BLOCKS }]);
    const isGivenUp = lost.unreadable.some(({ reason }) =>
      reason.includes("files claim more blocks than there are")
    );
    assert.equal(isGivenUp, level > 1);
  }
});

Deno.test("pointers out of the volume or into its structures are noted", async () => {
  for (const target of [1, 3, BLOCKS, 0xffffffff]) {
    const specimen = await makeSpecimen(256);
    const { device, inodes } = specimen;
    poke(device, inodeAt(specimen, inodes.small) + 40, target);
    const { blocks, unreadable } = search(device, [
      { start: 0, count: BLOCKS },
    ]);
    assert.equal(unreadable.length, 1);
    assert.equal(unreadable[0].ino, inodes.small);
    assert.match(unreadable[0].reason, /block pointer/);
    const unknown = blocks.filter(({ owner }) => owner.kind === "unknown");
    assert.deepEqual(unknown.map(({ count }) => count), [1]);
  }
});

Deno.test("names of impossible inodes are noted, and the first are kept", async () => {
  const volume = formatted({ blockSize: 1024, blockCount: 8000 });
  const fs = Filesystem.open(volume);
  const dir = fs.mkdir(ROOT_INODE, "dir");
  const small = fs.create(dir, "first");
  fs.write(small, 0, new Uint8Array(10));
  for (let i = 0; i < 2 * UNREADABLE_MAX; i++) fs.link(small, dir, `name${i}`);
  await fs.close();
  const device = volume.copy();
  allOwners(device).forEach((owner, i) => {
    if (owner.kind !== "directory" || owner.ino !== dir) return;
    const bytes = block(device, i);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < BLOCK; at += view.getUint16(at + 4, true)) {
      if (view.getUint32(at, true) !== small) continue;
      view.setUint32(at, 0xfffffff0, true);
    }
    device.write(i, bytes);
  });
  const found = search(device, [{ start: 0, count: 8000 }]);
  assert.equal(found.unreadable.length, UNREADABLE_MAX);
  assert.equal(found.unreadableCount, 2 * UNREADABLE_MAX + 1);
  assert.equal(text(found.unreadable[0].path), "/dir/first");
  assert.match(found.unreadable[0].reason, /inode number out of range/);
});

Deno.test("directories nested beyond measure are found without a path", async () => {
  const device = formatted({ blockSize: 1024, blockCount: 9000 });
  const fs = Filesystem.open(device);
  let dir = ROOT_INODE;
  for (let i = 0; i < 1100; i++) dir = fs.mkdir(dir, "d");
  const ino = fs.create(dir, "file");
  fs.write(ino, 0, new Uint8Array(10));
  await fs.close();
  const owners = allOwners(device.copy());
  const owner = owners.find((owner) => inodeOf(owner) === ino);
  assert.deepEqual(owner, { kind: "data", ino, path: null, names: 1 });
  const depths = owners.map((owner) =>
    owner.kind === "directory" && owner.path ? owner.path.length / 2 : 0
  );
  assert.equal(Math.max(...depths), 1024);
});

await testWith(
  ["e2fsprogs"],
  "directories that contain themselves end the search",
  () =>
    withTempDir(async (dir) => {
      const image = `${dir}/x.img`;
      const { device, inodes } = await makeSpecimen(256);
      await saveImage(device, image);
      await debugfsWrite(image, `link <${inodes.dir}> /dir/sub/loop`);
      await debugfsWrite(image, "link <2> /other/root");
      const looped = await loadImage(image);
      assert.deepEqual(allOwners(looped), allOwners(device));
    }),
);

Deno.test("a volume that is none is refused", () => {
  const device = new MemoryDevice(1024, 100);
  assert.throws(() => search(device, [{ start: 0, count: 1 }]), {
    code: "EINVAL",
  });
});
