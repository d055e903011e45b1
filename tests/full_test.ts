/**
 * Volumes without room: what does not fit is refused and leaves no trace, and
 * what is freed can be used again.
 */

import assert from "node:assert/strict";
import { Filesystem, Paths, ROOT_INODE } from "../fs/mod.ts";
import { edge, volume } from "./support/edge.ts";
import { describeVolume } from "./support/tree.ts";

const MIB = 1 << 20;
const NO_SPACE = { name: "FsError", code: "ENOSPC" };

/** Takes blocks, at last one by one, until only `left` are free. */
function fill(fs: Filesystem, left: number): number {
  const dir = fs.mkdir(ROOT_INODE, "links", { mode: 0o700 });
  // Room for names first, so that each link then takes exactly one block.
  const names = Array.from({ length: 120 }, (_, n) => `link ${n}`);
  for (const name of names) fs.symlink(dir, name, "t");
  for (const name of names) fs.unlink(dir, name);
  const ino = fs.create(ROOT_INODE, "filler", { mode: 0o600 });
  const piece = new Uint8Array(32 * fs.blockSize).fill(1);
  for (let at = 0; fs.statfs().blocksFree > left + 40; at += piece.length) {
    fs.write(ino, at, piece);
  }
  while (fs.statfs().blocksFree > left) {
    fs.symlink(dir, names.pop()!, "t".repeat(60));
  }
  assert.equal(fs.statfs().blocksFree, left);
  return ino;
}

/** Asserts that an operation is refused and that nothing has changed. */
function refused(fs: Filesystem, what: string, operation: () => void): void {
  const [before, free] = [describeVolume(fs), fs.statfs()];
  assert.throws(operation, NO_SPACE, what);
  assert.deepEqual(fs.statfs(), free, what);
  assert.deepEqual(describeVolume(fs), before, what);
}

await edge(
  "a full volume refuses what needs a block, and takes what does not",
  volume(1024, 2 * MIB, { inodeCount: 300 }),
  (fs) => {
    const small = fs.create(ROOT_INODE, "small", { mode: 0o644 });
    fs.write(small, 0, new Uint8Array(10));
    const filler = fill(fs, 0);

    const text = (n: number): string => "t".repeat(n);
    refused(fs, "mkdir", () => fs.mkdir(ROOT_INODE, "d"));
    refused(fs, "symlink", () => fs.symlink(ROOT_INODE, "s", text(60)));
    refused(fs, "write", () => fs.write(small, 1024, new Uint8Array(1)));
    refused(fs, "xattr", () => fs.setxattr(small, "user.x", new Uint8Array(9)));

    fs.write(small, 0, new Uint8Array(1024).fill(7));
    fs.symlink(ROOT_INODE, "fast", text(59));
    fs.create(ROOT_INODE, "empty", { mode: 0o644 });
    fs.setattr(small, { size: 1 << 30 });
    fs.link(small, ROOT_INODE, "again");
    fs.rename(ROOT_INODE, "again", ROOT_INODE, "renamed");

    const { size } = fs.getattr(filler);
    fs.unlink(ROOT_INODE, "filler");
    const again = fs.create(ROOT_INODE, "filler", { mode: 0o600 });
    fs.write(again, 0, new Uint8Array(size));
    assert.equal(fs.statfs().blocksFree, 0);
  },
);

await edge(
  "a write larger than the free space leaves no trace, or says how far it got",
  volume(1024, 6 * MIB),
  (fs) => {
    const ino = fs.create(ROOT_INODE, "f", { mode: 0o644 });
    const much = new Uint8Array(7 * MIB).fill(1);
    const written = fs.write(ino, 3, much);
    assert.ok(written < 6 * MIB && written % MIB === 0, String(written));
    assert.equal(fs.getattr(ino).size, 3 + written);
    const mib = much.subarray(0, MIB);
    refused(fs, "1 MiB behind", () => fs.write(ino, 3 + written, mib));
    refused(fs, "1 MiB beyond a hole", () => fs.write(ino, 2 ** 30, mib));
    const into = new Uint8Array(5);
    fs.read(ino, 0, into);
    assert.deepEqual([...into], [0, 0, 0, 1, 1]);
  },
);

await edge(
  "with one block free, two are refused and one is given",
  volume(1024, 2 * MIB),
  (fs) => {
    fill(fs, 1);
    const other = fs.create(ROOT_INODE, "other", { mode: 0o644 });
    refused(
      fs,
      "an indirect block and a block",
      () => fs.write(other, 12 * 1024, new Uint8Array(1)),
    );
    refused(fs, "two blocks", () => fs.write(other, 0, new Uint8Array(1025)));
    assert.equal(fs.write(other, 0, new Uint8Array(1024)), 1024);
    assert.equal(fs.statfs().blocksFree, 0);
  },
);

