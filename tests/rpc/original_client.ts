/**
 * A raw client that speaks the operations of the original server.
 *
 * @module
 */

import assert from "node:assert/strict";
import { formatEndpoint } from "../../rpc/mod.ts";
import { RawClient, Served, type ServedOptions } from "./harness.ts";

/** The operations as the original names them, each at its number. */
const NAMES = [
  ...["device_register", "mount", "umount", "mount_point_stats"],
  ...["cache_write_back", "file_remove", "file_link", "file_rename"],
  ...["file_open", "file_open2", "file_close", "file_truncate", "file_read"],
  ...["file_write", "file_seek", "file_tell", "file_size", "dir_rm", "dir_mv"],
  ...["dir_mk", "dir_mkdir", "dir_open", "dir_close", "dir_entry_next"],
  ...["dir_entry_rewind", "dir_list", "symlink", "mknod", "readlink"],
  ...["raw_inode", "mode_set", "mode_get", "owner_set", "owner_get"],
  ...["atime_set", "atime_get", "mtime_set", "mtime_get", "ctime_set"],
  ...["ctime_get", "fork", "child_attach", "new_fdtable"],
] as const;

/** The name of an operation. */
export type OriginalName = (typeof NAMES)[number];

/** Linux's numbers of the errors that are tested for. */
const ERRNO: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  6: "ENXIO",
  9: "EBADF",
  16: "EBUSY",
  17: "EEXIST",
  18: "EXDEV",
  20: "ENOTDIR",
  21: "EISDIR",
  22: "EINVAL",
  23: "ENFILE",
  24: "EMFILE",
  27: "EFBIG",
  30: "EROFS",
  36: "ENAMETOOLONG",
  39: "ENOTEMPTY",
  40: "ELOOP",
  125: "ECANCELED",
};

/** Flags of open(2) on Linux. */
export const FLAGS = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  DIRECTORY: 0o200000,
  NOFOLLOW: 0o400000,
  SYNC: 0o4010000,
} as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The bytes of a text. */
export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of bytes. */
export function text(value: unknown): string {
  assert.ok(value instanceof Uint8Array);
  return decoder.decode(value);
}

/** One connection. Texts among arguments are sent as bytes. */
export class OriginalClient {
  readonly #raw: RawClient;
  #lastId = 1;

  private constructor(raw: RawClient) {
    this.#raw = raw;
  }

  /** Connects to what is served, at the first endpoint. */
  static async connect(served: Served, at = 0): Promise<OriginalClient> {
    return await OriginalClient.at(formatEndpoint(served.endpoints[at]));
  }

  /** Connects to an endpoint. */
  static async at(endpoint: string): Promise<OriginalClient> {
    return new OriginalClient(await RawClient.greet(endpoint));
  }

  /** The results of an operation that must succeed. */
  async call(name: OriginalName, ...args: unknown[]): Promise<unknown[]> {
    const [status, ...results] = await this.#ask(name, args);
    assert.equal(status, 0, `${name}: ${ERRNO[status as number] ?? status}`);
    return results;
  }

  /** The one result of an operation that must succeed. */
  async get<T>(name: OriginalName, ...args: unknown[]): Promise<T> {
    const results = await this.call(name, ...args);
    assert.equal(results.length, 1);
    return results[0] as T;
  }

  /** Asserts that an operation is refused with the errno name `code`. */
  async refuses(
    code: string,
    name: OriginalName,
    ...args: unknown[]
  ): Promise<void> {
    const [status] = await this.#ask(name, args);
    assert.equal(ERRNO[status as number] ?? status, code, name);
  }

  /** Opens a file, with the mode of fopen(3) or the flags of open(2). */
  open(path: string, how: string | number): Promise<number> {
    const name = typeof how === "string" ? "file_open" : "file_open2";
    const mode = typeof how === "string" ? new Text(how) : how;
    return this.get<number>(name, path, mode);
  }

  /** Writes a text through a descriptor. */
  async write(descriptor: number, content: string): Promise<void> {
    const count = await this.get("file_write", descriptor, bytes(content));
    assert.equal(count, bytes(content).length);
  }

  /** Reads up to `length` bytes through a descriptor, as text. */
  async read(descriptor: number, length = 1000): Promise<string> {
    return text(await this.get("file_read", descriptor, length));
  }

  /** Makes a file with this content. */
  async put(path: string, content = ""): Promise<void> {
    const descriptor = await this.open(path, "w");
    if (content) await this.write(descriptor, content);
    await this.call("file_close", descriptor);
  }

  /** The content of the file at `path`. */
  async content(path: string): Promise<string> {
    const descriptor = await this.open(path, "r");
    const content = await this.read(descriptor);
    await this.call("file_close", descriptor);
    return content;
  }

  /** The names in a directory, in order, without `.` and `..`. */
  async names(path: string): Promise<string[]> {
    const [entries] = await this.call("dir_list", path);
    const names = (entries as unknown[][]).map(([name]) => text(name));
    return names.filter((name) => name !== "." && name !== "..").sort();
  }

  /** Asks with any operation number; returns status and results. */
  async ask(operation: number, ...args: unknown[]): Promise<unknown[]> {
    return await this.#raw.ask(++this.#lastId, operation, ...args);
  }

  /** Sends a request, and does not wait; returns its id. */
  async begin(frame: (id: number) => Uint8Array): Promise<number> {
    await this.#raw.send(frame(++this.#lastId));
    return this.#lastId;
  }

  /** The next reply. */
  async next(): Promise<unknown[]> {
    return (await this.#raw.receive())!;
  }

  /** Ends the connection. */
  close(): void {
    this.#raw.close();
  }

  #ask(name: OriginalName, args: readonly unknown[]): Promise<unknown[]> {
    const encoded = args.map((one) => {
      if (one instanceof Text) return one.value;
      return typeof one === "string" ? bytes(one) : one;
    });
    return this.ask(NAMES.indexOf(name), ...encoded);
  }
}

/** An argument that is sent as text, and not as bytes. */
export class Text {
  /** Marks `value`. */
  constructor(readonly value: string) {}
}

/** Runs `test` with a served volume and a connection to it. */
export async function withClient(
  test: (client: OriginalClient, served: Served) => Promise<void>,
  options: ServedOptions = {},
): Promise<void> {
  await using served = await Served.start(options);
  const client = await OriginalClient.connect(served);
  try {
    await test(client, served);
  } finally {
    client.close();
  }
}
