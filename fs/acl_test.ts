import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  assertDeviceClean,
  editImage,
  formatted,
  loadImage,
  saveImage,
} from "../tests/support/images.ts";
import {
  assertClean,
  must,
  testWith,
  withMount,
  withTempDir,
} from "../tests/support/tools.ts";
import {
  ACL_NO_ID,
  type AclEntry,
  decodeAcl,
  decodeDiskAcl,
  encodeAcl,
  encodeDiskAcl,
} from "./acl.ts";
import { CorruptError, Filesystem, Paths } from "./mod.ts";

const ROOT = 2;
const ACCESS = "system.posix_acl_access";
const DEFAULT = "system.posix_acl_default";

const USER_OBJECT = 1;
const USER = 2;
const GROUP_OBJECT = 4;
const GROUP = 8;
const MASK = 16;
const OTHER = 32;

const entry = (tag: number, permissions: number, id = ACL_NO_ID): AclEntry => ({
  tag,
  permissions,
  id,
});
const MINIMAL = [
  entry(USER_OBJECT, 6),
  entry(GROUP_OBJECT, 4),
  entry(OTHER, 1),
];
const LONG = [
  entry(USER_OBJECT, 7),
  entry(USER, 6, 1000),
  entry(USER, 4, 70000),
  entry(GROUP_OBJECT, 5),
  entry(GROUP, 1, 50),
  entry(MASK, 6),
  entry(OTHER, 0),
];

Deno.test("ACLs come back from both encodings", () => {
  for (const acl of [MINIMAL, LONG]) {
    assert.deepEqual(decodeAcl(encodeAcl(acl)), acl);
    assert.deepEqual(decodeDiskAcl(encodeDiskAcl(acl), 12), acl);
  }
  assert.equal(encodeDiskAcl(LONG).length, 4 + 4 * 4 + 3 * 8);
});

Deno.test("ACLs that break a rule of acl(5) are refused", () => {
  const broken: AclEntry[][] = [
    MINIMAL.slice(1),
    MINIMAL.slice(0, 2),
    [MINIMAL[0], MINIMAL[2]],
    [MINIMAL[0], ...MINIMAL],
    [...MINIMAL].reverse(),
    LONG.filter(({ tag }) => tag !== MASK),
    LONG.map((e) => e.tag === USER ? entry(USER, 4) : e),
    MINIMAL.map((e) => ({ ...e, permissions: 8 })),
    [...MINIMAL, entry(64, 1)],
  ];
  for (const acl of broken) {
    assert.throws(() => decodeAcl(encodeAcl(acl)), {
      name: "FsError",
      code: "EINVAL",
    });
    assert.throws(() => decodeDiskAcl(encodeDiskAcl(acl), 12), CorruptError);
  }
  const value = encodeAcl(LONG);
  assert.throws(() => decodeAcl(value.subarray(0, 3)), { code: "EINVAL" });
  assert.throws(() => decodeAcl(value.subarray(0, 11)), { code: "EINVAL" });
  value[0] = 1;
  assert.throws(() => decodeAcl(value), { code: "EOPNOTSUPP" });
});

Deno.test("ACLs on the volume that are cut short are corrupt", () => {
  const disk = encodeDiskAcl(LONG);
  for (let size = 0; size < disk.length; size++) {
    assert.throws(() => decodeDiskAcl(disk.subarray(0, size), 12), {
      name: "CorruptError",
      code: "EUCLEAN",
      message: /ACL: .*\(inode 12\)/,
    });
  }
});

Deno.test("setting an ACL sets the permission bits", async () => {
  const device = formatted({ blockSize: 1024, blockCount: 2048 });
  const fs = Filesystem.open(device);
  const file = fs.create(ROOT, "file", { mode: 0o4600 });
  const link = fs.symlink(ROOT, "link", "file");
  fs.setxattr(file, ACCESS, encodeAcl(LONG));
  assert.equal(fs.getattr(file).mode & 0o7777, 0o4760);
  assert.deepEqual(fs.getxattr(file, ACCESS), encodeAcl(LONG));
  fs.setxattr(file, ACCESS, encodeAcl(MINIMAL));
  assert.equal(fs.getattr(file).mode & 0o7777, 0o4641);
  assert.deepEqual(fs.listxattr(file), []);
  fs.setxattr(file, ACCESS, encodeAcl(LONG));
  fs.setxattr(file, ACCESS, new Uint8Array());
  assert.throws(() => fs.getxattr(file, ACCESS), { code: "ENODATA" });
  assert.equal(fs.getattr(file).mode & 0o7777, 0o4760);
  assert.throws(() => fs.setxattr(file, DEFAULT, encodeAcl(LONG)), {
    code: "EACCES",
  });
  assert.throws(() => fs.setxattr(link, ACCESS, encodeAcl(LONG)), {
    code: "EOPNOTSUPP",
  });
  const directory = fs.mkdir(ROOT, "directory", { mode: 0o700 });
  fs.setxattr(directory, DEFAULT, encodeAcl(MINIMAL));
  assert.deepEqual(fs.getxattr(directory, DEFAULT), encodeAcl(MINIMAL));
  assert.equal(fs.getattr(directory).mode & 0o7777, 0o700);
  await fs.close();
  await assertDeviceClean(device);
});

