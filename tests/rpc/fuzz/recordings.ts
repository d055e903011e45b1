/**
 * What real clients send, frame by frame.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type -- the type of the table gives it

import {
  type Client,
  connect,
  dial,
  type Endpoint,
  O_CREAT,
  O_RDWR,
  operationNamed,
  type Transport,
} from "../../../rpc/mod.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Notes all that is written to a stream, and passes it on. */
function recording(transport: Transport, sent: number[]): Transport {
  return {
    peer: transport.peer,
    read: (into) => transport.read(into),
    write(from) {
      sent.push(...from);
      return transport.write(from);
    },
    close: () => transport.close(),
  };
}

/** Cuts a stream into its frames, prefixes included. */
function framesOf(sent: readonly number[]): Uint8Array[] {
  const bytes = Uint8Array.from(sent);
  const view = new DataView(bytes.buffer);
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + view.getUint32(at);
    frames.push(bytes.subarray(at, end));
    at = end;
  }
  return frames;
}

/** Files by node. */
async function workByNode(client: Client): Promise<void> {
  const dir = client.root;
  const name = bytesOf("recorded");
  const { descriptor, attributes: node } = await client.call("create", {
    ...{ dir, name, mode: 0o644, flags: O_RDWR },
  });
  const data = new Uint8Array(5000).fill(3);
  await Promise.all([
    client.call("write", { descriptor, offset: 0, data }),
    client.call("write", { descriptor, offset: 5000, data }),
    client.call("read", { descriptor, offset: 100, length: 4096 }),
    client.call("fsync", { descriptor }),
  ]);
  await client.call("setattr", { node, changes: { mode: 0o600, size: 3 } });
  const value = bytesOf("value");
  const attribute = { node, name: bytesOf("user.x") };
  await client.call("setxattr", {
    ...{ ...attribute, value, create: false, replace: false },
  });
  await client.call("getxattr", attribute);
  await client.call("listxattr", { node });
  await client.call("readdir", { node: dir, cookie: 0, count: 100 });
  await client.call("resolve", {
    dir,
    path: bytesOf("/recorded"),
    follow: true,
  });
  await client.call("link", { node, dir, name: bytesOf("linked") });
  await client.call("rename", {
    ...{ fromDir: dir, fromName: name, toDir: dir, toName: bytesOf("moved") },
    noReplace: false,
  });
  await client.call("unlink", { dir, name: bytesOf("linked") });
  await client.call("unlink", { dir, name: bytesOf("moved") });
  await client.call("allocate", {
    ...{ descriptor, mode: 0, offset: 0, length: 9000 },
  });
  await client.call("seekData", { descriptor, offset: 0, hole: true });
  await client.call("close", { descriptor });
}

/** Locks, and what is done at once. */
async function workTogether(client: Client): Promise<void> {
  const dir = client.root;
  const name = bytesOf("together");
  const { replies } = await client.call("compound", {
    steps: [
      ["create", { dir, name, mode: 0o644, flags: O_RDWR }],
      ["write", { descriptor: 0, offset: 0, data: bytesOf("contents") }],
      ["read", { descriptor: 0, offset: 0, length: 100 }],
      ["getattr", { node: { ino: 0, generation: 0 } }],
    ].map(([name, args]) => ({
      operation: operationNamed(name as "read"),
      args: args as unknown as Record<string, unknown>,
    })),
  });
  const [first] = replies;
  const [descriptor] = "results" in first
    ? first.results as readonly [number]
    : [0];
  const lock = { descriptor, start: 0, length: 10 };
  await client.call("setLock", { ...lock, owner: 1, kind: 2, wait: false });
  await client.call("getLock", { ...lock, owner: 2, exclusive: true });
  const controller = new AbortController();
  const waiting = client.call(
    "setLock",
    { ...lock, owner: 2, kind: 1, wait: true },
    { signal: controller.signal },
  );
  await client.call("ping", {});
  controller.abort();
  await waiting.catch(() => {});
  await client.call("setLock", { ...lock, owner: 1, kind: 0, wait: false });
  await client.call("copyRange", {
    ...{ from: descriptor, fromOffset: 0, to: descriptor, toOffset: 100 },
    length: 5,
  });
  await client.call("unlink", { dir, name });
  await client.call("goodbye", {});
}

/** The original's operations. */
async function workByPath(client: Client): Promise<void> {
  const path = bytesOf("/original");
  const flags = O_RDWR | O_CREAT;
  const { descriptor } = await client.call("file_open2", { path, flags });
  const file = { descriptor };
  await client.call("file_write", { ...file, data: bytesOf("contents") });
  await client.call("file_seek", { ...file, offset: -4, origin: 1 });
  await client.call("file_read", { ...file, length: 100 });
  await client.call("file_truncate", { ...file, size: 2 });
  await client.call("file_size", file);
  await client.call("fork", {});
  await client.call("file_close", file);
  await client.call("mode_set", { path, mode: 0o600 });
  await client.call("owner_get", { path });
  await client.call("mtime_set", { path, time: { sec: 5, nsec: 6 } });
  const dir = bytesOf("/made");
  await client.call("dir_mkdir", { path: dir, mode: 0o755 });
  const target = bytesOf("../original");
  await client.call("path_symlink", { path: bytesOf("/made/link"), target });
  const listing = await client.call("dir_open", { path: dir });
  await client.call("dir_entry_next", listing);
  await client.call("dir_close", listing);
  await client.call("dir_list", { path: bytesOf("/") });
  const mountPoint = bytesOf("/mnt");
  await client.call("mount", { device: "nextfs", mountPoint });
  await client.call("mode_get", { path: bytesOf("/mnt/original") });
  await client.call("umount", { mountPoint });
  await client.call("cache_write_back", {
    mountPoint: bytesOf("/"),
    on: false,
  });
  await client.call("file_remove", { path });
  await client.call("dir_rm", { path: dir });
  await client.call("new_fdtable", {});
}

/** Holds conversations with a server; returns the frames of each. */
export async function recordedSessions(
  endpoint: string | Endpoint,
): Promise<Uint8Array[][]> {
  const sessions: Uint8Array[][] = [];
  for (const work of [workByNode, workTogether, workByPath]) {
    const sent: number[] = [];
    const client = await connect(endpoint, {
      dial: async (where) => recording(await dial(where), sent),
    });
    await work(client);
    await client.close();
    sessions.push(framesOf(sent));
  }
  return sessions;
}
