import assert from "node:assert/strict";
import { PASSPHRASE_BYTES_MAX, SecretLine } from "./prompt.ts";

/** Types `text`, and returns the line and what the last key has done. */
function typed(text: string): [string, string] {
  const line = new SecretLine();
  let outcome = "more";
  for (const byte of new TextEncoder().encode(text)) {
    assert.equal(outcome, "more");
    outcome = line.take(byte);
  }
  return [new TextDecoder().decode(line.bytes), outcome];
}

Deno.test("a line ends with Return, a newline or the end of input", () => {
  for (const end of ["\r", "\n", "\x04"]) {
    assert.deepEqual(typed(`secret${end}`), ["secret", "done"]);
    assert.deepEqual(typed(end), ["", "done"]);
  }
  assert.deepEqual(typed("sec\x03"), ["sec", "interrupt"]);
});

Deno.test("a line can be mended while it is typed", () => {
  for (const erase of ["\x7f", "\b"]) {
    assert.equal(typed(`ab${erase}c`)[0], "ac");
    assert.equal(typed(`ü€😀${erase}`)[0], "ü€", "a whole character");
    assert.equal(typed(`ü€${erase}${erase}${erase}x`)[0], "x");
  }
  assert.equal(typed("wrong\x15right")[0], "right");
  assert.equal(typed("a\x01\x1bb\0c")[0], "abc");
  assert.equal(typed("with space é")[0], "with space é");
});

Deno.test("a line that is too long can be told from one that is not", () => {
  const line = new SecretLine();
  for (let i = 0; i < PASSPHRASE_BYTES_MAX + 100; i++) line.take(120);
  assert.equal(line.bytes.length, PASSPHRASE_BYTES_MAX + 1);
  line.wipe();
  assert.equal(line.bytes.length, 0);
});
