import assert from "node:assert/strict";
import { S_IFCHR, S_IFIFO } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import { connect, type RemoteFiles } from "../../rpc/mod.ts";
import { Served } from "./harness.ts";
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
      await test(client.files, served);
    }
  });
}

/** Declares a test of what the client does, whatever the volume is on. */
function testPaths(
  name: string,
  test: (files: RemoteFiles) => Promise<void>,
): void {
  Deno.test(name, async () => {
    await using served = await Served.start();
    await using client = await connect(served.endpoints[0]);
    await test(client.files);
  });
}

async function refuses(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(
    promise,
    (error) => error instanceof FsError && error.code === code,
    code,
  );
}

async function list(files: RemoteFiles, path: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of files.readDir(path)) names.push(name);
  return names.sort();
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
      await files.writeFile("/file", data);
      const { ino } = await files.stat("/file");
      const direct = new Uint8Array(size + 10);
      assert.equal(fs.read(ino, 0, direct), size);
      assert.deepEqual(direct.subarray(0, size), data);
      assert.deepEqual(await files.readFile("/file"), data);
      await using file = await files.open("/file");
      const parts: Uint8Array[] = [];
      for await (const part of file.chunks({ chunkSize: 5000, readAhead: 7 })) {
        parts.push(part);
      }
      assert.deepEqual(Uint8Array.from(Buffer.concat(parts)), data);
    }
  },
);

testPaths("texts are UTF-8", async (files) => {
  await files.writeTextFile("/text", "grüß Gott");
  assert.equal((await files.stat("/text")).size, 11);
  assert.equal(await files.readTextFile("text"), "grüß Gott");
  await files.writeTextFile(bytesOf("/text"), "!", { append: true });
  assert.equal(await files.readTextFile(bytesOf("/text")), "grüß Gott!");
});

testPaths(
  "writeFile() makes, replaces, extends or refuses a file",
  async (files) => {
    const write = (text: string, options = {}): Promise<void> =>
      files.writeTextFile("/file", text, options);
    await refuses(write("x", { create: false }), "ENOENT");
    await write("0123456789", { mode: 0o600, createNew: true });
    assert.equal((await files.stat("/file")).mode, 0o100600);
    await refuses(write("x", { createNew: true }), "EEXIST");
    await write("abc", { append: true });
    assert.equal(await files.readTextFile("/file"), "0123456789abc");
    await write("new", { create: false });
    assert.equal(await files.readTextFile("/file"), "new");
    await refuses(files.writeTextFile("/no/file", ""), "ENOENT");
    await refuses(files.writeTextFile("/lost+found", ""), "EISDIR");
    await refuses(files.readFile("/lost+found"), "EISDIR");
    await refuses(files.readFile("/none"), "ENOENT");
  },
);

testFiles(
  "directories are made, listed, renamed and removed",
  async (files) => {
    await files.mkdir("/a");
    await files.mkdir("a/b/", { mode: 0o700 });
    await files.writeTextFile("/a/b/f", "");
    assert.deepEqual(await list(files, "/"), ["a", "lost+found"]);
    assert.deepEqual(await list(files, "/a/b"), ["f"]);
    assert.equal((await files.stat("/a/b")).mode, 0o040700);
    await refuses(files.mkdir("/a/b"), "EEXIST");
    await refuses(files.mkdir("/"), "EINVAL");
    await refuses(files.mkdir("/a/.."), "EINVAL");
    await refuses(files.remove("/a/b"), "ENOTEMPTY");
    await files.rename("/a/b/f", "/g");
    await files.writeTextFile("/h", "");
    await refuses(files.rename("/g", "/h", { noReplace: true }), "EEXIST");
    await files.rename("/g", "/h");
    await files.remove("/a/b");
    await files.remove("/h");
    assert.deepEqual(await list(files, "/a"), []);
    await refuses(files.remove("/h"), "ENOENT");
    await refuses(list(files, "/h"), "ENOENT");
  },
);

testPaths("readDir() says of each entry what it is", async (files) => {
  await files.mkdir("/d");
  await files.writeTextFile("/d/file", "12345");
  await files.mkdir("/d/dir");
  await files.symlink("file", "/d/link");
  await files.mknod("/d/pipe", S_IFIFO | 0o600);
  await files.writeTextFile(Uint8Array.of(0x2f, 0x64, 0x2f, 0xff), "x");
  const kinds: Record<string, unknown> = {};
  for await (const entry of files.readDir("/d")) {
    const { name, isFile, isDirectory, isSymlink, isFifo } = entry;
    kinds[name] = [isFile, isDirectory, isSymlink, isFifo];
    if (name === "file") assert.equal(entry.attributes.size, 5);
    if (name === "\ufffd") assert.deepEqual([...entry.nameBytes], [0xff]);
  }
  assert.deepEqual(kinds, {
    file: [true, false, false, false],
    dir: [false, true, false, false],
    link: [false, false, true, false],
    pipe: [false, false, false, true],
    "\ufffd": [true, false, false, false],
  });
});

