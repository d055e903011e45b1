/**
 * The limits of the format: names, links, sizes, directories, symbolic links.
 */

import assert from "node:assert/strict";
import type { MemoryDevice } from "../bd/memory.ts";
import { RO_COMPAT } from "../fs/features.ts";
import { Filesystem, Paths, ROOT_INODE } from "../fs/mod.ts";
import { SUPERBLOCK, SUPERBLOCK_OFFSET } from "../fs/superblock.ts";
import { edge, volume } from "./support/edge.ts";
import { assertDeviceClean } from "./support/images.ts";
import { listDirectory } from "./support/tree.ts";

const MIB = 1 << 20;

await edge(
  "names have 1 to 255 bytes, and no slash or NUL",
  volume(1024, 2 * MIB),
  (fs) => {
    const longest = new Uint8Array(255).fill(0xfe);
    const made = fs.create(ROOT_INODE, longest, { mode: 0o644 });
    assert.equal(fs.lookup(ROOT_INODE, longest), made);
    const names = listDirectory(fs, ROOT_INODE).map(({ name }) => name);
    assert.ok(names.some((name) => name.length === 255));
    const long = { code: "ENAMETOOLONG" };
    const over = new Uint8Array(256).fill(0xfe);
    assert.throws(() => fs.create(ROOT_INODE, over), long);
    assert.throws(() => fs.mkdir(ROOT_INODE, over), long);
    assert.throws(() => fs.link(made, ROOT_INODE, over), long);
    assert.throws(() => fs.symlink(ROOT_INODE, over, "x"), long);
    assert.throws(
      () => fs.rename(ROOT_INODE, longest, ROOT_INODE, over),
      long,
    );
    assert.throws(() => fs.lookup(ROOT_INODE, over), long);
    for (const name of ["", ".", "..", "a/b", "nul\0"]) {
      const named = JSON.stringify(name);
      assert.throws(() => fs.create(ROOT_INODE, name), /./, named);
      assert.throws(() => fs.mkdir(ROOT_INODE, name), /./, named);
      assert.throws(() => fs.rmdir(ROOT_INODE, name), /./, named);
      assert.throws(
        () => fs.rename(ROOT_INODE, longest, ROOT_INODE, name),
        /./,
        named,
      );
    }
  },
);

await edge(
  "a file has 32,000 names and no more",
  volume(4096, 16 * MIB),
  (fs) => {
    const ino = fs.create(ROOT_INODE, "0", { mode: 0o644 });
    for (let n = 1; n < 32_000; n++) fs.link(ino, ROOT_INODE, String(n));
    assert.equal(fs.getattr(ino).nlink, 32_000);
    const many = { code: "EMLINK" };
    assert.throws(() => fs.link(ino, ROOT_INODE, "x"), many);
    fs.unlink(ROOT_INODE, "77");
    fs.link(ino, ROOT_INODE, "x");
    assert.throws(() => fs.link(ino, ROOT_INODE, "y"), many);
  },
);

await edge(
  "a directory has 31,998 subdirectories and no more",
  volume(1024, 60 * MIB, { inodeCount: 33_000 }),
  (fs) => {
    const dir = fs.mkdir(ROOT_INODE, "dir", { mode: 0o755 });
    for (let n = 0; n < 31_998; n++) fs.mkdir(dir, `d${n}`, { mode: 0o755 });
    assert.equal(fs.getattr(dir).nlink, 32_000);
    const many = { code: "EMLINK" };
    const { inodesFree } = fs.statfs();
    assert.throws(() => fs.mkdir(dir, "x", { mode: 0o755 }), many);
    assert.equal(fs.statfs().inodesFree, inodesFree);
    fs.create(dir, "file", { mode: 0o644 });
    fs.mkdir(ROOT_INODE, "other", { mode: 0o755 });
    assert.throws(() => fs.rename(ROOT_INODE, "other", dir, "x"), many);
    fs.rename(ROOT_INODE, "other", dir, "d5");
    assert.equal(fs.getattr(dir).nlink, 32_000);
  },
);

/** Offset of the byte behind the largest file's last. */
const reach = (blockSize: number): number => {
  const n = blockSize / 4;
  return (12 + n + n ** 2 + n ** 3) * blockSize;
};

