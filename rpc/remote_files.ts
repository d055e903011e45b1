/**
 * Files by path over a {@link Client}: what the commands stand on.
 *
 * Paths start at the volume's root whether or not they begin with a slash, and
 * are resolved by the server. A path is bytes; a string stands for its UTF-8.
 * Every method rejects with an {@link FsError} whose `code` is an errno name.
 *
 * @module
 */

import type {
  AttributeChanges,
  Attributes,
  DeviceNumber,
  VolumeStatistics,
} from "../fs/attributes.ts";
import { S_IFDIR, S_IFMT } from "../fs/attributes.ts";
import { FsError } from "../fs/errors.ts";
import type { Client } from "./client.ts";
import { Pipeline } from "./_pipeline.ts";
import { isDot, splitPath, toBytes } from "./_remote_path.ts";
import { O_EXCL, O_RDONLY, O_TRUNC, O_WRONLY } from "./open_flags.ts";
import type { Node } from "./operations.ts";

/** A path in the volume: bytes, or a string that stands for its UTF-8. */
export type RemotePath = string | Uint8Array;

/** One entry of a directory, with what is known of the file behind it. */
export interface RemoteEntry {
  /** The name: 1 to 255 bytes. */
  readonly name: Uint8Array;
  /** Attributes of the file itself (links are not followed). */
  readonly attributes: Attributes;
}

/** A run of bytes and where in the file it goes. */
export interface FileChunk {
  /** Position of the first byte, in bytes. */
  readonly offset: number;
  /** The bytes; not to be changed until the write has ended. */
  readonly data: Uint8Array;
}

/** Which part of a file to read, and how. */
export interface ReadFileOptions {
  /** First byte to read; 0 if absent. */
  offset?: number;
  /** Number of bytes to read; to the end of the file if absent. */
  length?: number;
  /** Bytes of one read; 256 KiB if absent, bounded by the server's limit. */
  chunkSize?: number;
  /** Reads in flight at a time; 4 if absent. */
  readAhead?: number;
}

/** How a file is written. */
export interface WriteFileOptions {
  /** Permissions of a new file; 0o644 if absent. */
  mode?: number;
  /** Refuse to touch a file that exists (`EEXIST`). */
  exclusive?: boolean;
  /** Keep the contents that the chunks do not overwrite. */
  keep?: boolean;
  /** Final size in bytes, for a file that ends in a hole. */
  size?: number;
  /** Writes in flight at a time; 4 if absent. */
  writesInFlight?: number;
}

/** Whether a path that names a symbolic link means the link or its target. */
export interface FollowOptions {
  /** True (the default) for the target. */
  follow?: boolean;
}

/** How an extended attribute is set. */
export interface SetXattrOptions extends FollowOptions {
  /** Refuse with `EEXIST` if the attribute exists. */
  create?: boolean;
  /** Refuse with `ENODATA` if the attribute does not exist. */
  replace?: boolean;
}

/** The files of a server, by path. */
export class RemoteFiles {
  /** The connection all calls go through. */
  readonly client: Client;

  /** Stands on `client`, which stays the caller's to close. */
  constructor(client: Client) {
    this.client = client;
  }

  /** Attributes of what `path` names, symbolic links followed. */
  stat(path: RemotePath): Promise<Attributes> {
    return this.#resolve(path, true);
  }

  /** Attributes of what `path` names; a symbolic link stands for itself. */
  lstat(path: RemotePath): Promise<Attributes> {
    return this.#resolve(path, false);
  }

  /**
   * Entries of a directory with their attributes, in the volume's order,
   * without `.` and `..`. An entry that is removed meanwhile may or may not
   * appear. An entry whose inode cannot be read is left out, and is thrown as
   * `EUCLEAN` at the end.
   */
  async *readDir(path: RemotePath): AsyncGenerator<RemoteEntry> {
    const node = await this.stat(path);
    let broken: Uint8Array | undefined;
    for (let cookie = 0;;) {
      const page = await this.client.call("readdir", {
        node,
        cookie,
        count: this.client.limits.maxEntries,
      });
      for (const { name, attributes, cookie: behind } of page.entries) {
        cookie = behind;
        if (isDot(name)) continue;
        if (attributes) yield { name, attributes };
        else broken ??= name;
      }
      if (page.end) break;
    }
    if (broken) {
      const name = new TextDecoder().decode(broken);
      throw new FsError("EUCLEAN", `the inode of "${name}" cannot be read`);
    }
  }

