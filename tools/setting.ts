/**
 * `nextfs chmod`, `chown`, `touch` and `truncate`: commands that change
 * attributes.
 *
 * @module
 */

import {
  type AttributeChanges,
  type Attributes,
  S_IFLNK,
  S_IFMT,
} from "../fs/attributes.ts";
import { type Command, command, option, toggle } from "./cli.ts";
import { PathError, UsageError } from "./errors.ts";
import { parseModeChange } from "./mode.ts";
import { joinPath, toBytes } from "./names.ts";
import {
  hasCode,
  isDirectory,
  listNode,
  readable,
  resolve,
} from "./remote_walk.ts";
import { CONNECT, type Session, withSession } from "./session.ts";
import { parseSize } from "./sizes.ts";
import { parseTime } from "./times.ts";

const recursive = toggle("Directories and all that is in them", "R");

/** The command `chmod`. */
export const chmod: Command = command({
  name: "chmod",
  summary: "Change permissions",
  operands: "MODE PATH…",
  least: 2,
  flags: { recursive, ...CONNECT },
  notes: [
    "MODE is octal (755) or symbolic (u+x,go-w). One that starts with a minus " +
    "needs a letter or -- before it: a-w. No umask applies.",
  ],
  example: "nextfs chmod -R go-w --connect unix:files.img.sock /docs",
  run: (values, [mode, ...paths]) => {
    const change = usage(() => parseModeChange(mode));
    return withSession("chmod", values, async (session) => {
      await changeAll(session, paths, {
        recursive: values.recursive,
        follow: true,
        // A symbolic link has no permissions of its own.
        changes: (a) => isLink(a) ? null : { mode: change(a.mode) },
      });
    });
  },
});

/** The command `chown`. */
export const chown: Command = command({
  name: "chown",
  summary: "Change owner and group, by their numbers",
  operands: "USER[:GROUP] PATH…",
  least: 2,
  flags: {
    recursive,
    "no-dereference": toggle("Symbolic links themselves", "h"),
    ...CONNECT,
  },
  notes: ["USER and GROUP are numbers; ':GROUP' changes the group alone."],
  example: "nextfs chown 1000:1000 --connect unix:files.img.sock /docs",
  run: (values, [owner, ...paths]) => {
    const changes = usage(() => parseOwner(owner));
    return withSession("chown", values, async (session) => {
      await changeAll(session, paths, {
        recursive: values.recursive,
        follow: !values["no-dereference"],
        changes: () => changes,
      });
    });
  },
});

function parseOwner(text: string): AttributeChanges {
  const match = /^(\d{1,10})?(?::(\d{1,10}))?$/.exec(text);
  const [uid, gid] = [match?.[1], match?.[2]].map((id) =>
    id === undefined ? undefined : Number(id)
  );
  const wrong = [uid, gid].some((id) => id !== undefined && id > 0xfffffffe);
  if (wrong || (uid === undefined && gid === undefined)) {
    throw new RangeError(`'${text}' is not an owner such as 1000 or 1000:100`);
  }
  return { uid, gid };
}

/** The command `touch`. */
export const touch: Command = command({
  name: "touch",
  summary: "Set times; make files that do not exist",
  operands: "PATH…",
  least: 1,
  flags: {
    "no-create": toggle("Do not make files", "c"),
    access: toggle("Only the access time", "a"),
    modification: toggle("Only the modification time", "m"),
    date: option("TIME", "This time instead of now", parseTime, "d"),
    ...CONNECT,
  },
  notes: [
    "TIME is ISO 8601 ('2026-02-01 12:30:00.5', local unless a zone such as Z " +
    "follows) or @SECONDS since 1970; both may have nine decimals.",
  ],
  example: "nextfs touch --connect unix:files.img.sock /new",
  run: (values, paths) =>
    withSession("touch", values, async ({ files, reporter }) => {
      const time = values.date ?? "now";
      const both = values.access === values.modification;
      const changes: AttributeChanges = {
        ...(both || values.access ? { atime: time } : {}),
        ...(both || values.modification ? { mtime: time } : {}),
      };
      for (const path of paths) {
        await reporter.attempt(path, async () => {
          try {
            await files.setattr(path, changes);
          } catch (error) {
            if (!hasCode(error, "ENOENT")) throw error;
            if (values["no-create"]) return;
            await makeEmpty(files, path, 0);
            await files.setattr(path, changes);
          }
        });
      }
    }),
});

