/**
 * `nextfs get`: files and trees from the server to the host.
 *
 * The server is not believed: names are checked, no symbolic link of the host
 * below the target is followed, and attributes are set through descriptors or
 * by calls that do not follow links, so nothing outside of the target is ever
 * touched.
 *
 * @module
 */

import fs from "node:fs";
import {
  type Attributes,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "../fs/mod.ts";
import type { Client } from "../rpc/mod.ts";
import { type Command, command, toggle } from "./cli.ts";
import { errnoOf, PathError, UsageError } from "./errors.ts";
import { makeNode, setTimes } from "./host_stat.ts";
import { operandName, printable, toBytes, toText } from "./names.ts";
import { Pool } from "./pool.ts";
import {
  isDirectory,
  listNode,
  nodeOf,
  readable,
  resolve,
} from "./remote_walk.ts";
import { type SkipBadOf, skipBadOf } from "./read_around.ts";
import { readNode } from "./remote_read.ts";
import { CONNECT, type Session, withSession } from "./session.ts";

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } =
  fs.constants;
const FILES_IN_FLIGHT = 32;
const HOLE_UNIT = 4096;

/** The command `get`. */
export const get: Command = command({
  name: "get",
  summary: "Copy files from the server",
  operands: "REMOTE… LOCAL",
  least: 2,
  flags: {
    recursive: toggle("Directories and all that is in them", "r"),
    "skip-bad": toggle("Zeros for blocks that the server cannot read"),
    ...CONNECT,
  },
  notes: [
    "LOCAL may be a directory, a new name, or - for the standard output. Keeps " +
    "modes, times, symbolic and hard links and holes; owners too if run by the " +
    "superuser. A file in the way is replaced; a symbolic link on the way is " +
    "not followed. Where LOCAL is a device or a pipe, it is written to.",
    "Times are exact to the nanosecond on Linux with permission to call the C " +
    "library (--allow-ffi), else to the millisecond. Names that are not UTF-8 " +
    "cannot be made here; they are reported and left out.",
    "With --skip-bad, what can be read of a damaged file is copied. Each range " +
    "of bytes that cannot is reported and filled with zeros, and the exit code " +
    "is 13.",
  ],
  example: "nextfs get -r --connect unix:files.img.sock /docs ./docs",
  run: (values, operands) =>
    withSession("get", values, async (session) => {
      const remotes = operands.slice(0, -1);
      const local = operands.at(-1)!;
      const skipBad = values["skip-bad"] ? await skipBadOf(session) : undefined;
      if (local === "-") await toStdout(session, remotes, skipBad);
      else {
        const { recursive } = values;
        const getter = new Getter(session, { recursive, skipBad });
        await getter.all(remotes, local);
      }
    }),
});

async function toStdout(
  session: Session,
  remotes: string[],
  skipBad: SkipBadOf | undefined,
): Promise<void> {
  const { files, output, reporter } = session;
  for (const remote of remotes) {
    await reporter.attempt(remote, async () => {
      const { attributes } = await files.stat(remote);
      const chunks = readNode(files, attributes, skipBad?.(remote));
      for await (const chunk of chunks) output.data(chunk);
    });
    output.flush();
  }
}

/** A file of the server and the place it goes to. */
interface Copy {
  attributes: Attributes;
  /** Where it is on the server, for messages. */
  source: string;
  path: string;
}

class Getter {
  readonly #session: Session;
  readonly #client: Client;
  readonly #recursive: boolean;
  readonly #skipBad: SkipBadOf | undefined;
  readonly #owners: boolean = isSuperuser();
  readonly #pool = new Pool(FILES_IN_FLIGHT);
  readonly #directories: Copy[] = [];
  /** First local name of each file with several names. */
  readonly #linked = new Map<string, string>();
  /** The one place where a symbolic link is the user's own choice. */
  #named = "";
  /** Files of this run: none is replaced by another of them. */
  readonly #taken = new Set<string>();
  readonly #links: { existing: string; path: string }[] = [];

  constructor(
    session: Session,
    { recursive, skipBad }: { recursive: boolean; skipBad?: SkipBadOf },
  ) {
    this.#session = session;
    this.#client = session.files.client;
    this.#recursive = recursive;
    this.#skipBad = skipBad;
  }

