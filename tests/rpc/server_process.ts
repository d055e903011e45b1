/**
 * A server in a process of its own, whose memory can be measured.
 *
 * Prints its endpoint, and stops when its standard input ends.
 *
 * @module
 */

import { formatEndpoint } from "../../rpc/mod.ts";
import { Served } from "./harness.ts";

if (import.meta.main) {
  await using served = await Served.start();
  const data = new Uint8Array(1024 * 1024).fill(1);
  const ino = served.fs.create(2, "megabyte", { mode: 0o644 });
  served.fs.write(ino, 0, data);
  console.log(formatEndpoint(served.endpoints[0]));
  for await (const _ of Deno.stdin.readable);
}

/** A running server process. */
export class ServerProcess {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, readonly endpoint: string) {
    this.#child = child;
  }

  /** Starts the process and waits until it listens. */
  static async start(): Promise<ServerProcess> {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", import.meta.url],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    return new ServerProcess(child, new TextDecoder().decode(value).trim());
  }

  /** Resident memory in MiB, from /proc (proc(5)). */
  residentMebibytes(): number {
    const status = Deno.readTextFileSync(`/proc/${this.#child.pid}/status`);
    return Number(/VmRSS:\s*(\d+) kB/.exec(status)![1]) / 1024;
  }

  /** Stops the process, which must not have failed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close();
    const { success } = await this.#child.status;
    if (!success) throw new Error("the server process failed");
  }
}
