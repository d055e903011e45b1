/**
 * The validator of CDDL, which runs in Python: see `cddl_validator.py`.
 *
 * No validator of CBOR against CDDL is to be had from npm or Debian. What
 * judges here is put together from two parts that know nothing of this
 * project: npm's `cddl` reads the rules, and a strict evaluator of what it
 * reads judges messages that Debian's cbor2 decodes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { parse } from "cddl";
import { fileURLToPath } from "node:url";
import { DEBIAN_PYTHON } from "../support/tools.ts";

/** A message that is to be judged. */
export interface Judged {
  /** The rule that it is held against. */
  readonly rule: string;
  /** Its bytes, without the length. */
  readonly message: Uint8Array;
}

const PROGRAM = fileURLToPath(
  new URL("cddl_validator.py", import.meta.url),
);

/**
 * Holds messages against rules of a CDDL file. Returns for each of them null,
 * or why it is not allowed.
 */
export async function validate(
  cddl: URL,
  messages: readonly Judged[],
): Promise<(string | null)[]> {
  const rules = JSON.stringify(parse(fileURLToPath(cddl)));
  const lines = messages.map(({ rule, message }) =>
    JSON.stringify({ rule, message: message.toHex() })
  );
  const child = new Deno.Command(DEBIAN_PYTHON, {
    args: [PROGRAM],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [, { success, stdout, stderr }] = await Promise.all([
    new Blob([[rules, ...lines].join("\n")]).stream().pipeTo(child.stdin)
      .catch(() => {}),
    child.output(),
  ]);
  const decoder = new TextDecoder();
  assert.ok(success, decoder.decode(stderr));
  const verdicts = decoder.decode(stdout).trimEnd().split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(verdicts.length, messages.length);
  return verdicts;
}
