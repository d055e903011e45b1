import assert from "node:assert/strict";
import { formatted } from "../tests/support/images.ts";
import { type Credentials, Filesystem, FsError, ROOT_INODE } from "./mod.ts";

const IMMUTABLE = 0x10;
const APPEND_ONLY = 0x20;
const volume = { blockSize: 1024, blockCount: 2048 };

/** The errno name with which `call` is refused, or "done". */
function outcome(call: () => unknown): string {
  try {
    call();
    return "done";
  } catch (error) {
    if (error instanceof FsError) return error.code;
    throw error;
  }
}

Deno.test("the flags of chattr(1) forbid what they say, and no more", () => {
  const fs = Filesystem.open(formatted(volume));
  const name = new TextEncoder().encode("x");
  const one = Uint8Array.of(1);
  const touch = { atime: "now", mtime: "now" } as const;
  const calls: [string, (file: number, dir: number) => unknown, string][] = [
    // What is done, then the outcome for an immutable and an append-only file.
    ["append", (file) => fs.write(file, 3, one), "EPERM done"],
    ["overwrite", (file) => fs.write(file, 0, one), "EPERM EPERM"],
    ["cut", (file) => fs.setattr(file, { size: 1 }), "EPERM EPERM"],
    ["chmod", (file) => fs.setattr(file, { mode: 0o600 }), "EPERM EPERM"],
    ["touch", (file) => fs.setattr(file, touch), "EPERM done"],
    ["set xattr", (file) => fs.setxattr(file, "user.x", one), "EPERM EPERM"],
    ["link", (file, dir) => fs.link(file, dir, "y"), "EPERM EPERM"],
    ["rename", (_, dir) => fs.rename(dir, name, dir, "z"), "EPERM EPERM"],
    ["unlink", (_, dir) => fs.unlink(dir, name), "EPERM EPERM"],
    ["read", (file) => fs.read(file, 0, new Uint8Array(1)), "done done"],
  ];
  for (const [what, call, expected] of calls) {
    const outcomes = [IMMUTABLE, APPEND_ONLY].map((flags) => {
      const dir = fs.mkdir(ROOT_INODE, `${what} ${flags}`);
      const file = fs.create(dir, name);
      fs.write(file, 0, new Uint8Array(3));
      fs.setattr(file, { flags });
      return outcome(() => call(file, dir));
    });
    assert.equal(outcomes.join(" "), expected, what);
  }
});

Deno.test("an immutable directory takes no names and gives none up", () => {
  const fs = Filesystem.open(formatted(volume));
  const dir = fs.mkdir(ROOT_INODE, "d");
  fs.create(dir, "a");
  fs.setattr(dir, { flags: APPEND_ONLY });
  assert.equal(outcome(() => fs.create(dir, "b")), "done");
  assert.equal(outcome(() => fs.unlink(dir, "a")), "EPERM");
  fs.setattr(dir, { flags: IMMUTABLE });
  assert.equal(outcome(() => fs.create(dir, "c")), "EPERM");
  fs.create(ROOT_INODE, "f");
  const move = (): void => fs.rename(ROOT_INODE, "f", dir, "f");
  assert.equal(outcome(move), "EPERM");
  const both = { flags: IMMUTABLE, mode: 0o777 };
  assert.equal(outcome(() => fs.setattr(dir, both)), "EPERM");
  assert.equal(outcome(() => fs.rmdir(ROOT_INODE, "d")), "EPERM");
  fs.setattr(dir, { flags: 0 });
  assert.equal(outcome(() => fs.unlink(dir, "a")), "done");
});

Deno.test("setattr() refuses what an inode cannot hold", () => {
  const fs = Filesystem.open(formatted(volume));
  const file = fs.create(ROOT_INODE, "f");
  const before = fs.getattr(file);
  for (
    const changes of [
      { uid: -1 },
      { gid: 2 ** 32 },
      { size: -1 },
      { size: 1.5 },
      { mode: 0o600, atime: { sec: 0, nsec: 1e9 } },
      { uid: 5, mtime: { sec: NaN, nsec: 0 } },
    ]
  ) {
    assert.equal(outcome(() => fs.setattr(file, changes)), "EINVAL");
  }
  assert.deepEqual(fs.getattr(file), before);
});

Deno.test("set-id bits go when someone but the superuser changes the file", () => {
  const fs = Filesystem.open(formatted(volume));
  const one = Uint8Array.of(1);
  const member = { uid: 1000, gid: 1000, groups: [7, 0] };
  const stranger = { uid: 1000, gid: 1000 };
  type Call = (ino: number, by?: Credentials) => unknown;
  const calls: [string, Call][] = [
    ["write", (ino, by) => fs.write(ino, 0, one, by)],
    ["resize", (ino, by) => fs.setattr(ino, { size: 3 }, by)],
    ["chown", (ino, by) => fs.setattr(ino, { uid: 7 }, by)],
  ];
  // Mode before; after, by the superuser, a member of the group, a stranger.
  const modes = [
    [0o6755, 0o6755, 0o755, 0o755],
    [0o6745, 0o6745, 0o2745, 0o745],
  ];
  for (const [what, call] of calls) {
    for (const [mode, ...expected] of modes) {
      const after = [undefined, member, stranger].map((by, i) => {
        const name = `${what} ${mode} ${i}`;
        const ino = fs.create(ROOT_INODE, name, { mode });
        fs.write(ino, 0, one);
        assert.equal(fs.getattr(ino).mode & 0o7777, mode);
        call(ino, by);
        return fs.getattr(ino).mode & 0o7777;
      });
      // A new owner gets no set-id bits from anyone (POSIX, chown()).
      if (what === "chown") expected[0] = expected[1];
      assert.deepEqual(after, expected, `${what} ${mode.toString(8)}`);
    }
  }
});

Deno.test("times keep their nanoseconds, and those of one call are equal", async () => {
  let ticks = 0;
  const now = (): { sec: number; nsec: number } => ({
    sec: 5000,
    nsec: ++ticks,
  });
  const device = formatted({ ...volume, inodeSize: 256 });
  const fs = Filesystem.open(device, { now, atime: "noatime" });
  const file = fs.create(ROOT_INODE, "f");
  for (const sec of [-(2 ** 31), -1, 0, 2 ** 31, 2 ** 32, 2 ** 34 - 2 ** 32]) {
    for (const nsec of [0, 1, 999_999_999]) {
      const [atime, mtime] = [{ sec, nsec }, { sec, nsec: nsec ^ 1 }];
      fs.setattr(file, { atime, mtime, size: ticks });
      const is = fs.getattr(file);
      assert.deepEqual([is.atime, is.mtime], [atime, mtime]);
    }
  }
  const kept = fs.getattr(file);
  await fs.close();
  const again = Filesystem.open(device.copy(), { now, atime: "noatime" });
  assert.deepEqual(again.getattr(file), kept);
  const changes = { atime: "now", mtime: "now" } as const;
  const { atime, mtime, ctime } = again.setattr(file, changes);
  assert.deepEqual([mtime, ctime], [atime, atime]);
  assert.notDeepEqual(atime, kept.atime);
  await again.close();
});
