import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import type { BlockDevice } from "../bd/block_device.ts";
import { MemoryDevice } from "../bd/memory.ts";
import { FsError } from "./errors.ts";
import { format, type FormatOptions } from "./format.ts";

const STAMP = { sec: 1_600_000_000, nsec: 123_456_789 };
const UUID = Uint8Array.from({ length: 16 }, (_, i) => 0x10 + i);

/** Writes a device's contents to a sparse file for as long as `use` runs. */
function withImage<T>(device: MemoryDevice, use: (path: string) => T): T {
  const path = Deno.makeTempFileSync({ suffix: ".img" });
  try {
    const fd = fs.openSync(path, "r+");
    fs.ftruncateSync(fd, device.blockSize * device.blockCount);
    for (const { position, bytes } of device.extents()) {
      fs.writeSync(fd, bytes, 0, bytes.length, position);
    }
    fs.closeSync(fd);
    return use(path);
  } finally {
    Deno.removeSync(path);
  }
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, {
    encoding: "utf8",
    stdio: "pipe",
    env: { ...Deno.env.toObject(), TZ: "UTC" },
  });
}

/** Throws unless e2fsck finds nothing to complain about. */
function fsck(path: string): void {
  try {
    run("e2fsck", "-fn", path);
  } catch (error) {
    assert.fail((error as { stdout: string }).stdout);
  }
}

/** The fields dumpe2fs shows of the superblock. */
function dump(path: string): Map<string, string> {
  const text = run("dumpe2fs", "-h", path);
  return new Map(
    text.split("\n").flatMap((line) => {
      const match = /^([^:]+):\s+(.*)$/.exec(line);
      return match ? [[match[1], match[2].trimEnd()]] : [];
    }),
  );
}

function debugfs(path: string, request: string): string {
  return run("debugfs", "-R", request, path);
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
    Deno.test(`format() makes volumes e2fsck accepts: ${kind}`, () => {
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
        withImage(device, fsck);
      }
    });
  }
}

Deno.test("format() cleans a device that was used", () => {
  for (const blockSize of [1024, 4096]) {
    const device = usedDevice(blockSize, 20 * MIB / blockSize);
    format(device, { now: STAMP });
    withImage(device, (path) => {
      fsck(path);
      const inodes = Number(dump(path).get("Inode count"));
      for (const ino of [1, 10, 12, inodes]) {
        assert.match(debugfs(path, `stat <${ino}>`), /Links: 0 /);
      }
    });
  }
});

Deno.test("format() writes the superblock as dumpe2fs expects it", () => {
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
  withImage(device, (path) => {
    const fields = dump(path);
    const expected: Record<string, string> = {
      "Filesystem volume name": "Größe 16 bytes",
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
});

Deno.test("format() makes root and lost+found as mke2fs does", () => {
  for (const [blockSize, blocks] of [[1024, 12], [2048, 8], [4096, 4]]) {
    const device = new MemoryDevice(blockSize, 16 * MIB / blockSize);
    format(device, { now: { sec: 5_000_000_000, nsec: 5 }, blank: true });
    withImage(device, (path) => {
      const stat = debugfs(path, "stat /lost+found");
      assert.match(stat, /Inode: 11 .*Mode: +0700 /);
      assert.match(stat, /Links: 2 /);
      assert.match(stat, new RegExp(`TOTAL: ${blocks}\\n`));
      for (const time of ["ctime", "atime", "mtime", "crtime"]) {
        assert.match(stat, new RegExp(`${time}: 0x2a05f200:00000015`));
      }
      const root = debugfs(path, "stat /");
      assert.match(root, /Inode: 2 .*Mode: +0755 /);
      assert.match(root, /Links: 3 /);
      assert.match(root, /Size of extra inode fields: 32/);
    });
  }
});

Deno.test("format() puts backups where e2fsck finds them", () => {
  for (const revision of [0, 1] as const) {
    const device = new MemoryDevice(1024, 100 * KIB);
    format(device, { revision, now: STAMP, blank: true });
    // Without the primary copies, the backups are all there is.
    device.write(1, new Uint8Array(2 * KIB));
    withImage(device, (path) => {
      assert.throws(() => run("e2fsck", "-fy", "-b", "57345", path), {
        status: 1,
      });
      fsck(path);
    });
  }
});

Deno.test("format() leaves out a last group with little but metadata", () => {
  const count = (blocks: number): number => {
    const device = new MemoryDevice(1024, blocks);
    format(device, { inodeCount: 128, blank: true, now: STAMP });
    return withImage(device, (path) => {
      fsck(path);
      return Number(dump(path).get("Block count"));
    });
  };
  // Two groups of 64 inodes: 16 blocks of table, two bitmaps, two blocks of
  // superblock and descriptors; 50 blocks more must be there for data.
  assert.equal(count(8193 + 69), 8193);
  assert.equal(count(8193 + 70), 8193 + 70);
});

Deno.test("format() makes the smallest volume that it says it needs", () => {
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
    withImage(device, fsck);
  }
});

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

Deno.test("format() of a blank device writes little, whatever its size", () => {
  const path = Deno.makeTempFileSync({ suffix: ".img" });
  const blockSize = 4096;
  const blockCount = 2 ** 40 / blockSize;
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
    format(device, { inodeCount: 2 ** 20, now: STAMP, blank: true });
    // One call for each of the 8192 groups, and the first directories.
    assert.equal(calls, 8192 + 2);
    const fields = dump(path);
    assert.equal(fields.get("Block count"), String(blockCount));
    assert.equal(fields.get("Inode count"), String(2 ** 20));
    fsck(path);
  } finally {
    fs.closeSync(fd);
    Deno.removeSync(path);
  }
});
