import assert from "node:assert/strict";
import { S_IFCHR, S_IFIFO } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import { connect, RemoteFiles } from "../../rpc/mod.ts";
import type { Served } from "./harness.ts";
import { testOnStacks } from "./stacks.ts";

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Declares a test on a fresh volume over each device and kind of socket. */
function testFiles(
  name: string,
  test: (files: RemoteFiles, served: Served) => Promise<void>,
): void {
  testOnStacks(name, async (serve) => {
    for (const which of [0, 1]) {
      await using served = await serve();
      await using client = await connect(served.endpoints[which]);
      await test(new RemoteFiles(client), served);
    }
  });
}

async function refuses(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(
    promise,
    (error) => error instanceof FsError && error.code === code,
    code,
  );
}

async function contents(
  files: RemoteFiles,
  path: string,
  options?: Parameters<RemoteFiles["readFile"]>[1],
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of files.readFile(path, options)) parts.push(part);
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

/** `length` bytes that tell their position. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i >> 8) ^ i);
}

testFiles(
  "files of every size come back as they were written",
  async (files, { fs }) => {
    for (const size of [0, 1, 4095, 4096, 100_000, 1_048_576, 3_000_001]) {
      const data = pattern(size);
      const chunks = [];
      for (let at = 0; at < size; at += 70_000) {
        chunks.push({ offset: at, data: data.subarray(at, at + 70_000) });
      }
      const { ino } = await files.writeFile("/file", chunks);
      const direct = new Uint8Array(size + 10);
      assert.equal(fs.read(ino, 0, direct), size);
      assert.deepEqual(direct.subarray(0, size), data);
      assert.deepEqual(await contents(files, "/file"), data);
      assert.deepEqual(
        await contents(files, "/file", { chunkSize: 5000, readAhead: 7 }),
        data,
      );
    }
  },
);

testFiles("a chunk beyond the longest write is split", async (files) => {
  const data = pattern(2_500_000);
  await files.writeFile("/one", [{ offset: 10, data }]);
  const found = await contents(files, "/one");
  assert.equal(found.length, 2_500_010);
  assert.deepEqual(found.subarray(10), data);
});

testFiles("a part of a file is read on its own", async (files) => {
  const data = pattern(300_000);
  await files.writeFile("/file", [{ offset: 0, data }]);
  for (
    const [offset, length] of [[0, 1], [299_999, 5], [300_000, 5], [
      7,
      250_000,
    ]]
  ) {
    assert.deepEqual(
      await contents(files, "/file", { offset, length, chunkSize: 9999 }),
      data.subarray(offset, offset + length),
    );
  }
  // Leaving early closes the file on the server.
  for await (const _ of files.readFile("/file", { chunkSize: 100 })) break;
});

testFiles("holes are neither sent nor stored", async (files) => {
  const data = pattern(4096);
  const { size, blocks } = await files.writeFile("/sparse", [
    { offset: 8 * 1024 * 1024, data },
    { offset: 0, data },
  ], { size: 64 * 1024 * 1024 });
  assert.equal(size, 64 * 1024 * 1024);
  assert.ok(blocks < 100);
  const found = await contents(files, "/sparse", { length: 8192 });
  assert.deepEqual(found.subarray(0, 4096), data);
  assert.ok(found.subarray(4096).every((byte) => byte === 0));
});

testFiles(
  "writeFile() replaces, keeps or refuses what exists",
  async (files) => {
    const write = (text: string, options = {}): Promise<unknown> =>
      files.writeFile("/file", [{ offset: 0, data: bytesOf(text) }], options);
    await write("0123456789", { mode: 0o600, exclusive: true });
    assert.equal((await files.stat("/file")).mode, 0o100600);
    await refuses(write("x", { exclusive: true }), "EEXIST");
    await write("abc", { keep: true });
    assert.equal(textOf(await contents(files, "/file")), "abc3456789");
    await write("new");
    assert.equal(textOf(await contents(files, "/file")), "new");
    await refuses(files.writeFile("/no/file", []), "ENOENT");
    await refuses(files.writeFile("/lost+found", []), "EISDIR");
    await refuses(contents(files, "/lost+found"), "EISDIR");
    await refuses(contents(files, "/none"), "ENOENT");
  },
);

testFiles(
  "directories are made, listed, renamed and removed",
  async (files) => {
    const list = async (path: string): Promise<string[]> => {
      const names: string[] = [];
      for await (const { name } of files.readDir(path)) {
        names.push(textOf(name));
      }
      return names.sort();
    };
    await files.mkdir("/a");
    await files.mkdir("a/b/", 0o700);
    await files.writeFile("/a/b/f", []);
    assert.deepEqual(await list("/"), ["a", "lost+found"]);
    assert.deepEqual(await list("/a/b"), ["f"]);
    assert.equal((await files.stat("/a/b")).mode, 0o040700);
    await refuses(files.mkdir("/a/b"), "EEXIST");
    await refuses(files.mkdir("/"), "EINVAL");
    await refuses(files.mkdir("/a/.."), "EINVAL");
    await refuses(files.remove("/a/b"), "ENOTEMPTY");
    await files.rename("/a/b/f", "/g");
    await files.writeFile("/h", []);
    await refuses(files.rename("/g", "/h", { noReplace: true }), "EEXIST");
    await files.rename("/g", "/h");
    await files.remove("/a/b");
    await files.remove("/h");
    assert.deepEqual(await list("/a"), []);
    await refuses(files.remove("/h"), "ENOENT");
    await refuses(list("/h"), "ENOENT");
  },
);

testFiles(
  "links are followed where a path means their target",
  async (files) => {
    await files.mkdir("/dir");
    await files.writeFile("/dir/file", [{ offset: 0, data: bytesOf("x") }]);
    await files.symlink("dir/file", "/soft");
    await files.symlink("/dir", "/around");
    await files.link("/around/file", "/hard");
    const { ino } = await files.stat("/dir/file");
    assert.equal((await files.stat("/soft")).ino, ino);
    assert.equal((await files.lstat("/hard")).ino, ino);
    assert.equal((await files.lstat("/soft")).mode >> 12, 0o12);
    assert.equal(textOf(await files.readlink("/soft")), "dir/file");
    await refuses(files.readlink("/hard"), "EINVAL");
    await files.writeFile("/soft", [{ offset: 0, data: bytesOf("yz") }]);
    assert.equal(textOf(await contents(files, "/hard")), "yz");
    await files.remove("/soft");
    assert.equal((await files.stat("/dir/file")).nlink, 2);
    await files.symlink("loop", "/loop");
    await refuses(files.stat("/loop"), "ELOOP");
  },
);

testFiles(
  "attributes are changed, and nodes of every kind made",
  async (files) => {
    await files.writeFile("/file", [{ offset: 0, data: bytesOf("12345") }]);
    const changed = await files.setattr("/file", {
      mode: 0o4711,
      uid: 70_000,
      gid: 80_000,
      size: 3,
      atime: { sec: 5_000_000_000, nsec: 7 },
      mtime: { sec: -1, nsec: 0 },
    });
    const { mode, uid, gid, size, atime, mtime } = await files.stat("/file");
    assert.deepEqual([mode, uid, gid, size], [0o104711, 70_000, 80_000, 3]);
    assert.deepEqual(atime, { sec: 5_000_000_000, nsec: 7 });
    assert.deepEqual(mtime, { sec: -1, nsec: 0 });
    assert.deepEqual(changed.ctime, (await files.stat("/file")).ctime);
    const touched = await files.setattr("/file", { mtime: "now" });
    assert.ok(touched.mtime.sec > 1_600_000_000);
    await files.mknod("/tty", S_IFCHR | 0o620, { major: 4, minor: 64 });
    const tty = await files.stat("/tty");
    assert.deepEqual(tty.rdev, { major: 4, minor: 64 });
    assert.equal(tty.mode, S_IFCHR | 0o620);
    await files.mknod("/pipe", S_IFIFO | 0o600);
    await refuses(contents(files, "/pipe"), "EINVAL");
  },
);

testFiles("extended attributes are set, listed and removed", async (files) => {
  await files.writeFile("/file", []);
  await files.setxattr("/file", "user.one", bytesOf("1"), { create: true });
  await files.setxattr("/file", "user.two", new Uint8Array(1000));
  await refuses(
    files.setxattr("/file", "user.one", bytesOf("2"), { create: true }),
    "EEXIST",
  );
  await refuses(
    files.setxattr("/file", "user.no", bytesOf("2"), { replace: true }),
    "ENODATA",
  );
  assert.equal(textOf(await files.getxattr("/file", "user.one")), "1");
  assert.deepEqual((await files.listxattr("/file")).map(textOf).sort(), [
    "user.one",
    "user.two",
  ]);
  await files.removexattr("/file", "user.one");
  await refuses(files.getxattr("/file", "user.one"), "ENODATA");
});

testFiles("statfs() and sync() reach the engine", async (files, { fs }) => {
  assert.deepEqual(await files.statfs(), fs.statfs());
  await files.sync();
});
