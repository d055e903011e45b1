import assert from "node:assert/strict";
import { Policy } from "../../rpc/policy.ts";
import { Served, until } from "./harness.ts";
import { FLAGS, OriginalClient, Text, withClient } from "./original_client.ts";

const { RDWR } = FLAGS;

Deno.test("the volume is seen wherever it is mounted", async () => {
  await withClient(async (client, served) => {
    const name = (text: string): Text => new Text(text);
    await client.put("/file", "x");
    await client.call("mount", name("nextfs"), "/mnt/a/");
    assert.equal(await client.content("/mnt/a/file"), "x");
    assert.equal(await client.content("mnt//a///file"), "x");
    assert.deepEqual(await client.names("/mnt/a"), ["file", "lost+found"]);
    assert.deepEqual(await client.names("/mnt/a/"), ["file", "lost+found"]);
    assert.equal(await client.content("/mnt/a/../file"), "x");
    await client.refuses("ENOENT", "dir_list", "/mnt");
    await client.refuses("ENOENT", "dir_list", "/mnt/ab");

    await client.refuses("ENXIO", "mount", name("disk"), "/disk");
    await client.call("device_register", name("disk"));
    await client.refuses("EEXIST", "device_register", name("disk"));
    await client.refuses("EEXIST", "device_register", name("nextfs"));
    await client.refuses("EINVAL", "device_register", name(""));
    await client.call("mount", name("disk"), "/disk");
    await client.put("/disk/file", "y");
    assert.equal(await client.content("/mnt/a/file"), "y");
    await client.refuses("EBUSY", "mount", name("disk"), "/disk");
    await client.refuses("EBUSY", "mount", name("disk"), "/");
    await client.refuses("EBUSY", "mount", name("nextfs"), "//mnt/a");
    await client.refuses("EINVAL", "mount", name("disk"), "/disk/../x");
    await client.refuses("EINVAL", "mount", name("disk"), "/./x");
    await client.refuses("EINVAL", "mount", name("disk"), "");
    await client.refuses("EINVAL", "mount", name("disk"), "/x".repeat(17));
    await client.call("mount", name("disk"), "/x".repeat(16));

    await client.refuses("EXDEV", "file_rename", "/file", "/disk/x");
    await client.refuses("EXDEV", "file_link", "/file", "/disk/x");
    await client.refuses("EXDEV", "dir_mv", "/lost+found", "/disk/x");

    const other = await OriginalClient.connect(served);
    await other.refuses("ENOENT", "dir_list", "/disk");
    await other.refuses("ENXIO", "mount", name("disk"), "/disk");
    other.close();
  });
});

Deno.test("umount waits for no file that is open, but refuses", async () => {
  await withClient(async (client) => {
    await client.put("/file", "x");
    await client.call("mount", new Text("nextfs"), "/mnt");
    const elsewhere = await client.open("/file", "r");
    const file = await client.open("/mnt/file", "r");
    const dir = await client.get<number>("dir_open", "/mnt");
    await client.refuses("EBUSY", "umount", "/mnt");
    await client.call("file_close", file);
    await client.refuses("EBUSY", "umount", "/mnt");
    await client.call("dir_close", dir);
    await client.call("umount", "/mnt");
    await client.refuses("ENOENT", "dir_list", "/mnt");
    await client.refuses("EINVAL", "umount", "/mnt");
    await client.refuses("EINVAL", "umount", "/mnt/..");
    await client.refuses("EBUSY", "umount", "/");
    await client.call("file_close", elsewhere);
    await client.call("umount", "/");
    await client.refuses("ENOENT", "dir_list", "/");
    await client.refuses("ENOENT", "file_open", "/file", new Text("w"));
    await client.call("mount", new Text("nextfs"), "/");
    assert.equal(await client.content("/file"), "x");
  });
});

Deno.test("devices and mounts of a connection are bounded", async () => {
  await withClient(async (client) => {
    for (let i = 1; i < 16; i++) {
      await client.call("device_register", new Text(`disk-${i}`));
      await client.call("mount", new Text(`disk-${i}`), `/mnt-${i}`);
    }
    await client.refuses("ENFILE", "device_register", new Text("more"));
    await client.refuses("ENFILE", "mount", new Text("disk-1"), "/more");
    await client.refuses("EINVAL", "device_register", new Text("x".repeat(65)));
  });
});

