/**
 * The lock table beside the kernel: three processes lock ranges of a host file
 * with fcntl(2), and three sessions ask the table for the same.
 *
 * @module
 */

import assert from "node:assert/strict";
import { FsError } from "../../fs/errors.ts";
import { LockTable } from "../../rpc/locks.ts";
import { Random } from "../support/random.ts";

/** Kinds as Linux numbers them on all but one of its machines. */
const KINDS = ["shared", "exclusive", "unlocked"] as const;
const F_UNLCK = 2;
const SCRIPT = new URL("../support/kernel_locks.py", import.meta.url).pathname;
const INO = 12;

/** A process that asks the kernel. */
class KernelAsker {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;

  constructor(path: string) {
    this.#process = new Deno.Command("python3", {
      args: [SCRIPT, path],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = this.#process.stdin.getWriter();
    const text = this.#process.stdout.pipeThrough(new TextDecoderStream());
    this.#reader = text.getReader();
  }

  /** Sends a line; returns the one that comes back. */
  async ask(line: string): Promise<string> {
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
    let answer = "";
    while (!answer.endsWith("\n")) {
      const { value, done } = await this.#reader.read();
      assert.ok(!done, "the process has ended");
      answer += value;
    }
    return answer.trim();
  }

  async end(): Promise<void> {
    await this.#writer.close();
    await this.#reader.cancel();
    await this.#process.status;
  }
}

/** A session that asks the table, in the kernel's words. */
class TableAsker {
  readonly #table: LockTable;

  constructor(table: LockTable) {
    this.#table = table;
  }

  ask(what: string, kind: number, start: number, length: number): string {
    const asker = { ino: INO, session: this, owner: 1, start, length };
    if (what === "get") {
      const exclusive = kind === 1;
      const found = this.#table.test({ ...asker, exclusive });
      if (found === null) return `${F_UNLCK} ${start} ${length}`;
      return `${found.exclusive ? 1 : 0} ${found.start} ${found.length}`;
    }
    try {
      this.#table.set({ ...asker, descriptor: 1, kind: KINDS[kind] });
      return "ok";
    } catch (error) {
      assert.ok(error instanceof FsError);
      return error.code;
    }
  }
}

Deno.test("the lock table grants, refuses and reports as Linux does", async () => {
  const path = await Deno.makeTempFile();
  const kernel = [0, 1, 2].map(() => new KernelAsker(path));
  const table = new LockTable(10_000);
  const ours = kernel.map(() => new TableAsker(table));
  const random = new Random(20);
  const answers = new Set<string>();
  try {
    for (let i = 0; i < 5000; i++) {
      const who = random.below(kernel.length);
      const what = random.chance(0.6) ? "set" : "get";
      const kind = random.below(what === "set" ? 3 : 2);
      const start = random.below(40);
      const length = random.chance(0.1) ? 0 : 1 + random.below(12);
      const line = `${what} ${kind} ${start} ${length}`;
      const expected = await kernel[who].ask(line);
      const answer = ours[who].ask(what, kind, start, length);
      answers.add(what === "set" ? answer : answer[0]);
      if (what === "set") assert.equal(answer, expected, `${i}: ${line}`);
      else compareFound(answer, expected, { who, ours, asked: line });
    }
    assert.deepEqual([...answers].sort(), ["0", "1", "2", "EAGAIN", "ok"]);
  } finally {
    for (const one of kernel) await one.end();
    await Deno.remove(path);
  }
});

/**
 * Where several owners are in the way, the kernel tells of the one that it
 * comes upon first, and the table of the lock that starts first. Both must be
 * in the way.
 */
function compareFound(
  answer: string,
  expected: string,
  { who, ours, asked }: {
    who: number;
    ours: readonly TableAsker[];
    asked: string;
  },
): void {
  if (answer === expected) return;
  const [kind, start, length] = expected.split(" ").map(Number);
  assert.notEqual(kind, F_UNLCK, asked);
  assert.notEqual(Number(answer[0]), F_UNLCK, asked);
  const first = Number(answer.split(" ")[1]);
  assert.ok(first <= start, `${asked}: the table's lock starts first`);
  const found = ours[who].ask("get", 1, start, length === 0 ? 0 : length);
  assert.notEqual(Number(found[0]), F_UNLCK, asked);
}
