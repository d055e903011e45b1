import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fs from "node:fs";
import type { BlockDevice } from "../bd/block_device.ts";
import { MemoryDevice } from "../bd/memory.ts";
import { assertDeviceClean, saveImage } from "../tests/support/images.ts";
import {
  assertClean,
  debugfs,
  must,
  run,
  testWith,
  withTempDir,
} from "../tests/support/tools.ts";
import { FsError } from "./errors.ts";
import { format, type FormatOptions } from "./format.ts";
import { SUPERBLOCK } from "./superblock.ts";

const STAMP = { sec: 1_600_000_000, nsec: 123_456_789 };
const UUID = Uint8Array.from({ length: 16 }, (_, i) => 0x10 + i);

/** Writes a device's contents to a file for as long as `use` runs. */
async function withImage(
  device: MemoryDevice,
  use: (path: string) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    await saveImage(device, `${dir}/volume.img`);
    await use(`${dir}/volume.img`);
  });
}

/** Text in UTF-8 as the judges' output is read: a character for each byte. */
const latin1 = (text: string): string => Buffer.from(text).toString("latin1");

/** The fields dumpe2fs shows of the superblock, times in UTC. */
async function dump(path: string): Promise<Map<string, string>> {
  const text = await must("env", "TZ=UTC", "dumpe2fs", "-h", path);
  return new Map(
    text.split("\n").flatMap((line) => {
      const match = /^([^:]+):\s+(.*)$/.exec(line);
      return match ? [[match[1], match[2].trimEnd()]] : [];
    }),
  );
}

/** A device full of rubbish, of which what is written is kept. */
function usedDevice(blockSize: number, blockCount: number): MemoryDevice {
  const device = new MemoryDevice(blockSize, blockCount);
  const rubbish = new Uint8Array(blockSize).fill(0xa5);
  for (let block = 0; block < blockCount; block++) device.write(block, rubbish);
  return device;
}

const KIB = 1024;
const MIB = 1024 * KIB;

for (const blockSize of [1024, 2048, 4096]) {
  for (const inodeSize of [undefined, 128, 256] as const) {
    const revision = inodeSize === undefined ? 0 : 1;
    const kind = `${blockSize}-byte blocks, revision ${revision}, ` +
      `${inodeSize ?? 128}-byte inodes`;
    await testWith(
      ["e2fsprogs"],
      `format() makes volumes e2fsck accepts: ${kind}`,
      async () => {
        const sizes = [
          200 * KIB,
          1 * MIB + 3 * KIB,
          8 * MIB,
          8 * MIB + 60 * KIB,
          33 * MIB,
          100 * MIB,
          512 * MIB - 4 * KIB,
          513 * MIB,
        ];
        for (const size of sizes) {
          const blocks = Math.floor(size / blockSize);
          const device = new MemoryDevice(blockSize, blocks);
          format(device, { revision, inodeSize, now: STAMP, blank: true });
          await assertDeviceClean(device);
        }
      },
    );
  }
}

await testWith(
  ["e2fsprogs"],
  "format() cleans a device that was used",
  async () => {
    for (const blockSize of [1024, 4096]) {
      const device = usedDevice(blockSize, 20 * MIB / blockSize);
      format(device, { now: STAMP });
      await withImage(device, async (path) => {
        await assertClean(path);
        const inodes = Number((await dump(path)).get("Inode count"));
        for (const ino of [1, 10, 12, inodes]) {
          assert.match(await debugfs(path, `stat <${ino}>`), /Links: 0 /);
        }
      });
    }
  },
);

