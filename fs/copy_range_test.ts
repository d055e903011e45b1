import assert from "node:assert/strict";
import { assertDeviceClean, formatted } from "../tests/support/images.ts";
import { Filesystem, FsError, ROOT_INODE } from "./mod.ts";

const KIB = 1024;
const MIB = 1 << 20;
const IMMUTABLE = 0x10;
const ORDINARY = { uid: 1000, gid: 1000 };
const shape = { blockSize: KIB, blockCount: 8192 };

/** Copies until nothing is left; returns the number of calls and bytes. */
function copyAll(
  fs: Filesystem,
  range: Parameters<Filesystem["copyRange"]>[0],
): { calls: number; bytes: number } {
  let bytes = 0;
  for (let calls = 1;; calls++) {
    const done = fs.copyRange({
      ...range,
      fromOffset: range.fromOffset + bytes,
      toOffset: range.toOffset + bytes,
      length: range.length - bytes,
    });
    bytes += done;
    if (done === 0 || bytes === range.length) return { calls, bytes };
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

Deno.test("copyRange() copies data and holes, in a few calls", async () => {
  const device = formatted(shape);
  const fs = Filesystem.open(device);
  const [from, to] = ["a", "b"].map((name) => fs.create(ROOT_INODE, name));
  const data = new Uint8Array(3 * MIB).map((_, i) => i % 251);
  fs.write(from, 100, data);
  fs.write(from, 2 ** 32, Uint8Array.of(1, 2, 3));
  fs.write(to, 0, new Uint8Array(MIB).fill(9));
  const range = { from, fromOffset: 0, to, toOffset: 0, length: 2 ** 40 };
  const { calls, bytes } = copyAll(fs, range);
  assert.equal(bytes, 2 ** 32 + 3);
  assert.ok(calls < 8, `${calls} calls`);
  const [a, b] = [from, to].map((ino) => fs.getattr(ino));
  assert.deepEqual([b.size, b.blocks], [a.size, a.blocks]);
  const into = new Uint8Array(data.length);
  fs.read(to, 100, into);
  assert.deepEqual(into, data);
  fs.read(to, 2 ** 32, into);
  assert.deepEqual([...into.subarray(0, 3)], [1, 2, 3]);
  // Holes arrive as holes, also where the target had blocks, and shifted.
  const shifted = { ...range, fromOffset: 5 * MIB, toOffset: 100, length: MIB };
  copyAll(fs, shifted);
  assert.equal(fs.seekData(to, 0, { hole: true }), KIB);
  assert.equal(fs.seekData(to, KIB, { hole: false }), MIB);
  await fs.close();
  await assertDeviceClean(device);
});

Deno.test("copyRange() within a file refuses to copy a range over itself", () => {
  const fs = Filesystem.open(formatted(shape));
  const ino = fs.create(ROOT_INODE, "file");
  fs.write(ino, 0, Uint8Array.of(1, 2, 3, 4, 5, 6));
  const copy = (fromOffset: number, toOffset: number, length: number) =>
    outcome(() =>
      fs.copyRange({ from: ino, fromOffset, to: ino, toOffset, length })
    );
  assert.equal(copy(0, 2, 3), "EINVAL");
  assert.equal(copy(2, 0, 3), "EINVAL");
  assert.equal(copy(1, 1, 1), "EINVAL");
  assert.equal(copy(0, 3, 3), 3);
  assert.equal(copy(6, 6, 9), 0);
  assert.equal(copy(4, 8, 100), 2);
  const into = new Uint8Array(11);
  assert.equal(fs.read(ino, 0, into), 10);
  assert.deepEqual([...into], [1, 2, 3, 1, 2, 3, 0, 0, 2, 3, 0]);
});

Deno.test("copyRange() refuses what a write would, and changes nothing", () => {
  const fs = Filesystem.open(formatted(shape));
  const [from, to] = ["a", "b"].map((name) => fs.create(ROOT_INODE, name));
  fs.write(from, 0, new Uint8Array(100));
  const dir = fs.mkdir(ROOT_INODE, "dir");
  const range = { from, fromOffset: 0, to, toOffset: 0, length: 100 };
  const cases: [Partial<typeof range>, unknown][] = [
    [{ from: dir }, "EISDIR"],
    [{ to: dir }, "EISDIR"],
    [{ from: 1_000_000 }, "ESTALE"],
    [{ fromOffset: -1 }, "EINVAL"],
    [{ toOffset: 0.5 }, "EINVAL"],
    [{ length: -1 }, "EINVAL"],
    [{ toOffset: 2 ** 40 }, "EFBIG"],
    [{ fromOffset: 100 }, 0],
    [{ fromOffset: 2 ** 50 }, 0],
    [{ length: 0 }, 0],
  ];
  const before = fs.getattr(to);
  for (const [change, expected] of cases) {
    const call = (): number => fs.copyRange({ ...range, ...change });
    assert.equal(outcome(call), expected, JSON.stringify(change));
  }
  assert.deepEqual(fs.getattr(to), before);
  fs.setattr(to, { flags: IMMUTABLE });
  assert.equal(outcome(() => fs.copyRange(range)), "EPERM");
});

Deno.test("copyRange() sets times and drops set-id bits as a write does", () => {
  let sec = 1000;
  const fs = Filesystem.open(formatted(shape), {
    now: () => ({ sec, nsec: 0 }),
  });
  const from = fs.create(ROOT_INODE, "a");
  const to = fs.create(ROOT_INODE, "b", { mode: 0o6755 });
  fs.write(from, 0, new Uint8Array(100));
  const range = { from, fromOffset: 0, to, toOffset: 0, length: 100 };
  sec += 10;
  fs.copyRange(range);
  const { mode, mtime, ctime } = fs.getattr(to);
  assert.deepEqual([mode & 0o7777, mtime.sec, ctime.sec], [0o6755, sec, sec]);
  const source = fs.getattr(from);
  assert.deepEqual([source.atime.sec, source.mtime.sec], [sec, sec - 10]);
  fs.copyRange(range, ORDINARY);
  assert.equal(fs.getattr(to).mode & 0o7777, 0o755);
});
