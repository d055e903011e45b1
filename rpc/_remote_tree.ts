/**
 * Directories of the server: listed, made with those above them, removed with
 * all that is in them.
 *
 * @module
 */

import { type Attributes, S_IFDIR, S_IFMT } from "../fs/attributes.ts";
import { FsError } from "../fs/errors.ts";
import { Pipeline } from "./_pipeline.ts";
import {
  checkName,
  componentsOf,
  isDot,
  type Place,
  resolve,
} from "./_remote_path.ts";
import type { Client } from "./client.ts";
import type { SignalOptions } from "./file_options.ts";
import type { Node } from "./operations/mod.ts";

/** Names of one directory that are removed at a time. */
const REMOVALS_IN_FLIGHT = 16;

/** An entry of a directory. */
interface Entry {
  readonly name: Uint8Array;
  /** Null if the server cannot read the inode. */
  readonly attributes: Attributes | null;
}

/** Entries of a directory, in the volume's order, without `.` and `..`. */
export async function* listEntries(
  client: Client,
  node: Node,
  { signal }: SignalOptions = {},
): AsyncGenerator<Entry> {
  const count = client.limits.maxEntries;
  for (let cookie = 0;;) {
    const args = { node, cookie, count };
    const { entries, end } = await client.call("readdir", args, { signal });
    for (const { name, attributes, ...entry } of entries) {
      cookie = entry.cookie;
      if (isDot(name)) continue;
      checkName(name);
      yield { name, attributes };
    }
    if (end) return;
    if (entries.length === 0) {
      throw new FsError("EPROTO", "the server lists nothing, and no end");
    }
  }
}

/** Makes the directories of a path that do not exist. */
export async function makeDirectories(
  client: Client,
  path: Uint8Array,
  { mode, signal }: { mode: number } & SignalOptions,
): Promise<void> {
  const components = componentsOf(path);
  let node: Node = client.root;
  let last: Attributes | null = null;
  for (const [i, name] of components.entries()) {
    const permissions = i === components.length - 1 ? mode : 0o755;
    const place = { dir: node, name };
    last = await makeDirectory(client, place, { mode: permissions, signal });
    node = last;
  }
  if (last && !isDirectory(last)) throw new FsError("EEXIST");
}

/** What a name stands for: a new directory if it stood for nothing. */
async function makeDirectory(
  client: Client,
  { dir, name }: Place,
  { mode, signal }: { mode: number } & SignalOptions,
): Promise<Attributes> {
  const find = (): Promise<Attributes> =>
    resolve(client, name, { from: dir, signal });
  try {
    return await find();
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
  try {
    const args = { dir, name, mode };
    return (await client.call("mkdir", args, { signal })).attributes;
  } catch (error) {
    // Somebody else was quicker, or it is a link that leads nowhere.
    if (hasCode(error, "EEXIST")) return await find();
    throw error;
  }
}

/** Removes a name, and if it is a directory's all that is in it. */
export async function removeTree(
  client: Client,
  { dir, name }: Place,
  options: SignalOptions,
): Promise<void> {
  const { signal } = options;
  const args = { dir, name };
  const { attributes } = await client.call("lookup", args, { signal });
  await removeEntry(client, dir, { name, attributes }, options);
}

async function removeEntry(
  client: Client,
  dir: Node,
  { name, attributes }: Entry,
  options: SignalOptions,
): Promise<void> {
  const { signal } = options;
  // Also an inode that cannot be read: the server knows whether it may go.
  if (attributes === null || !isDirectory(attributes)) {
    await client.call("unlink", { dir, name }, { signal });
    return;
  }
  const pipeline = new Pipeline(REMOVALS_IN_FLIGHT);
  for await (const entry of listEntries(client, attributes, options)) {
    const removal = ignoringGone(
      removeEntry(client, attributes, entry, options),
    );
    // Directories one after the other: the depth bounds what is in flight.
    if (entry.attributes && isDirectory(entry.attributes)) await removal;
    else await pipeline.add(removal);
  }
  await pipeline.finish();
  await client.call("rmdir", { dir, name }, { signal });
}

/** Somebody else may remove the same directory. */
async function ignoringGone(removal: Promise<void>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (!hasCode(error, "ENOENT") && !hasCode(error, "ESTALE")) throw error;
  }
}

function isDirectory({ mode }: Attributes): boolean {
  return (mode & S_IFMT) === S_IFDIR;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof FsError && error.code === code;
}