for (const blockSize of [1024, 2048]) {
  await edge(
    `a file reaches to the last triple indirect block of ${blockSize} bytes`,
    volume(blockSize, 4 * MIB, { inodeSize: 256 }),
    (fs) => {
      const ino = fs.create(ROOT_INODE, "f", { mode: 0o644 });
      const { blocksFree } = fs.statfs();
      const end = reach(blockSize);
      const tail = new Uint8Array([1, 2, 3]);
      fs.write(ino, end - 3, tail);
      assert.equal(fs.getattr(ino).size, end);
      assert.equal(fs.getattr(ino).blocks, 4 * blockSize / 512);
      const into = new Uint8Array(10);
      assert.equal(fs.read(ino, end - 6, into), 6);
      assert.deepEqual([...into], [0, 0, 0, 1, 2, 3, 0, 0, 0, 0]);
      const large = { code: "EFBIG" };
      assert.throws(() => fs.write(ino, end, tail), large);
      assert.throws(() => fs.write(ino, end - 2, tail), large);
      assert.throws(() => fs.setattr(ino, { size: end + 1 }), large);
      assert.equal(fs.getattr(ino).size, end);

      // One block behind each limit of the map, then cut them one by one.
      const n = blockSize / 4;
      const limits = [12, 12 + n, 12 + n + n * n];
      for (const at of limits) fs.write(ino, at * blockSize - 1, tail);
      for (const at of limits.toReversed()) {
        fs.setattr(ino, { size: at * blockSize });
        assert.equal(fs.read(ino, at * blockSize - 1, into), 1);
        assert.equal(into[0], 1);
      }
      fs.setattr(ino, { size: 0 });
      assert.equal(fs.getattr(ino).blocks, 0);
      assert.equal(fs.statfs().blocksFree, blocksFree);
      fs.write(ino, (12 + n + n * n) * blockSize, tail);
    },
  );
}

await edge(
  "a file of 4096-byte blocks reaches almost 2 TiB",
  volume(4096, 4 * MIB),
  (fs) => {
    const ino = fs.create(ROOT_INODE, "f", { mode: 0o644 });
    let [fits, over] = [2 ** 40, 2 ** 41 + 1];
    while (over - fits > 1) {
      const middle = Math.floor((fits + over) / 2);
      try {
        fs.setattr(ino, { size: middle });
        fits = middle;
      } catch (error) {
        assert.equal((error as { code: string }).code, "EFBIG");
        over = middle;
      }
    }
    // What i_blocks, 32 bits in units of 512 bytes, can count is 2 TiB, and
    // one in about 1024 blocks is a block of pointers.
    assert.ok(fits > 2 ** 41 * 0.998 && fits < 2 ** 41, String(fits));
    fs.write(ino, fits - 1, new Uint8Array([1]));
    const byte = new Uint8Array(1);
    assert.equal(fs.read(ino, fits - 1, byte), 1);
    assert.equal(byte[0], 1);
  },
);

function superblockField(
  device: MemoryDevice,
  change?: (value: number) => number,
): number {
  const head = new Uint8Array(4096);
  device.read(0, head);
  const field = SUPERBLOCK.s_feature_ro_compat;
  const value = field.get(head, SUPERBLOCK_OFFSET);
  if (change) {
    field.set(head, SUPERBLOCK_OFFSET, change(value));
    device.write(0, head);
  }
  return value;
}

await edge(
  "a file that grows to 2 GiB sets large_file",
  volume(4096, 2 * MIB),
  async (_, device) => {
    superblockField(device, (value) => value & ~RO_COMPAT.large_file);
    const fs = Filesystem.open(device);
    const has = async (): Promise<boolean> => {
      await fs.sync();
      return (superblockField(device) & RO_COMPAT.large_file) !== 0;
    };
    const ino = fs.create(ROOT_INODE, "sparse", { mode: 0o644 });
    fs.setattr(ino, { size: 2 ** 31 - 1 });
    assert.equal(await has(), false);
    fs.write(ino, 2 ** 31 - 1, new Uint8Array([9]));
    assert.equal(await has(), true);
    fs.write(ino, 5 * 2 ** 32, new Uint8Array([8]));
    assert.equal(fs.getattr(ino).size, 5 * 2 ** 32 + 1);
    await fs.sync();
  },
);

