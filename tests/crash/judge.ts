/**
 * The judges of the plaintext that is left after a recovery: the engine, which
 * reads the tree, our own checker of the structure, and e2fsck. Each distinct
 * plaintext is judged once.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { run, withTempDir } from "../support/tools.ts";
import type { Tree } from "../support/tree.ts";
import { describePlain, treeDigest } from "./describe.ts";
import { structureProblems } from "./structure.ts";

/** What is found in one plaintext. */
export interface Verdict {
  /** Everything below the root. */
  readonly tree: Tree;
  /** Its short name. */
  readonly digest: string;
}

/** How many e2fsck run at a time. */
const CHECKS_MAX = 2;

/** See the module. Dispose of it when `settled` has resolved. */
export class Judge {
  /** Distinct plaintexts so far. */
  get plaintexts(): number {
    return this.#verdicts.size;
  }

  /** What e2fsck has said against plaintexts, as of the last `settled`. */
  readonly complaints: string[] = [];
  readonly #directory: string;
  readonly #verdicts = new Map<string, Verdict>();
  readonly #running = new Set<Promise<void>>();
  #files = 0;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Calls `visit` with a judge, and waits for what it has to say. */
  static async with<T>(visit: (judge: Judge) => Promise<T>): Promise<T> {
    return await withTempDir(async (directory) => {
      const judge = new Judge(directory);
      try {
        return await visit(judge);
      } finally {
        await judge.settled();
      }
    });
  }

  /**
   * What is in the volume of blocks of 1 KiB; throws what our own checkers say
   * against it. What e2fsck says comes later; `from` tells then where the
   * plaintext was found.
   */
  async judge(plain: Uint8Array, from: string): Promise<Verdict> {
    const key = createHash("sha1").update(plain).digest("base64url");
    const known = this.#verdicts.get(key);
    if (known) return known;
    const tree = describePlain(plain, 1024);
    const problems = await structureProblems(plain, 1024);
    if (problems.length > 0) {
      throw new Error(`the structure is damaged: ${problems.join("; ")}`);
    }
    const verdict = { tree, digest: treeDigest(tree) };
    this.#verdicts.set(key, verdict);
    while (this.#running.size >= CHECKS_MAX) await Promise.race(this.#running);
    const check = this.#check(plain.slice(), from)
      .finally(() => this.#running.delete(check));
    this.#running.add(check);
    return verdict;
  }

  /** Resolves when e2fsck has said all that it has to say. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #check(plain: Uint8Array, from: string): Promise<void> {
    const path = `${this.#directory}/plain-${this.#files++ % 16}`;
    await Deno.writeFile(path, plain);
    const { code, stdout } = await run("e2fsck", "-fn", path);
    if (code === 0) return;
    this.complaints.push(`e2fsck -fn exits ${code} ${from}\n${stdout}`);
  }
}
