/**
 * The processes of a measurement, each on the processor it is given.
 *
 * @module
 */

import type { Job, JobResult, LeanJob } from "./rpc_job.ts";
import { prepare } from "./rpc_requests.ts";

/** The arguments that start a program on a processor (taskset(1)). */
export function pinned(cpu: number, args: string[]): string[] {
  return ["-c", String(cpu), Deno.execPath(), ...args];
}

function beside(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

/** The lines that a process prints. */
export class Lines {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  /** Reads from what a child process prints. */
  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The next line. Throws if there is none. */
  async next(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return line;
      }
      const { value } = await this.#reader.read();
      if (value === undefined) throw new Error("a process has ended early");
      this.#text += value;
    }
  }

  /** Reads no more. */
  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }
}

/** A process that answers a line with a line. */
class LineProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: Lines;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;

  constructor(args: string[]) {
    const command = new Deno.Command("taskset", {
      ...{ args, stdin: "piped", stdout: "piped" },
    });
    this.#child = command.spawn();
    this.#lines = new Lines(this.#child.stdout);
    this.#input = this.#child.stdin.getWriter();
  }

  async ask(question: Job | LeanJob): Promise<JobResult> {
    const line = `${JSON.stringify(question)}\n`;
    await this.#input.write(new TextEncoder().encode(line));
    return JSON.parse(await this.#lines.next());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#child.status;
    await this.#lines.cancel();
  }
}

/** Load generators on a processor. */
export class Generator implements AsyncDisposable {
  readonly #lean: LineProcess;
  readonly #client: LineProcess;
  readonly #requests = Deno.makeTempFileSync({ prefix: "nextfs-bench-" });

  /** Starts them. */
  constructor(cpu: number) {
    const lean = ["python3", beside("rpc_load.py")];
    this.#lean = new LineProcess(["-c", String(cpu), ...lean]);
    const client = ["run", "-q", "--allow-all", beside("rpc_client.ts")];
    this.#client = new LineProcess(pinned(cpu, client));
  }

  /** Carries a job out. Rejects if it fails. */
  async run(job: Job): Promise<JobResult> {
    if (job.client) return await this.#client.ask(job);
    const { requests, before, replySize } = await prepare(job);
    Deno.writeFileSync(this.#requests, requests.bytes);
    const { endpoint, pid, tls, window, count, ms, warmUpMs } = job;
    return await this.#lean.ask({
      ...{ endpoint, pid, tls, window, count, ms, warmUpMs, before, replySize },
      ...{ requests: this.#requests, ends: requests.ends },
    });
  }

  /** Ends the processes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lean[Symbol.asyncDispose]();
    await this.#client[Symbol.asyncDispose]();
    Deno.removeSync(this.#requests);
  }
}

/** The yardstick, in a process on a processor. */
export class EchoServer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  private constructor(
    child: Deno.ChildProcess,
    /** Where it listens. */
    readonly endpoint: string,
  ) {
    this.#child = child;
  }

  /** Starts one at a UNIX socket. */
  static async start(cpu: number): Promise<EchoServer> {
    const program = beside("rpc_echo.ts");
    const name = `nextfs-bench-${crypto.randomUUID()}`;
    const child = new Deno.Command("taskset", {
      args: pinned(cpu, ["run", "-q", "--allow-all", program, name]),
      stdout: "piped",
    }).spawn();
    const lines = new Lines(child.stdout);
    const [, endpoint] = /^Listening on (.*)$/.exec(await lines.next())!;
    await lines.cancel();
    return new EchoServer(child, endpoint);
  }

  /** Its process. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Ends the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}