Deno.test("mount_point_stats tells the use of the volume", async () => {
  await withClient(async (client, { fs }) => {
    const [statistics] = await client.call("mount_point_stats", "/");
    const { blockSize, blocks, blocksFree } = fs.statfs();
    assert.deepEqual(
      (statistics as unknown[]).slice(0, 3),
      [blockSize, blocks, blocksFree],
    );
    await client.refuses("EINVAL", "mount_point_stats", "/mnt");
    await client.refuses("EINVAL", "mount_point_stats", "");
  });
});

Deno.test("without write-back, changes are answered when they are stored", async () => {
  await withClient(async (client, { fs }) => {
    await client.call("mount", new Text("nextfs"), "/mnt");
    let syncs = 0;
    const sync = fs.sync.bind(fs);
    fs.sync = (): Promise<void> => {
      syncs++;
      return sync();
    };
    const stored = async (asked: Promise<unknown>): Promise<boolean> => {
      const before = syncs;
      await asked;
      return syncs > before;
    };
    const file = await client.open("/mnt/file", "w");
    assert.equal(await stored(client.write(file, "x")), false);
    assert.ok(await stored(client.call("cache_write_back", "/mnt", false)));
    assert.ok(await stored(client.write(file, "x")));
    assert.ok(await stored(client.call("file_truncate", file, 9)));
    assert.ok(await stored(client.open("/mnt/file2", "w")));
    assert.ok(await stored(client.call("dir_mk", "/mnt/dir")));
    assert.ok(await stored(client.call("mode_set", "/mnt/dir", 0o700)));
    assert.ok(await stored(client.call("atime_set", "/mnt/dir", [1, 1])));
    assert.ok(await stored(client.call("symlink", "x", "/mnt/link")));
    assert.ok(await stored(client.call("file_rename", "/mnt/link", "/mnt/l")));
    assert.ok(await stored(client.call("file_remove", "/mnt/l")));
    assert.ok(await stored(client.call("dir_rm", "/mnt/dir")));
    for (const path of ["/mnt/file", "/file"]) {
      assert.equal(await stored(client.open(path, "r")), false);
    }
    assert.equal(await stored(client.call("dir_mk", "/other")), false);
    assert.equal(await stored(client.call("dir_mk", "/mnt/other")), false);
    await client.call("cache_write_back", "/mnt", true);
    assert.equal(await stored(client.write(file, "x")), false);
    await client.refuses("EINVAL", "cache_write_back", "/none", false);
  });
});

Deno.test("new_fdtable closes what is open, and no number comes back", async () => {
  await withClient(async (client, { fs }) => {
    const free = fs.statfs().inodesFree;
    const file = await client.open("/file", "w");
    const dir = await client.get<number>("dir_open", "/");
    await client.call("file_remove", "/file");
    await client.call("new_fdtable");
    await client.refuses("EBADF", "file_tell", file);
    await client.refuses("EBADF", "dir_close", dir);
    assert.equal(fs.statfs().inodesFree, free);
    assert.ok(await client.open("/file", "w") > dir);
  });
});

Deno.test("a forked table is claimed by another connection, once", async () => {
  await withClient(async (client, served) => {
    const file = await client.open("/file", "w+");
    await client.write(file, "0123456789");
    const dir = await client.get<number>("dir_open", "/");
    await client.get("dir_entry_next", dir);
    const id = await client.get<Uint8Array>("fork");
    assert.equal(id.length, 32);
    const child = await OriginalClient.connect(served, 1);
    await child.refuses("EBADF", "file_tell", file);
    await child.call("child_attach", id);

    // The position belongs to the open file, which both have.
    assert.equal(await child.get("file_tell", file), 10);
    await child.call("file_seek", file, 2, 0);
    assert.equal(await client.read(file, 3), "234");
    assert.equal(await child.read(file, 2), "56");
    const second = await child.get("dir_entry_next", dir);
    assert.notDeepEqual(second, await client.get("dir_entry_next", dir));

    // The tables are two.
    await client.call("file_close", file);
    assert.equal(await child.get("file_size", file), 10);
    const own = await child.open("/file", "r");
    await client.refuses("EBADF", "file_tell", own);

    const late = await OriginalClient.connect(served);
    await late.refuses("ENOENT", "child_attach", id);
    await late.refuses("ENOENT", "child_attach", new Uint8Array(32));
    await late.refuses("EINVAL", "child_attach", new Uint8Array(31));
    late.close();
    child.close();
  });
});

