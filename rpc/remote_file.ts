/**
 * An open file of the server, with the face of `Deno.FsFile`.
 *
 * @module
 */

import type { AttributeChanges } from "../fs/attributes.ts";
import { FsError } from "../fs/errors.ts";
import { readChunks, readInto, writeChunks } from "./_chunks.ts";
import { readableOf, writableOf } from "./_file_streams.ts";
import { named } from "./_naming.ts";
import { Position } from "./_position.ts";
import type { Client } from "./client.ts";
import {
  type FileInfo,
  fileInfo,
  type FileTime,
  timestampOf,
} from "./file_info.ts";
import type {
  ChunkOptions,
  LockRange,
  RemotePath,
  SeekMode,
  SignalOptions,
} from "./file_options.ts";
import { LOCK_EXCLUSIVE, LOCK_NONE, LOCK_SHARED } from "./operations/mod.ts";
import type { Node } from "./operations/mod.ts";

/** What a {@link RemoteFile} stands on. */
export interface OpenedFile {
  /** The open file on the connection. */
  readonly descriptor: number;
  /** The file itself. */
  readonly node: Node;
  /** Its size when it was opened, in bytes. */
  readonly size: number;
  /** Its kind and permissions when it was opened. */
  readonly mode: number;
  /** The path it was opened by, for messages; absent if by its node. */
  readonly path?: RemotePath;
}

/**
 * An open file. `client.files.open()` makes it.
 *
 * Every method rejects with an {@link FsError} that has the path the file was
 * opened by, and with `EBADF` when it is closed.
 *
 * @example
 * ```ts
 * await using file = await client.files.open("/log", { append: true });
 * await file.write(new TextEncoder().encode("one more line\n"));
 * await file.sync();
 * ```
 */
export class RemoteFile implements AsyncDisposable {
  /** The file itself, whatever its names: for calls by node. */
  readonly node: Node;
  /** The open file's number on its connection: for calls by descriptor. */
  readonly descriptor: number;
  readonly #client: Client;
  readonly #opened: OpenedFile;
  readonly #position = new Position();
  #closing: Promise<void> | null = null;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | null = null;
  #writable: WritableStream<Uint8Array> | null = null;

  /** Stands on a file that is open on `client`. */
  constructor(client: Client, opened: OpenedFile) {
    this.#client = client;
    this.#opened = opened;
    this.descriptor = opened.descriptor;
    this.node = opened.node;
  }

