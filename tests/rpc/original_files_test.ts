import assert from "node:assert/strict";
import {
  FLAGS,
  OriginalClient,
  Text,
  text,
  withClient,
} from "./original_client.ts";

/** A mode of file_open. */
const how = (mode: string): Text => new Text(mode);

const {
  RDONLY,
  WRONLY,
  RDWR,
  CREAT,
  EXCL,
  TRUNC,
  APPEND,
  DIRECTORY,
  NOFOLLOW,
  SYNC,
} = FLAGS;

Deno.test("file_open knows the modes of fopen(3)", async () => {
  await withClient(async (client) => {
    for (const mode of ["r", "r+", "rb", "r+b", "rb+"]) {
      await client.refuses("ENOENT", "file_open", "/none", how(mode));
    }
    const cases = [
      ["w", "new", "EBADF"],
      ["wb", "new", "EBADF"],
      ["w+", "new", ""],
      ["w+b", "new", ""],
      ["a", "oldnew", "EBADF"],
      ["a+", "oldnew", ""],
      ["ab+", "oldnew", ""],
      ["r+", "new", "old"],
      ["rb+", "new", "old"],
    ];
    for (const [mode, after, before] of cases) {
      await client.put("/file", "old");
      const file = await client.open("/file", mode);
      if (before === "EBADF") {
        await client.refuses("EBADF", "file_read", file, 10);
      } else if (!mode.startsWith("a")) {
        assert.equal(await client.read(file), before, mode);
      }
      await client.call("file_seek", file, 0, 0);
      await client.write(file, "new");
      await client.call("file_close", file);
      assert.equal(await client.content("/file"), after, mode);
    }
    const file = await client.open("/file", "rb");
    await client.refuses("EBADF", "file_write", file, "x");
    await client.refuses("EBADF", "file_truncate", file, 0);
    for (const mode of ["", "rw", "x", "+r", "r++", "rbb", "b"]) {
      await client.refuses("EINVAL", "file_open", "/file", how(mode));
    }
    await client.refuses("EINVAL", "file_open", "/file", how("r+bbb"));
  });
});

Deno.test("file_open refuses what is no file", async () => {
  await withClient(async (client) => {
    await client.put("/file");
    await client.call("dir_mk", "/dir");
    await client.call("symlink", "/loop", "/loop");
    await client.call("mknod", "/pipe", 0o010644, [0, 0]);
    await client.refuses("EISDIR", "file_open", "/dir", how("w"));
    await client.refuses("EISDIR", "file_open", "/dir", how("r+"));
    await client.refuses("EISDIR", "file_open", "/", how("a"));
    await client.refuses("EISDIR", "file_open", "/dir/..", how("w"));
    await client.refuses("EISDIR", "file_open", "/new/", how("w"));
    await client.refuses("ENOTDIR", "file_open", "/file/x", how("w"));
    await client.refuses("ENOTDIR", "file_open", "/file/", how("r"));
    await client.refuses("ENOENT", "file_open", "/none/x", how("w"));
    await client.refuses("ENOENT", "file_open", "", how("r"));
    await client.refuses("ELOOP", "file_open", "/loop", how("r"));
    await client.refuses("ELOOP", "file_open", "/loop", how("w"));
    await client.refuses("EINVAL", "file_open", "/pipe", how("r"));
    const long = "x".repeat(256);
    await client.refuses("ENAMETOOLONG", "file_open", long, how("w"));
    await client.refuses(
      "ENAMETOOLONG",
      "file_open",
      "x/".repeat(2048),
      how("r"),
    );
  });
});

Deno.test("file_open2 knows the flags of open(2)", async () => {
  await withClient(async (client) => {
    await client.refuses("ENOENT", "file_open2", "/file", WRONLY);
    await client.open("/file", WRONLY | CREAT | EXCL);
    assert.equal(await client.get("mode_get", "/file"), 0o100666);
    for (const path of ["/file", "/", "/."]) {
      const code = path === "/file" ? "EEXIST" : "EISDIR";
      await client.refuses(code, "file_open2", path, CREAT | EXCL);
    }
    await client.put("/file", "old");
    const end = await client.open("/file", RDWR | APPEND);
    await client.write(end, "new");
    assert.equal(await client.get("file_tell", end), 6);
    assert.equal(await client.content("/file"), "oldnew");
    await client.open("/file", RDWR | TRUNC);
    assert.equal(await client.get("file_size", end), 0);
    await client.write(end, "1");
    assert.equal(await client.content("/file"), "1");
    const synced = await client.open("/file", WRONLY | SYNC);
    await client.write(synced, "2");

    await client.call("dir_mk", "/dir");
    await client.open("/dir", RDONLY | DIRECTORY);
    await client.refuses("ENOTDIR", "file_open2", "/file", DIRECTORY);
    await client.refuses("EISDIR", "file_open2", "/dir", WRONLY);
    await client.refuses("EISDIR", "file_open2", "/dir", RDONLY | CREAT);
    await client.refuses("EINVAL", "file_open2", "/d", CREAT | DIRECTORY);
    await client.refuses("EINVAL", "file_open2", "/file", EXCL);
    await client.refuses("EINVAL", "file_open2", "/file", TRUNC);
    await client.refuses("EINVAL", "file_open2", "/file", 3);
    await client.refuses("EINVAL", "file_open2", "/file", 0o40);
  });
});