  async all(remotes: string[], local: string): Promise<void> {
    const into = isLocalDirectory(local);
    this.#named = local;
    if (remotes.length > 1 && !into) {
      throw new UsageError(`'${local}' is not a directory`);
    }
    for (const remote of remotes) {
      await this.#session.reporter.attempt(remote, async () => {
        const path = toBytes(remote);
        const attributes = await resolve(this.#client, path, { follow: true });
        if (isDirectory(attributes) && !this.#recursive) {
          throw new PathError(remote, "Is a directory (get it with -r)");
        }
        if (!into && isSpecial(local)) {
          await this.#into({ attributes, source: remote, path: local });
          return;
        }
        // What '.', '..' or '/' hold goes into LOCAL itself.
        const name = operandName(path);
        const target = into && name ? `${local}/${localName(name)}` : local;
        await this.#start({ attributes, source: remote, path: target });
      });
    }
    await this.#pool.finish();
    for (const { existing, path } of this.#links) {
      await this.#session.reporter.attempt(path, () => {
        replace(path, () => fs.linkSync(existing, path));
      });
    }
    // From below: what is done in a directory changes its times.
    for (const directory of this.#directories.reverse()) {
      await this.#session.reporter.attempt(directory.path, () => {
        this.#finishDirectory(directory);
      });
    }
  }

  /** Copies a directory at once, and lets anything else wait its turn. */
  async #start(copy: Copy): Promise<void> {
    const { attributes, path } = copy;
    if (isDirectory(attributes)) {
      await this.#directory(copy);
      return;
    }
    if (this.#taken.has(path)) {
      throw new Error(
        "Not copied: it would replace another file of this command " +
          `(will not overwrite just-created '${printable(path)}')`,
      );
    }
    this.#taken.add(path);
    if (attributes.nlink > 1) {
      const key = `${attributes.ino}:${attributes.generation}`;
      const existing = this.#linked.get(key);
      if (existing !== undefined) {
        this.#links.push({ existing, path });
        return;
      }
      this.#linked.set(key, path);
    }
    await this.#pool.add(() =>
      this.#session.reporter.attempt(path, () => this.#copy(copy))
    );
  }

  async #directory(copy: Copy): Promise<void> {
    makeDirectory(copy.path, copy.path === this.#named);
    this.#directories.push(copy);
    const entries = await blaming(
      copy.source,
      () => listNode(this.#client, copy.attributes),
    );
    for (const entry of entries) {
      const source = `${copy.source.replace(/\/+$/, "")}/${
        printable(entry.name)
      }`;
      await this.#session.reporter.attempt(source, async () => {
        const path = `${copy.path}/${localName(entry.name)}`;
        await this.#start({ attributes: readable(entry), source, path });
      });
    }
  }

  /** Writes to a device or pipe of the host, which stays what it is. */
  async #into({ attributes, source, path }: Copy): Promise<void> {
    if ((attributes.mode & S_IFMT) !== S_IFREG) {
      throw new PathError(path, "Is no place for anything but a regular file");
    }
    const fd = fs.openSync(path, O_WRONLY);
    try {
      for await (const chunk of this.#read(attributes, source)) {
        writeAll(fd, chunk, null);
      }
    } finally {
      fs.closeSync(fd);
    }
  }

  async #copy(copy: Copy): Promise<void> {
    const { attributes, source, path } = copy;
    const kind = attributes.mode & S_IFMT;
    if (kind === S_IFREG) {
      await this.#file(copy);
      return;
    }
    if (kind === S_IFLNK) {
      const node = nodeOf(attributes);
      const { target } = await blaming(
        source,
        () => this.#client.call("readlink", { node }),
      );
      const text = toText(target);
      if (text === null) {
        throw new PathError(path, "The target of the link is not UTF-8");
      }
      replace(path, () => fs.symlinkSync(text, path));
    } else {
      replace(path, () => makeNode(path, attributes.mode, attributes.rdev));
    }
    if (this.#owners) fs.lchownSync(path, attributes.uid, attributes.gid);
    setTimes(path, attributes.atime, attributes.mtime);
  }

  async #file({ attributes, source, path }: Copy): Promise<void> {
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    let fd = -1;
    replace(path, () => {
      fd = fs.openSync(path, flags, 0o600);
    });
    try {
      await this.#contents(attributes, { source, fd });
      this.#setAttributes(fd, attributes);
    } finally {
      fs.closeSync(fd);
    }
    setTimes(path, attributes.atime, attributes.mtime);
  }

  async #contents(
    attributes: Attributes,
    { source, fd }: { source: string; fd: number },
  ): Promise<void> {
    if (attributes.size === 0) return;
    const sparse = attributes.blocks * 512 < attributes.size;
    let at = 0;
    let end = 0;
    for await (const chunk of this.#read(attributes, source)) {
      if (sparse) end = writeAroundHoles(fd, chunk, { at, end });
      else end = writeAll(fd, chunk, at);
      at += chunk.length;
    }
    if (end < at) fs.ftruncateSync(fd, at);
  }

  /** What a file of the server holds; it is to blame if that fails. */
  async *#read(
    attributes: Attributes,
    source: string,
  ): AsyncGenerator<Uint8Array> {
    try {
      const { files } = this.#session;
      yield* readNode(files, attributes, this.#skipBad?.(source));
    } catch (error) {
      throw new PathError(source, error);
    }
  }

  #finishDirectory({ attributes, path }: Copy): void {
    const fd = fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      this.#setAttributes(fd, attributes);
    } finally {
      fs.closeSync(fd);
    }
    setTimes(path, attributes.atime, attributes.mtime);
  }

  #setAttributes(fd: number, { mode, uid, gid }: Attributes): void {
    if (this.#owners) fs.fchownSync(fd, uid, gid);
    // Set-id bits mean the owner they were given with, as for cp -p.
    const directory = (mode & S_IFMT) === S_IFDIR;
    fs.fchmodSync(fd, mode & (this.#owners || directory ? 0o7777 : 0o1777));
  }
}

/** What `action` gives; if it fails, `path` is to blame. */
async function blaming<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw new PathError(path, error);
  }
}

