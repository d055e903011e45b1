/**
 * Damage under a filesystem in use: it fails the operations that meet it, for
 * a client too, and nothing else.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { IntegrityError } from "../../bd/block_device.ts";
import { MemoryDevice } from "../../bd/memory.ts";
import { MemoryFile } from "../../bd/memory_file.ts";
import type { VerityDevice } from "../../bd/verity.ts";
import { Filesystem, format, FsError, Paths } from "../../fs/mod.ts";
import { ROOT_INODE } from "../../fs/mod.ts";
import { connect, RemoteFiles, Server } from "../../rpc/mod.ts";
import { HostileFile } from "../support/hostile.ts";
import { assertDeviceClean } from "../support/images.ts";
import { pagedLevels, placeInPages } from "../support/naive_tree.ts";
import { Random } from "../support/random.ts";
import { testWith } from "../support/tools.ts";
import {
  TREE_KINDS,
  type TreeKind,
  VeritySpecimen,
} from "../support/verity.ts";

const SIZE = 1024;

/** A volume with files "first", "second" and "third" of 300 blocks each. */
async function makeVolume(
  kind: TreeKind,
  blocks = 4096,
): Promise<VeritySpecimen> {
  const specimen = new VeritySpecimen({ kind, blocks });
  const device = specimen.open();
  format(device, { inodeCount: 256 });
  const fs = Filesystem.open(device);
  const paths = new Paths(fs);
  for (const [i, name] of ["first", "second", "third"].entries()) {
    paths.writeFile(`/${name}`, contents(i));
  }
  await fs.close();
  return specimen;
}

function contents(file: number): Uint8Array {
  return new Random(file).bytes(300 * SIZE);
}

/** The block whose stored bytes are `bytes`. */
function blockWith(image: MemoryDevice, bytes: Uint8Array): number {
  const block = new Uint8Array(SIZE);
  for (let number = 0; number < image.blockCount; number++) {
    image.read(number, block);
    if (Buffer.compare(block, bytes) === 0) return number;
  }
  return assert.fail("no block holds these bytes");
}

/** Block `index` of one of the three files. */
function blockOf(image: MemoryDevice, file: number, index: number): number {
  const bytes = contents(file).subarray(index * SIZE, (index + 1) * SIZE);
  return blockWith(image, bytes);
}

function flipBit(image: MemoryDevice, number: number): void {
  const block = new Uint8Array(SIZE);
  image.read(number, block);
  block[77] ^= 4;
  image.write(number, block);
}

/** Byte of the tree's file at which the leaf of `block` lies. */
function leafPlace(kind: TreeKind, blocks: number, block: number): number {
  return kind === "array"
    ? (blocks + block - 1) * 32
    : placeInPages(2 ** pagedLevels(blocks) + block);
}

function isFailure(error: unknown): boolean {
  return error instanceof IntegrityError;
}