await edge(
  "a directory of 100,000 entries: made, found, listed, removed",
  volume(4096, 512 * MIB, { inodeCount: 101_000 }),
  async (fs, device) => {
    const count = 100_000;
    const dir = fs.mkdir(ROOT_INODE, "large", { mode: 0o755 });
    const name = (n: number): string => `entry number ${n}`;
    const inodes: number[] = [];
    for (let n = 0; n < count; n++) {
      inodes.push(fs.create(dir, name(n), { mode: 0o644 }));
    }
    for (let n = 0; n < count; n++) {
      assert.equal(fs.lookup(dir, name(n)), inodes[n]);
    }
    assert.throws(() => fs.lookup(dir, name(count)), { code: "ENOENT" });
    const listed = new Set(listDirectory(fs, dir).map(({ ino }) => ino));
    assert.equal(listed.size, count);
    await fs.sync();
    await assertDeviceClean(device, "with 100,000 names");
    for (let n = 0; n < count; n++) fs.unlink(dir, name((n * 7919) % count));
    assert.deepEqual(listDirectory(fs, dir), []);
    fs.rmdir(ROOT_INODE, "large");
  },
);

await edge(
  "a listing shows what stays exactly once, whatever comes and goes",
  volume(1024, 4 * MIB, { inodeCount: 1000 }),
  (fs) => {
    const dir = fs.mkdir(ROOT_INODE, "dir", { mode: 0o755 });
    const name = (n: number): string => `name ${n}`.padEnd(20 + n % 60, "-");
    for (let n = 0; n < 600; n++) fs.create(dir, name(n), { mode: 0o644 });
    const seen = new Map<string, number>();
    let cookie = 0;
    for (let round = 0;; round++) {
      const batch = fs.readdir(dir, cookie, 7);
      if (batch.length === 0) break;
      cookie = batch[batch.length - 1].cookie;
      for (const entry of batch) {
        const text = new TextDecoder().decode(entry.name);
        seen.set(text, (seen.get(text) ?? 0) + 1);
      }
      for (const n of [3 * round, 3 * round + 1]) {
        if (n % 3 !== 2 && n < 600) fs.unlink(dir, name(n));
      }
      fs.create(dir, `new ${round}`, { mode: 0o644 });
    }
    for (let n = 2; n < 600; n += 3) {
      assert.equal(seen.get(name(n)), 1, name(n));
    }
  },
);

await edge(
  "a path goes through 40 symbolic links, and no more",
  volume(1024, 2 * MIB),
  (fs) => {
    const paths = new Paths(fs);
    const target = paths.writeFile("/target", "found");
    paths.symlink("target", "/link1");
    for (let n = 2; n <= 41; n++) paths.symlink(`/link${n - 1}`, `/link${n}`);
    assert.equal(paths.resolve("/link40"), target);
    const loop = { code: "ELOOP" };
    assert.throws(() => paths.resolve("/link41"), loop);
    assert.notEqual(paths.resolve("/link41", { follow: false }), target);
    paths.symlink("self", "/self");
    paths.symlink("../b/x", "/a");
    for (const path of ["/self", "/self/x"]) {
      assert.throws(() => paths.resolve(path), loop);
    }
    assert.throws(() => paths.resolve("/a"), { code: "ENOENT" });
    assert.throws(() => paths.resolve("/target/x"), { code: "ENOTDIR" });
    paths.mkdir("/dir");
    paths.symlink("dir/../target", "/around");
    assert.equal(paths.resolve("/around"), target);
    assert.equal(paths.resolve("/../../dir/./../target"), target);
  },
);

for (const blockSize of [1024, 4096]) {
  await edge(
    `targets of symbolic links have up to ${blockSize - 1} bytes`,
    volume(blockSize, 2 * MIB, { inodeSize: 256 }),
    (fs) => {
      for (const length of [1, 59, 60, 61, blockSize - 1]) {
        const target = new Uint8Array(length).map((_, i) => 33 + i % 90);
        const ino = fs.symlink(ROOT_INODE, `s${length}`, target);
        assert.deepEqual(fs.readlink(ino), target);
        const { size, blocks } = fs.getattr(ino);
        assert.equal(size, length);
        assert.equal(blocks, length < 60 ? 0 : blockSize / 512);
      }
      const long = "t".repeat(blockSize);
      assert.throws(() => fs.symlink(ROOT_INODE, "x", long), {
        code: "ENAMETOOLONG",
      });
      assert.throws(() => fs.symlink(ROOT_INODE, "x", ""), /./);
    },
  );
}
