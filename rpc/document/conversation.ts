/**
 * The conversation from which the documentation has its examples.
 *
 * It is held with a real server about a new volume whose clock stands still,
 * so that everything but the id of a forked table is the same each time.
 *
 * @module
 */

import { MemoryDevice } from "../../bd/memory.ts";
import { S_IFIFO } from "../../fs/attributes.ts";
import { Filesystem, format } from "../../fs/mod.ts";
import { O_CREAT, O_RDWR } from "../open_flags.ts";
import { Server } from "../server.ts";
import { encoded, type Exchange, Recorder, type Said } from "./recorder.ts";

const utf8 = new TextEncoder();
/** A name or a path on the wire. */
const bytes = (text: string): Uint8Array => utf8.encode(text);

/** When everything happens: the first second of 2026. */
const NOW = { sec: 1767225600, nsec: 0 };
/** What the documentation has for the random id of a forked table. */
const FORK_ID = Uint8Array.from({ length: 32 }, (_, i) => i);

/** A node, from attributes. */
function nodeOf(attributes: unknown): [ino: number, generation: number] {
  const [ino, generation] = attributes as [number, number];
  return [ino, generation];
}

/** Holds the whole conversation; returns what was said, in order. */
export async function hold(): Promise<readonly Exchange[]> {
  const device = new MemoryDevice(4096, 1024);
  const uuid = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i);
  const options = { inodeCount: 256, hashSeed: uuid, label: "example" };
  format(device, { ...options, uuid, now: NOW });
  let generation = 0;
  const fs = Filesystem.open(device, {
    now: () => NOW,
    generation: () => ++generation,
  });
  const server = new Server(fs);
  try {
    const name = `unix:@nextfs-examples-${crypto.randomUUID()}`;
    const endpoint = await server.listen(name);
    const heard: Exchange[] = [];
    const client = await Recorder.connect(endpoint, heard);
    const hello = ["nextfs", 1, 1052672, 64, []];
    const results = await client.ask("hello", ...hello);
    await client.ask("ping");
    await speakOfNodes(client, results);
    await speakByPath(client);
    const second = await Recorder.connect(endpoint, heard);
    await second.ask("hello", ...hello);
    const [id] = await client.ask("fork");
    await second.ask("child_attach", id);
    for (const one of [client, second]) {
      await one.ask("goodbye");
      await one.end();
    }
    return heard.map((one) => withFixedId(one, id as Uint8Array));
  } finally {
    await server.stop();
    await fs.close();
  }
}

/** Puts a fixed id in the place of a random one. */
function withFixedId(exchange: Exchange, id: Uint8Array): Exchange {
  const isId = (item: unknown): boolean =>
    item instanceof Uint8Array && item.toHex() === id.toHex();
  const fixed = (said: Said): Said =>
    said.items.some(isId)
      ? encoded(said.items.map((item) => isId(item) ? FORK_ID : item))
      : said;
  const { request, reply } = exchange;
  return { ...exchange, request: fixed(request), reply: fixed(reply) };
}

/** Operations on nodes, and on open files. */
async function speakOfNodes(
  client: Recorder,
  hello: readonly unknown[],
): Promise<void> {
  const root = nodeOf(hello.find((item) => Array.isArray(item)));
  const notes = nodeOf(
    (await client.ask("mkdir", root, bytes("notes"), 0o755))[0],
  );
  const [descriptor, attributes] = await client.ask(
    ...["create", notes, bytes("today"), 0o644, O_RDWR] as const,
  );
  const today = nodeOf(attributes);
  await speakOfContents(client, descriptor as number, notes);
  await speakOfAttributes(client, today, notes, root);
  await speakOfNames(client, today, notes, root);
  await client.ask("compound", [
    [65, root, bytes("notes/today"), true],
    [69, [0, 0], 0],
    [71, 0, 0, 5],
    [70, 0],
  ]);
  await client.ask("close", descriptor);
}

async function speakOfContents(
  client: Recorder,
  descriptor: number,
  dir: readonly number[],
): Promise<void> {
  await client.ask("write", descriptor, 0, bytes("hello"));
  await client.ask("read", descriptor, 0, 4096);
  await client.ask("fdatasync", descriptor);
  await client.ask("fsync", descriptor);
  await client.ask("sync");
  await client.ask("allocate", descriptor, 0, 8192, 4096);
  await client.ask("seekData", descriptor, 0, true);
  const [copy] = await client.ask("create", dir, bytes("copy"), 0o644, O_RDWR);
  await client.ask("copyRange", descriptor, 0, copy, 0, 5);
  await client.ask("getLock", descriptor, 7, true, 0, 0);
  await client.ask("setLock", descriptor, 7, 2, 0, 0, false);
  const { id, reply } = await client.send(
    ...["setLock", descriptor, 8, 1, 0, 10, true] as const,
  );
  await client.ask("cancel", id);
  await reply;
  await client.ask("close", copy);
}