for (const kind of TREE_KINDS) {
  Deno.test(`${kind}: a bad block fails the reads of its bytes alone`, async () => {
    const specimen = await makeVolume(kind);
    const bad = blockOf(specimen.image, 1, 150);
    flipBit(specimen.image, bad);
    const log: string[] = [];
    const device = specimen.open({ log: (line) => log.push(line) });
    const fs = Filesystem.open(device);
    const ino = fs.lookup(ROOT_INODE, "second");
    const into = new Uint8Array(SIZE);
    for (let index = 0; index < 300; index++) {
      const read = (): number => fs.read(ino, index * SIZE, into);
      if (index === 150) assert.throws(read, { name: "IntegrityError" });
      else {
        read();
        const expected = contents(1).subarray(index * SIZE).slice(0, SIZE);
        assert.deepEqual(into, expected);
      }
    }
    assert.equal(device.statistics.failures, 1);
    assert.match(log.join(), new RegExp(`block ${bad}\\b`));
    // Part of it cannot be written, for the rest would have to be read.
    assert.throws(
      () => fs.write(ino, 150 * SIZE + 5, into.slice(9)),
      isFailure,
    );
    // All of it can, and then it is good again.
    fs.write(ino, 150 * SIZE, into);
    await fs.sync();
    assert.equal(fs.read(ino, 150 * SIZE, new Uint8Array(SIZE)), SIZE);
    await fs.close();
    const again = Filesystem.open(specimen.open());
    assert.equal(again.read(ino, 150 * SIZE, new Uint8Array(SIZE)), SIZE);
    await again.close();
  });

  Deno.test(`${kind}: a client gets EIO for a bad block, and goes on`, async () => {
    const specimen = await makeVolume(kind);
    const bad = blockOf(specimen.image, 1, 150);
    flipBit(specimen.image, bad);
    const log: string[] = [];
    const device = specimen.open({ log: (line) => log.push(line) });
    const fs = Filesystem.open(device);
    const server = new Server(fs, { log: (line) => log.push(line) });
    const endpoint = `unix:@nextfs-test-${crypto.randomUUID()}`;
    await server.listen(endpoint);
    try {
      await using client = await connect(endpoint);
      const files = new RemoteFiles(client);
      await assert.rejects(
        readRemote(files, "/second"),
        (error) => error instanceof FsError && error.code === "EIO",
      );
      assert.deepEqual(await readRemote(files, "/first"), contents(0));
      assert.deepEqual(await readRemote(files, "/third"), contents(2));
      const part = await readRemote(files, "/second", 151 * SIZE);
      assert.deepEqual(part, contents(1).subarray(151 * SIZE));
      await files.writeFile("/fourth", contents(4));
      await files.sync();
      assert.deepEqual(await readRemote(files, "/fourth"), contents(4));
      assert.equal(device.statistics.failures, 1);
      assert.match(log.join("\n"), new RegExp(`block ${bad}\\b`));
    } finally {
      await server.stop();
      await fs.close();
    }
  });
}

async function readRemote(
  files: RemoteFiles,
  path: string,
  offset = 0,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  // Small replies, so that only those with the bad block fail.
  await using file = await files.open(path);
  for await (const part of file.chunks({ offset, chunkSize: SIZE })) {
    parts.push(part);
  }
  return Uint8Array.from(Buffer.concat(parts));
}

/** Operations that need a fresh block. */
const FRESH: Record<string, (fs: Filesystem) => void> = {
  "write a new file": (fs) => {
    fs.write(fs.lookup(ROOT_INODE, "empty"), 0, new Uint8Array(SIZE).fill(1));
  },
  "write into a hole": (fs) => {
    fs.write(
      fs.lookup(ROOT_INODE, "hole"),
      5 * SIZE,
      new Uint8Array(9).fill(1),
    );
  },
  "append to a file": (fs) => {
    const ino = fs.lookup(ROOT_INODE, "first");
    fs.write(ino, 300 * SIZE, new Uint8Array(7).fill(1));
  },
  "make a directory": (fs) => {
    fs.mkdir(ROOT_INODE, "directory");
  },
  "make a long symbolic link": (fs) => {
    fs.symlink(ROOT_INODE, "link", "x".repeat(300));
  },
  "set a long attribute": (fs) => {
    const ino = fs.lookup(ROOT_INODE, "first");
    fs.setxattr(ino, "user.long", new Uint8Array(500).fill(1));
  },
};

/** The last block that is of zeros in `before` and not in `after`. */
function freshBlock(before: MemoryDevice, after: MemoryDevice): number {
  const [a, b] = [new Uint8Array(SIZE), new Uint8Array(SIZE)];
  for (let block = before.blockCount - 1; block >= 0; block--) {
    before.read(block, a);
    after.read(block, b);
    if (a.every((byte) => byte === 0) && b.some((byte) => byte !== 0)) {
      return block;
    }
  }
  return assert.fail("no block was allocated");
}

function attributesOf(fs: Filesystem): unknown {
  const statistics = fs.statfs();
  const names = fs.readdir(ROOT_INODE, 0).map(({ name, ino }) => {
    const { size, blocks } = fs.getattr(ino);
    return [
      Buffer.from(name).toString(),
      size,
      blocks,
      fs.listxattr(ino).length,
    ];
  });
  return { statistics, names };
}

