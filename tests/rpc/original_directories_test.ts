import assert from "node:assert/strict";
import { message, type Served } from "./harness.ts";
import {
  bytes,
  FLAGS,
  OriginalClient,
  text,
  withClient,
} from "./original_client.ts";

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;

/** Numbers of the operations whose frames are made here. */
const DIR_RM = 17;
const CANCEL = 93;

/** What an entry holds. */
type Entry = [name: Uint8Array, ino: number, kind: number];

Deno.test("dir_mk and dir_mkdir make directories", async () => {
  await withClient(async (client) => {
    await client.call("dir_mk", "/a");
    await client.call("dir_mk", "/a");
    await client.call("dir_mk", "/");
    await client.call("dir_mk", "/a/..");
    assert.equal(await client.get("mode_get", "/a"), S_IFDIR | 0o777);
    await client.call("dir_mkdir", "/a/b/", 0o102750);
    assert.equal(await client.get("mode_get", "/a/b"), S_IFDIR | 0o2750);
    await client.put("/file");
    await client.call("symlink", "a", "/link");
    await client.call("symlink", "none", "/lost");
    await client.call("dir_mk", "/link");
    for (const path of ["/a", "/", "/a/.", "/file", "/link", "/lost"]) {
      await client.refuses("EEXIST", "dir_mkdir", path, 0o755);
    }
    await client.refuses("EEXIST", "dir_mk", "/file");
    await client.refuses("EEXIST", "dir_mk", "/lost");
    await client.refuses("ENOENT", "dir_mk", "/none/x");
    await client.refuses("ENOENT", "dir_mkdir", "/none/x", 0o755);
    await client.refuses("ENOENT", "dir_mkdir", "/none/..", 0o755);
    await client.refuses("ENOTDIR", "dir_mk", "/file/x");
    await client.refuses("ENOTDIR", "dir_mkdir", "/file/x", 0o755);
    await client.refuses("ENAMETOOLONG", "dir_mk", "x".repeat(256));
  });
});

Deno.test("dir_mv renames directories", async () => {
  await withClient(async (client) => {
    for (const path of ["/a", "/a/b", "/c", "/full", "/full/x"]) {
      await client.call("dir_mk", path);
    }
    await client.put("/file");
    await client.call("dir_mv", "/a/b", "/c");
    assert.deepEqual(await client.names("/a"), []);
    await client.call("dir_mv", "/c/", "/a/c/");
    assert.deepEqual(await client.names("/a"), ["c"]);
    await client.refuses("ENOTDIR", "dir_mv", "/file", "/x");
    await client.refuses("ENOTDIR", "dir_mv", "/a", "/file");
    await client.refuses("ENOENT", "dir_mv", "/none", "/x");
    await client.refuses("ENOTEMPTY", "dir_mv", "/a", "/full");
    await client.refuses("EINVAL", "dir_mv", "/a", "/a/c/d");
    await client.refuses("EBUSY", "dir_mv", "/", "/x");
    await client.refuses("EBUSY", "dir_mv", "/a", "/");
    await client.refuses("EBUSY", "dir_mv", "/a/.", "/x");
  });
});

Deno.test("an open directory is listed entry by entry", async () => {
  await withClient(async (client) => {
    await client.call("dir_mk", "/d");
    await client.call("dir_mk", "/d/dir");
    await client.put("/d/file");
    await client.call("symlink", "x", "/d/link");
    const dir = await client.get<number>("dir_open", "/d");
    const list = async (): Promise<Entry[]> => {
      const entries: Entry[] = [];
      for (;;) {
        const entry = await client.get<Entry | null>("dir_entry_next", dir);
        if (entry === null) return entries;
        entries.push(entry);
      }
    };
    const found = await list();
    const kinds = found.map(([name, , kind]) => [text(name), kind]);
    assert.deepEqual(kinds.sort(), [
      [".", S_IFDIR],
      ["..", S_IFDIR],
      ["dir", S_IFDIR],
      ["file", S_IFREG],
      ["link", S_IFLNK],
    ]);
    assert.equal(await client.get("dir_entry_next", dir), null);
    await client.call("dir_entry_rewind", dir);
    assert.deepEqual(await list(), found);
    const [entries, end] = await client.call("dir_list", "/d");
    assert.deepEqual([entries, end], [found, true]);

    await client.call("dir_entry_rewind", dir);
    await client.call("dir_rm", "/d");
    assert.deepEqual(await list(), []);
    await client.call("dir_close", dir);
    await client.refuses("EBADF", "dir_entry_next", dir);
    await client.refuses("EBADF", "dir_close", dir);
  });
});