Deno.test("opening follows symbolic links, to where a file is to be made", async () => {
  await withClient(async (client) => {
    await client.call("dir_mk", "/dir");
    await client.put("/dir/file", "here");
    await client.call("symlink", "dir/file", "/link");
    assert.equal(await client.content("/link"), "here");
    await client.refuses("ELOOP", "file_open2", "/link", NOFOLLOW);
    await client.refuses("ELOOP", "file_open2", "/link", CREAT | NOFOLLOW);
    await client.refuses("EEXIST", "file_open2", "/link", CREAT | EXCL);
    await client.open("/dir/file", NOFOLLOW);

    await client.call("symlink", "../made", "/dir/first");
    await client.call("symlink", "dir/first", "/second");
    await client.refuses("ENOENT", "file_open", "/second", how("r"));
    await client.refuses("EEXIST", "file_open2", "/second", CREAT | EXCL);
    await client.put("/second", "made");
    assert.equal(await client.content("/made"), "made");
    await client.call("symlink", "/none/x", "/lost");
    await client.refuses("ENOENT", "file_open", "/lost", how("w"));
    await client.call("symlink", "/dir", "/to-dir");
    await client.refuses("EISDIR", "file_open", "/to-dir", how("w"));
    await client.call("symlink", "/", "/to-root");
    await client.refuses("EISDIR", "file_open", "/to-root", how("w"));
  });
});

Deno.test("a file is read, written and measured at its position", async () => {
  await withClient(async (client) => {
    const file = await client.open("/file", "w+");
    await client.write(file, "0123456789");
    assert.equal(await client.get("file_tell", file), 10);
    assert.equal(await client.read(file), "");
    assert.equal(await client.get("file_seek", file, 3, 0), 3);
    assert.equal(await client.read(file, 2), "34");
    assert.equal(await client.get("file_seek", file, 1, 1), 6);
    assert.equal(await client.read(file, 0), "");
    assert.equal(await client.get("file_seek", file, -4, 2), 6);
    await client.write(file, "ab");
    assert.equal(await client.get("file_tell", file), 8);
    await client.refuses("EINVAL", "file_seek", file, -9, 1);
    await client.refuses("EINVAL", "file_seek", file, -11, 2);
    await client.refuses("EINVAL", "file_seek", file, 0, 3);
    const last = BigInt(Number.MAX_SAFE_INTEGER);
    await client.refuses("EINVAL", "file_seek", file, last, 1);
    assert.equal(await client.get("file_tell", file), 8);

    await client.call("file_seek", file, 10, 2);
    await client.write(file, "end");
    assert.equal(await client.get("file_size", file), 23);
    await client.call("file_truncate", file, 30);
    assert.equal(await client.get("file_size", file), 30);
    await client.call("file_truncate", file, 4);
    assert.equal(await client.get("file_tell", file), 23);
    assert.equal(await client.read(file), "");
    assert.equal(await client.content("/file"), "0123");
    await client.refuses("EFBIG", "file_truncate", file, last);
    await client.call("file_seek", file, last, 0);
    await client.refuses("EFBIG", "file_write", file, "x");
    await client.refuses("EINVAL", "file_read", file, 2 ** 21);
  });
});

Deno.test("descriptors that are not open are refused, and come once", async () => {
  await withClient(async (client, served) => {
    const file = await client.open("/file", "w");
    const other = await OriginalClient.connect(served);
    const dir = await client.get<number>("dir_open", "/");
    for (const one of [99, 0]) {
      await client.refuses("EBADF", "file_close", one);
      await client.refuses("EBADF", "file_read", one, 1);
      await client.refuses("EBADF", "file_write", one, "x");
      await client.refuses("EBADF", "file_seek", one, 0, 0);
      await client.refuses("EBADF", "file_tell", one);
      await client.refuses("EBADF", "file_size", one);
      await client.refuses("EBADF", "file_truncate", one, 0);
      await client.refuses("EBADF", "dir_close", one);
    }
    await other.refuses("EBADF", "file_write", file, "x");
    await client.refuses("EISDIR", "file_read", dir, 1);
    await client.refuses("EISDIR", "file_seek", dir, 0, 0);
    await client.refuses("EISDIR", "file_tell", dir);
    await client.refuses("EISDIR", "file_size", dir);
    await client.refuses("EBADF", "file_write", dir, "x");
    await client.refuses("EBADF", "file_truncate", dir, 0);
    await client.call("file_close", file);
    await client.refuses("EBADF", "file_close", file);
    assert.ok(await client.open("/file", "r") > dir);
    other.close();
  });
});