for (const kind of TREE_KINDS) {
  for (const [name, operation] of Object.entries(FRESH)) {
    await testWith(
      ["e2fsprogs"],
      `${kind}: to ${name} where the tree is damaged fails without a trace`,
      async () => {
        const specimen = await makeVolume(kind);
        const maker = Filesystem.open(specimen.open());
        maker.create(ROOT_INODE, "empty");
        const hole = maker.create(ROOT_INODE, "hole");
        maker.setattr(hole, { size: 10 * SIZE });
        await maker.close();
        // Where the block will be is seen on a copy.
        const copy = specimen.fork(specimen.copy());
        const rehearsal = Filesystem.open(copy.open());
        operation(rehearsal);
        await rehearsal.close();
        const block = freshBlock(specimen.image, copy.image);
        specimen.tree.bytes[leafPlace(kind, 4096, block)] ^= 1;

        const fs = Filesystem.open(specimen.open(), { atime: "noatime" });
        const before = attributesOf(fs);
        assert.throws(() => operation(fs), isFailure);
        assert.throws(() => operation(fs), isFailure);
        assert.deepEqual(attributesOf(fs), before);
        await fs.sync();
        const ino = fs.lookup(ROOT_INODE, "second");
        fs.write(ino, 7 * SIZE, new Uint8Array(3 * SIZE).fill(2));
        await fs.close();
        const again = Filesystem.open(specimen.open());
        const into = new Uint8Array(3 * SIZE);
        again.read(ino, 7 * SIZE, into);
        assert.deepEqual(into, new Uint8Array(3 * SIZE).fill(2));
        await again.close();
        await assertDeviceClean(specimen.image);
      },
    );
  }
}

/** Fills the memory of the tree with everything but what is near `block`. */
function crowdOut(device: VerityDevice, block: number): void {
  const into = new Uint8Array(SIZE);
  for (let pass = 0; pass < 2; pass++) {
    for (let other = 0; other < device.blockCount; other += 16) {
      if (Math.abs(other - block) > 300) device.read(other, into);
    }
  }
}

for (const kind of TREE_KINDS) {
  Deno.test(`${kind}: a block that cannot be written keeps no other from the host`, async () => {
    const blocks = 40_000;
    const specimen = await makeVolume(kind, blocks);
    const stuck = blockOf(specimen.image, 1, 150);
    const tree = new HostileFile(specimen.tree);
    const device = specimen.open({ tree });
    const fs = Filesystem.open(device, { cacheSize: 128 * SIZE });
    const [first, second, third] = ["first", "second", "third"].map((name) =>
      fs.lookup(ROOT_INODE, name)
    );
    const bytes = new Uint8Array(SIZE).fill(9);
    fs.write(second, 150 * SIZE, bytes);
    crowdOut(device, stuck);
    const place = leafPlace(kind, blocks, stuck);
    tree.tamper = (position, unit) => {
      if (place >= position && place < position + unit.length) unit.fill(7);
    };
    // More than the cache takes: what is stuck fails nobody else's operation.
    fs.write(first, 0, contents(5));
    fs.write(third, 0, contents(6));
    await assert.rejects(fs.sync(), { name: "IntegrityError", block: stuck });
    await assert.rejects(fs.sync(), { name: "IntegrityError", block: stuck });
    // All else is there, and what vouches for it was published.
    const saved = specimen.fork({
      image: specimen.image.copy(),
      tree: new MemoryFile(specimen.tree.bytes.slice()),
    });
    const copy = Filesystem.open(saved.open(), { readOnly: true });
    const into = new Uint8Array(300 * SIZE);
    copy.read(first, 0, into);
    assert.deepEqual(into, contents(5));
    copy.read(third, 0, into);
    assert.deepEqual(into, contents(6));
    await copy.close();
    // The host comes to its senses.
    tree.tamper = null;
    await fs.sync();
    await fs.close();
    const again = Filesystem.open(specimen.open());
    again.read(second, 150 * SIZE, into.subarray(0, SIZE));
    assert.deepEqual(into.subarray(0, SIZE), bytes);
    await again.close();
  });
}