testPaths("mkdir() makes the directories above, too", async (files) => {
  await files.mkdir("/a/b/c", { recursive: true, mode: 0o700 });
  assert.equal((await files.stat("/a")).mode, 0o040755);
  assert.equal((await files.stat("/a/b/c")).mode, 0o040700);
  await files.mkdir("/a/b/c", { recursive: true });
  await files.mkdir("/", { recursive: true });
  await files.mkdir("a/./b/../new//deep/", { recursive: true });
  assert.deepEqual(await list(files, "/a"), ["b", "new"]);
  await files.symlink("/a/b", "/link");
  await files.mkdir("/link/through", { recursive: true });
  assert.deepEqual(await list(files, "/a/b"), ["c", "through"]);
  await files.writeTextFile("/file", "");
  await refuses(files.mkdir("/file", { recursive: true }), "EEXIST");
  await refuses(files.mkdir("/file/x", { recursive: true }), "ENOTDIR");
  await files.symlink("nowhere", "/dangling");
  await refuses(files.mkdir("/dangling/x", { recursive: true }), "ENOENT");
});

testPaths("remove() removes a tree, and no target of a link", async (files) => {
  await files.mkdir("/keep");
  await files.writeTextFile("/keep/me", "");
  let path = "/tree";
  for (let i = 0; i < 60; i++) {
    await files.mkdir(path);
    const names = Array.from({ length: i % 20 }, (_, j) => `${path}/f${j}`);
    await Promise.all(names.map((name) => files.writeTextFile(name, name)));
    await files.symlink("/keep", `${path}/link`);
    path += "/d";
  }
  await refuses(files.remove("/tree"), "ENOTEMPTY");
  await files.remove("/tree", { recursive: true });
  await files.symlink("/keep", "/link");
  await files.remove("/link", { recursive: true });
  assert.deepEqual(await list(files, "/"), ["keep", "lost+found"]);
  assert.deepEqual(await list(files, "/keep"), ["me"]);
  await files.remove("/keep/me", { recursive: true });
  await refuses(files.remove("/none", { recursive: true }), "ENOENT");
});

testFiles(
  "links are followed where a path means their target",
  async (files) => {
    await files.mkdir("/dir");
    await files.writeTextFile("/dir/file", "x");
    await files.symlink("dir/file", "/soft");
    await files.symlink("/dir", "/around");
    await files.link("/around/file", "/hard");
    const { ino } = await files.stat("/dir/file");
    assert.equal((await files.stat("/soft")).ino, ino);
    assert.equal((await files.lstat("/hard")).ino, ino);
    assert.equal((await files.lstat("/soft")).isSymlink, true);
    assert.equal(await files.readLink("/soft"), "dir/file");
    await refuses(files.readLink("/hard"), "EINVAL");
    await files.writeTextFile("/soft", "yz");
    assert.equal(await files.readTextFile("/hard"), "yz");
    await files.remove("/soft");
    assert.equal((await files.stat("/dir/file")).nlink, 2);
    await files.symlink("loop", "/loop");
    await refuses(files.stat("/loop"), "ELOOP");
    await refuses(files.writeTextFile("/loop", ""), "ELOOP");
  },
);

testPaths("a file is made where a link leads to nothing", async (files) => {
  await files.mkdir("/dir");
  await files.symlink("second", "/dir/first");
  await files.symlink("../new", "/dir/second");
  await files.writeTextFile("/dir/first", "made");
  assert.equal(await files.readTextFile("/new"), "made");
  assert.equal((await files.lstat("/dir/second")).isSymlink, true);
  const exclusive = { createNew: true };
  await refuses(files.writeTextFile("/dir/first", "", exclusive), "EEXIST");
});

