/**
 * A real server process of a new volume, for measurements over its socket.
 *
 * @module
 */

import { type Client, connect, O_RDWR } from "../rpc/mod.ts";
import { pinned } from "./rpc_processes.ts";

const ROOT = new URL("..", import.meta.url).pathname;

/** Runs the program to its end; it must succeed. */
function run(args: string[]): void {
  const { success, stderr } = new Deno.Command(Deno.execPath(), {
    args: program("nextfs", args),
  }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

function program(set: string, args: string[]): string[] {
  return [
    ...["run", "-q", `--config=${ROOT}deno.json`, `-P=${set}`],
    ...[`${ROOT}main.ts`, ...args],
  ];
}

/** How a server is started. */
export interface BenchServerOptions {
  /** The processor that it runs on; any if absent. */
  readonly cpu?: number;
  /** More arguments of `serve`. */
  readonly args?: readonly string[];
}

/** A server, until it is disposed of. */
export class BenchServer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  private constructor(
    child: Deno.ChildProcess,
    /** Where it listens. */
    readonly endpoint: string,
  ) {
    this.#child = child;
  }

  /** Its process. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Makes a volume in `directory`, and serves it. */
  static async start(
    device: string,
    directory: string,
    options: BenchServerOptions = {},
  ): Promise<BenchServer> {
    const key = keyOf(device, directory);
    if (key.length > 0) {
      const bytes = crypto.getRandomValues(new Uint8Array(32));
      Deno.writeFileSync(`${directory}/key`, bytes);
    }
    const volume = `${directory}/volume`;
    run(["init", "--device", device, "-s", "512M", ...key, volume]);
    return await BenchServer.serve(device, directory, options);
  }

  /** Serves the volume that was made in `directory`. */
  static async serve(
    device: string,
    directory: string,
    { cpu, args = [] }: BenchServerOptions = {},
  ): Promise<BenchServer> {
    const all = ["serve", ...keyOf(device, directory), ...args];
    const serve = program("serve", [...all, `${directory}/volume`]);
    const child = new Deno.Command(
      cpu === undefined ? Deno.execPath() : "taskset",
      {
        args: cpu === undefined ? serve : pinned(cpu, serve),
        stdout: "piped",
        stderr: "null",
      },
    ).spawn();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    const text = new TextDecoder().decode(value);
    const endpoint = /^Listening on (.*)$/m.exec(text)?.[1];
    if (!endpoint) throw new Error(`the server of ${device} did not start`);
    await reader.cancel();
    return new BenchServer(child, endpoint);
  }

  /** Stops it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}

function keyOf(device: string, directory: string): string[] {
  return device === "std" ? [] : ["--keyfile", `${directory}/key`];
}

const BLOCK = 4096;

/** A client with a file of its own, every block of which is there. */
export class BenchClient implements AsyncDisposable {
  readonly #client: Client;
  readonly #descriptor: number;
  readonly #blocks: number;
  #turn = 0;
  readonly #data = crypto.getRandomValues(new Uint8Array(BLOCK));

  private constructor(client: Client, descriptor: number, blocks: number) {
    this.#client = client;
    this.#descriptor = descriptor;
    this.#blocks = blocks;
  }

  /** Connects, and makes a file of `blocks` blocks. */
  static async start(
    endpoint: string,
    name: string,
    blocks: number,
  ): Promise<BenchClient> {
    const client = await connect(endpoint);
    const { descriptor } = await client.call("create", {
      dir: client.root,
      name: new TextEncoder().encode(name),
      mode: 0o644,
      flags: O_RDWR,
    });
    const data = crypto.getRandomValues(new Uint8Array(16 * BLOCK));
    for (let block = 0; block < blocks; block += 16) {
      const offset = block * BLOCK;
      await client.call("write", { descriptor, offset, data });
    }
    await client.call("fsync", { descriptor });
    return new BenchClient(client, descriptor, blocks);
  }

  /** Writes `count` blocks, each of them durable before the next. */
  async writeDurably(count: number): Promise<void> {
    const descriptor = this.#descriptor;
    for (let i = 0; i < count; i++) {
      const offset = this.#offset();
      const data = this.#data;
      // Both are sent at once, as one who knows what he wants would.
      await Promise.all([
        this.#client.call("write", { descriptor, offset, data }),
        this.#client.call("fsync", { descriptor }),
      ]);
    }
  }

  /** Reads one block. */
  async read(): Promise<void> {
    const offset = this.#offset();
    const descriptor = this.#descriptor;
    await this.#client.call("read", { descriptor, offset, length: BLOCK });
  }

  /** The next place: all over the file, by a step that meets every block. */
  #offset(): number {
    this.#turn = (this.#turn + 1021) % this.#blocks;
    return this.#turn * BLOCK;
  }

  /** Ends the connection. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#client.close();
  }
}
