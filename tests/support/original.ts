/**
 * The original's formats by an independent implementation, in Python.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { CipherName } from "../../bd/crypt.ts";
import type { HashAlgorithm } from "../../bd/hmac.ts";

/** Something for the other implementation to do; see `original.py`. */
export type Job =
  | {
    do: "tree";
    image: string;
    tree: string;
    algorithm: HashAlgorithm;
    blockSize: number;
    key: string | null;
  }
  | {
    do: "encrypt";
    from: string;
    to: string;
    cipher: CipherName;
    blockSize: number;
    password: string;
  }
  | {
    do: "block";
    cipher: CipherName;
    key: string;
    number: number;
    block: string;
  }
  | { do: "aes"; key: string; block: string };

const SCRIPT = new URL("./original.py", import.meta.url).pathname;

/** Does the jobs and returns their results: roots, keys, or blocks, as hex. */
export async function original(jobs: Job[]): Promise<string[]> {
  const child = new Deno.Command("python3", {
    args: ["-B", SCRIPT],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(jobs)));
  await writer.close();
  const { code, stdout } = await child.output();
  assert.equal(code, 0, "original.py exits with an error");
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Asserts that two files have the same bytes; says where they differ. */
export async function assertSameFile(a: string, b: string): Promise<void> {
  const [first, second] = await Promise.all([
    Deno.readFile(a),
    Deno.readFile(b),
  ]);
  assert.equal(first.length, second.length, `sizes of ${a} and ${b}`);
  const at = first.findIndex((byte, i) => byte !== second[i]);
  assert.equal(at, -1, `${a} and ${b} differ at byte ${at}`);
}