function isSuperuser(): boolean {
  return Deno.uid() === 0;
}

function isLocalDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** True for what exists and is neither a regular file nor a directory. */
function isSpecial(path: string): boolean {
  try {
    const { isFile, isDirectory } = Deno.statSync(path);
    return !isFile && !isDirectory;
  } catch {
    return false;
  }
}

/** The text of a name of the server. Throws if the host cannot have it. */
function localName(name: Uint8Array): string {
  const text = toText(name);
  if (text === null) throw new Error("Its name is not UTF-8: left out");
  return text;
}

/** Makes a directory, or takes the one that is there, but not a link to one. */
function makeDirectory(path: string, follow: boolean): void {
  try {
    Deno.mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    const stat = follow ? Deno.statSync(path) : Deno.lstatSync(path);
    if (stat.isSymlink) {
      throw new PathError(path, "Is a symbolic link: not followed");
    }
    if (!stat.isDirectory) throw new PathError(path, "Not a directory");
  }
}

/** Does `make` at `path`; a file in the way is removed, a directory is not. */
function replace(path: string, make: () => void): void {
  try {
    make();
  } catch (error) {
    const code = errnoOf(error);
    if (code !== "EEXIST" && code !== "ELOOP") throw error;
    const { isDirectory, isFile, isSymlink } = Deno.lstatSync(path);
    if (isDirectory) throw new PathError(path, "Is a directory");
    if (!isFile && !isSymlink) {
      throw new PathError(path, "Is a device, pipe or socket: not replaced");
    }
    fs.unlinkSync(path);
    make();
  }
}

/** Writes `chunk` at `at`, or on with null; returns where it ends. */
function writeAll(fd: number, chunk: Uint8Array, at: number | null): number {
  for (let done = 0; done < chunk.length;) {
    const rest = chunk.length - done;
    const position = at === null ? null : at + done;
    done += fs.writeSync(fd, chunk, done, rest, position);
  }
  return (at ?? 0) + chunk.length;
}

/** The same, without runs of zeros. Returns the end of the last data. */
function writeAroundHoles(
  fd: number,
  chunk: Uint8Array,
  { at, end }: { at: number; end: number },
): number {
  for (let start = 0; start < chunk.length; start += HOLE_UNIT) {
    const piece = chunk.subarray(start, start + HOLE_UNIT);
    if (piece.some((byte) => byte !== 0)) end = writeAll(fd, piece, at + start);
  }
  return end;
}