await testWith(
  ["e2fsprogs"],
  "format() writes the superblock as dumpe2fs expects it",
  async () => {
    const device = new MemoryDevice(1024, 100 * KIB);
    const options: FormatOptions = {
      label: "Größe 16 bytes",
      uuid: UUID,
      hashSeed: UUID,
      now: STAMP,
      reservedPercent: 7,
      inodeCount: 10_001,
      blank: true,
    };
    format(device, options);
    await withImage(device, async (path) => {
      const fields = await dump(path);
      const expected: Record<string, string> = {
        "Filesystem volume name": latin1("Größe 16 bytes"),
        "Filesystem UUID": "10111213-1415-1617-1819-1a1b1c1d1e1f",
        "Filesystem revision #": "1 (dynamic)",
        "Filesystem features":
          "ext_attr dir_index filetype sparse_super large_file",
        "Filesystem flags": "signed_directory_hash",
        "Default mount options": "user_xattr acl",
        "Filesystem state": "clean",
        "Errors behavior": "Continue",
        "Filesystem OS type": "Linux",
        "Inode count": "10088",
        "Block count": "102400",
        "Reserved block count": "7168",
        "Free inodes": "10077",
        "First block": "1",
        "Block size": "1024",
        "Fragment size": "1024",
        "Blocks per group": "8192",
        "Fragments per group": "8192",
        "Inodes per group": "776",
        "Inode blocks per group": "194",
        "Mount count": "0",
        "Maximum mount count": "-1",
        "Check interval": "0 (<none>)",
        "First inode": "11",
        "Inode size": "256",
        "Required extra isize": "32",
        "Desired extra isize": "32",
        "Default directory hash": "half_md4",
        "Directory Hash Seed": "10111213-1415-1617-1819-1a1b1c1d1e1f",
      };
      for (const [name, value] of Object.entries(expected)) {
        assert.equal(fields.get(name), value, name);
      }
      const stamp = fields.get("Filesystem created");
      assert.equal(stamp, fields.get("Last write time"));
      assert.equal(stamp, fields.get("Last checked"));
      assert.equal(Date.parse(`${stamp} UTC`), STAMP.sec * 1000);
    });
  },
);

await testWith(
  ["e2fsprogs"],
  "format() makes root and lost+found as mke2fs does",
  async () => {
    for (const [blockSize, blocks] of [[1024, 12], [2048, 8], [4096, 4]]) {
      const device = new MemoryDevice(blockSize, 16 * MIB / blockSize);
      format(device, { now: { sec: 5_000_000_000, nsec: 5 }, blank: true });
      await withImage(device, async (path) => {
        const stat = await debugfs(path, "stat /lost+found");
        assert.match(stat, /Inode: 11 .*Mode: +0700 /);
        assert.match(stat, /Links: 2 /);
        assert.match(stat, new RegExp(`TOTAL: ${blocks}\\n`));
        for (const time of ["ctime", "atime", "mtime", "crtime"]) {
          assert.match(stat, new RegExp(`${time}: 0x2a05f200:00000015`));
        }
        const root = await debugfs(path, "stat /");
        assert.match(root, /Inode: 2 .*Mode: +0755 /);
        assert.match(root, /Links: 3 /);
        assert.match(root, /Size of extra inode fields: 32/);
      });
    }
  },
);

await testWith(
  ["e2fsprogs"],
  "format() puts backups where e2fsck finds them",
  async () => {
    for (const revision of [0, 1] as const) {
      const device = new MemoryDevice(1024, 100 * KIB);
      format(device, { revision, now: STAMP, blank: true });
      const backup = new Uint8Array(KIB);
      device.read(57345, backup);
      const group = SUPERBLOCK.s_block_group_nr.get(backup, 0);
      assert.equal(group, revision === 0 ? 0 : 7);
      // Without the primary copies, the backups are all there is.
      device.write(1, new Uint8Array(2 * KIB));
      await withImage(device, async (path) => {
        const { code } = await run("e2fsck", "-fy", "-b", "57345", path);
        assert.equal(code, 1);
        await assertClean(path);
      });
    }
  },
);

