/**
 * What is durable, and when: `sync`, `put --sync`, and commits at intervals,
 * each followed by a kill of the server.
 */

import assert from "node:assert/strict";
import { withTempDir } from "../support/tools.ts";
import {
  type DeviceKind,
  type MadeDevice,
  MAIN_KINDS,
  make,
  PLAIN,
} from "./devices.ts";
import { nextfs, type Serving, startServer, writeTree } from "./program.ts";

/** No commit that nobody asks for. */
const NEVER = ["--commit-interval", "3600"];

/** Serves, lets `visit` change files, kills the server and serves again. */
async function killed(
  made: MadeDevice,
  visit: (server: Serving) => Promise<void>,
  flags = NEVER,
): Promise<string> {
  const server = await startServer([...flags, ...made.args]);
  try {
    await visit(server);
  } finally {
    await server.stop("SIGKILL");
  }
  const again = await startServer(made.args);
  try {
    return await again.ok("tree");
  } finally {
    assert.equal((await again.stop()).code, 0);
  }
}

for (const kind of MAIN_KINDS) {
  Deno.test(`put --sync and sync survive a kill: ${kind.name}`, () =>
    withTempDir((dir) => syncAndKill(kind, dir)));
}

async function syncAndKill(kind: DeviceKind, dir: string): Promise<void> {
  await writeTree(`${dir}/tree`, { "a/x": "x".repeat(100_000), "b": "b" });
  const made = await make(kind, dir, { size: "8M" });
  await killed(made, async (server) => {
    await server.ok("put", "-r", "--sync", `${dir}/tree`, "/put");
  });
  const tree = await killed(made, async (server) => {
    assert.equal(
      await server.ok("cat", "/put/a/x", "/put/b"),
      "x".repeat(100_000) + "b",
    );
    await server.ok("mkdir", "/made");
    assert.equal(await server.ok("sync"), "");
  });
  assert.match(tree, /made/);
  assert.match(tree, /put\n.*── a\n.*── x\n.*── b\n/);
}

Deno.test("a short --commit-interval makes changes durable soon", () =>
  withTempDir(async (dir) => {
    const made = await make(PLAIN, dir, { size: "8M" });
    const tree = await killed(made, async (server) => {
      await server.ok("mkdir", "/made");
      await new Promise((resolve) => setTimeout(resolve, 500));
    }, ["--commit-interval", "0.1"]);
    assert.match(tree, /made/);
  }));

Deno.test("a --commit-interval that is none is wrong usage", async () => {
  for (const value of ["0", "0.01", "3601", "soon", "-5", ""]) {
    const args = ["serve", `--commit-interval=${value}`, "/nothing"];
    const { code, stderr } = await nextfs(args);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /--commit-interval: .*from 0\.05 to 3600/);
  }
});

Deno.test("sync takes no operand, and names a server that is not there", () =>
  withTempDir(async (dir) => {
    const connect = ["--connect", `unix:${dir}/none`];
    assert.equal((await nextfs(["sync", ...connect, "/x"])).code, 2);
    const { code, stderr } = await nextfs(["sync", ...connect]);
    assert.equal(code, 1);
    assert.match(stderr, /^nextfs sync: Cannot connect to unix:.*\/none: /);
  }));
