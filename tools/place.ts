/**
 * Places of the server: names in directories, and how something new gets a
 * name that is taken without a moment in which the name means nothing.
 *
 * @module
 */

import { type Attributes, FsError } from "../fs/mod.ts";
import type { Client, Node } from "../rpc/mod.ts";
import { toBytes } from "./names.ts";
import { hasCode, isDirectory } from "./remote_walk.ts";

/** Where a file goes: a directory of the server, and a name in it. */
export interface Place {
  /** The directory. */
  dir: Node;
  /** The name in it. */
  name: Uint8Array;
}

/** What has the place now; null if nothing has. */
export async function occupant(
  client: Client,
  { dir, name }: Place,
): Promise<Attributes | null> {
  try {
    return (await client.call("lookup", { dir, name })).attributes;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  }
}

/** A name beside `place` that nothing has: 64 bits of it are random. */
export function temporaryBeside({ dir }: Place): Place {
  const random = crypto.getRandomValues(new Uint8Array(8));
  const digits = [...random].map((byte) => byte.toString(16).padStart(2, "0"));
  return { dir, name: toBytes(`.nextfs-${digits.join("")}`) };
}

/**
 * Gives the file at `temporary` the name of `place` in its stead. What is
 * there loses the name, a directory excepted (`EISDIR`).
 */
export async function renameOver(
  client: Client,
  temporary: Place,
  place: Place,
): Promise<void> {
  const there = await occupant(client, place);
  if (there && isDirectory(there)) throw new FsError("EISDIR");
  await client.call("rename", {
    fromDir: temporary.dir,
    fromName: temporary.name,
    toDir: place.dir,
    toName: place.name,
    noReplace: false,
  });
}

/** Removes a name that may be gone already. */
export async function discard(
  client: Client,
  { dir, name }: Place,
): Promise<void> {
  try {
    await client.call("unlink", { dir, name });
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
}

/**
 * Does `make` at `place`. If the name is taken, it is made beside it and takes
 * the name over when it is complete.
 */
export async function makeOver<T>(
  client: Client,
  place: Place,
  make: (place: Place) => Promise<T>,
): Promise<T> {
  try {
    return await make(place);
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  }
  const temporary = temporaryBeside(place);
  const made = await make(temporary);
  try {
    await renameOver(client, temporary, place);
  } catch (error) {
    await discard(client, temporary);
    throw error;
  }
  return made;
}

/** True if both are one file. */
export function isSameNode(a: Node, b: Node): boolean {
  return a.ino === b.ino && a.generation === b.generation;
}

/** Text that two operands share if they mean the same place. */
export function placeKey({ dir, name }: Place): string {
  return `${dir.ino}:${dir.generation}/${name.join()}`;
}
