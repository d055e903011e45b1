import assert from "node:assert/strict";
import { run } from "../support/tools.ts";
import { PLAIN, testServed } from "./devices.ts";
import { nextfs, ok } from "./program.ts";

const encoder = new TextEncoder();

testServed("ls lists names, long lines, directories below, and JSON", {
  files: { "b.txt": "12345", "a/x": "", "a/.hidden": "" },
}, async (server) => {
  const { uid, gid } = { uid: Deno.uid(), gid: Deno.gid() };
  await server.ok("rm", "-r", "/lost+found");
  await server.ok("ln", "-s", "b.txt", "/link");
  await server.ok("touch", "-d", "@0", "/link", "/");
  assert.equal(await server.ok("ls"), "a\nb.txt\nlink\n");
  assert.equal(await server.ok("ls", "/b.txt", "a"), "/b.txt\n\na:\nx\n");
  assert.equal(await server.ok("ls", "-a", "/a"), ".hidden\nx\n");
  assert.equal(
    await server.ok("ls", "-R"),
    "/:\na\nb.txt\nlink\n\n/a:\nx\n",
  );
  const lines = (await server.ok("ls", "-l")).split("\n");
  assert.equal(lines[0], "total 8");
  assert.equal(lines[1], `drwxr-xr-x 2 ${uid} ${gid} 4096 Jan  1  1970 a`);
  assert.equal(
    lines[2],
    `-rw-r--r-- 1 ${uid} ${gid}    5 Jan  1  1970 b.txt`,
  );
  assert.match(lines[3], /^lrwxrwxrwx 1 +0 +0 +5 .* link -> b\.txt$/);
  const [file] = JSON.parse(await server.ok("ls", "--json", "/b.txt"));
  assert.deepEqual(
    [file.name, file.type, file.mode, file.size, file.mtime],
    ["/b.txt", "file", "0644", 5, "1970-01-01T00:00:00.000000000Z"],
  );
});

testServed(
  "tree draws branches and counts",
  { files: { "a/x": "", "a/y/z": "", "b": "" } },
  async (server) => {
    await server.ok("rm", "-r", "/lost+found");
    await server.ok("ln", "-s", "nowhere", "/c");
    assert.equal(
      await server.ok("tree"),
      [
        "/",
        "├── a",
        "│   ├── x",
        "│   └── y",
        "│       └── z",
        "├── b",
        "└── c -> nowhere",
        "",
        "2 directories, 4 files",
        "",
      ].join("\n"),
    );
    const [root] = JSON.parse(await server.ok("tree", "--json", "-L", "1"));
    assert.deepEqual(
      root.contents.map((entry: { name: string }) => entry.name),
      ["a", "b", "c"],
    );
    assert.deepEqual(root.contents[0].contents, []);
  },
);

testServed("cat writes files byte by byte and goes on after an error", {
  files: { "one": "1\n", "two": "2\n", "d/": "" },
}, async (server) => {
  const { code, stdout, stderr } = await server.client(
    "cat",
    "/one",
    "/missing",
    "/d",
    "/two",
  );
  assert.equal(code, 1);
  assert.equal(stdout, "1\n2\n");
  assert.equal(
    stderr,
    "nextfs cat: /missing: No such file or directory\n" +
      "nextfs cat: /d: Is a directory\n",
  );
});

testServed(
  "stat and df say what coreutils say",
  { files: { "file": "x".repeat(5000) } },
  async (server) => {
    const text = await server.ok("stat", "/file");
    assert.match(text, /^ {2}File: \/file\n {2}Size: 5000 +\tBlocks: 16 /);
    assert.match(text, /Access: \(0644\/-rw-r--r--\) {2}Uid: \d+ {3}Gid: \d+/);
    assert.match(text, /Modify: 1970-01-01 00:00:00\.000000000 \+0000\n/);
    const [json] = JSON.parse(await server.ok("stat", "--json", "/file"));
    assert.deepEqual([json.size, json.blocks, json.nlink], [5000, 16, 1]);
    const rows = (await server.ok("df")).trim().split("\n");
    assert.match(rows[0], /^Filesystem +1K-blocks +Used +Available +Use%$/);
    const [name, size, used, available] = rows[1].split(/ +/);
    assert.equal(name, server.endpoint);
    const volume = JSON.parse(await server.ok("df", "--json"));
    assert.deepEqual(
      [size, available].map(Number),
      [volume.size / 1024, volume.available / 1024],
    );
    assert.equal(Number(used), (volume.size - volume.free) / 1024);
    assert.match(await server.ok("df", "-h"), / 1[56]M /);
  },
);

testServed(
  "put and get take files, names, directories and pipes",
  { files: { "d/": "" } },
  async (server, dir) => {
    await Deno.writeTextFile(`${dir}/f`, "one");
    await server.ok("put", `${dir}/f`, "/d");
    await server.ok("put", `${dir}/f`, "/g");
    assert.equal(await server.ok("cat", "/d/f", "/g"), "oneone");
    await Deno.writeTextFile(`${dir}/f`, "2");
    await server.ok("put", `${dir}/f`, "/g");
    const env = { NEXTFS_CONNECT: server.endpoint };
    const stdin = encoder.encode("from a pipe".repeat(100_000));
    await ok(["put", "-", "/pipe"], { env, stdin });
    assert.equal(await server.ok("get", "/g", "-"), "2");
    await server.ok("get", "/g", "/d/f", dir);
    assert.equal(await Deno.readTextFile(`${dir}/g`), "2");
    assert.equal(await Deno.readTextFile(`${dir}/f`), "one");
    await server.ok("get", "/pipe", `${dir}/new`);
    assert.deepEqual(await Deno.readFile(`${dir}/new`), stdin);
    const tree = await server.client("get", "/d", `${dir}/out`);
    assert.equal(tree.code, 1);
    assert.match(tree.stderr, /\/d: Is a directory \(get it with -r\)/);
    const put = await server.client("put", `${dir}/tree`, "/");
    assert.match(put.stderr, /Is a directory \(put it with -r\)/);
    const many = await server.client("put", `${dir}/f`, `${dir}/g`, "/pipe");
    assert.equal(many.code, 2);
  },
);

