import assert from "node:assert/strict";
import { DATA_MAX, SMALL_REPLY } from "./limits.ts";
import { REPLY_SIZE } from "./connection.ts";
import {
  OPERATION_LIST,
  operationNamed,
  operationNumbered,
  ORIGINAL_OPERATIONS,
} from "./operations.ts";

Deno.test("every operation has a number of its own, from 64 up", () => {
  const numbers = OPERATION_LIST.map((one) => one.number);
  assert.equal(new Set(numbers).size, numbers.length);
  assert.ok(numbers.every((number) => number >= 64));
  for (const one of OPERATION_LIST) {
    assert.equal(operationNumbered(one.number), one);
    assert.equal(operationNamed(one.name), one);
    assert.match(one.doc, /\.$/);
  }
});

Deno.test("the original's numbers are kept, and not built", () => {
  assert.equal(ORIGINAL_OPERATIONS.length, 43);
  assert.equal(ORIGINAL_OPERATIONS[0], "device_register");
  assert.equal(ORIGINAL_OPERATIONS[13], "file_write");
  assert.equal(ORIGINAL_OPERATIONS[30], "mode_set");
  assert.equal(ORIGINAL_OPERATIONS[42], "new_fdtable");
  for (let number = 0; number < 64; number++) {
    assert.equal(operationNumbered(number), undefined);
  }
});

Deno.test("only reads need more than a connection's own reply buffer", () => {
  for (const one of OPERATION_LIST) {
    if (one.name === "read") continue;
    const size = one.replySize?.({}) ?? SMALL_REPLY;
    assert.ok(size <= REPLY_SIZE, one.name);
  }
  const read = operationNamed("read").replySize?.({ length: DATA_MAX });
  assert.equal(read, DATA_MAX + SMALL_REPLY);
});