/** The command `truncate`. */
export const truncate: Command = command({
  name: "truncate",
  summary: "Cut files, or let them grow by a hole",
  operands: "PATH…",
  least: 1,
  flags: {
    size: option("[+-]SIZE", "New size; + and - are relative", newSize, "s"),
    "no-create": toggle("Do not make files", "c"),
    ...CONNECT,
  },
  example: "nextfs truncate -s 1M --connect unix:files.img.sock /disk",
  run: (values, paths) => {
    const resize = values.size;
    if (!resize) throw new UsageError("Which size? Give --size SIZE");
    return withSession("truncate", values, async (session) => {
      const { files, reporter } = session;
      for (const path of paths) {
        await reporter.attempt(path, async () => {
          const there = await files.stat(path).catch((error) => {
            if (!hasCode(error, "ENOENT")) throw error;
            return null;
          });
          if (there) await files.setattr(path, { size: resize(there.size) });
          else if (!values["no-create"]) {
            await makeEmpty(files, path, resize(0));
          }
        });
      }
    });
  },
});

/** Makes a file of zeros where there is none. */
async function makeEmpty(
  files: Session["files"],
  path: string,
  size: number,
): Promise<void> {
  const there = await files.lstat(path).catch((error) => {
    if (!hasCode(error, "ENOENT")) throw error;
    return null;
  });
  if (there?.isSymlink) {
    throw new PathError(path, "Is a symbolic link to a file that is missing");
  }
  await using file = await files.open(path, { write: true, create: true });
  if (size > 0) await file.truncate(size);
}

function newSize(text: string): (size: number) => number {
  const bytes = parseSize(text.replace(/^[-+]/, ""));
  if (text.startsWith("+")) return (size) => size + bytes;
  if (text.startsWith("-")) return (size) => Math.max(0, size - bytes);
  return () => bytes;
}

interface ChangeOptions {
  recursive: boolean;
  follow: boolean;
  changes: (attributes: Attributes) => AttributeChanges | null;
}

/** Changes what the paths name and, if asked to, all that is below. */
async function changeAll(
  session: Session,
  paths: string[],
  options: ChangeOptions,
): Promise<void> {
  const { client } = session.files;
  for (const path of paths) {
    await session.reporter.attempt(path, async () => {
      const bytes = toBytes(path);
      const { follow } = options;
      const attributes = await resolve(client, bytes, { follow });
      await changeTree(session, { path: bytes, attributes }, options);
    });
  }
}

async function changeTree(
  session: Session,
  { path, attributes }: { path: Uint8Array; attributes: Attributes },
  options: ChangeOptions,
): Promise<void> {
  const { client } = session.files;
  const { ino, generation } = attributes;
  const node = { ino, generation };
  const changes = options.changes(attributes);
  if (changes) await client.call("setattr", { node, changes });
  if (!options.recursive || !isDirectory(attributes)) return;
  for (const entry of await listNode(client, node)) {
    const child = joinPath(path, entry.name);
    await session.reporter.attempt(child, () => {
      const attributes = readable(entry);
      return changeTree(session, { path: child, attributes }, options);
    });
  }
}

function isLink({ mode }: Attributes): boolean {
  return (mode & S_IFMT) === S_IFLNK;
}

/** Runs a parser of an operand: what it refuses is wrong usage. */
function usage<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}