Deno.test("a file outlives its last name while it is open", async () => {
  await withClient(async (client, served) => {
    const free = served.fs.statfs().inodesFree;
    const file = await client.open("/file", "w+");
    await client.write(file, "still here");
    await client.call("file_remove", "/file");
    await client.refuses("ENOENT", "file_open", "/file", how("r"));
    await client.call("file_seek", file, 0, 0);
    assert.equal(await client.read(file), "still here");
    await client.call("file_close", file);
    assert.equal(served.fs.statfs().inodesFree, free);
  });
});

Deno.test("file_remove, file_link and file_rename are for files", async () => {
  await withClient(async (client) => {
    await client.put("/a", "a");
    await client.put("/b", "b");
    await client.call("dir_mk", "/dir");
    await client.call("symlink", "a", "/link");

    await client.call("file_link", "/a", "/dir/a");
    assert.equal(await client.content("/dir/a"), "a");
    await client.call("file_link", "/link", "/dir/link");
    assert.equal(text(await client.get("readlink", "/dir/link")), "a");
    await client.refuses("EEXIST", "file_link", "/a", "/b");
    await client.refuses("EEXIST", "file_link", "/a", "/");
    await client.refuses("EPERM", "file_link", "/dir", "/dir2");
    await client.refuses("ENOENT", "file_link", "/none", "/x");
    await client.refuses("ENOENT", "file_link", "/a", "/x/");
    await client.refuses("ENOTDIR", "file_link", "/a", "/b/x");

    await client.call("file_rename", "/a", "/b");
    assert.equal(await client.content("/b"), "a");
    await client.refuses("ENOENT", "file_rename", "/a", "/c");
    await client.refuses("EISDIR", "file_rename", "/dir", "/c");
    await client.refuses("EISDIR", "file_rename", "/", "/c");
    await client.refuses("EISDIR", "file_rename", "/b", "/dir");
    await client.refuses("EISDIR", "file_rename", "/b", "/dir/..");
    await client.refuses("ENOTDIR", "file_rename", "/b/", "/c");
    await client.refuses("ENOTDIR", "file_rename", "/b", "/c/");
    await client.call("file_rename", "/link", "/moved");
    assert.deepEqual(await client.names("/"), [
      "b",
      "dir",
      "lost+found",
      "moved",
    ]);

    await client.call("file_remove", "/moved");
    assert.equal(await client.content("/b"), "a");
    await client.refuses("EISDIR", "file_remove", "/dir");
    await client.refuses("EISDIR", "file_remove", "/");
    await client.refuses("EISDIR", "file_remove", "/dir/.");
    await client.refuses("ENOTDIR", "file_remove", "/b/");
    await client.refuses("ENOENT", "file_remove", "/moved");
    await client.call("file_remove", "/dir/a");
    assert.deepEqual(await client.names("/dir"), ["link"]);
  });
});

Deno.test("changes are refused where the volume is read-only", async () => {
  await withClient(async (client) => {
    await client.refuses("EROFS", "file_open", "/new", how("w"));
    await client.refuses("EROFS", "dir_mk", "/new");
    await client.refuses("EEXIST", "dir_mkdir", "/lost+found", 0o755);
    await client.call("dir_mk", "/lost+found");
    await client.refuses("EROFS", "mode_set", "/", 0o700);
    await client.refuses("EROFS", "dir_rm", "/lost+found");
    await client.refuses("EROFS", "symlink", "x", "/x");
    await client.refuses("EROFS", "mknod", "/x", 0o010644, [0, 0]);
    assert.deepEqual(await client.names("/"), ["lost+found"]);
    const [statistics] = await client.call("mount_point_stats", "/");
    assert.equal((statistics as unknown[]).at(-1), true);
  }, { readOnly: true });
});

Deno.test("so many files are open and no more", async () => {
  await withClient(async (client) => {
    await client.put("/file");
    await client.open("/file", "r");
    await client.open("/file", "r");
    await client.refuses("EMFILE", "file_open", "/file", how("r"));
    await client.refuses("EMFILE", "file_open", "/new", how("w"));
    await client.refuses("EMFILE", "dir_open", "/");
    assert.deepEqual(await client.names("/"), ["file", "lost+found"]);
    await client.call("new_fdtable");
    await client.open("/file", "r");
  }, { maxDescriptors: 2 });
});
