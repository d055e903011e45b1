/**
 * Commands on a volume that nobody serves, one after the other without an end,
 * in a process of their own that is to be killed.
 *
 * Arguments: the command, where its volume is, how many were done before, and
 * the path of its anchor if that is apart. A line says `begin` and the number
 * of the command before each, and one says `end` after it.
 *
 * @module
 */

import { type DeviceKind, KeyChange } from "../../bd/volume/mod.ts";
import { rekeyVolume } from "../../bd/volume/rekey.ts";
import {
  ask,
  block,
  keyFile,
  newVolume,
  writeBlocks,
} from "../support/volumes.ts";

/** The commands. */
export const COMMANDS = ["replace", "slots", "rekey", "init"] as const;
/** One of them. */
export type CommandName = (typeof COMMANDS)[number];
/** Devices that volumes are made of, in turn. */
export const INIT_DEVICES: readonly DeviceKind[] = [
  "vericrypt",
  "std",
  "verity",
  "crypt",
];
/** What is written to a volume that is made: seeds of blocks by numbers. */
export const INIT_BLOCKS = { 0: 3, 1: 4, 33: 5 };

/** The one key file of `replace` that fits after so many commands. */
export function keyAfter(count: number): number {
  return 1 + count % 2;
}

/** What a command is to work on. */
export interface Work {
  /** The volume, or for `init`, the directory of all of them. */
  readonly path: string;
  /** Number of the command, from 1 on. */
  readonly number: number;
  /** Path of the anchor, if it is apart. */
  readonly anchorPath?: string;
}

/** Does one command. */
export async function runCommand(
  name: CommandName,
  { path, number, anchorPath }: Work,
): Promise<void> {
  switch (name) {
    case "replace": {
      const secret = ask(keyAfter(number - 1));
      using keys = await KeyChange.open(path, secret, { anchorPath });
      await keys.replace(keyFile(keyAfter(number)), {});
      return;
    }
    case "slots": {
      using keys = await KeyChange.open(path, ask(1), { anchorPath });
      const other = keys.slots.find(({ id }) => id !== keys.opened.id);
      if (other) await keys.remove(other.id);
      else await keys.add(keyFile(2), {});
      return;
    }
    case "rekey":
      return await rekeyVolume(path, { secret: ask(1), flushBytes: 16 << 10 });
    case "init":
      return await newVolume(
        `${path}/${number}`,
        INIT_DEVICES[number % INIT_DEVICES.length],
        { fill: (volume) => writeBlocks(volume, INIT_BLOCKS) },
      );
  }
}

/** What a process had done when it was killed. */
export interface Killed {
  /** Number of the last command that it has begun. */
  readonly begun: number;
  /** Number of the last one that it has ended. */
  readonly ended: number;
}

/**
 * Runs commands in a process, of which `done` were done before, and kills it
 * so many milliseconds after the first one has begun.
 */
export async function runAndKill(
  name: CommandName,
  work: Omit<Work, "number"> & { done: number },
  { afterMs }: { afterMs: number },
): Promise<Killed> {
  const { path, done, anchorPath } = work;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-q", "--no-check", "--allow-read", "--allow-write"],
      ...[import.meta.url, name, path, String(done)],
      ...(anchorPath === undefined ? [] : [anchorPath]),
    ],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  const decoder = new TextDecoder();
  for await (const bytes of child.stdout) {
    text += decoder.decode(bytes);
    timer ??= setTimeout(() => child.kill("SIGKILL"), afterMs);
  }
  const { signal } = await child.status;
  clearTimeout(timer);
  if (signal !== "SIGKILL") throw new Error(`${name} has ended by itself`);
  const last = (word: string): number => {
    const numbers = [...text.matchAll(new RegExp(`^${word} (\\d+)$`, "gm"))];
    return Number(numbers.at(-1)?.[1] ?? done);
  };
  return { begun: last("begin"), ended: last("end") };
}

/** All blocks of the volumes of `init`, as they are to be. */
export function initContents(byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  for (const [number, seed] of Object.entries(INIT_BLOCKS)) {
    bytes.set(block(seed), Number(number) * 1024);
  }
  return bytes;
}

if (import.meta.main) {
  const [name, path, done, anchorPath] = Deno.args;
  for (let number = Number(done) + 1;; number++) {
    console.log(`begin ${number}`);
    await runCommand(name as CommandName, { path, number, anchorPath });
    console.log(`end ${number}`);
  }
}
