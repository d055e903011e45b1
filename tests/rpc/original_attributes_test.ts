import assert from "node:assert/strict";
import { Policy } from "../../rpc/policy.ts";
import { OriginalClient, text, withClient } from "./original_client.ts";

const S_IFIFO = 0o010000;
const S_IFBLK = 0o060000;
const S_IFREG = 0o100000;

Deno.test("symlink and readlink keep any target", async () => {
  await withClient(async (client) => {
    await client.put("/file");
    await client.call("symlink", "any/thing", "/link");
    assert.equal(text(await client.get("readlink", "/link")), "any/thing");
    const long = "x".repeat(4000);
    await client.call("symlink", long, "/long");
    assert.equal(text(await client.get("readlink", "/long")), long);
    await client.refuses("EINVAL", "readlink", "/file");
    await client.refuses("EINVAL", "readlink", "/");
    await client.refuses("ENOENT", "readlink", "/none");
    await client.refuses("EEXIST", "symlink", "x", "/link");
    await client.refuses("EEXIST", "symlink", "x", "/");
    await client.refuses("ENOENT", "symlink", "", "/empty");
    await client.refuses("ENOENT", "symlink", "x", "/new/");
    await client.refuses("ENOTDIR", "symlink", "x", "/file/x");
  });
});

Deno.test("mknod makes special files", async () => {
  await withClient(async (client, { fs }) => {
    await client.call("mknod", "/pipe", S_IFIFO | 0o640, [0, 0]);
    await client.call("mknod", "/disk", S_IFBLK | 0o600, [8, 17]);
    assert.equal(await client.get("mode_get", "/pipe"), S_IFIFO | 0o640);
    const disk = fs.getattr(fs.lookup(2, "disk"));
    assert.deepEqual(disk.rdev, { major: 8, minor: 17 });
    assert.equal(disk.mode, S_IFBLK | 0o600);
    await client.refuses("EINVAL", "mknod", "/x", S_IFREG | 0o600, [0, 0]);
    await client.refuses("EINVAL", "mknod", "/x", 0o600, [0, 0]);
    await client.refuses("EINVAL", "mknod", "/x", S_IFBLK, [4096, 0]);
    await client.refuses("EEXIST", "mknod", "/pipe", S_IFIFO, [0, 0]);
    await client.refuses("ENOENT", "mknod", "/none/x", S_IFIFO, [0, 0]);
  });
});

Deno.test("raw_inode gives number and bytes of an inode", async () => {
  await withClient(async (client, { fs }) => {
    await client.put("/file", "12345");
    await client.call("owner_set", "/file", 0x12345, 7);
    await client.call("symlink", "file", "/link");
    const [ino, raw] = await client.call("raw_inode", "/file");
    assert.equal(ino, fs.lookup(2, "file"));
    assert.ok(raw instanceof Uint8Array);
    assert.equal(raw.length, 256);
    const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
    // Fields of ext2 by their offsets: mode, uid, size, uid_high.
    assert.equal(view.getUint16(0, true), S_IFREG | 0o666);
    assert.equal(view.getUint16(2, true), 0x2345);
    assert.equal(view.getUint32(4, true), 5);
    assert.equal(view.getUint16(120, true), 1);
    const [link] = await client.call("raw_inode", "/link");
    assert.equal(link, fs.lookup(2, "link"));
    const [root] = await client.call("raw_inode", "/");
    assert.equal(root, 2);
    await client.refuses("ENOENT", "raw_inode", "/none");
  });
});

Deno.test("raw_inode is for the superuser", async () => {
  const socket = `unix:@nextfs-test-${crypto.randomUUID()}`;
  const as = { uid: 1000, gid: 1000 };
  const policy = Policy.from({
    rules: [{ match: { socket }, access: "write", as }],
    otherwise: "write",
  });
  await withClient(async (_, served) => {
    await served.server.listen(socket);
    const client = await OriginalClient.at(socket);
    await client.refuses("EPERM", "raw_inode", "/");
    client.close();
  }, { policy });
});

Deno.test("mode_set and owner_set change what a path leads to", async () => {
  await withClient(async (client, { fs }) => {
    await client.put("/file");
    await client.call("symlink", "file", "/link");
    await client.call("mode_set", "/link", 0o040640);
    assert.equal(await client.get("mode_get", "/file"), S_IFREG | 0o640);
    await client.call("owner_set", "/link", 70_000, 80_000);
    assert.deepEqual(await client.call("owner_get", "/file"), [70_000, 80_000]);
    const same = 0xffffffff;
    await client.call("owner_set", "/file", same, 5);
    assert.deepEqual(await client.call("owner_get", "/link"), [70_000, 5]);
    await client.call("owner_set", "/file", 6, same);
    assert.deepEqual(await client.call("owner_get", "/link"), [6, 5]);
    assert.equal(fs.getattr(fs.lookup(2, "link")).uid, 0);
    for (const name of ["mode_get", "owner_get"] as const) {
      await client.refuses("ENOENT", name, "/none");
      await client.refuses("ENOTDIR", name, "/file/x");
    }
    await client.refuses("ENOENT", "mode_set", "/none", 0);
    await client.refuses("ENOENT", "owner_set", "/none", 0, 0);
    await client.refuses("EINVAL", "mode_set", "/file", 65_536);
  });
});

Deno.test("each time is set by itself", async () => {
  await withClient(async (client, { fs }) => {
    await client.put("/file", "x");
    await client.call("symlink", "file", "/link");
    const ino = fs.lookup(2, "file");
    const times = [
      ["atime", [1_000_000_000, 123_456_789]],
      ["mtime", [-5, 999_999_999]],
      ["ctime", [4_000_000_000, 1]],
    ] as const;
    for (const [name, time] of times) {
      const before = fs.getattr(ino);
      const [sec, nsec] = time;
      const sent = [sec > 0xffffffff ? BigInt(sec) : sec, nsec];
      await client.call(`${name}_set`, "/link", sent);
      const after = fs.getattr(ino);
      assert.deepEqual(after[name], { sec, nsec });
      assert.deepEqual(
        (await client.get<number[]>(`${name}_get`, "/link")).map(Number),
        time,
      );
      for (const [other] of times) {
        // That attributes were changed is itself a change, of ctime.
        if (other === name || other === "ctime") continue;
        assert.deepEqual(after[other], before[other], `${name}: ${other}`);
      }
    }
    for (const [name, time] of times) {
      await client.refuses("ENOENT", `${name}_get`, "/none");
      await client.refuses("ENOENT", `${name}_set`, "/none", [0, 0]);
      await client.refuses("EINVAL", `${name}_set`, "/file", [0, 1e9]);
      const now = await client.get<number[]>(`${name}_get`, "/file");
      assert.deepEqual(now.map(Number), time);
    }
  });
});

Deno.test("times change by themselves with what they are times of", async () => {
  await withClient(async (client, { fs }) => {
    await client.put("/file", "x");
    const ino = fs.lookup(2, "file");
    for (const name of ["atime", "mtime", "ctime"] as const) {
      await client.call(`${name}_set`, "/file", [1000, 0]);
    }
    const file = await client.open("/file", "r+");
    await client.read(file);
    assert.ok(fs.getattr(ino).atime.sec > 1000);
    assert.equal(fs.getattr(ino).mtime.sec, 1000);
    await client.write(file, "y");
    assert.ok(fs.getattr(ino).mtime.sec > 1000);
    assert.ok(fs.getattr(ino).ctime.sec > 1000);
  });
});
