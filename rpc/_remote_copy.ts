/**
 * Copies of files, made on the server.
 *
 * @module
 */

import { FsError } from "../fs/errors.ts";
import { openPath, release } from "./_open.ts";
import type { Client } from "./client.ts";
import type { RemotePath, SignalOptions } from "./file_options.ts";
import type { OpenedFile } from "./remote_file.ts";

/** Bytes that are asked for; the server does a part of it at a time. */
const LENGTH_MAX = Number.MAX_SAFE_INTEGER;

/** Permissions that a copy has, too: not those that mean the file's owner. */
const PERMISSIONS = 0o777;

/**
 * Makes `to` a copy of `from`, contents and permissions. Holes stay holes, and
 * no contents go over the connection. `EINVAL` if the two are one file.
 */
export async function copyRemote(
  client: Client,
  from: RemotePath,
  to: RemotePath,
  { signal }: SignalOptions,
): Promise<void> {
  await opening(client, from, { signal }, async (source) => {
    const mode = source.mode & PERMISSIONS;
    const writing = { write: true, create: true, mode, signal };
    await opening(client, to, writing, async (target) => {
      const { node } = target;
      if (
        node.ino === source.node.ino &&
        node.generation === source.node.generation
      ) throw new FsError("EINVAL", "the two are the same file");
      const changes = {
        size: 0,
        ...((target.mode & PERMISSIONS) === mode ? {} : { mode }),
      };
      await client.call("setattr", { node, changes }, { signal });
      await copyContents(client, source, target, signal);
    });
  });
}

async function copyContents(
  client: Client,
  source: OpenedFile,
  target: OpenedFile,
  signal: AbortSignal | undefined,
): Promise<void> {
  const from = source.descriptor;
  const to = target.descriptor;
  for (let at = 0;;) {
    const range = { fromOffset: at, toOffset: at, length: LENGTH_MAX - at };
    const args = { from, to, ...range };
    const { count } = await client.call("copyRange", args, { signal });
    if (count === 0) return;
    at += count;
  }
}

/** Does `act` with an open file, and closes it. */
async function opening(
  client: Client,
  path: RemotePath,
  options: Parameters<typeof openPath>[2],
  act: (file: OpenedFile) => Promise<void>,
): Promise<void> {
  const file = await openPath(client, path, options);
  try {
    await act(file);
  } finally {
    release(client, file);
  }
}
