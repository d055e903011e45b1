import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  assertDeviceClean,
  editImage,
  formatted,
  loadImage,
  saveImage,
} from "../tests/support/images.ts";
import { Random } from "../tests/support/random.ts";
import {
  assertClean,
  debugfs,
  debugfsWrite,
  must,
  testWith,
  withMount,
  withTempDir,
} from "../tests/support/tools.ts";
import { Filesystem, type FsError, Paths } from "./mod.ts";

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

/** Sets and removes attributes at random, beside a model in a map. */
function churn(fs: Filesystem, ino: number, seed: number): Map<string, string> {
  const random = new Random(seed);
  const next = (limit: number): number => random.below(limit);
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

Deno.test("attributes move to where all of them fit", async () => {
  const device = formatted({ blockSize: 1024, blockCount: 2048 });
  const fs = Filesystem.open(device);
  const ino = fs.create(ROOT, "f");
  // 92 bytes are in the inode, 992 in a block; an entry takes 20 and its
  // value. With "a" in the inode, "c" would have to be in the block.
  const sizes = { "user.a": 4, "user.b": 500, "user.c": 60, "user.d": 400 };
  for (const [name, size] of Object.entries(sizes)) {
    fs.setxattr(ino, name, bytes(size));
  }
  for (const [name, size] of Object.entries(sizes)) {
    assert.deepEqual(fs.getxattr(ino, name), bytes(size));
  }
  await fs.close();
  await assertDeviceClean(device);
});

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
