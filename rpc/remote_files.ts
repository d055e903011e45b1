/**
 * The files of a server by path, with the face of Deno's file system calls.
 *
 * Paths start at the volume's root whether or not they begin with a slash, and
 * are resolved by the server. A path is bytes; a string stands for its UTF-8.
 * Every method rejects with an {@link FsError} whose `code` is an errno name
 * and whose `path` is the one that was given, with {@link DisconnectedError}
 * when the connection ends, and with its signal's reason when that fires.
 *
 * @module
 */

import {
  type Attributes,
  type DeviceNumber,
  S_IFDIR,
  S_IFMT,
  type VolumeStatistics,
} from "../fs/attributes.ts";
import { FsError } from "../fs/errors.ts";
import { atPath, inDirectory } from "./_at_path.ts";
import { joinChunks, readChunks } from "./_chunks.ts";
import { named, naming } from "./_naming.ts";
import { openNode, openPath, release } from "./_open.ts";
import { copyRemote } from "./_remote_copy.ts";
import { type Place, placeOf, resolve, toBytes } from "./_remote_path.ts";
import { listEntries, makeDirectories, removeTree } from "./_remote_tree.ts";
import type { Client } from "./client.ts";
import { type DirEntry, dirEntry } from "./file_info.ts";
import type {
  MkdirOptions,
  MknodOptions,
  OpenNodeOptions,
  OpenOptions,
  RemotePath,
  RemoveOptions,
  RenameOptions,
  SignalOptions,
  WriteFileOptions,
} from "./file_options.ts";
import type { Node } from "./operations/mod.ts";
import { RemoteAttributes } from "./remote_attributes.ts";
import { RemoteFile } from "./remote_file.ts";

const decoder = new TextDecoder();

/** The files of a server: `client.files`. */
export class RemoteFiles extends RemoteAttributes {
  /**
   * Opens a file; without options, for reading. A symbolic link is followed.
   * A directory can be opened for reading, to be synced.
   */
  async open(
    path: RemotePath,
    options: OpenOptions = {},
  ): Promise<RemoteFile> {
    const { client } = this;
    const open = { operation: "open", path };
    const opened = await naming(
      client,
      open,
      () => openPath(client, path, options),
    );
    return new RemoteFile(client, opened);
  }

  /** Opens the file with this node, whatever its names are. */
  async openNode(
    node: Node,
    options: OpenNodeOptions = {},
  ): Promise<RemoteFile> {
    const { client } = this;
    return new RemoteFile(client, await openNode(client, node, options));
  }

  /** Contents of a file, as one piece. `EISDIR` for a directory. */
  async readFile(
    path: RemotePath,
    { signal }: SignalOptions = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { client } = this;
    return await naming(client, { operation: "read", path }, async () => {
      const file = await openPath(client, path, { signal });
      try {
        const chunks = readChunks(client, file, { signal });
        return await joinChunks(chunks, file.size);
      } finally {
        release(client, file);
      }
    });
  }

  /** Contents of a file, decoded as UTF-8. */
  async readTextFile(
    path: RemotePath,
    options: SignalOptions = {},
  ): Promise<string> {
    return decoder.decode(await this.readFile(path, options));
  }

  /**
   * Creates or replaces the file at `path` with `data`. A symbolic link is
   * followed. When it resolves the server has taken everything; `sync()` makes
   * it durable. When it rejects, a part may have been written, and a stream has
   * been cancelled.
   */
  async writeFile(
    path: RemotePath,
    data: Uint8Array | ReadableStream<Uint8Array>,
    options: WriteFileOptions = {},
  ): Promise<void> {
    const { append = false, create = true, createNew, mode, signal } = options;
    const access = append ? { append } : { write: true, truncate: true };
    const more = { create, createNew, mode, signal };
    let file: RemoteFile;
    try {
      file = await this.open(path, { ...access, ...more });
    } catch (error) {
      if (!(data instanceof Uint8Array)) {
        await data.cancel(error).catch(() => {});
      }
      throw error;
    }
    try {
      if (data instanceof Uint8Array) await file.write(data, { signal });
      else await data.pipeTo(file.writable, { signal });
    } finally {
      await file.close();
    }
  }

  /** Creates or replaces the file at `path` with the UTF-8 of a text. */
  writeTextFile(
    path: RemotePath,
    text: string,
    options: WriteFileOptions = {},
  ): Promise<void> {
    return this.writeFile(path, toBytes(text), options);
  }

  /**
   * Copies a regular file and its permissions, on the server: no contents go
   * over the connection. What `to` names is replaced; `EINVAL` if it is the
   * same file.
   */
  async copyFile(
    from: RemotePath,
    to: RemotePath,
    options: SignalOptions = {},
  ): Promise<void> {
    const { client } = this;
    await naming(
      client,
      { operation: "copy", path: from, to },
      () => copyRemote(client, from, to, options),
    );
  }

