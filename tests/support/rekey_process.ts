/**
 * A rekey in a process of its own, which can be killed.
 *
 * Arguments: the volume, which the key file of 1s opens, and the number of
 * bytes after which the copy is made durable.
 *
 * @module
 */

import { rekeyVolume } from "../../bd/volume/rekey.ts";
import { ask } from "./volumes.ts";

/** Pause after each run that was copied, in milliseconds. */
const PAUSE_MS = 5;

if (import.meta.main) {
  const [path, flushBytes] = Deno.args;
  await rekeyVolume(path, {
    secret: ask(1),
    flushBytes: Number(flushBytes),
    progress: () => {
      console.log(".");
      // Time for the signal, so that there is something left to be killed.
      return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    },
  });
}

/**
 * Runs a rekey of the volume at `path`, and kills it when it has copied
 * `steps` runs. True if it was killed, false if it has ended before.
 */
export async function runRekey(
  path: string,
  flushBytes: number,
  { steps }: { steps: number },
): Promise<boolean> {
  const permissions = ["--allow-read", "--allow-write"];
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      ...permissions,
      import.meta.url,
      path,
      String(flushBytes),
    ],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of child.stdout) {
    text += decoder.decode(bytes);
    if (text.split("\n").filter((line) => line === ".").length < steps) {
      continue;
    }
    try {
      child.kill("SIGKILL");
    } catch {
      // It has just ended.
    }
  }
  const { success, signal } = await child.status;
  if (!success && signal === null) throw new Error("The rekey failed");
  return signal !== null;
}
