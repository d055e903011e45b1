/**
 * The program on a terminal, where somebody types.
 *
 * @module
 */

import assert from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url).pathname;
const SCRIPT = `${ROOT}tests/support/terminal.py`;

/** What was seen on the terminal. */
export interface TerminalRun {
  /** All that was shown. */
  output: string;
  /** Exit code; negative for a signal. */
  code: number;
  /** Whether the terminal shows what is typed, afterwards. */
  echo: boolean;
}

/**
 * Runs `nextfs ARGS…` on a terminal of its own; each of `steps` is what is
 * waited for, and what is typed then. Needs python3.
 */
export async function onTerminal(
  args: string[],
  steps: [string, string][],
): Promise<TerminalRun> {
  const config = `--config=${ROOT}deno.json`;
  const program = ["run", "-q", config, "-P=nextfs", `${ROOT}main.ts`];
  const child = new Deno.Command("python3", {
    args: ["-B", SCRIPT],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  const job = { argv: [Deno.execPath(), ...program, ...args], steps };
  await writer.write(new TextEncoder().encode(JSON.stringify(job)));
  await writer.close();
  const { code, stdout } = await child.output();
  assert.equal(code, 0, "terminal.py exits with an error");
  return JSON.parse(new TextDecoder().decode(stdout));
}
