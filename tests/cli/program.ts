/**
 * The program as a user runs it: a process of its own, with the permissions
 * that deno.json gives it and no others.
 *
 * @module
 */

import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url).pathname;
const decoder = new TextDecoder();

/** What a run of the program left behind. */
export interface Run {
  /** Exit code. */
  code: number;
  /** Standard output, as UTF-8. */
  stdout: string;
  /** Standard output, byte by byte. */
  bytes: Uint8Array;
  /** Standard error. */
  stderr: string;
}

/** How a program is run. */
export interface RunOptions {
  /** Variables of its environment. */
  env?: Record<string, string>;
  /** Standard input; empty if absent. */
  stdin?: Uint8Array;
  /** Working directory. */
  cwd?: string;
}

function programCommand(
  set: "nextfs" | "serve",
  args: string[],
  options: Deno.CommandOptions,
): Deno.Command {
  const config = `--config=${ROOT}deno.json`;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", config, `-P=${set}`, `${ROOT}main.ts`, ...args],
    env: { TZ: "UTC", LC_ALL: "C" },
    ...options,
  });
}

/** Starts `nextfs ARGS…`; its standard streams are pipes. */
export function startProgram(
  args: string[],
  { env, cwd }: RunOptions = {},
): Deno.ChildProcess {
  return programCommand("nextfs", args, {
    env: { TZ: "UTC", ...env },
    cwd,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs `nextfs ARGS…` to its end. */
export async function nextfs(
  args: string[],
  { env, stdin, cwd }: RunOptions = {},
): Promise<Run> {
  const child = startProgram(args, { env, cwd });
  const writer = child.stdin.getWriter();
  const fed = (stdin ? writer.write(stdin) : Promise.resolve())
    .then(() => writer.close())
    // A program that fails early does not read its input.
    .catch(() => {});
  const { code, stdout, stderr } = await child.output();
  await fed;
  return {
    code,
    bytes: stdout,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

/** Runs `nextfs ARGS…`, which must succeed; returns its standard output. */
export async function ok(
  args: string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await nextfs(args, options);
  assert.equal(code, 0, `nextfs ${args.join(" ")}: ${stderr}`);
  return stdout;
}

/** A running `nextfs serve`. */
export interface Serving {
  /** Where it listens; the first of its endpoints. */
  endpoint: string;
  /** Runs a client command against it. */
  client: (...args: string[]) => Promise<Run>;
  /** Runs a client command that must succeed; returns its output. */
  ok: (...args: string[]) => Promise<string>;
  /** Process id. */
  pid: number;
  /** Ends it by a signal and returns its exit code and output. */
  stop: (signal?: Deno.Signal) => Promise<{ code: number; stdout: string }>;
}

/** Starts `nextfs serve ARGS…` in `cwd` and waits until it listens. */
export async function startServer(
  args: string[],
  cwd?: string,
): Promise<Serving> {
  const child = programCommand("serve", ["serve", ...args], {
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  let stdout = "";
  while (!/^Listening on .*\n/m.test(stdout)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`The server ended before it listened: ${stdout}`);
    stdout += decoder.decode(value);
  }
  const endpoint = /^Listening on (.*)\n/m.exec(stdout)![1];
  const env = { NEXTFS_CONNECT: endpoint };
  return {
    endpoint,
    pid: child.pid,
    client: (...args) => nextfs(args, { env, cwd }),
    ok: (...args) => ok(args, { env, cwd }),
    stop: async (signal = "SIGTERM") => {
      child.kill(signal);
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        stdout += decoder.decode(value);
      }
      const { code } = await child.status;
      return { code, stdout };
    },
  };
}

/**
 * Serves a volume or an image while `visit` runs, and stops the server
 * afterwards.
 */
export async function withServer(
  path: string,
  visit: (server: Serving) => Promise<void>,
  flags: readonly string[] = [],
): Promise<void> {
  const server = await startServer([...flags, path]);
  let stopped: { code: number } | undefined;
  try {
    await visit(server);
  } finally {
    stopped = await server.stop();
  }
  assert.equal(stopped.code, 0, "the server's exit code");
}

/** Writes files: names to texts; a name that ends in `/` is a directory. */
export async function writeTree(
  root: string,
  files: Record<string, string>,
): Promise<void> {
  await Deno.mkdir(root, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    const path = `${root}/${name}`;
    if (name.endsWith("/")) await Deno.mkdir(path, { recursive: true });
    else {
      await Deno.mkdir(path.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(path, text);
    }
  }
}
