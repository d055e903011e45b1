import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { DeviceError } from "../bd/block_device.ts";
import type { MemoryDevice } from "../bd/memory.ts";
import {
  assertDeviceClean,
  editImage,
  formatted,
  saveImage,
} from "../tests/support/images.ts";
import {
  assertClean,
  debugfs,
  must,
  testWith,
  withMount,
  withTempDir,
} from "../tests/support/tools.ts";
import { CorruptError, Filesystem, FsError, Paths } from "./mod.ts";

const ROOT = 2;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const bytes = (size: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, i) => 31 + i * 7 + (i >> 5));

Deno.test("deleting files gives their attribute blocks back", async () => {
  const device = formatted({ blockSize: 1024, blockCount: 2048 });
  const fs = Filesystem.open(device);
  const free = fs.statfs().blocksFree;
  for (let i = 0; i < 10; i++) {
    const ino = fs.create(ROOT, `f${i}`);
    fs.setxattr(ino, "user.large", bytes(800));
    assert.equal(fs.getattr(ino).blocks, 2);
  }
  assert.equal(fs.statfs().blocksFree, free - 10);
  for (let i = 0; i < 10; i++) fs.unlink(ROOT, `f${i}`);
  assert.equal(fs.statfs().blocksFree, free);
  await fs.close();
});

Deno.test("removing the attributes of a block frees it", async () => {
  const device = formatted({ blockSize: 1024, blockCount: 2048 });
  const fs = Filesystem.open(device);
  const ino = fs.create(ROOT, "f");
  fs.setxattr(ino, "user.small", bytes(8));
  fs.setxattr(ino, "user.large", bytes(800));
  assert.equal(fs.getattr(ino).blocks, 2);
  fs.removexattr(ino, "user.large");
  assert.equal(fs.getattr(ino).blocks, 0);
  assert.deepEqual(fs.listxattr(ino).map(text), ["user.small"]);
  fs.removexattr(ino, "user.small");
  assert.deepEqual(fs.listxattr(ino), []);
  await fs.close();
  await assertDeviceClean(device);
});

await testWith(
  ["e2fsprogs", "setfattr", "loop mounts"],
  "a block that the kernel shares is copied before it changes",
  async () => {
    await withTempDir(async (dir) => {
      const image = `${dir}/volume.img`;
      await must("truncate", "-s", "8M", image);
      await must("mke2fs", "-q", "-t", "ext2", "-b", "1024", image);
      const value = "x".repeat(500);
      await withMount(image, "rw", async (root) => {
        for (const name of ["a", "b", "c"]) {
          await Deno.writeTextFile(`${root}/${name}`, name);
          await must("setfattr", "-nuser.v", `-v${value}`, `${root}/${name}`);
        }
      });
      const blockOf = async (name: string): Promise<string> =>
        /File ACL: (\d+)/.exec(await debugfs(image, `stat /${name}`))![1];
      assert.notEqual(await blockOf("a"), "0");
      assert.equal(await blockOf("a"), await blockOf("b"));
      assert.equal(await blockOf("a"), await blockOf("c"));
      await editImage(image, (fs) => {
        const paths = new Paths(fs);
        const a = paths.resolve("/a");
        const before = fs.statfs().blocksFree;
        const { blocks } = fs.getattr(a);
        // Inside the inode there is room: the shared block is not concerned.
        fs.setxattr(paths.resolve("/c"), "user.small", bytes(4));
        assert.equal(fs.statfs().blocksFree, before);
        fs.setxattr(a, "user.v", bytes(600));
        assert.equal(fs.getattr(a).blocks, blocks);
        assert.equal(fs.statfs().blocksFree, before - 1);
        assert.equal(text(fs.getxattr(paths.resolve("/b"), "user.v")), value);
        paths.remove("/b");
      });
      assert.notEqual(await blockOf("a"), await blockOf("c"));
      await assertClean(image);
      await editImage(image, (fs) => {
        const c = new Paths(fs).resolve("/c");
        assert.equal(text(fs.getxattr(c, "user.v")), value);
        fs.removexattr(c, "user.v");
      });
      await assertClean(image);
    });
  },
);