  /**
   * Entries of a directory with their attributes, in the volume's order,
   * without `.` and `..`. An entry that is removed meanwhile may or may not
   * appear. An entry whose inode cannot be read is left out, and is thrown as
   * `EUCLEAN` at the end.
   *
   * @example
   * ```ts
   * for await (const entry of client.files.readDir("/")) {
   *   console.log(entry.name, entry.isDirectory);
   * }
   * ```
   */
  async *readDir(
    path: RemotePath,
    options: SignalOptions = {},
  ): AsyncGenerator<DirEntry> {
    const { client } = this;
    try {
      const node = await resolve(client, path, options);
      let broken: string | undefined;
      for await (const entry of listEntries(client, node, options)) {
        const { name, attributes } = entry;
        if (attributes) yield dirEntry(name, attributes);
        else broken ??= decoder.decode(name);
      }
      if (broken === undefined) return;
      throw new FsError("EUCLEAN", `the inode of "${broken}" cannot be read`);
    } catch (error) {
      throw named(client, { operation: "list", path }, error);
    }
  }

  /** Makes a directory. `EEXIST` if the name is taken. */
  async mkdir(path: RemotePath, options: MkdirOptions = {}): Promise<void> {
    const { client } = this;
    const { recursive, mode = 0o755, signal } = options;
    const action = { operation: "make directory", path };
    await naming(client, action, async () => {
      if (recursive) {
        await makeDirectories(client, toBytes(path), { mode, signal });
        return;
      }
      const place = await placeOf(client, path, { signal });
      await client.call("mkdir", { ...place, mode }, { signal });
    });
  }

  /**
   * Removes the name of a file, or an empty directory; with `recursive`, a
   * directory with all that is in it.
   */
  async remove(path: RemotePath, options: RemoveOptions = {}): Promise<void> {
    const action = { operation: "remove", path };
    await inDirectory(this.client, action, options, async (place) => {
      const { client } = this;
      if (options.recursive) await removeTree(client, place, options);
      else await removeName(client, place, options);
    });
  }

  /** Renames; what `to` names is replaced, if that is allowed at all. */
  async rename(
    from: RemotePath,
    to: RemotePath,
    { noReplace = false, signal }: RenameOptions = {},
  ): Promise<void> {
    const { client } = this;
    const action = { operation: "rename", path: from, to };
    await naming(client, action, async () => {
      const source = await placeOf(client, from, { signal });
      const target = await placeOf(client, to, { signal });
      const args = {
        fromDir: source.dir,
        fromName: source.name,
        toDir: target.dir,
        toName: target.name,
        noReplace,
      };
      await client.call("rename", args, { signal });
    });
  }

  /** Makes a symbolic link at `path` that holds `target`. */
  async symlink(
    target: RemotePath,
    path: RemotePath,
    options: SignalOptions = {},
  ): Promise<void> {
    const action = { operation: "make link", path };
    await inDirectory(this.client, action, options, async (place) => {
      const args = { ...place, target: toBytes(target) };
      await this.client.call("symlink", args, options);
    });
  }

  /** Gives the file at `existing` (links not followed) the new name `path`. */
  async link(
    existing: RemotePath,
    path: RemotePath,
    { signal }: SignalOptions = {},
  ): Promise<void> {
    const { client } = this;
    const action = { operation: "link", path: existing, to: path };
    await naming(client, action, async () => {
      const node = await resolve(client, existing, { follow: false, signal });
      const place = await placeOf(client, path, { signal });
      await client.call("link", { node, ...place }, { signal });
    });
  }

  /** What a symbolic link holds. `EINVAL` if `path` names anything else. */
  async readLink(
    path: RemotePath,
    options: SignalOptions = {},
  ): Promise<string> {
    return decoder.decode(await this.readLinkBytes(path, options));
  }

  /** What a symbolic link holds, which need not be UTF-8. */
  readLinkBytes(
    path: RemotePath,
    { signal }: SignalOptions = {},
  ): Promise<Uint8Array> {
    const options = { follow: false, signal };
    const action = { operation: "read link", path };
    return atPath(this.client, action, options, async (node) => {
      return (await this.client.call("readlink", { node }, { signal })).target;
    });
  }

  /** Makes a device node, pipe or socket; `mode` holds the kind (`S_IF…`). */
  async mknod(
    path: RemotePath,
    mode: number,
    { rdev = NO_DEVICE, signal }: MknodOptions = {},
  ): Promise<void> {
    const action = { operation: "make node", path };
    await inDirectory(this.client, action, { signal }, async (place) => {
      await this.client.call("mknod", { ...place, mode, rdev }, { signal });
    });
  }

  /** Use of the whole volume. */
  async statfs({ signal }: SignalOptions = {}): Promise<VolumeStatistics> {
    return (await this.client.call("statfs", {}, { signal })).statistics;
  }

  /** Resolves when every completed change is on stable storage. */
  async sync({ signal }: SignalOptions = {}): Promise<void> {
    await this.client.call("sync", {}, { signal });
  }
}

const NO_DEVICE: DeviceNumber = { major: 0, minor: 0 };

/** Removes the name of a file, or an empty directory. */
async function removeName(
  client: Client,
  place: Place,
  { signal }: SignalOptions,
): Promise<void> {
  const { attributes } = await client.call("lookup", place, { signal });
  const operation = isDirectory(attributes) ? "rmdir" : "unlink";
  await client.call(operation, place, { signal });
}

function isDirectory({ mode }: Attributes): boolean {
  return (mode & S_IFMT) === S_IFDIR;
}
