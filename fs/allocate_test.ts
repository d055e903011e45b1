import assert from "node:assert/strict";
import { MemoryDevice } from "../bd/memory.ts";
import { assertDeviceClean, formatted } from "../tests/support/images.ts";
import {
  type AllocateOptions,
  type Credentials,
  Filesystem,
  FsError,
  ROOT_INODE,
} from "./mod.ts";

const KIB = 1024;
const MIB = 1 << 20;
const IMMUTABLE = 0x10;
const APPEND_ONLY = 0x20;
const ORDINARY = { uid: 1000, gid: 1000 };
const small = { blockSize: KIB, blockCount: 4096 };

/** A new volume in memory with an empty file. */
function withFile(shape = small): {
  device: MemoryDevice;
  fs: Filesystem;
  ino: number;
} {
  const device = formatted(shape);
  const fs = Filesystem.open(device);
  return { device, fs, ino: fs.create(ROOT_INODE, "file") };
}

/** Goes on until all is done, as fallocate(2) does; returns the calls made. */
function allocateAll(
  fs: Filesystem,
  ino: number,
  options: AllocateOptions,
  credentials?: Credentials,
): number {
  let { offset, length } = options;
  for (let calls = 1;; calls++) {
    const rest = { ...options, offset, length };
    const done = fs.allocate(ino, rest, credentials);
    assert.ok(done > 0 && done <= length);
    offset += done;
    length -= done;
    if (length === 0) return calls;
  }
}

/** The errno name with which `call` is refused, or what it returns. */
function outcome(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    if (error instanceof FsError) return error.code;
    throw error;
  }
}

Deno.test("allocate() takes what a full volume can then no longer refuse", async () => {
  const { device, fs, ino } = withFile();
  fs.write(ino, 5000, new Uint8Array(100).fill(1));
  allocateAll(fs, ino, { offset: 300, length: MIB });
  assert.equal(fs.getattr(ino).size, MIB + 300);
  const filler = fs.create(ROOT_INODE, "filler");
  const free = fs.statfs().blocksFree;
  const most = { offset: 0, length: (free - 40) * KIB };
  allocateAll(fs, filler, most);
  for (let at = most.length;; at += KIB) {
    const one = { offset: at, length: KIB };
    if (outcome(() => fs.allocate(filler, one)) === "ENOSPC") break;
  }
  assert.equal(fs.write(ino, 0, new Uint8Array(MIB + 300).fill(2)), MIB + 300);
  await fs.close();
  await assertDeviceClean(device);
});

Deno.test("allocate() leaves what was there, and shows zeros elsewhere", () => {
  const { fs, ino } = withFile();
  fs.write(ino, 5000, Uint8Array.of(1, 2, 3));
  const { blocks } = fs.getattr(ino);
  assert.equal(fs.allocate(ino, { offset: 4096, length: 2048 }), 2048);
  assert.equal(fs.getattr(ino).blocks, blocks + 2);
  assert.equal(fs.getattr(ino).size, 6144);
  const into = new Uint8Array(7000).fill(9);
  assert.equal(fs.read(ino, 0, into), 6144);
  assert.deepEqual([...into.subarray(4998, 5005)], [0, 0, 1, 2, 3, 0, 0]);
  assert.equal(into.subarray(0, 6144).reduce((sum, byte) => sum + byte), 6);
});

Deno.test("keepSize takes blocks up to the last one of the file only", () => {
  const { fs, ino } = withFile();
  fs.setattr(ino, { size: 5000 });
  const keep = (offset: number, length: number): unknown =>
    outcome(() => fs.allocate(ino, { offset, length, keepSize: true }));
  assert.equal(keep(0, 5121), "EOPNOTSUPP");
  assert.equal(keep(8192, 1), "EOPNOTSUPP");
  assert.equal(fs.getattr(ino).blocks, 0);
  assert.equal(keep(0, 5120), 5120);
  assert.equal(fs.getattr(ino).blocks, 10);
  assert.equal(fs.getattr(ino).size, 5000);
  const zero = { offset: 4990, length: 131, keepSize: true, zeroRange: true };
  assert.equal(outcome(() => fs.allocate(ino, zero)), "EOPNOTSUPP");
  assert.equal(fs.allocate(ino, { ...zero, length: 130 }), 130);
  assert.equal(fs.getattr(ino).size, 5000);
});

Deno.test("punchHole frees whole blocks and zeros the others", () => {
  const { fs, ino } = withFile();
  fs.write(ino, 0, new Uint8Array(10 * KIB).fill(1));
  const hole = { offset: 1500, length: 2600, keepSize: true, punchHole: true };
  assert.equal(fs.allocate(ino, hole), 2600);
  assert.equal(fs.getattr(ino).blocks, 16);
  const into = new Uint8Array(10 * KIB);
  fs.read(ino, 0, into);
  into.forEach((byte, i) => assert.equal(byte, i < 1500 || i >= 4100 ? 1 : 0));
  // Behind the end there is nothing to keep: the last block goes too.
  fs.setattr(ino, { size: 9 * KIB + 10 });
  const tail = { ...hole, offset: 9 * KIB, length: 10 };
  fs.allocate(ino, tail);
  assert.equal(fs.getattr(ino).blocks, 14);
  assert.equal(fs.getattr(ino).size, 9 * KIB + 10);
});

Deno.test("zeroRange reads as zeros, has its blocks, and grows the file", () => {
  const { fs, ino } = withFile();
  fs.write(ino, 0, new Uint8Array(3 * KIB).fill(1));
  const range = { offset: 100, length: 5 * KIB, zeroRange: true };
  allocateAll(fs, ino, range);
  const { size, blocks } = fs.getattr(ino);
  assert.deepEqual([size, blocks], [100 + 5 * KIB, 12]);
  const into = new Uint8Array(size);
  fs.read(ino, 0, into);
  into.forEach((byte, i) => assert.equal(byte, i < 100 ? 1 : 0));
});

