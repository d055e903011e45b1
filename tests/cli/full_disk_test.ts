/**
 * A disk that is full under a server, or under an anchor: what is said, what
 * goes on, and that nothing acknowledged is lost.
 */

import assert from "node:assert/strict";
import { must, testWith, withMount, withTempDir } from "../support/tools.ts";
import { nextfs, ok, type Serving, startServer } from "./program.ts";

/** Bytes of a file that is put; random bytes come in no larger pieces. */
const FILE_BYTES = 1 << 16;
const MEGABYTE = new Uint8Array(1 << 20).fill(1);

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

async function assertThere(
  server: Serving,
  names: string[],
  bytes: Uint8Array,
): Promise<void> {
  for (const name of names) {
    assert.deepEqual((await server.client("cat", name)).bytes, bytes, name);
  }
}

await testWith(
  ["loop mounts"],
  "a full disk under a server takes nothing that was acknowledged",
  () =>
    withDisk("6M", async ({ dir, disk }) => {
      const [file, log, volume] = [`${dir}/file`, `${dir}/log`, `${disk}/v`];
      const bytes = crypto.getRandomValues(new Uint8Array(FILE_BYTES));
      await Deno.writeFile(file, bytes);
      for (const name of ["spare1", "spare2"]) {
        await Deno.writeFile(`${disk}/${name}`, MEGABYTE);
      }
      const init = ["init", "--device", "std", "--journal-size", "1M"];
      await ok([...init, "-s", "32M", volume]);
      const place = ["--listen", `unix:${dir}/socket`, volume];
      const server = await startServer(["--log-file", log, ...place]);
      const names = await putUntilFull(server, file, "a");
      assert.ok(names.length > 0);
      await assertThere(server, names, bytes);
      const refused = await server.client("mkdir", "/no");
      assert.match(refused.stderr, /read-only until one succeeds \(sync\)$/m);
      // When there is room, it goes on without being started again.
      await Deno.remove(`${disk}/spare1`);
      await server.ok("sync");
      names.push(...await putUntilFull(server, file, "b"));
      assert.equal((await server.stop()).code, 1);
      const told = await Deno.readTextFile(log);
      assert.match(told, /changes that no sync has confirmed may be lost$/m);
      assert.match(told, /Cannot write .* at byte \d+: No space left on dev/);
      // What is not in its place yet needs room only for writing.
      const writing = await nextfs(["serve", ...place]);
      assert.equal(writing.code, 1);
      assert.match(writing.stderr, /: make room there; nothing is lost, and/);
      await ok(["fsck", "-n", volume]);
      const reading = await startServer(["--read-only", ...place]);
      await assertThere(reading, names, bytes);
      await reading.stop();
      await Deno.remove(`${disk}/spare2`);
      const again = await startServer(place);
      await assertThere(again, names, bytes);
      assert.equal((await again.stop()).code, 0);
      await ok(["fsck", "-n", volume]);
    }),
);

await testWith(
  ["loop mounts"],
  "an anchor takes its room at once, and leaves nothing where there is none",
  () =>
    withDisk("1M", async ({ dir, disk }) => {
      const [key, rest] = [`${dir}/key`, `${disk}/rest`];
      await Deno.writeFile(key, crypto.getRandomValues(new Uint8Array(32)));
      const anchor = `${disk}/anchor`;
      const args = ["--keyfile", key, "--anchor", anchor, `${dir}/v`];
      const fill = (): Promise<void> =>
        assert.rejects(
          Deno.writeFile(rest, MEGABYTE, { append: true }),
          /No space left/,
        );
      await fill();
      const failed = await nextfs(["init", "-s", "8M", ...args]);
      assert.match(failed.stderr, /anchor at byte \d+: No space left on dev/);
      await assert.rejects(Deno.stat(anchor), Deno.errors.NotFound);
      await Deno.remove(rest);
      await ok(["init", "-s", "8M", ...args]);
      await fill();
      const server = await startServer(args);
      for (const name of ["/a", "/b", "/c"]) {
        await server.ok("mkdir", name);
        await server.ok("sync");
      }
      assert.equal((await server.stop()).code, 0);
      // One that is lost is made again, when there is room for it.
      const info = JSON.parse(await ok(["info", "--json", ...args]));
      const { generation } = info.anchor;
      await Deno.remove(anchor);
      await fill();
      const accept = ["--accept-rollback", `${generation}`, ...args];
      assert.equal((await nextfs(["serve", ...accept])).code, 1);
      await assert.rejects(Deno.stat(anchor), Deno.errors.NotFound);
      await Deno.remove(rest);
      const again = await startServer(accept);
      assert.match(await again.ok("ls", "/"), /^a\nb\nc\n/);
      assert.equal((await again.stop()).code, 0);
    }),
);
