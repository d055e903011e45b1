import assert from "node:assert/strict";
import { debugfsWrite, must, testWith, withTempDir } from "../support/tools.ts";
import { PLAIN, testServed } from "./devices.ts";
import {
  nextfs,
  ok,
  type Serving,
  startProgram,
  withServer,
  writeTree,
} from "./program.ts";

/** Runs a client command that must fail with 1, saying `message`. */
async function refused(
  server: Serving,
  args: string[],
  message: RegExp,
): Promise<void> {
  const { code, stderr } = await server.client(...args);
  assert.equal(code, 1, args.join(" "));
  assert.match(stderr, message);
}

/** Names in a directory of the server, hidden ones too. */
async function names(server: Serving, path: string): Promise<string[]> {
  return (await server.ok("ls", "-a", path)).trim().split("\n");
}

testServed("ln -f keeps the target where it cannot link", {
  files: { "keep": "kept", "a": "a", "d/a/": "" },
}, async (server) => {
  await refused(server, ["ln", "-f", "/missing", "/keep"], /\/missing: No/);
  await refused(server, ["ln", "-f", "/keep", "/keep"], /are the same file/);
  await refused(server, ["ln", "-f", "/keep", "/"], /are the same file/);
  await refused(server, ["ln", "-sf", "/keep", "/keep"], /the same file/);
  await refused(server, ["ln", "-sf", "a", "/d"], /\/d\/a: Is a directory/);
  await refused(server, ["ln", "-f", "/d", "/keep"], /not permitted/);
  assert.equal(await server.ok("cat", "/keep"), "kept");
  assert.deepEqual(await names(server, "/d"), ["a"]);
  await server.ok("ln", "-f", "/a", "/keep");
  await server.ok("ln", "-f", "/a", "/keep");
  assert.equal(await server.ok("cat", "/keep"), "a");
  await server.ok("ln", "-sf", "a", "/keep");
  assert.match(await server.ok("ls", "-l", "/keep"), / -> a\n$/);
  assert.deepEqual(await names(server, "/"), [
    "a",
    "d",
    "keep",
    "lost+found",
  ]);
});

testServed("rm takes a link for itself, whatever slash follows it", {
  files: { "d/f": "f", "g": "g" },
}, async (server) => {
  await server.ok("ln", "-s", "d", "/link");
  await refused(server, ["rm", "-r", "/link/"], /\/link\/: Not a directory/);
  await refused(server, ["rm", "/g/"], /\/g\/: Not a directory/);
  assert.deepEqual(await names(server, "/d"), ["f"]);
  await server.ok("rm", "-r", "/link");
  assert.equal(await server.ok("cat", "/d/f"), "f");
  await server.ok("rm", "-r", "/d/");
  assert.deepEqual(await names(server, "/"), ["g", "lost+found"]);
});

testServed("put replaces a name, and not what its other links hold", {
  files: { "f": "old" },
}, async (server, dir) => {
  await server.ok("ln", "/f", "/other");
  await Deno.writeTextFile(`${dir}/f`, "new");
  await server.ok("put", `${dir}/f`, "/f");
  assert.equal(await server.ok("cat", "/f", "/other"), "newold");
  // Hard links of the source are links of each other again, both times.
  await writeTree(`${dir}/group`, { "a": "1" });
  await Deno.link(`${dir}/group/a`, `${dir}/group/b`);
  for (let round = 0; round < 2; round++) {
    await server.ok("put", "-r", `${dir}/group`, "/");
    const [a, b] = JSON.parse(
      await server.ok("stat", "--json", "/group/a", "/group/b"),
    );
    assert.deepEqual([a.ino, a.nlink], [b.ino, 2]);
  }
  assert.deepEqual(await names(server, "/group"), ["a", "b"]);
});

testServed("put that finds no room or is interrupted leaves the old file", {
  files: { "f": "old" },
  size: "8M",
}, async (server, dir) => {
  await Deno.writeFile(`${dir}/f`, new Uint8Array(9 << 20).fill(1));
  await refused(server, ["put", `${dir}/f`, "/f"], /No space left/);
  assert.equal(await server.ok("cat", "/f"), "old");
  const env = { NEXTFS_CONNECT: server.endpoint };
  const child = startProgram(["put", "-", "/f"], { env });
  const writer = child.stdin.getWriter();
  await writer.write(new Uint8Array(1 << 20));
  while (!(await names(server, "/")).some((n) => n.startsWith(".nextfs"))) {
    await writer.write(new Uint8Array(1));
  }
  child.kill("SIGINT");
  const { code } = await child.output();
  await writer.close().catch(() => {});
  assert.equal(code, 130);
  assert.deepEqual(await names(server, "/"), ["f", "lost+found"]);
  assert.equal(await server.ok("cat", "/f"), "old");
});

