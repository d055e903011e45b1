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
import { type Client, type Node, O_EXCL, O_WRONLY } from "../rpc/mod.ts";
import { type Command, command, toggle } from "./cli.ts";
import { InterruptedError, PathError, UsageError } from "./errors.ts";
import { type HostNode, hostNode, linkKey, listNames } from "./host_tree.ts";
import { operandName, printable, toBytes } from "./names.ts";
import {
  discard,
  makeOver,
  occupant,
  type Place,
  placeKey,
  renameOver,
  temporaryBeside,
} from "./place.ts";
import { Pool } from "./pool.ts";
import {
  hasCode,
  isDirectory,
  nodeOf,
  resolve,
  resolveParent,
} from "./remote_walk.ts";
import { type Read, sendFile } from "./send_file.ts";
import { Signals } from "./signals.ts";
import { CONNECT, type Session, withSession } from "./session.ts";
import { syncAll } from "./sync.ts";

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants;
const FILES_IN_FLIGHT = 32;

/** The command `put`. */
export const put: Command = command({
  name: "put",
  summary: "Copy files to the server",
  operands: "LOCAL… REMOTE",
  least: 2,
  flags: {
    recursive: toggle("Directories and all that is in them", "r"),
    sync: toggle("End when all is on the server's stable storage"),
    ...CONNECT,
  },
  notes: [
    "REMOTE may be a directory or a new name; LOCAL may be - for the standard " +
    "input. Keeps modes, times, symbolic and hard links and holes; owners too " +
    "if run by the superuser. A file in the way is replaced when its " +
    "successor is complete; its other hard links keep what they hold.",
    "Times are exact to the nanosecond on Linux with permission to call the C " +
    "library (--allow-ffi), else to the millisecond. A local file whose name " +
    "is not UTF-8 is reported and left out.",
  ],
  example: "nextfs put -r --connect unix:files.img.sock ./docs /",
  run: (values, operands) =>
    withSession("put", values, async (session) => {
      const putter = new Putter(session, values.recursive);
      using signals = new Signals();
      const work = putter.all(operands.slice(0, -1), operands.at(-1)!);
      try {
        await Promise.race([work, signals.interrupted]);
      } finally {
        await putter.stop();
      }
      if (values.sync) await syncAll(session);
    }),
});

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
  /** Places that this run has given a file: none is given a second one. */
  readonly #taken = new Set<string>();
  /** Files that are not complete yet. */
  readonly #temporaries = new Set<Place>();
  #stopped = false;

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
        throw new PathError(remote, error);
      });
    const into = there && isDirectory(there) ? nodeOf(there) : null;
    if (locals.length > 1 && !into) {
      throw new UsageError(`'${remote}' is not a directory`);
    }
    for (const local of locals) {
      await this.#session.reporter.attempt(local, async () => {
        const name = operandName(toBytes(local));
        // What '.' or '/' hold goes into the directory itself.
        if (into && name === null) await this.#children(local, into);
        else {
          const place = into
            ? { dir: into, name: name! }
            : await this.#targetPlace(remote);
          await this.#operand(local, place);
        }
      });
    }
    await this.#finish();
  }

  /** Ends early: what is not complete is removed. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const rest = [...this.#temporaries];
    // The server does as it is asked in order: what is being made is gone, too.
    await Promise.allSettled(rest.map((one) => discard(this.#client, one)));
  }

  async #targetPlace(remote: string): Promise<Place> {
    try {
      return await resolveParent(this.#client, toBytes(remote));
    } catch (error) {
      throw new PathError(remote, error);
    }
  }

  #take(place: Place): void {
    const key = placeKey(place);
    if (this.#taken.has(key)) {
      throw new Error(
        "Not copied: it would replace another file of this command " +
          `(will not overwrite just-created '${printable(place.name)}')`,
      );
    }
    this.#taken.add(key);
  }

  async #operand(local: string, place: Place): Promise<void> {
    if (local === "-") {
      this.#take(place);
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
        await makeOver(
          this.#client,
          place,
          (place) => this.#client.call("link", { node, ...place }),
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
    this.#take(place);
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
    const { attributes } = await makeOver(
      this.#client,
      place,
      (place) =>
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
      return await this.#replace(place, host.stat.mode, async (file) => {
        const sparse = host.stat.blocks * 512 < host.stat.size;
        const size = await sendFile(this.#client, file.descriptor, {
          read: (into) => fs.readSync(fd, into, 0, into.length, null),
          sparse,
          expected: host.stat.size,
        });
        const { uid, gid } = file.replaced ?? {};
        const owner = file.replaced ? { uid, gid } : {};
        const changes = sparse ? { ...owner, size } : owner;
        await this.#setAttributes(file.node, host, changes);
      });
    } finally {
      fs.closeSync(fd);
    }
  }

  async #fromStdin(place: Place): Promise<void> {
    await this.#replace(place, 0o644, async (file) => {
      await sendFile(this.#client, file.descriptor, {
        read: fromStdin,
        sparse: false,
        expected: Infinity,
      });
      if (!file.replaced) return;
      // As a shell's redirection leaves them.
      const { uid, gid, mode } = file.replaced;
      const changes = { uid, gid, mode: mode & 0o7777 };
      await this.#client.call("setattr", { node: file.node, changes });
    });
  }

  /**
   * Makes a regular file that `fill` completes, and then gives it its name: a
   * file in the way is whole until it is replaced, and its other names keep
   * what they hold.
   */
  async #replace(
    place: Place,
    mode: number,
    fill: (file: NewFile) => Promise<void>,
  ): Promise<Node> {
    const there = await occupant(this.#client, place);
    if (there && isDirectory(there)) throw new FsError("EISDIR");
    if (this.#stopped) throw new InterruptedError("Interrupted");
    const temporary = temporaryBeside(place);
    this.#temporaries.add(temporary);
    try {
      const { descriptor, attributes } = await this.#client.call("create", {
        ...temporary,
        mode: mode & 0o7777,
        flags: O_WRONLY | O_EXCL,
      });
      const node = nodeOf(attributes);
      const regular = there && (there.mode & S_IFMT) === S_IFREG;
      try {
        await fill({ descriptor, node, replaced: regular ? there : null });
      } finally {
        await this.#client.call("close", { descriptor });
      }
      await renameOver(this.#client, temporary, place);
      return node;
    } catch (error) {
      // What went wrong first is what there is to tell.
      await discard(this.#client, temporary).catch(() => {});
      throw this.#stopped ? new InterruptedError("Interrupted") : error;
    } finally {
      this.#temporaries.delete(temporary);
    }
  }

  async #makeDirectory({ dir, name }: Place): Promise<Node> {
    try {
      // Private until its attributes are set in the end.
      const args = { dir, name, mode: 0o700 };
      return nodeOf((await this.#client.call("mkdir", args)).attributes);
    } catch (error) {
      const existing = await occupant(this.#client, { dir, name });
      if (!existing || !isDirectory(existing)) throw error;
      return nodeOf(existing);
    }
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
      ...more,
      ...(this.#owners ? { uid, gid } : {}),
    };
    await this.#client.call("setattr", { node: nodeOf(node), changes });
  }
}

/** A regular file on its way to its name. */
interface NewFile {
  descriptor: number;
  node: Node;
  /** The regular file whose place it takes. */
  replaced: Attributes | null;
}

const fromStdin: Read = async (into) => await Deno.stdin.read(into) ?? 0;