Deno.test("operations on directories refuse what is none", async () => {
  await withClient(async (client) => {
    await client.put("/file");
    const file = await client.open("/file", "r");
    await client.refuses("ENOTDIR", "dir_open", "/file");
    await client.refuses("ENOENT", "dir_open", "/none");
    await client.refuses("ENOTDIR", "dir_list", "/file");
    await client.refuses("ENOENT", "dir_list", "/none");
    await client.refuses("ENOTDIR", "dir_entry_next", file);
    await client.refuses("ENOTDIR", "dir_entry_rewind", file);
    await client.refuses("ENOTDIR", "dir_close", file);
    await client.refuses("EBADF", "dir_entry_rewind", 77);
    const dir = await client.open("/", FLAGS.DIRECTORY);
    assert.ok(await client.get("dir_entry_next", dir));
    await client.call("dir_close", dir);
  });
});

Deno.test("dir_list says whether there is more than a reply holds", async () => {
  await withClient(async (client, { fs }) => {
    for (let i = 0; i < 1500; i++) fs.create(2, `file-${i}`);
    const [some, end] = await client.call("dir_list", "/");
    assert.equal((some as unknown[]).length, 1024);
    assert.equal(end, false);
    for (let i = 0; i < 600; i++) fs.unlink(2, `file-${i}`);
    const [all, isAll] = await client.call("dir_list", "/");
    assert.equal((all as unknown[]).length, 903);
    assert.equal(isAll, true);
    const long = "x".repeat(250);
    for (let i = 600; i < 1500; i++) fs.unlink(2, `file-${i}`);
    for (let i = 0; i < 300; i++) fs.create(2, `${long}${i}`);
    const [few, isFew] = await client.call("dir_list", "/");
    assert.ok((few as unknown[]).length > 150);
    assert.equal(isFew, false);
  });
});

Deno.test("dir_rm removes a directory with all that is in it", async () => {
  await withClient(async (client, { fs }) => {
    const before = fs.statfs();
    await client.call("dir_mk", "/keep");
    await client.put("/keep/file", "kept");
    const kept = fs.statfs();
    await client.call("dir_mk", "/d");
    let path = "/d";
    for (let depth = 0; depth < 30; depth++) {
      for (let i = 0; i < 10; i++) await client.put(`${path}/${i}`, "x");
      await client.call("symlink", "/keep", `${path}/link`);
      await client.call("dir_mk", path += "/deeper");
    }
    const open = await client.open("/d/0", "r");
    await client.call("dir_rm", "/d");
    await client.refuses("ENOENT", "dir_open", "/d");
    assert.equal(await client.content("/keep/file"), "kept");
    assert.equal(await client.read(open), "x");
    await client.call("file_close", open);
    assert.equal(fs.statfs().inodesFree, kept.inodesFree);
    assert.equal(fs.statfs().blocksFree, kept.blocksFree);
    await client.call("dir_rm", "/keep/");
    assert.equal(fs.statfs().inodesFree, before.inodesFree);
  });
});

