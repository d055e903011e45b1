import assert from "node:assert/strict";
import {
  assertClean,
  debugfs,
  must,
  testWith,
  withTempDir,
} from "../support/tools.ts";
import {
  DEVICE_KINDS,
  type DeviceKind,
  MAIN_KINDS,
  make,
  PLAIN,
} from "./devices.ts";
import { nextfs, ok, startServer } from "./program.ts";

for (const kind of DEVICE_KINDS) {
  Deno.test(`what is served is in use, and free again: ${kind.name}`, () =>
    withTempDir(async (dir) => {
      const made = await make(kind, dir, { size: "8M" });
      const server = await startServer(made.args);
      const listen = ["--listen", "unix:/dev/x"];
      for (
        const command of [
          ["serve", ...listen, ...made.args],
          ["serve", "--read-only", ...listen, ...made.args],
          ["dump", ...made.args, `${dir}/plain`],
        ]
      ) {
        const { code, stderr } = await nextfs(command);
        assert.equal(code, 11, stderr);
        assert.match(stderr, /another process has it open/);
        assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
      }
      assert.equal((await server.stop()).code, 0);
      assert.equal((await (await startServer(made.args)).stop()).code, 0);
    }));
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  for (const kind of MAIN_KINDS) {
    await testWith(
      ["e2fsprogs"],
      `${signal} makes everything durable: ${kind.name}`,
      () =>
        withTempDir(async (dir) => {
          const made = await make(kind, dir, { size: "8M" });
          const server = await startServer(made.args);
          await Deno.writeTextFile(`${dir}/f`, "durable");
          await server.ok("put", `${dir}/f`, "/f");
          assert.equal((await server.stop(signal)).code, 0);
          const plain = await made.check("after the signal");
          assert.equal(await debugfs(plain, "cat /f"), "durable");
        }),
    );
  }
}

/** How long a server may take to make changes durable, with some to spare. */
const DURABLE_MS = 10_000;

/** What a file holds, as text. */
async function snapshot(path: string): Promise<string> {
  return await must("sha256sum", path);
}

/** A server that is killed some seconds after its last change. */
async function changeAndKill(kind: DeviceKind, dir: string): Promise<void> {
  const made = await make(kind, dir, { size: "8M" });
  const server = await startServer(made.args);
  await server.ok("mkdir", "/made");
  const before = await snapshot(made.changesLast);
  const end = Date.now() + DURABLE_MS;
  // The change may have been made durable before the file was looked at.
  while (await snapshot(made.changesLast) === before && Date.now() < end) {
    await new Promise((wake) => setTimeout(wake, 250));
  }
  await server.stop("SIGKILL");
  await made.check("after it was killed");
  const again = await startServer(made.args);
  assert.equal(await again.ok("ls"), "lost+found\nmade\n", kind.name);
  assert.equal((await again.stop()).code, 0);
  await made.check("in the end");
}

// All at once, since they mostly wait.
Deno.test("changes are durable after some seconds, on every device", () =>
  withTempDir(async (dir) => {
    await Promise.all(DEVICE_KINDS.map(async (kind, i) => {
      await Deno.mkdir(`${dir}/${i}`);
      await changeAndKill(kind, `${dir}/${i}`).catch((error) => {
        throw new Error(`${kind.name}: ${error.message}`, { cause: error });
      });
    }));
  }));

for (const kind of DEVICE_KINDS.filter(({ hasTree }) => hasTree)) {
  Deno.test(`a server killed at once leaves what verifies: ${kind.name}`, () =>
    withTempDir(async (dir) => {
      const made = await make(kind, dir, { size: "8M" });
      for (let round = 0; round < 2; round++) {
        await (await startServer(made.args)).stop("SIGKILL");
        await ok(["verify", ...made.args]);
      }
    }));
}

Deno.test("serve listens at every endpoint and says where", () =>
  withTempDir(async (dir) => {
    const { args } = await make(PLAIN, dir, { size: "8M" });
    const listen = [`unix:${dir}/s`, "tcp:127.0.0.1:0"];
    const flags = listen.flatMap((endpoint) => ["--listen", endpoint]);
    const server = await startServer([...flags, ...args]);
    const { stdout } = await server.stop();
    const lines = stdout.trim().split("\n");
    assert.equal(lines[0], `Listening on unix:${dir}/s`);
    assert.match(lines[1], /^Listening on tcp:127\.0\.0\.1:[1-9]\d*$/);
  }));

for (const kind of DEVICE_KINDS) {
  Deno.test(`serve --read-only changes nothing, and shares: ${kind.name}`, () =>
    withTempDir(async (dir) => {
      const made = await make(kind, dir, { size: "8M" });
      const digest = (): Promise<string> =>
        must("sh", "-c", 'cd "$0" && find . -type f | xargs sha256sum', dir);
      const before = await digest();
      const server = await startServer(["--read-only", ...made.args]);
      const { code, stderr } = await server.client("mkdir", "/d");
      assert.equal(code, 1);
      assert.equal(stderr, "nextfs mkdir: /d: Read-only file system\n");
      const listen = ["--listen", `unix:${dir}/second`];
      const second = await startServer([
        ...["--read-only", ...listen, ...made.args],
      ]);
      for (const each of [server, second]) {
        assert.equal(await each.ok("ls"), "lost+found\n");
        assert.equal((await each.stop()).code, 0);
      }
      assert.equal(await digest(), before);
    }));
}

Deno.test("serve says what to do where there is no volume", () =>
  withTempDir(async (dir) => {
    const missing = await nextfs(["serve", `${dir}/x`]);
    assert.equal(missing.code, 10);
    assert.match(
      missing.stderr,
      /No such volume or image \(make one with 'nextfs init .* 'nextfs makefs/,
    );
    await Deno.writeTextFile(`${dir}/text`, "no image".repeat(1000));
    const text = await nextfs(["serve", `${dir}/text`]);
    assert.equal(text.code, 10);
    assert.match(text.stderr, /no ext2 superblock/);
    await Deno.writeTextFile(`${dir}/short`, "short");
    assert.equal((await nextfs(["serve", `${dir}/short`])).code, 10);
    const directory = await nextfs(["serve", dir]);
    assert.equal(directory.code, 10);
    assert.match(directory.stderr, /No volume in this directory .*nextfs init/);
  }));

Deno.test("serve without a volume serves the project's own files", () =>
  withTempDir(async (dir) => {
    const server = await startServer([], dir);
    assert.match(await server.ok("cat", "/LICENSE"), /MIT License/);
    const { stdout } = await server.stop();
    assert.match(stdout, /^Making demo\/volume from/);
    assert.match(stdout, /task nextfs ls -l --connect unix:demo\/nextfs\.sock/);
    const key = await Deno.stat(`${dir}/demo/key`);
    assert.deepEqual([key.size, key.mode! & 0o777], [32, 0o600]);
    const volume = ["--keyfile", "demo/key", "demo/volume"];
    const about = JSON.parse(
      await ok(["info", "--json", ...volume], { cwd: dir }),
    );
    assert.equal(about.device, "vericrypt");
    await ok(["verify", ...volume], { cwd: dir });
    await ok(["dump", ...volume, "plain"], { cwd: dir });
    await assertClean(`${dir}/plain`);
    const again = await startServer([], dir);
    assert.match(await again.ok("cat", "/LICENSE"), /MIT License/);
    assert.doesNotMatch((await again.stop()).stdout, /Making/);
  }));