  /**
   * Contents of a file, in order, as chunks that the caller may keep.
   * `EISDIR` for a directory.
   *
   * @example
   * ```ts
   * for await (const chunk of files.readFile("/etc/motd")) {
   *   await Deno.stdout.write(chunk);
   * }
   * ```
   */
  async *readFile(
    path: RemotePath,
    options: ReadFileOptions = {},
  ): AsyncGenerator<Uint8Array> {
    const node = await this.stat(path);
    const { descriptor } = await this.client.call("open", {
      node,
      flags: O_RDONLY,
    });
    try {
      yield* this.#readChunks(descriptor, options);
    } finally {
      await this.client.call("close", { descriptor });
    }
  }

  /**
   * Creates or replaces the file at `path` (a symbolic link is followed) with
   * `chunks`, which may come in any order and leave holes. Resolves to its
   * attributes when the server has taken everything; `sync()` makes it
   * durable.
   */
  async writeFile(
    path: RemotePath,
    chunks: AsyncIterable<FileChunk> | Iterable<FileChunk>,
    options: WriteFileOptions = {},
  ): Promise<Attributes> {
    const { descriptor, attributes } = await this.#openForWriting(
      path,
      options,
    );
    try {
      const pipeline = new Pipeline(options.writesInFlight ?? 4);
      for await (const { offset, data } of chunks) {
        const step = this.client.limits.maxData;
        for (let at = 0; at < data.length; at += step) {
          await pipeline.add(this.client.call("write", {
            descriptor,
            offset: offset + at,
            data: data.subarray(at, at + step),
          }));
        }
      }
      await pipeline.finish();
      return options.size === undefined
        ? (await this.client.call("getattr", { node: attributes })).attributes
        : await this.#change(attributes, { size: options.size });
    } finally {
      await this.client.call("close", { descriptor });
    }
  }

  /** Makes a directory. `EEXIST` if the name is taken. */
  async mkdir(path: RemotePath, mode: number = 0o755): Promise<Attributes> {
    const { dir, name } = await this.#parent(path);
    return (await this.client.call("mkdir", { dir, name, mode })).attributes;
  }

  /** Makes a device node, pipe or socket; `mode` holds the kind (`S_IF…`). */
  async mknod(
    path: RemotePath,
    mode: number,
    rdev: DeviceNumber = { major: 0, minor: 0 },
  ): Promise<Attributes> {
    const { dir, name } = await this.#parent(path);
    const reply = await this.client.call("mknod", { dir, name, mode, rdev });
    return reply.attributes;
  }

  /** Makes a symbolic link at `path` that holds `target`. */
  async symlink(target: RemotePath, path: RemotePath): Promise<Attributes> {
    const { dir, name } = await this.#parent(path);
    const reply = await this.client.call("symlink", {
      dir,
      name,
      target: toBytes(target),
    });
    return reply.attributes;
  }

  /** Gives the file at `existing` (links not followed) the new name `path`. */
  async link(existing: RemotePath, path: RemotePath): Promise<void> {
    const node = await this.lstat(existing);
    const { dir, name } = await this.#parent(path);
    await this.client.call("link", { node, dir, name });
  }

  /** What a symbolic link holds. `EINVAL` if `path` names anything else. */
  async readlink(path: RemotePath): Promise<Uint8Array> {
    const node = await this.lstat(path);
    return (await this.client.call("readlink", { node })).target;
  }

  /** Removes the name of a file, or an empty directory. */
  async remove(path: RemotePath): Promise<void> {
    const { mode } = await this.lstat(path);
    const { dir, name } = await this.#parent(path);
    const directory = (mode & S_IFMT) === S_IFDIR;
    await this.client.call(directory ? "rmdir" : "unlink", { dir, name });
  }

  /** Renames; what `to` names is replaced, if that is allowed at all. */
  async rename(
    from: RemotePath,
    to: RemotePath,
    options: { noReplace?: boolean } = {},
  ): Promise<void> {
    const source = await this.#parent(from);
    const target = await this.#parent(to);
    await this.client.call("rename", {
      fromDir: source.dir,
      fromName: source.name,
      toDir: target.dir,
      toName: target.name,
      noReplace: options.noReplace ?? false,
    });
  }

  /** Changes attributes: chmod, chown, touch and truncate in one. */
  async setattr(
    path: RemotePath,
    changes: AttributeChanges,
    options: FollowOptions = {},
  ): Promise<Attributes> {
    const node = await this.#resolve(path, options.follow ?? true);
    return await this.#change(node, changes);
  }

  /** Value of an extended attribute, by its full name. `ENODATA` if unset. */
  async getxattr(
    path: RemotePath,
    name: string | Uint8Array,
    options: FollowOptions = {},
  ): Promise<Uint8Array> {
    const node = await this.#resolve(path, options.follow ?? true);
    const reply = await this.client.call("getxattr", {
      node,
      name: toBytes(name),
    });
    return reply.value;
  }

  /** Sets an extended attribute, by its full name. */
  async setxattr(
    path: RemotePath,
    name: string | Uint8Array,
    value: Uint8Array,
    options: SetXattrOptions = {},
  ): Promise<void> {
    const node = await this.#resolve(path, options.follow ?? true);
    await this.client.call("setxattr", {
      node,
      name: toBytes(name),
      value,
      create: options.create ?? false,
      replace: options.replace ?? false,
    });
  }

  /** Full names of the extended attributes. */
  async listxattr(
    path: RemotePath,
    options: FollowOptions = {},
  ): Promise<Uint8Array[]> {
    const node = await this.#resolve(path, options.follow ?? true);
    return [...(await this.client.call("listxattr", { node })).names];
  }

  /** Removes an extended attribute. `ENODATA` if it is not set. */
  async removexattr(
    path: RemotePath,
    name: string | Uint8Array,
    options: FollowOptions = {},
  ): Promise<void> {
    const node = await this.#resolve(path, options.follow ?? true);
    await this.client.call("removexattr", { node, name: toBytes(name) });
  }

  /** Use of the whole volume. */
  async statfs(): Promise<VolumeStatistics> {
    return (await this.client.call("statfs", {})).statistics;
  }

  /** Resolves when every completed change is on stable storage. */
  async sync(): Promise<void> {
    await this.client.call("sync", {});
  }

  async #resolve(path: RemotePath, follow: boolean): Promise<Attributes> {
    const reply = await this.client.call("resolve", {
      dir: this.client.root,
      path: toBytes(path),
      follow,
    });
    return reply.attributes;
  }

  async #change(node: Node, changes: AttributeChanges): Promise<Attributes> {
    return (await this.client.call("setattr", { node, changes })).attributes;
  }

  /** The directory that holds the last component of `path`, and its name. */
  async #parent(path: RemotePath): Promise<{ dir: Node; name: Uint8Array }> {
    const { parent, name } = splitPath(toBytes(path));
    return { dir: await this.#resolve(parent, true), name };
  }

  async #openForWriting(
    path: RemotePath,
    options: WriteFileOptions,
  ): Promise<{ descriptor: number; attributes: Attributes }> {
    const truncate = options.keep ? 0 : O_TRUNC;
    if (!options.exclusive) {
      try {
        const node = await this.stat(path);
        return await this.client.call("open", {
          node,
          flags: O_WRONLY | truncate,
        });
      } catch (error) {
        if (!(error instanceof FsError && error.code === "ENOENT")) throw error;
      }
    }
    const { dir, name } = await this.#parent(path);
    return await this.client.call("create", {
      dir,
      name,
      mode: options.mode ?? 0o644,
      flags: O_WRONLY | truncate | (options.exclusive ? O_EXCL : 0),
    });
  }

  async *#readChunks(
    descriptor: number,
    options: ReadFileOptions,
  ): AsyncGenerator<Uint8Array> {
    const chunkSize = Math.min(
      options.chunkSize ?? 256 * 1024,
      this.client.limits.maxData,
    );
    const end = (options.offset ?? 0) + (options.length ?? Infinity);
    let next = options.offset ?? 0;
    const pending: { length: number; data: Promise<Uint8Array> }[] = [];
    for (;;) {
      while (pending.length < (options.readAhead ?? 4) && next < end) {
        const length = Math.min(chunkSize, end - next);
        const data = this.client.call("read", {
          descriptor,
          offset: next,
          length,
        }).then((reply) => reply.data);
        // A failure is reported when its turn comes, not as unhandled.
        data.catch(() => {});
        pending.push({ length, data });
        next += length;
      }
      const first = pending.shift();
      if (first === undefined) return;
      const data = await first.data;
      if (data.length > 0) yield data;
      // A short read is the end of the file as the server saw it.
      if (data.length < first.length) return;
    }
  }
}