async function speakOfAttributes(
  client: Recorder,
  node: readonly number[],
  dir: readonly number[],
  root: readonly number[],
): Promise<void> {
  await client.ask("getattr", node);
  const nothing = [null, null, null, null, null, null, null, null, null];
  const changes = nothing.with(0, 0o600 as never).with(3, 5 as never)
    .with(5, true as never);
  await client.ask("setattr", node, changes);
  await client.ask("access", node, 6);
  await client.ask("lookup", dir, bytes("today"));
  await client.ask("walk", root, [bytes("notes"), bytes("today")]);
  await client.ask("resolve", root, bytes("notes/today"), true);
  await client.ask("open", node, 0);
  const colour = bytes("user.colour");
  await client.ask("setxattr", node, colour, bytes("blue"), false, false);
  await client.ask("getxattr", node, colour);
  await client.ask("listxattr", node);
  await client.ask("removexattr", node, colour);
  await client.ask("statfs");
}

async function speakOfNames(
  client: Recorder,
  node: readonly number[],
  dir: readonly number[],
  root: readonly number[],
): Promise<void> {
  const [link] = await client.ask(
    ...["symlink", dir, bytes("link"), bytes("today")] as const,
  );
  await client.ask("readlink", nodeOf(link));
  await client.ask("link", node, dir, bytes("again"));
  await client.ask("unlink", dir, bytes("again"));
  await client.ask("rename", dir, bytes("copy"), root, bytes("copy"), false);
  await client.ask("mknod", dir, bytes("pipe"), S_IFIFO | 0o644, [0, 0]);
  await client.ask("mkdir", dir, bytes("empty"), 0o755);
  await client.ask("rmdir", dir, bytes("empty"));
  await client.ask("readdir", dir, 0, 2);
}

/** The operations of the original server. */
async function speakByPath(client: Recorder): Promise<void> {
  await client.ask("device_register", "disk");
  await client.ask("mount", "disk", bytes("/mnt"));
  await client.ask("mount_point_stats", bytes("/mnt"));
  await client.ask("cache_write_back", bytes("/mnt"), true);
  await client.ask("umount", bytes("/mnt"));
  await client.ask("dir_mk", bytes("/old"));
  await client.ask("dir_mkdir", bytes("/old/b"), 0o755);
  await speakOfPositions(client);
  await speakOfPaths(client);
  await speakOfOwners(client);
  const [dir] = await client.ask("dir_open", bytes("/old"));
  await client.ask("dir_entry_next", dir);
  await client.ask("dir_entry_rewind", dir);
  await client.ask("dir_close", dir);
  await client.ask("dir_list", bytes("/old"));
  await client.ask("dir_mv", bytes("/old/b"), bytes("/old/c"));
  await client.ask("dir_rm", bytes("/old"));
  await client.ask("new_fdtable");
}

async function speakOfPositions(client: Recorder): Promise<void> {
  const [file] = await client.ask("file_open", bytes("/old/f"), "w+");
  await client.ask("file_write", file, bytes("hello"));
  await client.ask("file_seek", file, -4, 2);
  await client.ask("file_read", file, 3);
  await client.ask("file_tell", file);
  await client.ask("file_truncate", file, 4);
  await client.ask("file_size", file);
  await client.ask("file_close", file);
  const flags = O_CREAT | O_RDWR;
  const [other] = await client.ask("file_open2", bytes("/old/g"), flags);
  await client.ask("file_close", other);
}

async function speakOfPaths(client: Recorder): Promise<void> {
  await client.ask("file_link", bytes("/old/f"), bytes("/old/h"));
  await client.ask("file_rename", bytes("/old/h"), bytes("/old/i"));
  await client.ask("file_remove", bytes("/old/i"));
  await client.ask("path_symlink", bytes("f"), bytes("/old/l"));
  await client.ask("path_readlink", bytes("/old/l"));
  await client.ask("path_mknod", bytes("/old/p"), S_IFIFO | 0o644, [0, 0]);
  await client.ask("raw_inode", bytes("/old/f"));
}

async function speakOfOwners(client: Recorder): Promise<void> {
  const path = bytes("/old/f");
  await client.ask("mode_set", path, 0o640);
  await client.ask("mode_get", path);
  await client.ask("owner_set", path, 1000, 100);
  await client.ask("owner_get", path);
  for (const which of ["atime", "mtime", "ctime"] as const) {
    await client.ask(`${which}_set`, path, [NOW.sec, 500_000_000]);
    await client.ask(`${which}_get`, path);
  }
}
