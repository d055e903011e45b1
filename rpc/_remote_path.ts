/**
 * Paths as the client takes them apart, and what they stand for.
 *
 * @module
 */

import type { Attributes } from "../fs/attributes.ts";
import { FsError } from "../fs/errors.ts";
import type { Client } from "./client.ts";
import type {
  FollowOptions,
  RemotePath,
  SignalOptions,
} from "./file_options.ts";
import type { Node } from "./operations/mod.ts";

/** A name in a directory. */
export interface Place {
  /** The directory. */
  readonly dir: Node;
  /** The name in it. */
  readonly name: Uint8Array;
}

/** Attributes of what a path stands for, from `from` or the root on. */
export async function resolve(
  client: Client,
  path: RemotePath,
  { follow = true, from, signal }: FollowOptions & { from?: Node } = {},
): Promise<Attributes> {
  const args = { dir: from ?? client.root, path: toBytes(path), follow };
  return (await client.call("resolve", args, { signal })).attributes;
}

/** The directory that holds the last component of a path, and its name. */
export async function placeOf(
  client: Client,
  path: RemotePath,
  options: SignalOptions & { from?: Node } = {},
): Promise<Place> {
  const { parent, name } = splitPath(toBytes(path));
  const dir = parent.length === 0
    ? options.from ?? client.root
    : await resolve(client, parent, options);
  return { dir, name };
}

/** How often a path is resolved again. */
const STALE_MAX = 3;

/**
 * Does `act`, which resolves a path and uses what it finds. If that is gone
 * meanwhile, the path may stand for something else by now: it acts again.
 */
export async function unlessStale<T>(act: () => Promise<T>): Promise<T> {
  for (let i = 1; i < STALE_MAX; i++) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof FsError && error.code === "ESTALE")) throw error;
    }
  }
  return await act();
}

/** Splits off the last component, which must be a name of its own. */
export function splitPath(
  path: Uint8Array,
): { parent: Uint8Array; name: Uint8Array } {
  let end = path.length;
  while (end > 0 && path[end - 1] === SLASH) end--;
  const start = path.lastIndexOf(SLASH, end - 1) + 1;
  const name = path.subarray(end === 0 ? 0 : start, end);
  if (name.length === 0 || isDot(name)) {
    throw new FsError("EINVAL", "the path names no entry of a directory");
  }
  return { parent: path.subarray(0, start), name };
}

/** The components of a path, from its start on. */
export function componentsOf(path: Uint8Array): Uint8Array[] {
  const components: Uint8Array[] = [];
  for (let start = 0; start < path.length;) {
    const slash = path.indexOf(SLASH, start);
    const end = slash < 0 ? path.length : slash;
    if (end > start) components.push(path.subarray(start, end));
    start = end + 1;
  }
  return components;
}

const SLASH = 0x2f;
const DOT = 0x2e;

/** True for the names `.` and `..`. */
export function isDot(name: Uint8Array): boolean {
  return name[0] === DOT &&
    (name.length === 1 || name.length === 2 && name[1] === DOT);
}

/**
 * Throws `EPROTO` for a name that is none: what a server says is not believed,
 * so that whoever makes paths of names stays in their directory.
 */
export function checkName(name: Uint8Array): void {
  if (name.includes(SLASH) || name.includes(0)) {
    throw new FsError("EPROTO", "the server lists a name with '/' or NUL");
  }
}

const utf8 = new TextEncoder();

/** The bytes of a path: a string stands for its UTF-8. */
export function toBytes(path: RemotePath): Uint8Array {
  return typeof path === "string" ? utf8.encode(path) : path;
}