await edge(
  "a full inode table refuses new files until one is removed",
  volume(1024, 2 * MIB, { inodeCount: 64 }),
  (fs) => {
    let made = 0;
    for (; fs.statfs().inodesFree > 0; made++) {
      fs.create(ROOT_INODE, `f${made}`, { mode: 0o644 });
    }
    assert.ok(made > 40);
    refused(fs, "create", () => fs.create(ROOT_INODE, "x", { mode: 0 }));
    refused(fs, "mkdir", () => fs.mkdir(ROOT_INODE, "x", { mode: 0 }));
    refused(fs, "symlink", () => fs.symlink(ROOT_INODE, "x", "target"));
    fs.link(fs.lookup(ROOT_INODE, "f0"), ROOT_INODE, "linked");
    fs.unlink(ROOT_INODE, "f7");
    const { generation } = fs.getattr(fs.create(ROOT_INODE, "f7"));
    fs.unlink(ROOT_INODE, "f7");
    const reused = fs.getattr(fs.create(ROOT_INODE, "f7"));
    assert.notEqual(
      reused.generation,
      generation,
      "generation of a reused inode",
    );
  },
);

await edge(
  "reserved blocks are for the superuser only",
  volume(4096, 8 * MIB, { reservedPercent: 10 }),
  (fs) => {
    const user = { uid: 1000, gid: 1000 };
    const ino = fs.create(ROOT_INODE, "f", { mode: 0o644, credentials: user });
    const block = new Uint8Array(4096).fill(1);
    const { blocksFree, blocksAvailable } = fs.statfs();
    const reserved = blocksFree - blocksAvailable;
    assert.equal(reserved, Math.floor(2048 / 10));
    let at = 0;
    assert.throws(() => {
      for (;; at += block.length) fs.write(ino, at, block, user);
    }, NO_SPACE);
    assert.equal(fs.statfs().blocksAvailable, 0);
    assert.equal(fs.statfs().blocksFree, reserved);
    assert.throws(
      () => fs.mkdir(ROOT_INODE, "d", { mode: 0o755, credentials: user }),
      NO_SPACE,
    );
    fs.mkdir(ROOT_INODE, "d", { mode: 0o755 });
    fs.write(ino, at, block);
    assert.equal(fs.statfs().blocksFree, reserved - 2);
  },
);

await edge(
  "attributes that do not fit are refused, those that just fit are kept",
  volume(1024, 2 * MIB),
  (fs) => {
    const ino = fs.create(ROOT_INODE, "f", { mode: 0o644 });
    // A header of 32 bytes, an entry of 16 with its name, 4 zeros at the end.
    const most = new Uint8Array(1024 - 32 - 20 - 4).fill(5);
    fs.setxattr(ino, "user.name", most);
    refused(
      fs,
      "one more byte",
      () => fs.setxattr(ino, "user.name", new Uint8Array(most.length + 1)),
    );
    refused(
      fs,
      "one more",
      () => fs.setxattr(ino, "user.b", new Uint8Array(0)),
    );
    refused(
      fs,
      "a large one",
      () => fs.setxattr(ino, "trusted.c", new Uint8Array(100_000)),
    );
    assert.deepEqual(fs.getxattr(ino, "user.name"), most);
    fs.removexattr(ino, "user.name");
    assert.equal(fs.getattr(ino).blocks, 0);
  },
);

await edge(
  "an open file without a name lives until the last release",
  volume(1024, 90 * MIB),
  async (fs, device) => {
    const free = fs.statfs();
    const paths = new Paths(fs);
    const ino = paths.writeFile("/f", new Uint8Array(70 * MIB).fill(3));
    const gone = paths.writeFile("/gone", new Uint8Array(3 * MIB).fill(4));
    for (const retained of [ino, ino, gone]) fs.retain(retained);
    paths.remove("/f");
    paths.remove("/gone");
    assert.equal(fs.getattr(ino).nlink, 0);
    fs.write(ino, 70 * MIB, new Uint8Array([1, 2]));
    fs.release(ino);
    const into = new Uint8Array(4);
    assert.equal(fs.read(ino, 70 * MIB - 1, into), 3);
    assert.deepEqual([...into], [3, 1, 2, 0]);

    await fs.sync();
    const crashed = (await import("../fs/mod.ts")).Filesystem.open(
      device.copy(),
    );
    assert.equal(crashed.statfs().blocksFree, free.blocksFree);
    assert.throws(() => crashed.getattr(ino), { code: "ESTALE" });
    await crashed.close();

    fs.release(ino);
    fs.release(gone);
    assert.throws(() => fs.getattr(ino), { code: "ESTALE" });
    assert.deepEqual(fs.statfs(), free);
  },
);
