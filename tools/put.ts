/**
 * `nextfs put`: files and trees of the host to the server.
 *
 * @module
 */

import fs from "node:fs";
import {
  type AttributeChanges,
  type Attributes,
  FsError,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "../fs/mod.ts";
import { type Client, type Node, O_TRUNC, O_WRONLY } from "../rpc/mod.ts";
import { type Command, command, toggle } from "./cli.ts";
import { PathError, UsageError } from "./errors.ts";
import { type HostNode, hostNode, linkKey, listNames } from "./host_tree.ts";
import { baseName, toBytes } from "./names.ts";
import { Pool } from "./pool.ts";
import {
  hasCode,
  isDirectory,
  nodeOf,
  resolve,
  resolveParent,
} from "./remote_walk.ts";
import { CONNECT, type Session, withSession } from "./session.ts";

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants;
const FILES_IN_FLIGHT = 32;
const CHUNK_BYTES = 256 * 1024;
const HOLE_UNIT = 4096;

/** The command `put`. */
export const put: Command = command({
  name: "put",
  summary: "Copy files to the server",
  operands: "LOCAL… REMOTE",
  least: 2,
  flags: {
    recursive: toggle("Directories and all that is in them", "r"),
    ...CONNECT,
  },
  notes: [
    "REMOTE may be a directory or a new name; LOCAL may be - for the standard " +
    "input. Keeps modes, times, symbolic and hard links and holes; owners too " +
    "if run by the superuser. A file in the way is replaced.",
    "Times are exact to the nanosecond on Linux with permission to call the C " +
    "library (--allow-ffi), else to the millisecond. A local file whose name " +
    "is not UTF-8 is reported and left out.",
  ],
  example: "nextfs put -r --connect unix:files.img.sock ./docs /",
  run: (values, operands) =>
    withSession("put", values.connect, async (session) => {
      const putter = new Putter(session, values.recursive);
      await putter.all(operands.slice(0, -1), operands.at(-1)!);
    }),
});

/** Where a file goes: a directory of the server, and a name in it. */
interface Place {
  dir: Node;
  name: Uint8Array;
}

class Putter {
  readonly #session: Session;
  readonly #client: Client;
  readonly #recursive: boolean;
  readonly #owners: boolean = Deno.uid() === 0;
  readonly #pool = new Pool(FILES_IN_FLIGHT);
  readonly #directories: { node: Node; host: HostNode; path: string }[] = [];
  /** What became of the first name of each file with several. */
  readonly #linked = new Map<string, Node | null>();
  readonly #links: { key: string; place: Place; path: string }[] = [];

  constructor(session: Session, recursive: boolean) {
    this.#session = session;
    this.#client = session.files.client;
    this.#recursive = recursive;
  }

  async all(locals: string[], remote: string): Promise<void> {
    const target = toBytes(remote);
    const there = await resolve(this.#client, target, { follow: true })
      .catch((error) => {
        if (hasCode(error, "ENOENT")) return null;
        throw error;
      });
    const into = there && isDirectory(there) ? nodeOf(there) : null;
    if (locals.length > 1 && !into) {
      throw new UsageError(`'${remote}' is not a directory`);
    }
    for (const local of locals) {
      await this.#session.reporter.attempt(local, async () => {
        const name = nameOf(local);
        // What '.' or '/' hold goes into the directory itself.
        if (into && name === null) await this.#children(local, into);
        else {
          const place = into
            ? { dir: into, name: name! }
            : await resolveParent(this.#client, target);
          await this.#operand(local, place);
        }
      });
    }
    await this.#finish();
  }

  async #operand(local: string, place: Place): Promise<void> {
    if (local === "-") {
      await this.#fromStdin(place);
      return;
    }
    // As cp does, a symbolic link among the operands means its target,
    // unless whole trees are copied as they are.
    const path = this.#recursive ? local : Deno.realPathSync(local);
    const host = hostNode(path, local);
    if (host.children && !this.#recursive) {
      throw new PathError(local, "Is a directory (put it with -r)");
    }
    await this.#start(host, path, place);
  }

  async #finish(): Promise<void> {
    const { reporter } = this.#session;
    await this.#pool.finish();
    for (const { key, place, path } of this.#links) {
      await reporter.attempt(path, async () => {
        const node = this.#linked.get(key);
        if (!node) throw new FsError("ENOENT", "its first name is missing");
        await this.#replace(
          place,
          () => this.#client.call("link", { node, ...place }),
        );
      });
    }
    // From below: what is done in a directory changes its times.
    const pool = new Pool(FILES_IN_FLIGHT);
    for (const { node, host, path } of this.#directories.reverse()) {
      await pool.add(() =>
        reporter.attempt(path, () => this.#setAttributes(node, host))
      );
    }
    await pool.finish();
  }

  async #start(host: HostNode, path: string, place: Place): Promise<void> {
    if (host.children) {
      const node = await this.#makeDirectory(place);
      this.#directories.push({ node, host, path });
      await this.#children(path, node);
      return;
    }
    let key = "";
    if (host.stat.nlink > 1) {
      key = linkKey(host.stat);
      if (this.#linked.has(key)) {
        this.#links.push({ key, place, path });
        return;
      }
      this.#linked.set(key, null);
    }
    await this.#pool.add(() =>
      this.#session.reporter.attempt(path, async () => {
        const node = await this.#copy(host, path, place);
        if (key) this.#linked.set(key, node);
      })
    );
  }

  async #children(path: string, dir: Node): Promise<void> {
    for (const name of listNames(path)) {
      const childPath = path.endsWith("/") ? path + name : `${path}/${name}`;
      await this.#session.reporter.attempt(childPath, async () => {
        const host = hostNode(childPath, name);
        await this.#start(host, childPath, { dir, name: toBytes(name) });
      });
    }
  }

  async #copy(host: HostNode, path: string, place: Place): Promise<Node> {
    const { mode, rdev } = host.stat;
    const kind = mode & S_IFMT;
    if (kind === S_IFREG) return await this.#file(host, path, place);
    const { attributes } = await this.#replace(
      place,
      () =>
        kind === S_IFLNK
          ? this.#client.call("symlink", {
            ...place,
            target: toBytes(host.target!),
          })
          : this.#client.call("mknod", { ...place, mode, rdev }),
    );
    await this.#setAttributes(attributes, host);
    return nodeOf(attributes);
  }

  async #file(host: HostNode, path: string, place: Place): Promise<Node> {
    const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const opened = await this.#open(place, host.stat.mode & 0o7777);
      const { descriptor, attributes } = opened;
      try {
        const sparse = host.stat.blocks * 512 < host.stat.size;
        const size = await this.#send(descriptor, reader(fd), {
          sparse,
          expected: host.stat.size,
        });
        const grown = sparse ? { size } : {};
        await this.#setAttributes(attributes, host, grown);
      } finally {
        await this.#client.call("close", { descriptor });
      }
      return nodeOf(attributes);
    } finally {
      fs.closeSync(fd);
    }
  }

  async #fromStdin(place: Place): Promise<void> {
    const { descriptor } = await this.#open(place, 0o644);
    try {
      const read = (into: Uint8Array): number => Deno.stdin.readSync(into) ?? 0;
      await this.#send(descriptor, read, {
        sparse: false,
        expected: Infinity,
      });
    } finally {
      await this.#client.call("close", { descriptor });
    }
  }

  /** Opens a file for new contents. What is there and is no file must go. */
  async #open(
    { dir, name }: Place,
    mode: number,
  ): Promise<{ descriptor: number; attributes: Attributes }> {
    const existing = await this.#existing({ dir, name });
    if (existing && (existing.mode & S_IFMT) !== S_IFREG) {
      await this.#remove({ dir, name }, existing);
    }
    const flags = O_WRONLY | O_TRUNC;
    return await this.#client.call("create", { dir, name, mode, flags });
  }

  /** Sends contents, several writes in flight. Resolves to their length. */
  async #send(
    descriptor: number,
    read: (into: Uint8Array) => number,
    { sparse, expected }: { sparse: boolean; expected: number },
  ): Promise<number> {
    const pool = new Pool(4);
    // One byte more than is expected tells the end of a small file.
    const step = Math.min(
      CHUNK_BYTES,
      this.#client.limits.maxData,
      expected + 1,
    );
    for (let at = 0;;) {
      const buffer = new Uint8Array(step);
      const count = fill(buffer, read);
      if (count > 0) {
        const runs = sparse ? dataRuns(buffer, count) : [[0, count]];
        for (const [start, end] of runs) {
          const data = buffer.subarray(start, end);
          const offset = at + start;
          await pool.add(async () => {
            await this.#client.call("write", { descriptor, offset, data });
          });
        }
        at += count;
      }
      if (count < step) {
        await pool.finish();
        return at;
      }
    }
  }

  async #makeDirectory({ dir, name }: Place): Promise<Node> {
    try {
      // Private until its attributes are set in the end.
      const args = { dir, name, mode: 0o700 };
      return nodeOf((await this.#client.call("mkdir", args)).attributes);
    } catch (error) {
      const existing = await this.#existing({ dir, name });
      if (!existing || !isDirectory(existing)) throw error;
      return nodeOf(existing);
    }
  }

  /** Does `make`; a file in the way is removed, a directory is not. */
  async #replace<T>(place: Place, make: () => Promise<T>): Promise<T> {
    try {
      return await make();
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw error;
      const existing = await this.#existing(place);
      if (existing) await this.#remove(place, existing);
      return await make();
    }
  }

  async #existing(place: Place): Promise<Attributes | null> {
    try {
      return (await this.#client.call("lookup", place)).attributes;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return null;
      throw error;
    }
  }

  async #remove(place: Place, existing: Attributes): Promise<void> {
    if (isDirectory(existing)) throw new FsError("EISDIR");
    await this.#client.call("unlink", place);
  }

  async #setAttributes(
    node: Node,
    { stat }: HostNode,
    more: AttributeChanges = {},
  ): Promise<void> {
    const { uid, gid, atime, mtime, mode } = stat;
    const link = (mode & S_IFMT) === S_IFLNK;
    const changes: AttributeChanges = {
      atime,
      mtime,
      ...(link ? {} : { mode: mode & 0o7777 }),
      ...(this.#owners ? { uid, gid } : {}),
      ...more,
    };
    await this.#client.call("setattr", { node: nodeOf(node), changes });
  }
}

/** The name an operand gives its copy; null for `.`, `..` and `/`. */
function nameOf(local: string): Uint8Array | null {
  const name = baseName(toBytes(local));
  const dots = local.replace(/\/+$/, "").split("/").at(-1);
  return name.length === 0 || dots === "." || dots === ".." ? null : name;
}

function reader(fd: number): (into: Uint8Array) => number {
  return (into) => fs.readSync(fd, into, 0, into.length, null);
}

function fill(
  buffer: Uint8Array,
  read: (into: Uint8Array) => number,
): number {
  let count = 0;
  while (count < buffer.length) {
    const more = read(buffer.subarray(count));
    if (more === 0) break;
    count += more;
  }
  return count;
}

/** The parts of a buffer that are not blocks of zeros. */
function dataRuns(buffer: Uint8Array, count: number): number[][] {
  const runs: number[][] = [];
  for (let start = 0; start < count; start += HOLE_UNIT) {
    const end = Math.min(count, start + HOLE_UNIT);
    if (buffer.subarray(start, end).every((byte) => byte === 0)) continue;
    const last = runs.at(-1);
    if (last && last[1] === start) last[1] = end;
    else runs.push([start, end]);
  }
  return runs;
}