Deno.test("a fork survives its parent, and files without names with it", async () => {
  await withClient(async (client, served) => {
    const free = served.fs.statfs().inodesFree;
    const parent = await OriginalClient.connect(served);
    const file = await parent.open("/file", RDWR | FLAGS.CREAT);
    await parent.write(file, "alive");
    await parent.call("file_remove", "/file");
    const id = await parent.get<Uint8Array>("fork");
    parent.close();
    await until(() => served.server.connections === 1);
    await client.call("child_attach", id);
    await client.call("file_seek", file, 0, 0);
    assert.equal(await client.read(file), "alive");
    assert.ok(await client.open("/other", "w") > file);
    await client.call("file_remove", "/other");
    await client.call("new_fdtable");
    assert.equal(served.fs.statfs().inodesFree, free);
  });
});

Deno.test("a table is claimed only by who has opened nothing, and can hold it", async () => {
  await withClient(async (client, served) => {
    const file = await client.open("/file", "w");
    const id = await client.get<Uint8Array>("fork");
    const used = await OriginalClient.connect(served);
    await used.open("/file", "r");
    await used.call("new_fdtable");
    await used.refuses("EBUSY", "child_attach", id);
    used.close();
    const child = await OriginalClient.connect(served);
    await child.call("new_fdtable");
    await child.call("child_attach", id);
    await child.write(file, "x");
    const more = await client.get<Uint8Array>("fork");
    await child.refuses("EBUSY", "child_attach", more);
    child.close();
  });
});

Deno.test("a fork is over after its time, and gives up its files", async () => {
  await withClient(async (client, served) => {
    const free = served.fs.statfs().inodesFree;
    const file = await client.open("/file", "w");
    await client.call("file_remove", "/file");
    const id = await client.get<Uint8Array>("fork");
    await client.call("file_close", file);
    assert.equal(served.fs.statfs().inodesFree, free - 1);
    await until(() => served.fs.statfs().inodesFree === free);
    await client.refuses("ENOENT", "child_attach", id);
  }, { tableLifetime: 50 });
});

Deno.test("unclaimed forks of a connection are bounded", async () => {
  await withClient(async (client, served) => {
    await client.open("/file", "w");
    const first = await client.get<Uint8Array>("fork");
    await client.call("fork");
    await client.refuses("ENFILE", "fork");
    const child = await OriginalClient.connect(served);
    await child.call("child_attach", first);
    await client.call("fork");
    await client.refuses("ENFILE", "fork");
    child.close();
  }, { maxTables: 2 });
});

Deno.test("a fork that nobody has claimed ends with the server", async () => {
  const served = await Served.start();
  const client = await OriginalClient.connect(served);
  await client.open("/file", "w");
  await client.call("file_remove", "/file");
  await client.call("fork");
  client.close();
  await served.server.stop();
  const { inodes, inodesFree } = served.fs.statfs();
  assert.equal(inodes - inodesFree, 11, "the reserved ones and lost+found");
  await served.fs.close();
});

Deno.test("a fork is not for another client", async () => {
  const socket = `unix:@nextfs-test-${crypto.randomUUID()}`;
  const policy = Policy.from({
    rules: [
      { match: { socket }, access: "write", as: { uid: 1000, gid: 1000 } },
    ],
    otherwise: "write",
  });
  await withClient(async (client, served) => {
    await served.server.listen(socket);
    await client.open("/file", "w");
    const id = await client.get<Uint8Array>("fork");
    const other = await OriginalClient.at(socket);
    await other.refuses("ENOENT", "child_attach", id);
    other.close();
    const child = await OriginalClient.connect(served, 1);
    await child.call("child_attach", id);
    child.close();
  }, { policy });
});