testFiles(
  "attributes are changed, and nodes of every kind made",
  async (files) => {
    await files.writeTextFile("/file", "12345");
    await files.chmod("/file", 0o4711);
    await files.chown("/file", 70_000, null);
    await files.chown("/file", null, 80_000);
    await files.chmod("/file", 0o4711);
    await files.truncate("/file", 3);
    await files.utime("/file", { sec: 5_000_000_000, nsec: 7 }, -1);
    const info = await files.stat("/file");
    const { mode, uid, gid, size, attributes } = info;
    assert.deepEqual([mode, uid, gid, size], [0o104711, 70_000, 80_000, 3]);
    assert.deepEqual(attributes.atime, { sec: 5_000_000_000, nsec: 7 });
    assert.deepEqual(attributes.mtime, { sec: -1, nsec: 0 });
    assert.deepEqual(info.mtime, new Date(-1000));
    assert.deepEqual(info.atime, new Date(5_000_000_000_000));
    const date = new Date("2026-02-01T12:30:00.250Z");
    await files.utime("/file", date, date);
    assert.deepEqual((await files.stat("/file")).mtime, date);
    await files.utime("/file", 1.5, "now");
    const touched = await files.stat("/file");
    assert.deepEqual(touched.attributes.atime, { sec: 1, nsec: 500_000_000 });
    assert.ok(touched.mtime > date);
    const changed = await files.setattr("/file", { mode: 0o600, size: 1 });
    assert.deepEqual([changed.mode, changed.size], [0o100600, 1]);
    await assert.rejects(files.utime("/file", NaN, 0), RangeError);
    const rdev = { major: 4, minor: 64 };
    await files.mknod("/tty", S_IFCHR | 0o620, { rdev });
    const tty = await files.stat("/tty");
    assert.deepEqual(tty.attributes.rdev, rdev);
    assert.equal(tty.mode, S_IFCHR | 0o620);
    assert.equal(tty.isCharDevice, true);
    await files.mknod("/pipe", S_IFIFO | 0o600);
    await refuses(files.readFile("/pipe"), "EINVAL");
  },
);

testPaths("links themselves can be changed", async (files) => {
  await files.symlink("nowhere", "/link");
  await files.chown("/link", 5, 6, { follow: false });
  await files.utime("/link", 1, 2, { follow: false });
  const { uid, gid, mtime } = await files.lstat("/link");
  assert.deepEqual([uid, gid, mtime], [5, 6, new Date(2000)]);
  await refuses(files.chown("/link", 5, 6), "ENOENT");
});

testFiles("extended attributes are set, listed and removed", async (files) => {
  await files.writeTextFile("/file", "");
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
  const names = await files.listxattr("/file");
  assert.deepEqual(names.sort(), ["user.one", "user.two"]);
  await files.removexattr("/file", "user.one");
  await refuses(files.getxattr("/file", "user.one"), "ENODATA");
});

testFiles("copyFile() copies contents, holes and mode", async (files) => {
  const data = pattern(1_000_000);
  await files.writeFile("/from", data, { mode: 0o640 });
  await files.copyFile("/from", "/to");
  assert.deepEqual(await files.readFile("/to"), data);
  assert.equal((await files.stat("/to")).mode, 0o100640);
  await files.truncate("/from");
  await files.truncate("/from", 30 * 1024 * 1024);
  await files.chmod("/from", 0o755);
  await files.copyFile("/from", "/to");
  const { size, blocks, mode } = await files.stat("/to");
  assert.deepEqual([size, mode], [30 * 1024 * 1024, 0o100755]);
  assert.ok(blocks < 100, `${blocks} blocks`);
  await files.link("/from", "/same");
  await refuses(files.copyFile("/from", "/same"), "EINVAL");
  assert.equal((await files.stat("/same")).size, 30 * 1024 * 1024);
  await refuses(files.copyFile("/none", "/to"), "ENOENT");
  await refuses(files.copyFile("/from", "/lost+found"), "EISDIR");
  await refuses(files.copyFile("/lost+found", "/x"), "EISDIR");
});

testFiles("statfs() and sync() reach the engine", async (files, { fs }) => {
  assert.deepEqual(await files.statfs(), fs.statfs());
  await files.sync();
});

testPaths("an error says what failed with which path", async (files) => {
  const thrown = async (promise: Promise<unknown>): Promise<FsError> => {
    try {
      await promise;
    } catch (error) {
      if (error instanceof FsError) return error;
    }
    assert.fail("it did not throw an FsError");
  };
  const missing = await thrown(files.readTextFile("/no\nfile"));
  assert.deepEqual(
    [missing.code, missing.operation, missing.path],
    ["ENOENT", "read", "/no\nfile"],
  );
  assert.equal(
    missing.message,
    'Cannot read "/no\\nfile": No such file or directory',
  );
  const moved = await thrown(files.rename("/none", "/new"));
  assert.equal(
    moved.message,
    'Cannot rename "/none" to "/new": No such file or directory',
  );
  await using file = await files.open("/lost+found");
  const directory = await thrown(file.read(new Uint8Array(1)));
  assert.match(directory.message, /^Cannot read "\/lost\+found": Is a dir/);
  const bytes = await thrown(files.stat(Uint8Array.of(0xff)));
  assert.equal(bytes.path, "\ufffd");
});