  /**
   * Reads at the position, and moves it. Resolves to the number of bytes, which
   * is less than `into` has room for only at the end of the file, and to null
   * if nothing is left to read.
   */
  read(
    into: Uint8Array,
    options: SignalOptions = {},
  ): Promise<number | null> {
    return this.#position.moving(
      into.length,
      (from) => this.readAt(into, from, options),
    );
  }

  /** Reads at `offset`, as {@link read} does; the position stays. */
  async readAt(
    into: Uint8Array,
    offset: number,
    options: SignalOptions = {},
  ): Promise<number | null> {
    if (into.length === 0) return 0;
    const { descriptor } = this;
    return await this.#do("read", async (client) => {
      const count = await readInto(
        client,
        { descriptor, offset },
        into,
        options,
      );
      return count === 0 ? null : count;
    });
  }

  /**
   * Writes all of `data` at the position, and moves it; if the file is open for
   * appending, behind its end. Resolves to its length. Large data is written in
   * several parts. It must not change until the promise has settled.
   */
  write(data: Uint8Array, options: SignalOptions = {}): Promise<number> {
    return this.#position.moving(
      data.length,
      (from) => this.writeAt(data, from, options),
    );
  }

  /** Writes at `offset`, as {@link write} does; the position stays. */
  async writeAt(
    data: Uint8Array,
    offset: number,
    options: SignalOptions = {},
  ): Promise<number> {
    const { descriptor } = this;
    return await this.#do("write", async (client) => {
      await writeChunks(client, { descriptor, offset }, data, options);
      return data.length;
    });
  }

  /**
   * Contents from `offset` to the end or for `length` bytes, as chunks that the
   * caller may keep, several reads ahead. The position stays, and the file is
   * not closed.
   */
  async *chunks(options: ChunkOptions = {}): AsyncGenerator<Uint8Array> {
    try {
      yield* readChunks(this.#client, this.#opened, options);
    } catch (error) {
      throw this.#named("read", error);
    }
  }

  /**
   * Contents from the position on, read ahead by 1 MiB at most. As in Deno,
   * the file is closed when the stream has come to its end, was cancelled or
   * has failed.
   */
  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= readableOf(
      this,
      (signal) => this.chunks({ offset: this.#position.at, signal }),
    );
  }

  /**
   * Writes from the position on, four chunks in flight. A failure is that of
   * the next write, or of closing. As in Deno, the file is closed when the
   * stream is closed, was aborted or has failed.
   */
  get writable(): WritableStream<Uint8Array> {
    return this.#writable ??= writableOf(this);
  }

  /** Moves the position, and resolves to it. `EINVAL` if it is negative. */
  async seek(
    offset: number | bigint,
    whence: SeekMode,
    options: SignalOptions = {},
  ): Promise<number> {
    const base = [
      (): number => 0,
      (): number => this.#position.at,
      async (): Promise<number> => (await this.stat(options)).size,
    ][whence];
    const position = await base() + Number(offset);
    return await this.#do("seek", () => {
      if (!Number.isSafeInteger(position) || position < 0) {
        throw new FsError("EINVAL", `no file has a position ${position}`);
      }
      this.#position.set(position);
      return position;
    });
  }

  /** Where data is, from `offset` on; null if only a hole follows. */
  seekData(
    offset: number,
    options: SignalOptions = {},
  ): Promise<number | null> {
    return this.#find(offset, false, options);
  }

  /**
   * Where a hole is, from `offset` on, and be it the end of the file; null if
   * `offset` is behind that.
   */
  seekHole(
    offset: number,
    options: SignalOptions = {},
  ): Promise<number | null> {
    return this.#find(offset, true, options);
  }

  /** Attributes of the file. */
  async stat({ signal }: SignalOptions = {}): Promise<FileInfo> {
    const { node } = this;
    return await this.#do("stat", async (client) => {
      const reply = await client.call("getattr", { node }, { signal });
      return fileInfo(reply.attributes);
    });
  }

  /** Cuts the file, or lets it grow by a hole, to `size` bytes. */
  async truncate(
    size: number = 0,
    options: SignalOptions = {},
  ): Promise<void> {
    await this.#change("truncate", { size }, options);
  }

  /** Sets the times of the last read and the last change of the contents. */
  async utime(
    atime: FileTime,
    mtime: FileTime,
    options: SignalOptions = {},
  ): Promise<void> {
    const changes = { atime: timestampOf(atime), mtime: timestampOf(mtime) };
    await this.#change("set the times of", changes, options);
  }

  /** Resolves when every change of the file is on stable storage. */
  async sync({ signal }: SignalOptions = {}): Promise<void> {
    const { descriptor } = this;
    await this.#do("sync", async (client) => {
      await client.call("fsync", { descriptor }, { signal });
    });
  }

  /** Resolves when what is needed to read the contents back is. */
  async syncData({ signal }: SignalOptions = {}): Promise<void> {
    const { descriptor } = this;
    await this.#do("sync", async (client) => {
      await client.call("fdatasync", { descriptor }, { signal });
    });
  }

  /**
   * Waits for a lock of a part of the file, which other open files of this or
   * any client may be in the way of; `exclusive` or shared with others. Locks
   * are advisory, and given up by {@link unlock} or when the file is closed.
   */
  async lock(
    exclusive: boolean = false,
    { signal, ...range }: LockRange & SignalOptions = {},
  ): Promise<void> {
    const kind = exclusive ? LOCK_EXCLUSIVE : LOCK_SHARED;
    await this.#setLock("lock", { ...range, kind, wait: true }, signal);
  }

  /** As {@link lock}, but resolves to false if it would have to wait. */
  async tryLock(
    exclusive: boolean = false,
    { signal, ...range }: LockRange & SignalOptions = {},
  ): Promise<boolean> {
    const kind = exclusive ? LOCK_EXCLUSIVE : LOCK_SHARED;
    try {
      await this.#setLock("lock", { ...range, kind, wait: false }, signal);
      return true;
    } catch (error) {
      if (error instanceof FsError && error.code === "EAGAIN") return false;
      throw error;
    }
  }

  /** Gives up the locks of a part of the file, or of all of it. */
  async unlock(
    { signal, ...range }: LockRange & SignalOptions = {},
  ): Promise<void> {
    const kind = LOCK_NONE;
    await this.#setLock("unlock", { ...range, kind, wait: false }, signal);
  }

  /**
   * Closes the file, which gives up its locks. A second time it does nothing,
   * and when the connection has ended the server has done it.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** Closes the file: `await using file = await client.files.open(…)`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { descriptor } = this;
    try {
      await this.#client.call("close", { descriptor });
    } catch (error) {
      if (!this.#client.ended) throw this.#named("close", error);
    }
  }

  async #find(
    offset: number,
    hole: boolean,
    { signal }: SignalOptions,
  ): Promise<number | null> {
    const { descriptor } = this;
    try {
      return await this.#do("seek", async (client) => {
        const args = { descriptor, offset, hole };
        return (await client.call("seekData", args, { signal })).offset;
      });
    } catch (error) {
      if (error instanceof FsError && error.code === "ENXIO") return null;
      throw error;
    }
  }

  async #change(
    operation: string,
    changes: AttributeChanges,
    { signal }: SignalOptions,
  ): Promise<void> {
    const { node } = this;
    await this.#do(operation, async (client) => {
      await client.call("setattr", { node, changes }, { signal });
    });
  }

  async #setLock(
    operation: string,
    { kind, wait, start = 0, length = 0 }:
      & { kind: number; wait: boolean }
      & LockRange,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { descriptor } = this;
    // Each open file is an owner of its own.
    const args = { descriptor, owner: descriptor, kind, start, length, wait };
    const undo = (): void => {
      this.#client.call("setLock", { ...args, kind: LOCK_NONE, wait: false })
        .catch(() => {});
    };
    await this.#do(operation, async (client) => {
      await client.call("setLock", args, { signal, undo });
    });
  }

  async #do<T>(
    operation: string,
    act: (client: Client) => T | Promise<T>,
  ): Promise<T> {
    try {
      return await act(this.#client);
    } catch (error) {
      throw this.#named(operation, error);
    }
  }

  #named(operation: string, error: unknown): unknown {
    const { path } = this.#opened;
    if (path === undefined) return error;
    return named(this.#client, { operation, path }, error);
  }
}