testServed("put and get do not copy two operands to one name", {
  files: { "a/x": "1", "b/x": "2" },
}, async (server, dir) => {
  const just = /will not overwrite just-created/;
  await refused(server, ["get", "/a/x", "/b/x", dir], just);
  assert.equal(await Deno.readTextFile(`${dir}/x`), "1");
  const local = [`${dir}/tree/a/x`, `${dir}/tree/b/x`];
  await refused(server, ["put", ...local, "/"], just);
  assert.equal(await server.ok("cat", "/x"), "1");
});

testServed("get puts what '..' holds into LOCAL itself", {
  files: { "x/f": "f", "g": "g" },
}, async (server, dir) => {
  await Deno.mkdir(`${dir}/in/out`, { recursive: true });
  await server.ok("get", "-r", "/x/..", `${dir}/in/out`);
  const inside = [...Deno.readDirSync(`${dir}/in`)].map((e) => e.name);
  assert.deepEqual(inside, ["out"]);
  assert.equal(await Deno.readTextFile(`${dir}/in/out/g`), "g");
  await Deno.mkdir(`${dir}/dot`);
  await server.ok("get", "-r", "/x/.", `${dir}/dot`);
  assert.equal(await Deno.readTextFile(`${dir}/dot/f`), "f");
});

testServed("get writes to a pipe, and removes no special file", {
  files: { "pipe": "contents" },
  kinds: [PLAIN],
}, async (server, dir) => {
  await must("mkfifo", `${dir}/pipe`);
  await Deno.symlink("pipe", `${dir}/link`);
  const read = Deno.readTextFile(`${dir}/pipe`);
  await server.ok("get", "/pipe", `${dir}/link`);
  assert.equal(await read, "contents");
  await refused(server, ["get", "/pipe", dir], /pipe or socket: not/);
  assert((await Deno.lstat(`${dir}/pipe`)).isFifo);
  assert((await Deno.lstat(`${dir}/link`)).isSymlink);
});

await testWith(
  ["e2fsprogs"],
  "one inode that cannot be read does not hide its neighbours",
  () =>
    withTempDir(async (dir) => {
      await writeTree(`${dir}/tree`, { "d/a": "a", "d/bad": "b", "d/c": "c" });
      const image = `${dir}/x.img`;
      await ok(["makefs", "-s", "8M", image, `${dir}/tree`]);
      await debugfsWrite(image, "clri /d/bad");
      await withServer(image, async (server) => {
        const bad = /\/bad: Structure needs cleaning/;
        await refused(server, ["get", "-r", "/d", `${dir}/out`], bad);
        assert.equal(await Deno.readTextFile(`${dir}/out/c`), "c");
        await refused(server, ["chmod", "-R", "600", "/d"], bad);
        const [c] = JSON.parse(await server.ok("stat", "--json", "/d/c"));
        assert.equal(c.mode, "0600");
        await server.client("rm", "-r", "/d");
        const gone = await server.client("stat", "/d/a", "/d/c");
        assert.equal(gone.stderr.match(/No such file/g)?.length, 2);
      });
    }),
);

testServed("makefs --force leaves an image alone that a server has open", {
  files: { "f": "f" },
  kinds: [PLAIN],
}, async (server, dir) => {
  const before = (await Deno.stat(`${dir}/x.img`)).ino;
  const args = ["makefs", "-s", "8M", "--force", `${dir}/x.img`];
  const { code, stderr } = await nextfs(args);
  assert.equal(code, 11, stderr);
  assert.match(stderr, /another process has it open/);
  assert.equal((await Deno.stat(`${dir}/x.img`)).ino, before);
  assert.equal(await server.ok("cat", "/f"), "f");
  assert(![...Deno.readDirSync(dir)].some((e) => /partial/.test(e.name)));
});

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.test(`makefs hears ${signal} among files without data`, () =>
    withTempDir(async (dir) => {
      await writeTree(dir, { "f": "" });
      await must("tar", "-C", dir, "-cf", `${dir}/x.tar`, "f");
      const member = (await Deno.readFile(`${dir}/x.tar`)).subarray(0, 512);
      const many = new Uint8Array(512 * 2000);
      for (let i = 0; i < 2000; i++) many.set(member, 512 * i);
      await Deno.mkdir(`${dir}/out`);
      const image = `${dir}/out/x.img`;
      const child = startProgram(["makefs", "-s", "8M", "--tar", "-", image]);
      const writer = child.stdin.getWriter();
      await writer.write(many);
      child.kill(signal);
      const fed = (async () => {
        for (;;) await writer.write(many);
      })().catch(() => {});
      const { code } = await child.output();
      await fed;
      assert.equal(code, 130);
      assert.deepEqual([...Deno.readDirSync(`${dir}/out`)], []);
    }));
}

Deno.test("makefs of a size the host cannot hold leaves nothing", () =>
  withTempDir(async (dir) => {
    const { code, stderr } = await nextfs([
      "makefs",
      "-s",
      "7P",
      `${dir}/x.img`,
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /x\.img: .*give a smaller --size/);
    assert.deepEqual([...Deno.readDirSync(dir)], []);
  }));
