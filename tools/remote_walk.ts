/**
 * Steps that recursive commands share on the server's side.
 *
 * @module
 */

import { type Attributes, FsError, S_IFDIR, S_IFMT } from "../fs/mod.ts";
import type { Client, Node } from "../rpc/mod.ts";
import { baseName, compareBytes } from "./names.ts";

/** True if the attributes are a directory's. */
export function isDirectory({ mode }: Attributes): boolean {
  return (mode & S_IFMT) === S_IFDIR;
}

/** One entry of a directory. */
export interface Entry {
  /** Its name. */
  name: Uint8Array;
  /** Attributes of the file; null if the server cannot read its inode. */
  attributes: Attributes | null;
}

/**
 * Entries of a directory, sorted, without `.` and `..`. What a server says is
 * not believed: a name that is no name, or that comes twice, is an error, so
 * that a copy cannot be led out of its directory.
 */
export async function listNode(
  client: Client,
  node: Node,
): Promise<Entry[]> {
  const entries = new Map<string, Entry>();
  for (let cookie = 0, end = false; !end;) {
    const page = await client.call("readdir", {
      node: nodeOf(node),
      cookie,
      count: client.limits.maxEntries,
    });
    for (const { name, attributes, ...entry } of page.entries) {
      cookie = entry.cookie;
      if (isDot(name)) continue;
      checkName(name);
      const key = name.join();
      if (entries.has(key)) {
        throw new FsError("EPROTO", "the server lists a name twice");
      }
      entries.set(key, { name, attributes });
    }
    end = page.end;
  }
  return [...entries.values()].sort((a, b) => compareBytes(a.name, b.name));
}

/** The identity of a file alone, of its attributes. */
export function nodeOf({ ino, generation }: Node): Node {
  return { ino, generation };
}

/**
 * Resolves a path to its attributes; the last component with `follow`. A
 * relative path starts at `from`, or at the root.
 */
export async function resolve(
  client: Client,
  path: Uint8Array,
  { follow, from }: { follow: boolean; from?: Node },
): Promise<Attributes> {
  const dir = nodeOf(from ?? client.root);
  return (await client.call("resolve", { dir, path, follow })).attributes;
}

/** Throws `EUCLEAN` for an entry whose inode cannot be read. */
export function readable({ attributes }: Entry): Attributes {
  if (attributes) return attributes;
  throw new FsError("EUCLEAN", "its inode cannot be read");
}

/**
 * The directory that holds a path's last component, and that component. A
 * relative path starts at `from`.
 */
export async function resolveParent(
  client: Client,
  path: Uint8Array,
  from: Node = client.root,
): Promise<{ dir: Node; name: Uint8Array }> {
  const name = baseName(path);
  if (name.length === 0 || isDot(name)) {
    throw new FsError("EINVAL", "the path must end in a name");
  }
  let end = path.length;
  while (path[end - 1] === 0x2f) end--;
  const parent = path.subarray(0, end - name.length);
  const dir = await resolve(client, parent, { follow: true, from });
  return { dir: nodeOf(dir), name };
}

/** True for an error with this errno name. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof FsError && error.code === code;
}

function isDot(name: Uint8Array): boolean {
  return name[0] === 0x2e &&
    (name.length === 1 || name.length === 2 && name[1] === 0x2e);
}

function checkName(name: Uint8Array): void {
  if (name.length === 0 || name.includes(0x2f) || name.includes(0)) {
    throw new FsError("EPROTO", "the server lists a name with '/' or NUL");
  }
}