Deno.test("dir_rm refuses the root, what is no directory and nothing", async () => {
  await withClient(async (client) => {
    await client.put("/file");
    await client.call("dir_mk", "/d");
    await client.call("symlink", "/d", "/link");
    await client.refuses("EBUSY", "dir_rm", "/");
    await client.refuses("EBUSY", "dir_rm", "/d/..");
    await client.refuses("EBUSY", "dir_rm", "/d/.");
    await client.refuses("ENOTDIR", "dir_rm", "/file");
    await client.refuses("ENOTDIR", "dir_rm", "/link");
    await client.refuses("ENOENT", "dir_rm", "/none");
    await client.refuses("ENOENT", "dir_rm", "/none/");
    const names = await client.names("/");
    assert.deepEqual(names, ["d", "file", "link", "lost+found"]);
  });
});

Deno.test("dir_rm stops at what cannot be removed", async () => {
  await withClient(async (client, { fs }) => {
    await client.call("dir_mk", "/d");
    await client.put("/d/file");
    const ino = fs.lookup(fs.lookup(2, "d"), "file");
    fs.setattr(ino, { flags: 0x10 });
    await client.refuses("EPERM", "dir_rm", "/d");
    assert.deepEqual(await client.names("/d"), ["file"]);
    fs.setattr(ino, { flags: 0 });
    await client.call("dir_rm", "/d");
  });
});

/** Fills `/d` with so many names that removing them takes many turns. */
function fill({ fs }: Served): void {
  const top = fs.mkdir(2, "d");
  const file = fs.create(2, "file");
  for (let i = 0; i < 20; i++) {
    const dir = fs.mkdir(top, `dir-${i}`);
    for (let j = 0; j < 1000; j++) fs.link(file, dir, `name-${j}`);
  }
}

Deno.test("dir_rm lets others go on meanwhile", async () => {
  await withClient(async (client, served) => {
    fill(served);
    const other = await OriginalClient.connect(served);
    const file = served.fs.lookup(2, "file");
    const names = served.fs.getattr(file).nlink;
    const id = await client.begin((id) => message(id, DIR_RM, bytes("/d")));
    let between = 0;
    let isGone = false;
    const gone = client.next().then((reply) => {
      assert.deepEqual(reply, [id, 0]);
      isGone = true;
    });
    while (!isGone) {
      await other.names("/");
      const left = served.fs.getattr(file).nlink;
      if (left < names && left > 1) between++;
    }
    await gone;
    assert.ok(between > 1, "it was removed in one go");
    other.close();
  });
});

Deno.test("dir_rm is cancelled, and leaves what it has not removed", async () => {
  await withClient(async (client, served) => {
    fill(served);
    const id = await client.begin((id) => message(id, DIR_RM, bytes("/d")));
    const cancel = await client.begin((own) => message(own, CANCEL, id));
    const replies = [await client.next(), await client.next()];
    replies.sort(([a], [b]) => Number(a) - Number(b));
    assert.deepEqual(replies[0].slice(0, 2), [id, 125]);
    assert.deepEqual(replies[1], [cancel, 0, true]);
    assert.ok((await client.names("/d")).length > 0);
    await client.call("dir_rm", "/d");
  });
});

Deno.test("dir_rm ends with its connection", async () => {
  await withClient(async (client, served) => {
    fill(served);
    const other = await OriginalClient.connect(served);
    await other.begin((id) => message(id, DIR_RM, bytes("/d")));
    other.close();
    while (served.server.connections > 1) await client.names("/");
    await client.call("dir_rm", "/d");
    await client.refuses("ENOENT", "dir_list", "/d");
  });
});

Deno.test("dir_rm leaves alone what others move away, and takes what they add", async () => {
  await withClient(async (client, served) => {
    const { fs } = served;
    fill(served);
    const top = fs.lookup(2, "d");
    const id = await client.begin((id) => message(id, DIR_RM, bytes("/d")));
    const reply = client.next();
    const other = await OriginalClient.connect(served);
    await other.call("dir_mv", "/d/dir-19", "/saved");
    fs.create(top, "added");
    assert.deepEqual(await reply, [id, 0]);
    assert.equal(served.fs.getattr(fs.lookup(2, "file")).nlink, 1001);
    await client.refuses("ENOENT", "dir_list", "/d");
    other.close();
  });
});
