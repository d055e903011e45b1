/**
 * A session that sees a part of the volume, and tries to leave it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Filesystem, FsError, Paths, ROOT_INODE } from "../../fs/mod.ts";
import {
  type Client,
  connect,
  type Errno,
  type Node,
  O_RDONLY,
  O_RDWR,
  operationNamed,
  Policy,
} from "../../rpc/mod.ts";
import { Served } from "./harness.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** What the session must never read. */
const SECRET = "what is outside";

/** A volume with `/home` for the client, and secrets around it. */
function furnish(fs: Filesystem): void {
  const paths = new Paths(fs);
  paths.mkdirAll("/home/sub");
  paths.mkdirAll("/outside/deep");
  paths.writeFile("/outside/secret", SECRET);
  paths.writeFile("/home/file", "inside");
  paths.writeFile("/secret", SECRET);
  paths.symlink("/secret", "/home/absolute");
  paths.symlink("../secret", "/home/relative");
  paths.symlink("../../../outside/secret", "/home/sub/climbing");
  paths.symlink("/file", "/home/own");
}

/** What a test has at hand. */
interface Scene {
  readonly served: Served;
  readonly fs: Filesystem;
  readonly client: Client;
}

function testInside(name: string, fn: (scene: Scene) => Promise<void>): void {
  Deno.test(name, async () => {
    await using served = await Served.start({ policy: exported() });
    furnish(served.fs);
    await using client = await connect(served.endpoints[1]);
    await fn({ served, fs: served.fs, client });
  });
}

/** Those who come in by the TCP port see `/home`. */
function exported(): Policy {
  return Policy.from({
    rules: [{
      match: { socket: "tcp:127.0.0.1:0" },
      access: "write",
      export: "/home",
    }],
    otherwise: "write",
  });
}

async function refused(action: Promise<unknown>, code: Errno): Promise<void> {
  await assert.rejects(action, (error) => {
    assert.ok(error instanceof FsError, String(error));
    assert.equal(error.code, code);
    return true;
  });
}

/** The node of a path of the volume, as somebody might guess it. */
function guess(fs: Filesystem, path: string): Node {
  return new Paths(fs).lstat(path);
}

testInside("`..` stays at the root, by every operation", async ({ client }) => {
  const { root } = client;
  assert.notEqual(root.ino, ROOT_INODE);
  const dots = encode("..");
  const { attributes } = await client.call("lookup", { dir: root, name: dots });
  assert.equal(attributes.ino, root.ino);
  const walked = await client.call("walk", { dir: root, names: [dots, dots] });
  assert.deepEqual(walked.nodes.map(({ ino }) => ino), [root.ino, root.ino]);
  const path = encode("../../..");
  const found = await client.call("resolve", { dir: root, path, follow: true });
  assert.equal(found.attributes.ino, root.ino);
  const listed = await client.call("readdir", {
    ...{ node: root, cookie: 0, count: 100 },
  });
  for (const { name, ino } of listed.entries) {
    if (decode(name).startsWith(".")) assert.equal(ino, root.ino);
  }
});

testInside("symbolic links lead nowhere outside", async ({ client }) => {
  for (const name of ["/absolute", "/relative", "/sub/climbing"]) {
    await refused(client.files.readFile(name), "ENOENT");
  }
  assert.equal(await client.files.readTextFile("/own"), "inside");
  await client.files.symlink("/outside/secret", "/made");
  await refused(client.files.readFile("/made"), "ENOENT");
});

testInside("a node that is guessed is stale", async ({ client, fs }) => {
  const name = encode("x");
  const { root } = client;
  for (const path of ["/", "/secret", "/outside", "/outside/secret"]) {
    const node = guess(fs, path);
    const value = encode("v");
    for (
      const attempt of [
        client.call("getattr", { node }),
        client.call("open", { node, flags: O_RDONLY }),
        client.call("setattr", { node, changes: { mode: 0o777 } }),
        client.call("readdir", { node, cookie: 0, count: 10 }),
        client.call("lookup", { dir: node, name }),
        client.call("walk", { dir: node, names: [name] }),
        client.call("resolve", { dir: node, path: name, follow: true }),
        client.call("mkdir", { dir: node, name, mode: 0o755 }),
        client.call("create", { dir: node, name, mode: 0o644, flags: O_RDWR }),
        client.call("link", { node, dir: root, name }),
        client.call("unlink", { dir: node, name: encode("secret") }),
        client.call("access", { node, mask: 4 }),
        client.call("readlink", { node }),
        client.call("listxattr", { node }),
        client.call("getxattr", { node, name: encode("user.x") }),
        client.call("setxattr", {
          ...{ node, name: encode("user.x"), value },
          ...{ create: false, replace: false },
        }),
        client.call("rename", {
          ...{ fromDir: node, fromName: encode("secret") },
          ...{ toDir: root, toName: name, noReplace: false },
        }),
        client.call("rename", {
          ...{ fromDir: root, fromName: encode("file") },
          ...{ toDir: node, toName: name, noReplace: false },
        }),
      ]
    ) {
      await refused(attempt, "ESTALE");
    }
  }
  assert.equal(decode(new Paths(fs).readFile("/secret")), SECRET);
});

