/**
 * A disk that is full under a server, or under an anchor: what is said, what
 * goes on, and that nothing acknowledged is lost.
 */

import assert from "node:assert/strict";
import { must, testWith, withMount, withTempDir } from "../support/tools.ts";
import { nextfs, ok, type Serving, startServer } from "./program.ts";

/** What is put again and again, and what is put aside. */
const BYTES = new Uint8Array(400_000).map((_, i) => i % 251);

/** Mounts a disk of `size`; `dir` is a directory elsewhere. */
function withDisk(
  size: string,
  visit: (place: { dir: string; disk: string }) => Promise<void>,
): Promise<void> {
  return withTempDir(async (dir) => {
    const image = `${dir}/disk.img`;
    await must("truncate", "-s", size, image);
    await must("mke2fs", "-q", "-t", "ext2", "-b", "1024", "-m", "0", image);
    await withMount(image, "rw", (disk) => visit({ dir, disk }));
  });
}

/** Puts files until one fails, which says why; returns those before it. */
async function putUntilFull(
  server: Serving,
  file: string,
  prefix: string,
): Promise<string[]> {
  for (const names: string[] = [];;) {
    const name = `/${prefix}${names.length}`;
    const { code, stderr } = await server.client("put", "--sync", file, name);
    if (code !== 0) {
      assert.match(
        stderr,
        /No space left on device: the server's disk is full/,
      );
      return names;
    }
    assert.ok(names.push(name) < 100, "the disk is never full");
  }
}

async function assertThere(server: Serving, names: string[]): Promise<void> {
  for (const name of names) {
    assert.deepEqual((await server.client("cat", name)).bytes, BYTES, name);
  }
}

/** Serves while `visit` runs; returns the server's exit code. */
async function serving(
  args: string[],
  visit: (server: Serving) => Promise<void>,
): Promise<number> {
  const server = await startServer(args);
  try {
    await visit(server);
  } catch (error) {
    // The disk is in use for as long as it runs.
    await server.stop("SIGKILL");
    throw error;
  }
  return (await server.stop()).code;
}

/** Takes all that is left of a disk. */
function fill(disk: string): void {
  const kilobyte = new Uint8Array(1024).fill(1);
  using file = Deno.openSync(`${disk}/rest`, { create: true, append: true });
  assert.throws(() => {
    for (;;) file.writeSync(kilobyte);
  }, /No space left/);
}

await testWith(
  ["loop mounts"],
  "a full disk under a server takes nothing that was acknowledged",
  () =>
    withDisk("8M", async ({ dir, disk }) => {
      const [file, log, volume] = [`${dir}/file`, `${dir}/log`, `${disk}/v`];
      await Deno.writeFile(file, BYTES);
      // More than a journal may hold that is not in its place yet.
      const spare = new Uint8Array(2 << 20).fill(1);
      await Deno.writeFile(`${disk}/spare1`, spare);
      await Deno.writeFile(`${disk}/spare2`, spare);
      const init = ["init", "--device", "std", "--journal-size", "1M"];
      await ok([...init, "-s", "32M", volume]);
      const place = ["--listen", `unix:${dir}/socket`, volume];
      const names: string[] = [];
      const code = await serving(["--log-file", log, ...place], async (one) => {
        names.push(...await putUntilFull(one, file, "a"));
        assert.ok(names.length > 0);
        await assertThere(one, names);
        const refused = await one.client("mkdir", "/no");
        assert.match(refused.stderr, /read-only until one succeeds \(sync\)$/m);
        // When there is room, it goes on without being started again.
        await Deno.remove(`${disk}/spare1`);
        await one.ok("sync");
        names.push(...await putUntilFull(one, file, "b"));
      });
      assert.equal(code, 1);
      const told = await Deno.readTextFile(log);
      assert.match(told, /changes that no sync has confirmed may be lost$/m);
      // What is not in its place yet needs room only for writing.
      const writing = await nextfs(["fsck", "-p", volume]);
      assert.equal(writing.code, 8);
      assert.match(
        writing.stderr,
        /: No space left on device: make room there; nothing is lost, and/,
      );
      await ok(["fsck", "-n", volume]);
      const look = (one: Serving): Promise<void> => assertThere(one, names);
      assert.equal(await serving(["--read-only", ...place], look), 0);
      await Deno.remove(`${disk}/spare2`);
      assert.equal(await serving(place, look), 0);
      await ok(["fsck", "-n", volume]);
    }),
);

await testWith(
  ["loop mounts"],
  "an anchor takes its room at once, and leaves nothing where there is none",
  () =>
    withDisk("1M", async ({ dir, disk }) => {
      const key = `${dir}/key`;
      await Deno.writeFile(key, crypto.getRandomValues(new Uint8Array(32)));
      const anchor = `${disk}/anchor`;
      const args = ["--keyfile", key, "--anchor", anchor, `${dir}/v`];
      fill(disk);
      const failed = await nextfs(["init", "-s", "8M", ...args]);
      assert.match(failed.stderr, /anchor at byte \d+: No space left on dev/);
      await assert.rejects(Deno.stat(anchor), Deno.errors.NotFound);
      await Deno.remove(`${disk}/rest`);
      await ok(["init", "-s", "8M", ...args]);
      fill(disk);
      const make = async (one: Serving): Promise<void> => {
        for (const name of ["/a", "/b", "/c"]) {
          await one.ok("mkdir", name);
          await one.ok("sync");
        }
      };
      assert.equal(await serving(args, make), 0);
      // One that is lost is made again, when there is room for it.
      const info = JSON.parse(await ok(["info", "--json", ...args]));
      const { generation } = info.anchor;
      await Deno.remove(anchor);
      fill(disk);
      const accept = ["--accept-rollback", `${generation}`, ...args];
      assert.equal((await nextfs(["serve", ...accept])).code, 1);
      await assert.rejects(Deno.stat(anchor), Deno.errors.NotFound);
      await Deno.remove(`${disk}/rest`);
      const code = await serving(accept, async (one) => {
        assert.match(await one.ok("ls", "/"), /^a\nb\nc\n/);
      });
      assert.equal(code, 0);
    }),
);