await testWith(
  ["e2fsprogs"],
  "format() leaves out a last group with little but metadata",
  async () => {
    const count = async (blocks: number): Promise<number> => {
      const device = new MemoryDevice(1024, blocks);
      format(device, { inodeCount: 128, blank: true, now: STAMP });
      let seen = "";
      await withImage(device, async (path) => {
        await assertClean(path);
        seen = (await dump(path)).get("Block count")!;
      });
      return Number(seen);
    };
    // Two groups of 64 inodes: 16 blocks of table, two bitmaps, two blocks of
    // superblock and descriptors; 50 blocks more must be there for data.
    assert.equal(await count(8193 + 69), 8193);
    assert.equal(await count(8193 + 70), 8193 + 70);
  },
);

await testWith(
  ["e2fsprogs"],
  "format() makes the smallest volume that it says it needs",
  async () => {
    for (const blockSize of [1024, 2048, 4096]) {
      let message = "";
      try {
        format(new MemoryDevice(blockSize, 4), { blank: true });
      } catch (error) {
        assert.ok(error instanceof FsError);
        assert.equal(error.code, "ENOSPC");
        message = error.message;
      }
      const least = Number(/at least (\d+) KiB/.exec(message)![1]) * KIB;
      const blocks = least / blockSize;
      assert.throws(() => format(new MemoryDevice(blockSize, blocks - 1)), {
        code: "ENOSPC",
      });
      const device = new MemoryDevice(blockSize, blocks);
      format(device, { now: STAMP });
      await assertDeviceClean(device);
    }
  },
);

Deno.test("format() refuses options that make no volume", () => {
  const refused: FormatOptions[] = [
    { label: "seventeen bytes !" },
    { label: "ääääääääü" },
    { label: "a\0b" },
    { uuid: new Uint8Array(15) },
    { hashSeed: new Uint8Array(17) },
    { reservedPercent: 51 },
    { reservedPercent: -1 },
    { reservedPercent: NaN },
    { revision: 0, inodeSize: 256 },
    { revision: 2 as 1 },
    { inodeSize: 512 as 256 },
    { inodeCount: 0 },
    { inodeCount: 1.5 },
    { inodeCount: 8193 },
  ];
  const device = new MemoryDevice(1024, 4 * KIB);
  for (const options of refused) {
    assert.throws(
      () => format(device, { ...options, blank: true }),
      { name: "FsError", code: "EINVAL" },
      JSON.stringify(options),
    );
  }
  assert.deepEqual([...device.extents()], []);
  for (const [blockSize, count] of [[8192, 1000], [1024, 2 ** 32 - 1]]) {
    assert.throws(() => format(new MemoryDevice(blockSize, count)), {
      name: "FsError",
      code: "EINVAL",
    });
  }
});

await testWith(
  ["e2fsprogs"],
  "format() of a blank device writes little, whatever its size",
  async () => {
    const path = Deno.makeTempFileSync({ suffix: ".img" });
    const blockSize = 4096;
    const blockCount = 2 ** 38 / blockSize;
    const fd = fs.openSync(path, "r+");
    try {
      let calls = 0;
      const device: BlockDevice = {
        blockSize,
        blockCount,
        readOnly: false,
        read: () => assert.fail("format() has nothing to read"),
        write: (block, from) => {
          calls++;
          fs.writeSync(fd, from, 0, from.length, block * blockSize);
        },
        flush: () => Promise.resolve(),
        close: () => {},
      };
      fs.ftruncateSync(fd, blockSize * blockCount);
      format(device, { inodeCount: 2 ** 18, now: STAMP, blank: true });
      // One call for each of the 2048 groups, and the first directories.
      assert.equal(calls, 2048 + 2);
      const fields = await dump(path);
      assert.equal(fields.get("Block count"), String(blockCount));
      assert.equal(fields.get("Inode count"), String(2 ** 18));
      await assertClean(path);
    } finally {
      fs.closeSync(fd);
      Deno.removeSync(path);
    }
  },
);