testServed(
  "mkdir, rm, mv and ln do what coreutils do",
  { files: { "f": "f", "g": "g" } },
  async (server) => {
    await server.ok("mkdir", "-p", "/a/b/c");
    await server.ok("mkdir", "-p", "/a/b");
    const exists = await server.client("mkdir", "/a");
    assert.equal(exists.stderr, "nextfs mkdir: /a: File exists\n");
    await server.ok("mkdir", "-m", "700", "/private");
    assert.match(await server.ok("ls", "-ld", "/private"), /^drwx------ /);
    await server.ok("mv", "/f", "/g", "/a");
    await server.ok("mv", "/a/f", "/a/renamed");
    const kept = await server.client("mv", "-n", "/a/g", "/a/renamed");
    assert.match(kept.stderr, /nextfs mv: \/a\/renamed: File exists/);
    await server.ok("ln", "/a/g", "/hard");
    await server.ok("ln", "-s", "a/g", "/soft");
    assert.equal(await server.ok("cat", "/hard", "/soft"), "gg");
    await server.ok("ln", "-sf", "a/renamed", "/soft");
    assert.equal(await server.ok("cat", "/soft"), "f");
    const directory = await server.client("rm", "/a");
    assert.equal(directory.stderr, "nextfs rm: /a: Is a directory\n");
    await server.ok("rm", "-r", "/a", "/soft", "/private", "/lost+found");
    await server.ok("rm", "-f", "/gone");
    assert.equal((await server.client("rm", "/gone")).code, 1);
    assert.equal((await server.client("rm", "-r", "/")).code, 1);
    assert.equal(await server.ok("ls"), "hard\n");
  },
);

testServed("chmod, chown, touch and truncate change what they say", {
  files: { "d/f": "12345", "d/e/": "" },
}, async (server) => {
  const show = async (path: string): Promise<Record<string, unknown>> =>
    JSON.parse(await server.ok("stat", "--json", path))[0];
  await server.ok("chmod", "-R", "u+x,go=", "/d");
  assert.equal((await show("/d/f")).mode, "0700");
  await server.ok("chmod", "1644", "/d/f");
  assert.equal((await show("/d/f")).mode, "1644");
  await server.ok("chown", "-R", "70000:80000", "/d");
  await server.ok("chown", ":5", "/d/e");
  const { uid, gid } = await show("/d/e");
  assert.deepEqual([uid, gid], [70000, 5]);
  await server.ok("touch", "-m", "-d", "@5.000000001", "/d/f");
  assert.equal((await show("/d/f")).mtime, "1970-01-01T00:00:05.000000001Z");
  await server.ok("touch", "/new");
  await server.ok("touch", "-c", "/not-made");
  assert.equal((await server.client("stat", "/not-made")).code, 1);
  await server.ok("truncate", "-s", "1M", "/new");
  await server.ok("truncate", "-s", "-1K", "/new", "/made");
  assert.equal((await show("/new")).size, 1023 * 1024);
  await server.ok("truncate", "-s", "3", "/d/f");
  assert.equal(await server.ok("cat", "/d/f"), "123");
  for (const args of [["chmod", "u+q", "/d"], ["chown", "root", "/d"]]) {
    assert.equal((await server.client(...args)).code, 2);
  }
});

Deno.test("commands say what is wrong with the connection", async () => {
  const none = await nextfs(["ls"]);
  assert.equal(none.code, 2);
  assert.match(none.stderr, /Give --connect ENDPOINT or set NEXTFS_CONNECT/);
  const nobody = await nextfs(["ls", "--connect", "unix:/nowhere.sock"]);
  assert.equal(nobody.code, 1);
  assert.match(nobody.stderr, /^nextfs ls: Cannot connect to unix:\/nowhere/);
  const wrong = await nextfs(["ls", "--connect", "nonsense"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /expected unix:PATH/);
});

testServed("a reader that goes away ends a command quietly", {
  files: { "big": "line\n".repeat(1_000_000) },
  kinds: [PLAIN],
}, async (server) => {
  const root = new URL("../../", import.meta.url).pathname;
  const { code, stdout, stderr } = await run(
    "bash",
    "-c",
    'set -o pipefail; "$@" | head -n 1',
    "bash",
    ...[Deno.execPath(), "run", "-q", `--config=${root}deno.json`],
    ...["-P=nextfs", `${root}main.ts`, "cat", "/big"],
    ...["--connect", server.endpoint],
  );
  assert.deepEqual([code, stdout, stderr], [141, "line\n", ""]);
});

Deno.test("every command has a help with an example", async () => {
  const help = await ok(["--help"]);
  const names = [...help.matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, n]) => n);
  assert(names.length >= 17, help);
  for (const name of names) {
    const text = await ok([name, "--help"]);
    assert.match(text, new RegExp(`^Usage: nextfs ${name} .*\n`));
    assert.match(text, new RegExp(`\nExample:\n  nextfs ${name} `));
    for (const line of text.split("\n")) assert(line.length <= 80, line);
  }
  assert.match(await ok(["--version"]), /^nextfs \d+\.\d+\.\d+\n$/);
});
