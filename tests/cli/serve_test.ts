import assert from "node:assert/strict";
import { assertClean, must, testWith, withTempDir } from "../support/tools.ts";
import { nextfs, ok, startServer } from "./program.ts";

Deno.test("a second server of an image is refused with exit code 11", () =>
  withTempDir(async (dir) => {
    const image = `${dir}/x.img`;
    await ok(["makefs", "-s", "8M", image]);
    const server = await startServer([image]);
    const second = await nextfs(["serve", "--listen", "unix:/dev/x", image]);
    assert.equal(second.code, 11);
    assert.match(second.stderr, /another process has it open/);
    const { code } = await server.stop();
    assert.equal(code, 0);
    await (await startServer([image])).stop();
  }));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  await testWith(
    ["e2fsprogs"],
    `${signal} makes everything durable`,
    () =>
      withTempDir(async (dir) => {
        const image = `${dir}/x.img`;
        await ok(["makefs", "-s", "8M", image]);
        const server = await startServer([image]);
        await Deno.writeTextFile(`${dir}/f`, "durable");
        await server.ok("put", `${dir}/f`, "/f");
        assert.equal((await server.stop(signal)).code, 0);
        await assertClean(image);
        assert.equal(await must("debugfs", "-R", "cat /f", image), "durable");
      }),
  );
}

await testWith(
  ["e2fsprogs"],
  "changes are durable after some seconds",
  () =>
    withTempDir(async (dir) => {
      const image = `${dir}/x.img`;
      await ok(["makefs", "-s", "8M", image]);
      const server = await startServer([image]);
      await server.ok("mkdir", "/made");
      const made = async (): Promise<boolean> =>
        (await must("debugfs", "-R", "ls -p /", image)).includes("/made/");
      while (!await made()) await new Promise((wake) => setTimeout(wake, 250));
      await server.stop("SIGKILL");
    }),
);

Deno.test("serve listens at every endpoint and says where", () =>
  withTempDir(async (dir) => {
    const image = `${dir}/x.img`;
    await ok(["makefs", "-s", "8M", image]);
    const listen = [`unix:${dir}/s`, "tcp:127.0.0.1:0"];
    const flags = listen.flatMap((endpoint) => ["--listen", endpoint]);
    const server = await startServer([...flags, image]);
    const { stdout } = await server.stop();
    const lines = stdout.trim().split("\n");
    assert.equal(lines[0], `Listening on unix:${dir}/s`);
    assert.match(lines[1], /^Listening on tcp:127\.0\.0\.1:[1-9]\d*$/);
  }));

Deno.test("serve --read-only refuses changes and leaves the image alone", () =>
  withTempDir(async (dir) => {
    const image = `${dir}/x.img`;
    await ok(["makefs", "-s", "8M", image]);
    const before = await must("sha256sum", image);
    const server = await startServer(["--read-only", image]);
    const { code, stderr } = await server.client("mkdir", "/d");
    assert.equal(code, 1);
    assert.equal(stderr, "nextfs mkdir: /d: Read-only file system\n");
    assert.equal(await server.ok("ls"), "lost+found\n");
    await server.stop();
    assert.equal(await must("sha256sum", image), before);
  }));

Deno.test("serve says what to do where there is no volume", () =>
  withTempDir(async (dir) => {
    const missing = await nextfs(["serve", `${dir}/x.img`]);
    assert.equal(missing.code, 10);
    assert.match(
      missing.stderr,
      /No such image \(make one with 'nextfs makefs/,
    );
    await Deno.writeTextFile(`${dir}/text`, "no image".repeat(1000));
    const text = await nextfs(["serve", `${dir}/text`]);
    assert.equal(text.code, 10);
    assert.match(text.stderr, /no ext2 superblock/);
    await Deno.writeTextFile(`${dir}/short`, "short");
    assert.equal((await nextfs(["serve", `${dir}/short`])).code, 10);
    assert.equal((await nextfs(["serve", dir])).code, 1);
  }));

Deno.test("serve without an image serves the project's own files", () =>
  withTempDir(async (dir) => {
    const server = await startServer([], dir);
    assert.match(await server.ok("cat", "/LICENSE"), /MIT License/);
    const { stdout } = await server.stop();
    assert.match(stdout, /task nextfs ls -l --connect unix:demo\/nextfs\.sock/);
    await assertClean(`${dir}/demo/nextfs.img`);
    const again = await startServer([], dir);
    assert.doesNotMatch((await again.stop()).stdout, /Making/);
  }));
