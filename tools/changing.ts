/**
 * `nextfs mkdir`, `rm`, `mv` and `ln`: commands that change names.
 *
 * @module
 */

import { FsError } from "../fs/mod.ts";
import type { Node, RemoteEntry } from "../rpc/mod.ts";
import { type Command, command, option, toggle } from "./cli.ts";
import { PathError, UsageError } from "./errors.ts";
import { parseModeChange } from "./mode.ts";
import { baseName, joinPath, toBytes } from "./names.ts";
import { Pool } from "./pool.ts";
import {
  hasCode,
  isDirectory,
  listNode,
  nodeOf,
  resolve,
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
    withSession("mkdir", values.connect, async ({ files, reporter }) => {
      for (const path of paths) {
        await reporter.attempt(path, async () => {
          const mode = values.mode ?? 0o755;
          if (values.parents) await makeParents(files, toBytes(path), mode);
          else await files.mkdir(path, mode);
        });
      }
    }),
});

async function makeParents(
  files: Session["files"],
  path: Uint8Array,
  mode: number,
): Promise<void> {
  for (let end = 0; end < path.length;) {
    while (path[end] === 0x2f) end++;
    if (end === path.length) break;
    const slash = path.indexOf(0x2f, end);
    end = slash < 0 ? path.length : slash;
    const last = path.subarray(end).every((byte) => byte === 0x2f);
    try {
      await files.mkdir(path.subarray(0, end), last ? mode : 0o755);
    } catch (error) {
      // Also a '.' or '..' in the path: what is there only must be usable.
      const there = await files.stat(path.subarray(0, end)).catch(() => null);
      if (!there || !isDirectory(there)) throw error;
    }
  }
}

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
    withSession("rm", values.connect, async (session) => {
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
  const attributes = await resolve(client, bytes, { follow: false });
  if (isDirectory(attributes) && !recursive) throw new FsError("EISDIR");
  const { dir, name } = await resolveParent(client, bytes);
  await removeEntry(session, { path: bytes, dir }, { name, attributes });
}

/** Removes a file, or a directory from below; reports what stays. */
async function removeEntry(
  session: Session,
  { path, dir }: { path: Uint8Array; dir: Node },
  { name, attributes }: RemoteEntry,
): Promise<void> {
  const { client } = session.files;
  if (!isDirectory(attributes)) {
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
    if (isDirectory(entry.attributes)) await removal();
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
    withSession("mv", values.connect, async (session) => {
      const noReplace = values["no-clobber"];
      await intoTarget(session, operands, async (source, target) => {
        await session.files.rename(source, target, { noReplace });
      });
    }),
});

/** The command `ln`. */
export const ln: Command = command({
  name: "ln",
  summary: "Give files more names, or make symbolic links",
  operands: "SOURCE… TARGET",
  least: 2,
  flags: {
    symbolic: toggle("Symbolic links, which hold SOURCE as it is", "s"),
    force: toggle("Replace a file that exists", "f"),
    ...CONNECT,
  },
  example: "nextfs ln -s --connect unix:files.img.sock README.md /link",
  run: (values, operands) =>
    withSession("ln", values.connect, async (session) => {
      const { files } = session;
      await intoTarget(session, operands, async (source, target) => {
        if (values.force) {
          await files.remove(target).catch((error) => {
            if (!hasCode(error, "ENOENT")) throw error;
          });
        }
        if (values.symbolic) await files.symlink(source, target);
        else await files.link(source, target);
      });
    }),
});

/**
 * Does `action` for each source, with the last operand as the target, or with
 * a name in it if it is a directory.
 */
async function intoTarget(
  { files, reporter }: Session,
  operands: string[],
  action: (source: string, target: Uint8Array) => Promise<void>,
): Promise<void> {
  const sources = operands.slice(0, -1);
  const target = toBytes(operands.at(-1)!);
  const there = await files.stat(target).catch(() => null);
  const directory = there !== null && isDirectory(there);
  if (sources.length > 1 && !directory) {
    throw new UsageError(`'${operands.at(-1)}' is not a directory`);
  }
  for (const source of sources) {
    await reporter.attempt(source, async () => {
      const name = baseName(toBytes(source));
      const path = directory ? joinPath(target, name) : target;
      try {
        await action(source, path);
      } catch (error) {
        // The message names the path that the user can do something about.
        if (hasCode(error, "EEXIST")) throw new PathError(path, error);
        throw error;
      }
    });
  }
}
