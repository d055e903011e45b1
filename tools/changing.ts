/**
 * `nextfs mkdir`, `rm` and `mv`: commands that change names.
 *
 * @module
 */

import { type Attributes, FsError } from "../fs/mod.ts";
import type { Node } from "../rpc/mod.ts";
import { type Command, command, option, toggle } from "./cli.ts";
import { intoTarget } from "./into_target.ts";
import { parseModeChange } from "./mode.ts";
import { joinPath, toBytes } from "./names.ts";
import { occupant } from "./place.ts";
import { Pool } from "./pool.ts";
import {
  type Entry,
  hasCode,
  isDirectory,
  listNode,
  nodeOf,
  resolveParent,
} from "./remote_walk.ts";
import { CONNECT, type Session, withSession } from "./session.ts";

const IN_FLIGHT = 64;

/** The command `mkdir`. */
export const mkdir: Command = command({
  name: "mkdir",
  summary: "Make directories",
  operands: "PATH…",
  least: 1,
  flags: {
    parents: toggle("Missing parents, too; one that exists is fine", "p"),
    mode: option(
      "MODE",
      "Permissions (default: 755)",
      (text) => parseModeChange(text)(0o755),
      "m",
    ),
    ...CONNECT,
  },
  example: "nextfs mkdir -p --connect unix:files.img.sock /a/b/c",
  run: (values, paths) =>
    withSession("mkdir", values, async ({ files, reporter }) => {
      for (const path of paths) {
        await reporter.attempt(path, async () => {
          const mode = values.mode ?? 0o755;
          await files.mkdir(path, { recursive: values.parents, mode });
        });
      }
    }),
});

/** The command `rm`. */
export const rm: Command = command({
  name: "rm",
  summary: "Remove files",
  operands: "PATH…",
  least: 1,
  flags: {
    recursive: toggle("Directories, too, and all that is in them", "r"),
    force: toggle("A file that does not exist is fine", "f"),
    ...CONNECT,
  },
  example: "nextfs rm -r --connect unix:files.img.sock /old",
  run: (values, paths) =>
    withSession("rm", values, async (session) => {
      for (const path of paths) {
        await session.reporter.attempt(path, async () => {
          try {
            await remove(session, path, values.recursive);
          } catch (error) {
            if (!(values.force && hasCode(error, "ENOENT"))) throw error;
          }
        });
      }
    }),
});

async function remove(
  session: Session,
  path: string,
  recursive: boolean,
): Promise<void> {
  const { client } = session.files;
  const bytes = toBytes(path);
  // The name itself: a slash behind it must not lead through a link.
  const { dir, name } = await resolveParent(client, bytes);
  const attributes = await readAttributes(session, { dir, name });
  const directory = attributes !== null && isDirectory(attributes);
  if (path.endsWith("/") && !directory) throw new FsError("ENOTDIR");
  if (directory && !recursive) throw new FsError("EISDIR");
  await removeEntry(session, { path: bytes, dir }, { name, attributes });
}

/** Attributes of what is to go; null for an inode that cannot be read. */
async function readAttributes(
  { files }: Session,
  place: { dir: Node; name: Uint8Array },
): Promise<Attributes | null> {
  try {
    const attributes = await occupant(files.client, place);
    if (attributes === null) throw new FsError("ENOENT");
    return attributes;
  } catch (error) {
    if (hasCode(error, "EUCLEAN") || hasCode(error, "ESTALE")) return null;
    throw error;
  }
}

/** Removes a file, or a directory from below; reports what stays. */
async function removeEntry(
  session: Session,
  { path, dir }: { path: Uint8Array; dir: Node },
  { name, attributes }: Entry,
): Promise<void> {
  const { client } = session.files;
  // Also an inode that cannot be read: the server knows whether it may go.
  if (attributes === null || !isDirectory(attributes)) {
    await client.call("unlink", { dir, name });
    return;
  }
  const node = nodeOf(attributes);
  const pool = new Pool(IN_FLIGHT);
  for (const entry of await listNode(client, node)) {
    const child = { path: joinPath(path, entry.name), dir: node };
    const removal = (): Promise<void> =>
      session.reporter.attempt(
        child.path,
        () => removeEntry(session, child, entry),
      );
    // Directories one after the other: the depth bounds what is in flight.
    const { attributes } = entry;
    if (attributes && isDirectory(attributes)) await removal();
    else await pool.add(removal);
  }
  await pool.finish();
  await client.call("rmdir", { dir, name });
}

/** The command `mv`. */
export const mv: Command = command({
  name: "mv",
  summary: "Rename files, or move them into a directory",
  operands: "SOURCE… TARGET",
  least: 2,
  flags: {
    "no-clobber": toggle("Do not replace a file that exists", "n"),
    ...CONNECT,
  },
  example: "nextfs mv --connect unix:files.img.sock /a.txt /docs/b.txt",
  run: (values, operands) =>
    withSession("mv", values, async (session) => {
      const noReplace = values["no-clobber"];
      await intoTarget(session, operands, async (source, target) => {
        await session.files.rename(source, target, { noReplace });
      });
    }),
});
