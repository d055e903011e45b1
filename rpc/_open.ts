/**
 * Opening files of the server, by path and by node.
 *
 * @module
 */

import { FsError } from "../fs/errors.ts";
import { type Place, placeOf, resolve, unlessStale } from "./_remote_path.ts";
import type { Client } from "./client.ts";
import {
  openFlags,
  type OpenOptions,
  type RemotePath,
} from "./file_options.ts";
import { O_EXCL } from "./open_flags.ts";
import type { Node, Results } from "./operations/mod.ts";
import type { OpenedFile } from "./remote_file.ts";

/** As many links are followed to a file that is to be made, as on Linux. */
const LINKS_MAX = 40;

/** Opens what a path stands for; makes it, if that is asked for. */
export async function openPath(
  client: Client,
  path: RemotePath,
  options: OpenOptions,
): Promise<OpenedFile> {
  const flags = openFlags(options);
  const { create, createNew, signal } = options;
  return await unlessStale(async () => {
    if (!createNew) {
      try {
        const node = await resolve(client, path, { signal });
        return await openDescriptor(client, { node, path, flags }, options);
      } catch (error) {
        const missing = error instanceof FsError && error.code === "ENOENT";
        if (!missing || !create) throw error;
      }
    }
    return await makeAndOpen(client, path, { ...options, flags });
  });
}

/** Opens the file with this node. */
export function openNode(
  client: Client,
  node: Node,
  options: OpenOptions,
): Promise<OpenedFile> {
  return openDescriptor(client, { node, flags: openFlags(options) }, options);
}

async function openDescriptor(
  client: Client,
  { node, flags, path }: { node: Node; flags: number; path?: RemotePath },
  { signal }: OpenOptions,
): Promise<OpenedFile> {
  const undo = closing(client);
  const args = { node, flags };
  return opened(await client.call("open", args, { signal, undo }), path);
}

/** Makes a file, or opens the one that somebody has made meanwhile. */
async function makeAndOpen(
  client: Client,
  path: RemotePath,
  options: OpenOptions & { flags: number },
): Promise<OpenedFile> {
  const { mode = 0o644, createNew, signal } = options;
  const flags = options.flags | (createNew ? O_EXCL : 0);
  const undo = closing(client);
  let place = await placeOf(client, path, { signal });
  for (let links = 0;; links++) {
    try {
      const args = { ...place, mode, flags };
      return opened(await client.call("create", args, { signal, undo }), path);
    } catch (error) {
      const link = error instanceof FsError && error.code === "ELOOP";
      if (!link || links === LINKS_MAX) throw error;
      // A symbolic link that leads nowhere yet: the file goes there.
      place = await behindLink(client, place, signal);
    }
  }
}

async function behindLink(
  client: Client,
  { dir, name }: Place,
  signal: AbortSignal | undefined,
): Promise<Place> {
  const args = { dir, name };
  const { attributes } = await client.call("lookup", args, { signal });
  const node = attributes;
  const { target } = await client.call("readlink", { node }, { signal });
  return await placeOf(client, target, { from: dir, signal });
}

/**
 * Closes a file, without waiting for it: the server does it before whatever is
 * asked for next, and there is nothing that could be told.
 */
export function release(
  client: Client,
  { descriptor }: { descriptor: number },
): void {
  client.call("close", { descriptor }).catch(() => {});
}

/** Closes what comes open when nobody waits for it any more. */
function closing(client: Client): (results: Results<"open">) => void {
  return (results): void => release(client, results);
}

function opened(
  { descriptor, attributes }: Results<"open">,
  path: RemotePath | undefined,
): OpenedFile {
  const { ino, generation, size, mode } = attributes;
  return { descriptor, node: { ino, generation }, size, mode, path };
}