testInside("a node is stale when its file has moved out", async (scene) => {
  const { client, fs } = scene;
  const file = (await client.files.stat("/file")).attributes;
  const sub = (await client.files.stat("/sub")).attributes;
  const { descriptor } = await client.call("open", {
    ...{ node: file, flags: O_RDONLY },
  });
  new Paths(fs).rename("/home/file", "/outside/file");
  new Paths(fs).rename("/home/sub", "/outside/sub");
  await refused(client.call("getattr", { node: sub }), "ESTALE");
  const name = encode("climbing");
  await refused(client.call("lookup", { dir: sub, name }), "ESTALE");
  // What is open stays open, as after chroot(2); it gets no name here again.
  const read = { descriptor, offset: 0, length: 6 };
  assert.equal(decode((await client.call("read", read)).data), "inside");
  const again = { node: file, dir: client.root, name };
  await refused(client.call("link", again), "ESTALE");
  await client.call("close", { descriptor });
  await refused(client.call("getattr", { node: file }), "ESTALE");
});

testInside("compounds are kept inside as well", async ({ client, fs }) => {
  const { ino, generation } = guess(fs, "/secret");
  const { replies } = await client.call("compound", {
    steps: [
      {
        operation: operationNamed("resolve"),
        args: { dir: client.root, path: encode("/../.."), follow: true },
      },
      {
        operation: operationNamed("open"),
        args: { node: { ino, generation }, flags: O_RDONLY },
      },
    ],
  });
  assert.deepEqual(replies.map(({ status }) => status), [0, 116]);
});

testInside("the original's operations are kept inside", async ({ client }) => {
  for (const path of ["/secret", "../secret", "/absolute", "/../secret"]) {
    const name = encode(path);
    await refused(
      client.call("file_open", { path: name, mode: "r" }),
      "ENOENT",
    );
    await refused(client.call("mode_get", { path: name }), "ENOENT");
    await refused(
      client.call("file_remove", { path: encode("/../secret") }),
      "ENOENT",
    );
  }
  await client.call("mount", { device: "nextfs", mountPoint: encode("/m") });
  const path = encode("/m/../../secret");
  await refused(client.call("file_open", { path, mode: "r" }), "ENOENT");
});

Deno.test("a connection by another socket sees what its rule gives", async () => {
  await using served = await Served.start({ policy: exported() });
  furnish(served.fs);
  await using whole = await connect(served.endpoints[0]);
  assert.equal(await whole.files.readTextFile("/secret"), SECRET);
});

Deno.test("access to read refuses every change, and none refuses all", async () => {
  const policy = Policy.from({
    rules: [{ match: { socket: "tcp:127.0.0.1:0" }, access: "none" }],
    otherwise: "read",
  });
  await using served = await Served.start({ policy });
  furnish(served.fs);
  await using client = await connect(served.endpoints[0]);
  assert.equal(client.limits.readOnly, true);
  assert.equal(await client.files.readTextFile("/secret"), SECRET);
  await refused(client.files.writeTextFile("/secret", "x"), "EROFS");
  await refused(client.files.mkdir("/new"), "EROFS");
  await refused(client.files.remove("/secret"), "EROFS");
  await refused(connect(served.endpoints[1]), "EACCES");
  assert.ok(
    served.log.some((line) => line.includes("rule 1")),
    `${served.log}`,
  );
});

Deno.test("limits of a rule stand in place of the server's", async () => {
  const limits = { connections: 1, descriptors: 2, locks: 3, tables: 4 };
  const policy = Policy.from({
    rules: [{
      match: { socket: "tcp:127.0.0.1:0" },
      access: "write",
      limits: { ...limits, inFlight: 5 },
    }],
    otherwise: "write",
  });
  await using served = await Served.start({ policy });
  const [local, counted] = served.endpoints;
  {
    await using client = await connect(counted);
    const { maxDescriptors, maxLocks, maxTables, maxInFlight } = client.limits;
    assert.deepEqual([maxDescriptors, maxLocks, maxTables, maxInFlight], [
      ...[2, 3, 4, 5],
    ]);
    await refused(connect(counted), "EAGAIN");
    await using other = await connect(local);
    assert.equal(other.limits.maxDescriptors, 1024);
  }
  while (served.server.connections > 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await using client = await connect(counted);
  await client.call("ping", {});
});
