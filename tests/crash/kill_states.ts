/**
 * What a client's directory may be after a crash: the states that its changes
 * went through, and how a directory that is found compares with them.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type Filesystem, Paths, S_IFDIR, S_IFMT } from "../../fs/mod.ts";
import { RemoteFiles } from "../../rpc/mod.ts";

/** What a file holds; not to be changed. */
export class Contents {
  #digest: string | undefined;

  /** A file of `bytes`. */
  constructor(readonly bytes: Uint8Array) {}

  /** Length and hash, as {@link digestOf} has them. */
  get digest(): string {
    return this.#digest ??= digestOf(this.bytes);
  }

  /** The same file with `data` written at `offset`. */
  with(offset: number, data: Uint8Array): Contents {
    const length = Math.max(this.bytes.length, offset + data.length);
    const bytes = new Uint8Array(length);
    bytes.set(this.bytes);
    bytes.set(data, offset);
    return new Contents(bytes);
  }

  /** The same file, cut or grown to `size`. */
  resized(size: number): Contents {
    const bytes = new Uint8Array(size);
    bytes.set(this.bytes.subarray(0, size));
    return new Contents(bytes);
  }
}

/** Length and hash of what a file holds. */
export function digestOf(bytes: Uint8Array): string {
  return `${bytes.length}:${createHash("sha1").update(bytes).digest("hex")}`;
}

/** What is in a directory, by path; null for a directory. */
export type State = ReadonlyMap<string, Contents | null>;

/** The same as it was found: hashes of files, and "directory". */
export type Found = ReadonlyMap<string, string>;

const DIRECTORY = "directory";

/** A state in the terms of what is found. */
export function foundOf(state: State): Found {
  const entries = [...state].map(([path, contents]): [string, string] => [
    path,
    contents ? contents.digest : DIRECTORY,
  ]);
  return new Map(entries);
}

/** In what the two differ; empty if they are the same. */
export function difference(found: Found, expected: Found): string {
  const lines: string[] = [];
  for (const path of new Set([...found.keys(), ...expected.keys()])) {
    const [is, shouldBe] = [found, expected].map((one) => one.get(path));
    if (is !== shouldBe) lines.push(`${path}: ${is}, not ${shouldBe}`);
  }
  return lines.join("; ");
}

/**
 * The states of one directory, of which a crash may leave any from the last
 * one that is durable on.
 *
 * Invariants: `#states[0]` is the state of number `#first`; the numbers of
 * `durable` and `answered` are those of states that are kept.
 */
export class States {
  #states: State[];
  #first = 0;
  #durable = 0;
  #answered = 0;

  /** Starts with `state`, which is durable. */
  constructor(state: State) {
    this.#states = [state];
  }

  /** The state when all that was asked for is done. */
  get last(): State {
    return this.#states.at(-1)!;
  }

  /** Number of the last state that was asked for. */
  get asked(): number {
    return this.#first + this.#states.length - 1;
  }

  /** Number of the last state that a reply has told of. */
  get answered(): number {
    return this.#answered;
  }

  /** How many states a crash may leave now. */
  get possible(): number {
    return this.asked - this.#durable + 1;
  }

  /** Something is asked for that makes `state`; returns its number. */
  ask(state: State): number {
    this.#states.push(state);
    return this.asked;
  }

  /** What made state `number` was answered. */
  answer(number: number): void {
    this.#answered = Math.max(this.#answered, number);
  }

  /** State `number` is durable, and all before it. */
  makeDurable(number: number): void {
    if (number <= this.#durable) return;
    this.#durable = number;
    this.#states.splice(0, number - this.#first);
    this.#first = number;
  }

  /**
   * The state that was found after a crash is the only one from here on.
   * Throws if it is none of those that a crash may leave.
   */
  settle(found: Found): void {
    const state = this.#states.find((one) =>
      difference(found, foundOf(one)) === ""
    );
    if (!state) throw new Error(this.#refusal(found));
    this.#states = [state];
    this.#first = this.#durable = this.#answered = 0;
  }

  #refusal(found: Found): string {
    const differences = this.#states.map((one) =>
      difference(found, foundOf(one))
    );
    const least = differences.toSorted((a, b) => a.length - b.length)[0];
    return `what is there is none of the ${this.possible} states from the ` +
      `last durable one on; from the nearest (number ` +
      `${differences.indexOf(least)}) it differs in: ${least}`;
  }
}

const decoder = new TextDecoder();

/** What is in directory `dir` of a filesystem. */
export function findIn(fs: Filesystem, dir: string): Found {
  const paths = new Paths(fs);
  const found = new Map<string, string>();
  const walk = (path: string, prefix: string): void => {
    for (const { name } of paths.readDir(path)) {
      const text = decoder.decode(name);
      if (text === "." || text === "..") continue;
      const child = `${path}/${text}`;
      const isDirectory = (paths.lstat(child).mode & S_IFMT) === S_IFDIR;
      const what = isDirectory ? DIRECTORY : digestOf(paths.readFile(child));
      found.set(prefix + text, what);
      if (isDirectory) walk(child, `${prefix}${text}/`);
    }
  };
  walk(dir, "");
  return found;
}

/** What is in directory `dir` of a server. */
export async function findAt(files: RemoteFiles, dir: string): Promise<Found> {
  const found = new Map<string, string>();
  const walk = async (path: string, prefix: string): Promise<void> => {
    for await (const { name, isDirectory } of files.readDir(path)) {
      const child = `${path}/${name}`;
      const what = isDirectory ? DIRECTORY : await remoteDigest(files, child);
      found.set(prefix + name, what);
      if (isDirectory) await walk(child, `${prefix}${name}/`);
    }
  };
  await walk(dir, "");
  return found;
}

async function remoteDigest(files: RemoteFiles, path: string): Promise<string> {
  return digestOf(await files.readFile(path));
}
