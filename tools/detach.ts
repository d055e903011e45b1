/**
 * Going on in the background: the same command again, in a process of its own
 * session that outlives this one.
 *
 * @module
 */

import { ProcessFailedError } from "./errors.ts";

/** What the process in the background says once it can be used. */
const READY = /^Listening on .*$/m;

/**
 * Starts `nextfs ARGS…` in the background, and resolves when it listens; what
 * it says until then is said here. Throws {@link ProcessFailedError} if it
 * ends before: why, it has said itself.
 */
export async function detach(args: string[]): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...programArguments(), ...args],
    // A passphrase may have to come from there.
    stdin: "inherit",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  const errors = relay(child.stderr, (text) => {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
    return false;
  });
  let said = "";
  const ready = await relay(child.stdout, (text) => {
    said += text;
    Deno.stdout.writeSync(new TextEncoder().encode(text));
    return READY.test(said);
  });
  if (!ready) {
    await errors;
    throw new ProcessFailedError((await child.status).code);
  }
  child.unref();
}

/** What comes before the program's own arguments: nothing in an executable. */
function programArguments(): string[] {
  if (Deno.build.standalone) return [];
  const root = new URL("..", import.meta.url).pathname;
  const config = `--config=${root}deno.json`;
  return ["run", "-q", config, "-P=serve", `${root}main.ts`];
}

/** Passes a stream on until `take` is content; false at its end. */
async function relay(
  stream: ReadableStream<Uint8Array>,
  take: (text: string) => boolean,
): Promise<boolean> {
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return false;
    if (take(decoder.decode(value, { stream: true }))) return true;
  }
}
