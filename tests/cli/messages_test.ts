import assert from "node:assert/strict";
import { must, withTempDir } from "../support/tools.ts";
import { nextfs, ok, withServer, writeTree } from "./program.ts";

Deno.test("the help lists the exit codes", async () => {
  const help = await ok(["--help"]);
  for (const code of [0, 1, 2, 10, 11, 12, 13, 14, 130, 141]) {
    assert.match(help, new RegExp(`^ +${code}  [A-Z]`, "m"));
  }
});

Deno.test("an endpoint that is none is wrong usage, before anything else", () =>
  withTempDir(async (dir) => {
    const image = `${dir}/missing.img`;
    const long = `unix:${"x".repeat(200)}`;
    const cases: [string[], RegExp][] = [
      [["ls", "--connect", "nonsense"], /--connect: .*expected unix:PATH/],
      [["serve", "--listen", "tcp:x", image], /--listen: .*tcp:HOST:PORT/],
      [["serve", "--listen", long, image], /longer than 107 bytes/],
      [["serve", `${dir}/${"x".repeat(150)}`], /give --listen ENDPOINT/],
      [["serve", "--cache-size", "0", image], /'0' is too little/],
    ];
    for (const [args, message] of cases) {
      const { code, stderr } = await nextfs(args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, message);
    }
    const env = { NEXTFS_CONNECT: "nonsense" };
    const { code, stderr } = await nextfs(["ls"], { env });
    assert.equal(code, 2);
    assert.match(stderr, /NEXTFS_CONNECT: .*expected unix:PATH/);
  }));

Deno.test("errors of connections and listeners name the endpoint", () =>
  withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    const connect = `unix:${dir}/file/s`;
    const client = await nextfs(["ls", "--connect", connect]);
    assert.match(client.stderr, /Cannot connect to unix:.*\/file\/s: /);
    const image = `${dir}/x.img`;
    await ok(["makefs", "-s", "1M", image]);
    const listen = `unix:${dir}/none/s`;
    const server = await nextfs(["serve", "--listen", listen, image]);
    assert.equal(server.code, 1);
    assert.match(
      server.stderr,
      /Cannot listen at unix:.*\/none\/s: the directory/,
    );
  }));

Deno.test("a message blames the path that is at fault", () =>
  withTempDir(async (dir) => {
    const image = `${dir}/x.img`;
    await writeTree(`${dir}/tree`, { "f": "f".repeat(100_000) });
    await ok(["makefs", "-s", "4M", image, `${dir}/tree`]);
    await withServer(image, async (server) => {
      for (
        const args of [["mv", "/f"], ["ln", "/f"], ["put", `${dir}/tree/f`]]
      ) {
        const { code, stderr } = await server.client(...args, "/none/x");
        assert.equal(code, 1);
        assert.match(
          stderr,
          /^nextfs \w+: \/none\/x: No such file or directory\n$/,
        );
      }
      await server.ok("ln", "-s", "none", "/dangling");
      for (const args of [["touch"], ["truncate", "-s", "1"]]) {
        const { stderr } = await server.client(...args, "/dangling");
        assert.match(stderr, /dangling: Is a symbolic link to a file that is/);
      }
      const root = new URL("../../", import.meta.url).pathname;
      const full = await new Deno.Command("bash", {
        args: [
          "-c",
          '"$@" > /dev/full',
          "bash",
          Deno.execPath(),
          ...["run", "-q", `--config=${root}deno.json`, "-P=nextfs"],
          ...[`${root}main.ts`, "cat", "/f", "--connect", server.endpoint],
        ],
      }).output();
      assert.equal(full.code, 1);
      assert.match(
        new TextDecoder().decode(full.stderr),
        /nextfs cat: standard output: No space left on device\n$/,
      );
    });
  }));

Deno.test("makefs says of what there is too little, and for which file", () =>
  withTempDir(async (dir) => {
    const image = `${dir}/x.img`;
    const files = Array.from({ length: 60 }, (_, i) => [`f${i}`, ""]);
    await writeTree(`${dir}/many`, Object.fromEntries(files));
    const value = "x".repeat(6000);
    const tar = [
      "--format=posix",
      `--pax-option=SCHILY.xattr.user.big:=${value}`,
    ];
    const archive = ["-C", `${dir}/many`, "-cf", `${dir}/x.tar`, "f0"];
    await must("tar", ...tar, ...archive);
    const cases: [string[], RegExp][] = [
      [["-N", "32", image, `${dir}/many`], /No inode left for .*\/f\d+: .*-N/],
      [["--tar", `${dir}/x.tar`, image], /No room for f0: .*attributes/],
    ];
    for (const [args, message] of cases) {
      const { code, stderr } = await nextfs(["makefs", "-s", "8M", ...args]);
      assert.equal(code, 1);
      assert.match(stderr, message);
    }
  }));

Deno.test("makefs leaves out attributes of unknown kinds, with a word", () =>
  withTempDir(async (dir) => {
    await writeTree(`${dir}/tree`, { "f": "f" });
    const key = "SCHILY.xattr.com.apple.quarantine";
    const tar = ["--format=posix", `--pax-option=${key}:=x`];
    await must("tar", ...tar, "-C", `${dir}/tree`, "-cf", `${dir}/x.tar`, "f");
    const image = `${dir}/x.img`;
    const { code, stderr } = await nextfs([
      "makefs",
      "--tar",
      `${dir}/x.tar`,
      image,
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /'com\.apple\.quarantine' are left out/);
  }));

Deno.test("makefs follows an operand that is a link to a directory", () =>
  withTempDir(async (dir) => {
    await writeTree(`${dir}/tree`, { "f": "f" });
    await Deno.symlink("tree", `${dir}/link`);
    await ok(["makefs", `${dir}/x.img`, `${dir}/link`]);
    await withServer(`${dir}/x.img`, async (server) => {
      assert.equal(await server.ok("cat", "/f"), "f");
    });
  }));