await testWith(
  ["e2fsprogs", "setfattr", "loop mounts"],
  "the kernel finds a block that the engine wrote by its hash, to share it",
  async () => {
    await withTempDir(async (dir) => {
      const image = `${dir}/volume.img`;
      const device = formatted({
        blockSize: 1024,
        blockCount: 4096,
        inodeSize: 128,
      });
      const values = new Map([["user.b", 33], ["trusted.a", 8], ["user.a", 1]]);
      const fs = Filesystem.open(device);
      const ours = fs.create(ROOT, "ours");
      fs.create(ROOT, "theirs");
      for (const [name, size] of values) fs.setxattr(ours, name, bytes(size));
      await fs.close();
      await saveImage(device, image);
      await withMount(image, "rw", async (root) => {
        // The kernel knows blocks to share once it has read them.
        await must("getfattr", "-dm-", `${root}/ours`);
        for (const [name, size] of values) {
          const value = Buffer.from(bytes(size)).toString("hex");
          await must("setfattr", "-n", name, `-v0x${value}`, `${root}/theirs`);
        }
      });
      const acl = /File ACL: \d+/;
      assert.deepEqual(
        acl.exec(await debugfs(image, "stat /ours"))![0],
        acl.exec(await debugfs(image, "stat /theirs"))![0],
      );
      await assertClean(image);
    });
  },
);

/** A volume with a file whose attributes are in its inode and a block. */
async function sample(): Promise<
  { device: MemoryDevice; ino: number; inodeBlock: number; block: number }
> {
  const device = formatted({ blockSize: 1024, blockCount: 1024 });
  const fs = Filesystem.open(device);
  const ino = fs.create(ROOT, "f");
  fs.setxattr(ino, "user.inner", bytes(20));
  fs.setxattr(ino, "user.outer", bytes(100));
  fs.setxattr(ino, "trusted.outer", bytes(3));
  await fs.close();
  return await withTempDir(async (dir) => {
    const image = `${dir}/volume.img`;
    await saveImage(device, image);
    const stat = await debugfs(image, `stat <${ino}>`);
    const where = await debugfs(image, `imap <${ino}>`);
    const block = Number(/File ACL: (\d+)/.exec(stat)![1]);
    const [, inodeBlock] = /located at block (\d+), offset/.exec(where)!;
    return {
      device: device.copy(),
      ino,
      block,
      inodeBlock: Number(inodeBlock),
    };
  });
}

/** Uses every call on attributes; only errors of the engine may come. */
function useAll(device: MemoryDevice, ino: number): void {
  const attempt = (fn: (fs: Filesystem) => void): void => {
    try {
      fn(Filesystem.open(device));
    } catch (error) {
      assert.ok(error instanceof FsError || error instanceof DeviceError);
    }
  };
  attempt((fs) => fs.listxattr(ino).map((name) => fs.getxattr(ino, name)));
  attempt((fs) => fs.setxattr(ino, "user.more", bytes(200)));
  attempt((fs) => fs.setxattr(ino, "user.inner", bytes(2)));
  attempt((fs) => fs.removexattr(ino, "user.outer"));
  attempt((fs) => fs.unlink(ROOT, "f"));
}

await testWith(
  ["e2fsprogs"],
  "attributes with any one byte changed do no harm",
  async () => {
    const { device, ino, block, inodeBlock } = await sample();
    const original = new Uint8Array(1024);
    const changed = new Uint8Array(1024);
    for (const place of [block, inodeBlock]) {
      device.read(place, original);
      for (let at = 0; at < 1024; at++) {
        for (const value of [0, 0xff, original[at] ^ 4]) {
          changed.set(original);
          changed[at] = value;
          device.write(place, changed);
          useAll(device, ino);
        }
      }
      device.write(place, original);
    }
    const fs = Filesystem.open(device);
    assert.equal(fs.listxattr(ino).length, 3);
  },
);

await testWith(
  ["e2fsprogs"],
  "each broken rule of an attribute block is named",
  async () => {
    const { device, ino, block } = await sample();
    const original = new Uint8Array(1024);
    device.read(block, original);
    const cases: [number, number[], RegExp][] = [
      [0, [1], /h_magic/],
      [4, [0], /h_refcount/],
      [8, [2], /h_blocks/],
      [32, [255], /NUL/],
      [34, [0xfe, 0x03], /a value lies outside/],
      [34, [0, 0], /a value lies outside/],
      [36, [1], /e_value_inum/],
      [40, [0, 0, 0, 0x80], /a value lies outside/],
      [48, [0], /NUL/],
    ];
    for (const [at, values, message] of cases) {
      const changed = original.slice();
      changed.set(values, at);
      device.write(block, changed);
      const fs = Filesystem.open(device);
      for (
        const use of [
          () => fs.listxattr(ino),
          () => fs.getxattr(ino, "user.outer"),
          () => fs.setxattr(ino, "user.z", bytes(1)),
        ]
      ) {
        assert.throws(use, (error) => {
          assert.ok(error instanceof CorruptError, `${at}: ${error}`);
          assert.match(error.message, message);
          assert.equal(error.place.block, block);
          return true;
        });
      }
    }
  },
);