await testWith(
  ["e2fsprogs", "setfacl", "setfattr", "loop mounts"],
  "ACLs pass between the kernel and the engine",
  async () => {
    await withTempDir(async (dir) => {
      const image = `${dir}/volume.img`;
      const device = formatted({ blockSize: 1024, blockCount: 8192 });
      const fs = Filesystem.open(device);
      const ours = fs.mkdir(ROOT, "ours");
      fs.setxattr(ours, ACCESS, encodeAcl(LONG));
      fs.setxattr(ours, DEFAULT, encodeAcl(LONG));
      await fs.close();
      await saveImage(device, image);
      await assertClean(image);
      const values = new Map<string, Uint8Array>();
      await withMount(image, "acl", async (root) => {
        const shown = await must("getfacl", "-npsE", `${root}/ours`);
        assert.deepEqual(shown.trim().split("\n").slice(3), [
          ..."user::rwx user:1000:rw- user:70000:r-- group::r-x".split(" "),
          ..."group:50:--x mask::rw- other::---".split(" "),
          ..."default:user::rwx default:user:1000:rw-".split(" "),
          ..."default:user:70000:r-- default:group::r-x".split(" "),
          ..."default:group:50:--x default:mask::rw-".split(" "),
          "default:other::---",
        ]);
        const theirs = `${root}/theirs`;
        await Deno.mkdir(theirs);
        await must("setfacl", "-m", "u:7:rw,g:8:x,d:g:9:r", theirs);
        for (const name of [ACCESS, DEFAULT]) {
          const hex = await must(
            "getfattr",
            "-ehex",
            "--only-values",
            `-n${name}`,
            theirs,
          );
          values.set(name, Buffer.from(hex, "latin1"));
        }
      });
      const again = Filesystem.open(await loadImage(image));
      const theirs = new Paths(again).resolve("/theirs");
      for (const [name, value] of values) {
        assert.deepEqual(again.getxattr(theirs, name), Uint8Array.from(value));
      }
      await again.close();
    });
  },
);

await testWith(
  ["e2fsprogs", "setfacl", "loop mounts"],
  "setattr() keeps mode and access control list in step, as the kernel does",
  async () => {
    await withTempDir(async (dir) => {
      const image = `${dir}/volume.img`;
      await must("truncate", "-s", "8M", image);
      await must("mke2fs", "-q", "-text2", image);
      const modes = [0o600, 0o777, 0o4751, 0o007];
      await withMount(image, "rw", async (root) => {
        for (const [i, mode] of modes.entries()) {
          for (const name of [`${root}/kernel${i}`, `${root}/ours${i}`]) {
            await Deno.writeTextFile(name, "");
            await must("setfacl", "-m", "u:7:rw,g:9:rx,m:rwx", name);
          }
          const octal = mode.toString(8);
          await must("chmod", octal, `${root}/kernel${i}`);
        }
      });
      await editImage(image, (fs) => {
        const paths = new Paths(fs);
        for (const [i, mode] of modes.entries()) {
          fs.setattr(paths.resolve(`/ours${i}`), { mode });
        }
      });
      await assertClean(image);
      await withMount(image, "ro", async (root) => {
        for (const i of modes.keys()) {
          const [theirs, ours] = await Promise.all(
            ["kernel", "ours"].map((name) =>
              must("getfacl", "-cn", `${root}/${name}${i}`)
            ),
          );
          assert.equal(ours, theirs);
          assert.match(ours, /mask::/);
        }
      });
    });
  },
);

await testWith(
  ["e2fsprogs", "setfacl", "loop mounts"],
  "new files inherit the default ACL and the flags of their directory",
  async () => {
    await withTempDir(async (dir) => {
      const image = `${dir}/volume.img`;
      await must("truncate", "-s", "8M", image);
      await must("mke2fs", "-q", "-text2", image);
      const make = (root: string): Promise<string> =>
        must(
          "sh",
          "-c",
          `umask 0; cd ${root}; mkdir theirs/dir;
           touch theirs/file; mknod theirs/fifo p; ln -s x theirs/link`,
        );
      await withMount(image, "rw", async (root) => {
        for (const name of ["theirs", "ours"]) {
          await Deno.mkdir(`${root}/${name}`);
          const list = "u::rwx,u:7:rwx,g::r-x,g:9:rw,m::rwx,o::r--";
          await must("setfacl", "-d", "-m", list, `${root}/${name}`);
          await must("chattr", "+sDdAS", `${root}/${name}`);
        }
        await make(root);
      });
      await editImage(image, (fs) => {
        const parent = new Paths(fs).resolve("/ours");
        fs.mkdir(parent, "dir", { mode: 0o777 });
        fs.create(parent, "file", { mode: 0o666 });
        fs.mknod(parent, "fifo", { kind: 0o010000, mode: 0o666 });
        fs.symlink(parent, "link", "x");
        const flags = (path: string): number =>
          fs.getattr(new Paths(fs).resolve(path, { follow: false })).flags;
        for (const name of ["dir", "file", "fifo", "link"]) {
          const [ours, theirs] = [
            flags(`/ours/${name}`),
            flags(
              `/theirs/${name}`,
            ),
          ];
          assert.equal(ours.toString(16), theirs.toString(16), name);
        }
      });
      await assertClean(image);
      await withMount(image, "ro", async (root) => {
        for (const name of ["dir", "file", "fifo"]) {
          const [theirs, ours] = await Promise.all(
            ["theirs", "ours"].map((parent) =>
              must("getfacl", "-cn", `${root}/${parent}/${name}`)
            ),
          );
          assert.equal(ours, theirs, name);
        }
      });
    });
  },
);
