import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { MemoryDevice } from "../bd/memory.ts";
import {
  assertDeviceClean,
  editImage,
  formatted,
  loadImage,
  saveImage,
} from "../tests/support/images.ts";
import {
  assertClean,
  debugfs,
  debugfsWrite,
  must,
  testWith,
  withMount,
  withTempDir,
} from "../tests/support/tools.ts";
import { DeviceError } from "../bd/block_device.ts";
import { CorruptError, Filesystem, FsError, Paths } from "./mod.ts";

const ROOT = 2;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const bytes = (size: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length: size }, (_, i) => seed * 31 + i * 7 + (i >> 5));

function attributesOf(fs: Filesystem, ino: number): Map<string, string> {
  const names = fs.listxattr(ino).map(text).sort();
  return new Map(
    names.map((name) => [
      name,
      Buffer.from(fs.getxattr(ino, name)).toString("hex"),
    ]),
  );
}

/** What the kernel shows of a file's attributes. */
async function hostAttributes(path: string): Promise<Map<string, string>> {
  const dump = await must("getfattr", "-hd", "-m-", "-ehex", path);
  const lines = dump.matchAll(/^([^#=\n]+)=(?:0x(.*)|"")$/gm);
  const pairs = [...lines].map(([, name, value = ""]) =>
    [name, value] as [string, string]
  );
  return new Map(pairs.sort(([a], [b]) => a < b ? -1 : 1));
}

/** A small random number generator (xorshift, Marsaglia 2003). */
function random(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

/** Sets and removes attributes at random, beside a model in a map. */
function churn(fs: Filesystem, ino: number, seed: number): Map<string, string> {
  const next = random(seed);
  const model = new Map<string, string>();
  const prefixes = ["user.", "trusted.", "security."];
  const { mode } = fs.getattr(ino);
  if ((mode & 0o170000) === 0o120000) prefixes.shift();
  for (let i = 0; i < 200; i++) {
    const name = prefixes[next(prefixes.length)] + "n".repeat(1 + next(12));
    if (next(4) === 0) {
      if (model.delete(name)) fs.removexattr(ino, name);
      else assert.throws(() => fs.removexattr(ino, name), { code: "ENODATA" });
      continue;
    }
    const value = bytes(next(3) ? next(30) : next(900), next(250));
    try {
      fs.setxattr(ino, name, value);
      model.set(name, Buffer.from(value).toString("hex"));
    } catch (error) {
      assert.equal((error as FsError).code, "ENOSPC");
    }
    assert.deepEqual(fs.getattr(ino).blocks % (fs.blockSize / 512), 0);
  }
  return new Map([...model].sort(([a], [b]) => a < b ? -1 : 1));
}

for (const blockSize of [1024, 2048, 4096]) {
  for (const inodeSize of [128, 256] as const) {
    const kind = `${blockSize}-byte blocks, ${inodeSize}-byte inodes`;
    await testWith(
      ["e2fsprogs", "setfattr", "loop mounts"],
      `attributes are kept as e2fsck and the kernel want them: ${kind}`,
      async () => {
        const device = formatted({
          blockSize,
          inodeSize,
          blockCount: 4096,
        });
        const fs = Filesystem.open(device);
        const files = new Map([
          ["file", fs.create(ROOT, "file")],
          ["directory", fs.mkdir(ROOT, "directory")],
          ["fast", fs.symlink(ROOT, "fast", "target")],
          ["slow", fs.symlink(ROOT, "slow", "t".repeat(200))],
        ]);
        const models = new Map<string, Map<string, string>>();
        let seed = 1;
        for (const [name, ino] of files) {
          models.set(name, churn(fs, ino, seed++));
        }
        await fs.sync();
        for (const [name, ino] of files) {
          assert.deepEqual(attributesOf(fs, ino), models.get(name));
        }
        assert.equal(text(fs.readlink(files.get("fast")!)), "target");
        await fs.close();
        await withTempDir(async (dir) => {
          const image = `${dir}/volume.img`;
          await saveImage(device, image);
          await assertClean(image);
          await withMount(image, "ro", async (root) => {
            for (const name of files.keys()) {
              const seen = await hostAttributes(`${root}/${name}`);
              assert.deepEqual(seen, models.get(name), name);
            }
          });
        });
      },
    );
  }
}

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
  "attributes that the kernel set are read, and changed beside others",
  async () => {
    for (const inodeSize of [128, 256, 512]) {
      await withTempDir(async (dir) => {
        const image = `${dir}/volume.img`;
        await must("truncate", "-s", "8M", image);
        await must("mke2fs", "-q", "-text2", `-I${inodeSize}`, image);
        const names = [
          ...["user.b", "user.aa", "trusted.a", "security.x", "user.empty"],
          ...["user.\xe4\xf6", "user." + "l".repeat(250)],
        ];
        let seen = new Map<string, string>();
        await withMount(image, "rw", async (root) => {
          await Deno.writeTextFile(`${root}/f`, "contents");
          for (const [i, name] of names.entries()) {
            const value = Buffer.from(bytes(i * 40 % 170)).toString("hex");
            const option = `-v0x${value}`;
            await must("setfattr", "-n", name, option, `${root}/f`);
          }
          seen = await hostAttributes(`${root}/f`);
        });
        assert.equal(seen.size, names.length);
        await editImage(image, (fs) => {
          const f = new Paths(fs).resolve("/f");
          assert.deepEqual(
            [...attributesOf(fs, f).values()].sort(),
            [...seen.values()].sort(),
          );
          assert.equal(fs.getxattr(f, "user." + "l".repeat(250)).length, 70);
          fs.setxattr(f, "user.b", bytes(44));
          fs.removexattr(f, "user.aa");
          fs.setxattr(f, "user.new", bytes(3));
        });
        await assertClean(image);
        await withMount(image, "ro", async (root) => {
          const now = await hostAttributes(`${root}/f`);
          seen.delete("user.aa");
          seen.set("user.b", Buffer.from(bytes(44)).toString("hex"));
          seen.set("user.new", Buffer.from(bytes(3)).toString("hex"));
          assert.deepEqual(
            now,
            new Map([...seen].sort(([a], [b]) => a < b ? -1 : 1)),
          );
        });
      });
    }
  },
);

await testWith(
  ["e2fsprogs"],
  "debugfs and the engine read each other's attributes",
  async () => {
    const device = formatted({ blockSize: 1024, blockCount: 4096 });
    const fs = Filesystem.open(device);
    const ino = fs.create(ROOT, "f");
    fs.setxattr(ino, "user.small", new TextEncoder().encode("in the inode"));
    fs.setxattr(ino, "security.large", bytes(700));
    await fs.close();
    await withTempDir(async (dir) => {
      const image = `${dir}/volume.img`;
      await saveImage(device, image);
      const list = await debugfs(image, "ea_list /f");
      assert.match(list, /user\.small \(12\) = "in the inode"/);
      assert.match(list, /security\.large \(700\)/);
      const out = `${dir}/value`;
      await debugfs(image, `ea_get -f ${out} /f security.large`);
      assert.deepEqual(await Deno.readFile(out), bytes(700));
      await debugfsWrite(image, "ea_set /f user.theirs hello");
      await debugfsWrite(image, `ea_set -f ${out} /f security.large2`)
        .catch(() => {});
      await debugfsWrite(image, "ea_rm /f user.small");
      const again = Filesystem.open(await loadImage(image));
      assert.equal(text(again.getxattr(ino, "user.theirs")), "hello");
      assert.deepEqual(again.getxattr(ino, "security.large"), bytes(700));
      assert.throws(() => again.getxattr(ino, "user.small"), {
        code: "ENODATA",
      });
      await again.close();
    });
  },
);

Deno.test("setxattr() refuses what Linux refuses", async () => {
  const device = formatted({ blockSize: 1024, blockCount: 2048 });
  const fs = Filesystem.open(device);
  const file = fs.create(ROOT, "file");
  const link = fs.symlink(ROOT, "link", "file");
  const set = (ino: number, name: string | Uint8Array, size = 1): void =>
    fs.setxattr(ino, name, bytes(size));
  const cases: [string, () => void][] = [
    ["ERANGE", () => set(file, "")],
    ["ERANGE", () => set(file, "user." + "n".repeat(251))],
    ["EINVAL", () => set(file, "user.")],
    ["EINVAL", () => set(file, "user.a\0b")],
    ["EOPNOTSUPP", () => set(file, "x")],
    ["EOPNOTSUPP", () => set(file, "user")],
    ["EOPNOTSUPP", () => set(file, "system.other")],
    ["EOPNOTSUPP", () => set(file, "system.posix_acl_access2")],
    ["EOPNOTSUPP", () => fs.getxattr(file, "other.x")],
    ["EPERM", () => set(link, "user.x")],
    ["ENODATA", () => fs.getxattr(link, "user.x")],
    ["EPERM", () => fs.removexattr(link, "user.x")],
    ["ENOSPC", () => set(file, "user.x", 1000)],
    ["ENOSPC", () => set(file, "user.x", 65537)],
    ["ENODATA", () => fs.removexattr(file, "user.x")],
    ["ENODATA", () => fs.getxattr(file, "user.x")],
    [
      "ENODATA",
      () => fs.setxattr(file, "user.x", bytes(1), { replace: true }),
    ],
  ];
  for (const [code, fn] of cases) {
    assert.throws(fn, { name: "FsError", code }, `${code} ${fn}`);
  }
  fs.setxattr(file, "user.x", bytes(0), { create: true });
  assert.throws(
    () => fs.setxattr(file, "user.x", bytes(1), { create: true }),
    { code: "EEXIST" },
  );
  fs.setxattr(file, "user.x", bytes(5), { replace: true });
  assert.deepEqual(fs.getxattr(file, "user.x"), bytes(5));
  assert.deepEqual(fs.listxattr(link), []);
  await fs.close();
  await assertDeviceClean(device);
});

Deno.test("setxattr() refuses what a volume of revision 0 cannot have", () => {
  const device = formatted({ blockSize: 1024, blockCount: 2048, revision: 0 });
  const fs = Filesystem.open(device);
  const ino = fs.create(ROOT, "f");
  assert.throws(() => fs.setxattr(ino, "user.x", bytes(1)), {
    code: "EOPNOTSUPP",
  });
  assert.deepEqual(fs.listxattr(ino), []);
});

await testWith(
  ["e2fsprogs"],
  "the first attribute of a volume says so in the superblock",
  async () => {
    await withTempDir(async (dir) => {
      const image = `${dir}/volume.img`;
      await must("truncate", "-s", "2M", image);
      await must("mke2fs", "-q", "-text2", "-O^ext_attr", image);
      await editImage(image, (fs) => {
        const ino = fs.create(ROOT, "f");
        fs.setxattr(ino, "user.x", bytes(600));
      });
      await assertClean(image);
      assert.match(await must("dumpe2fs", "-h", image), /ext_attr/);
    });
  },
);

await testWith(
  ["e2fsprogs"],
  "an inode without i_extra_isize has its attributes in a block",
  async () => {
    const device = formatted({ blockSize: 1024, blockCount: 2048 });
    const fs = Filesystem.open(device);
    const ino = fs.create(ROOT, "f");
    await fs.close();
    await withTempDir(async (dir) => {
      const image = `${dir}/volume.img`;
      await saveImage(device, image);
      await debugfsWrite(image, `set_inode_field <${ino}> extra_isize 0`);
      await editImage(image, (fs) => {
        fs.setxattr(ino, "user.x", bytes(10));
        assert.equal(fs.getattr(ino).blocks, 2);
        assert.deepEqual(fs.getxattr(ino, "user.x"), bytes(10));
      });
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
    return { device, ino, block, inodeBlock: Number(inodeBlock) };
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
  attempt((fs) => attributesOf(fs, ino));
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
      [0, [0], /h_magic/],
      [4, [0], /h_refcount/],
      [8, [2], /h_blocks/],
      [32, [255], /a value|entries run past|NUL/],
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