Deno.test("each call does a bounded part, and a few do all of it", () => {
  const { fs, ino } = withFile({ blockSize: 4096, blockCount: 16_384 });
  const length = 40 * MIB + 5;
  assert.ok(fs.allocate(ino, { offset: 0, length }) <= fs.transferMax);
  const calls = allocateAll(fs, ino, { offset: 0, length });
  assert.ok(calls >= 40 && calls < 60, `${calls} calls`);
  // What is there already takes no more than a look.
  assert.equal(fs.allocate(ino, { offset: 0, length }), length);
  const zero = { offset: 0, length, zeroRange: true };
  assert.ok(fs.allocate(ino, zero) <= fs.transferMax);
  const hole = { offset: 0, length, keepSize: true, punchHole: true };
  assert.equal(fs.allocate(ino, hole), length);
  assert.equal(fs.getattr(ino).blocks, 0);
});

Deno.test("allocate() refuses what ext2 cannot hold, and what makes no sense", () => {
  const { fs, ino } = withFile();
  const dir = fs.mkdir(ROOT_INODE, "dir");
  const link = fs.symlink(ROOT_INODE, "link", "x");
  fs.write(ino, 0, new Uint8Array(KIB));
  const before = fs.getattr(ino);
  const whole = { offset: 0, length: KIB };
  const cases: [number, AllocateOptions, string][] = [
    [dir, whole, "EISDIR"],
    [link, whole, "EINVAL"],
    [1_000_000, whole, "ESTALE"],
    [ino, { offset: 0, length: 0 }, "EINVAL"],
    [ino, { offset: 0, length: -1 }, "EINVAL"],
    [ino, { offset: -1, length: 1 }, "EINVAL"],
    [ino, { offset: 0.5, length: 1 }, "EINVAL"],
    [ino, { offset: 2 ** 40, length: 1 }, "EFBIG"],
    [ino, { offset: 2 ** 53 - 1, length: 2 ** 53 - 1 }, "EFBIG"],
    [ino, { ...whole, punchHole: true }, "EOPNOTSUPP"],
    [
      ino,
      { ...whole, keepSize: true, punchHole: true, zeroRange: true },
      "EOPNOTSUPP",
    ],
    // More than the volume has: refused before the volume is filled up.
    [ino, { offset: 0, length: 8 * MIB }, "ENOSPC"],
    [ino, { offset: 0, length: 8 * MIB, zeroRange: true }, "ENOSPC"],
  ];
  for (const [target, options, code] of cases) {
    const text = JSON.stringify(options);
    assert.equal(outcome(() => fs.allocate(target, options)), code, text);
  }
  assert.deepEqual(fs.getattr(ino), before);
  assert.ok(fs.statfs().blocksFree > 3000);
});

Deno.test("flags, a read-only volume and the reserve hold for allocate() too", async () => {
  const { device, fs, ino } = withFile();
  fs.write(ino, 0, new Uint8Array(KIB));
  const range = { offset: 0, length: KIB };
  const modes = [
    {},
    { zeroRange: true },
    { keepSize: true, punchHole: true },
  ].map((mode) => ({ ...range, ...mode }));
  for (const [flags, expected] of [[IMMUTABLE, 3], [APPEND_ONLY, 2]]) {
    fs.setattr(ino, { flags });
    const results = modes.map((mode) => outcome(() => fs.allocate(ino, mode)));
    assert.equal(results.filter((code) => code === "EPERM").length, expected);
    fs.setattr(ino, { flags: 0 });
  }
  const { blocksAvailable, blocksFree } = fs.statfs();
  assert.ok(blocksAvailable < blocksFree - 50);
  const most = { offset: KIB, length: blocksAvailable * KIB };
  assert.throws(() => allocateAll(fs, ino, most, ORDINARY), { code: "ENOSPC" });
  allocateAll(fs, ino, most);
  await fs.close();
  const reader = Filesystem.open(device.copy(), { readOnly: true });
  for (const mode of modes) {
    assert.equal(outcome(() => reader.allocate(ino, mode)), "EROFS");
  }
  await reader.close();
});

Deno.test("allocate() sets times and drops set-id bits as a write does", () => {
  let sec = 1000;
  const fs = Filesystem.open(formatted(small), {
    now: () => ({ sec, nsec: 0 }),
  });
  const modes = [
    { offset: 0, length: 100 },
    { offset: 0, length: 100, zeroRange: true },
    { offset: 0, length: 100, keepSize: true, punchHole: true },
  ];
  for (const [i, options] of modes.entries()) {
    const ino = fs.create(ROOT_INODE, `file ${i}`, { mode: 0o6755 });
    fs.write(ino, 0, new Uint8Array(100));
    sec += 10;
    fs.allocate(ino, options);
    const { mode, mtime, ctime } = fs.getattr(ino);
    assert.deepEqual([mtime.sec, ctime.sec], [sec, sec]);
    assert.equal(mode & 0o7777, 0o6755);
    fs.allocate(ino, options, ORDINARY);
    assert.equal(fs.getattr(ino).mode & 0o7777, 0o755);
    sec += 10;
    const behind = { offset: 100, length: 5, keepSize: true, punchHole: true };
    assert.equal(fs.allocate(ino, behind), 5);
    assert.equal(fs.getattr(ino).mtime.sec, sec - 10);
  }
});
