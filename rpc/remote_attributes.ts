/**
 * What is known of the files of a server besides their contents.
 *
 * @module
 */

import type { AttributeChanges, Attributes } from "../fs/attributes.ts";
import { atPath } from "./_at_path.ts";
import type { Action } from "./_naming.ts";
import { toBytes } from "./_remote_path.ts";
import type { Client } from "./client.ts";
import {
  type FileInfo,
  fileInfo,
  type FileTime,
  timestampOf,
} from "./file_info.ts";
import type {
  FollowOptions,
  RemotePath,
  SetXattrOptions,
  SignalOptions,
} from "./file_options.ts";

/** The part of {@link RemoteFiles} that is about attributes. */
export class RemoteAttributes {
  /** The connection all calls go through. */
  readonly client: Client;

  /** Stands on `client`, which stays the caller's to close. */
  constructor(client: Client) {
    this.client = client;
  }

  /** What is known of what `path` names, symbolic links followed. */
  stat(path: RemotePath, { signal }: SignalOptions = {}): Promise<FileInfo> {
    const action = { operation: "stat", path };
    return atPath(this.client, action, { signal }, fileInfo);
  }

  /** What is known of what `path` names; a symbolic link stands for itself. */
  lstat(path: RemotePath, { signal }: SignalOptions = {}): Promise<FileInfo> {
    const action = { operation: "stat", path };
    const options = { follow: false, signal };
    return atPath(this.client, action, options, fileInfo);
  }

  /** Changes attributes, any of them at once. Resolves to what they are. */
  setattr(
    path: RemotePath,
    changes: AttributeChanges,
    options: FollowOptions = {},
  ): Promise<Attributes> {
    return this.#change({ operation: "change", path }, changes, options);
  }

  /** Changes permissions, set-id and sticky bits. */
  async chmod(
    path: RemotePath,
    mode: number,
    options: SignalOptions = {},
  ): Promise<void> {
    const action = { operation: "change the mode of", path };
    await this.#change(action, { mode }, options);
  }

  /** Changes owner and group; null leaves one as it is. */
  async chown(
    path: RemotePath,
    uid: number | null,
    gid: number | null,
    options: FollowOptions = {},
  ): Promise<void> {
    const changes = { uid: uid ?? undefined, gid: gid ?? undefined };
    const action = { operation: "change the owner of", path };
    await this.#change(action, changes, options);
  }

  /** Sets the times of the last read and the last change of the contents. */
  async utime(
    path: RemotePath,
    atime: FileTime,
    mtime: FileTime,
    options: FollowOptions = {},
  ): Promise<void> {
    const changes = { atime: timestampOf(atime), mtime: timestampOf(mtime) };
    const action = { operation: "set the times of", path };
    await this.#change(action, changes, options);
  }

  /** Cuts a file, or lets it grow by a hole, to `size` bytes. */
  async truncate(
    path: RemotePath,
    size: number = 0,
    options: SignalOptions = {},
  ): Promise<void> {
    const action = { operation: "truncate", path };
    await this.#change(action, { size }, options);
  }

  /** Value of an extended attribute, by its full name. `ENODATA` if unset. */
  getxattr(
    path: RemotePath,
    name: string | Uint8Array,
    options: FollowOptions = {},
  ): Promise<Uint8Array> {
    return atPath(
      this.client,
      { operation: "read an attribute of", path },
      options,
      async (node) => {
        const args = { node, name: toBytes(name) };
        const { signal } = options;
        return (await this.client.call("getxattr", args, { signal })).value;
      },
    );
  }

  /** Sets an extended attribute, by its full name. */
  async setxattr(
    path: RemotePath,
    name: string | Uint8Array,
    value: Uint8Array,
    { create = false, replace = false, ...options }: SetXattrOptions = {},
  ): Promise<void> {
    const { signal } = options;
    await atPath(
      this.client,
      { operation: "set an attribute of", path },
      options,
      async (node) => {
        const args = { node, name: toBytes(name), value, create, replace };
        await this.client.call("setxattr", args, { signal });
      },
    );
  }

  /** Full names of the extended attributes. */
  listxattr(path: RemotePath, options: FollowOptions = {}): Promise<string[]> {
    return atPath(
      this.client,
      { operation: "list an attribute of", path },
      options,
      async (node) => {
        const { signal } = options;
        const reply = await this.client.call("listxattr", { node }, { signal });
        return reply.names.map((name) => decoder.decode(name));
      },
    );
  }

  /** Removes an extended attribute. `ENODATA` if it is not set. */
  async removexattr(
    path: RemotePath,
    name: string | Uint8Array,
    options: FollowOptions = {},
  ): Promise<void> {
    const { signal } = options;
    await atPath(
      this.client,
      { operation: "remove an attribute of", path },
      options,
      async (node) => {
        const args = { node, name: toBytes(name) };
        await this.client.call("removexattr", args, { signal });
      },
    );
  }

  #change(
    action: Action,
    changes: AttributeChanges,
    options: FollowOptions,
  ): Promise<Attributes> {
    const { signal } = options;
    return atPath(this.client, action, options, async (node) => {
      const args = { node, changes };
      return (await this.client.call("setattr", args, { signal })).attributes;
    });
  }
}

const decoder = new TextDecoder();
