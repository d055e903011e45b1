import assert from "node:assert/strict";
import { DATA_MAX, SMALL_REPLY } from "../limits.ts";
import { REPLY_SIZE } from "../connection.ts";
import {
  OPERATION_LIST,
  operationNamed,
  operationNumbered,
  WALK_MAX,
} from "./mod.ts";

Deno.test("every operation has a number of its own", () => {
  const numbers = OPERATION_LIST.map((one) => one.number);
  assert.equal(new Set(numbers).size, numbers.length);
  for (const one of OPERATION_LIST) {
    assert.equal(operationNumbered(one.number), one);
    assert.equal(operationNamed(one.name), one);
    assert.match(one.doc, /\.$/);
  }
});

Deno.test("the original's operations have its numbers", () => {
  const names = OPERATION_LIST.slice(0, 43).map(({ name }) => name);
  assert.deepEqual(OPERATION_LIST.map(({ number }) => number).slice(0, 43), [
    ...names.keys(),
  ]);
  assert.equal(names[0], "device_register");
  assert.equal(names[13], "file_write");
  assert.equal(names[30], "mode_set");
  assert.equal(names[42], "new_fdtable");
  assert.equal(operationNumbered(43), undefined);
  assert.equal(operationNumbered(63), undefined);
});

Deno.test("only contents need more than a connection's own buffer", () => {
  const long = new Set(["compound", "file_read", "read"]);
  for (const one of OPERATION_LIST) {
    if (long.has(one.name)) continue;
    const names = new Array(WALK_MAX);
    const size = one.replySize?.({ names }) ?? SMALL_REPLY;
    assert.ok(size <= REPLY_SIZE, one.name);
  }
  const read = operationNamed("read").replySize?.({ length: DATA_MAX });
  assert.equal(read, DATA_MAX + SMALL_REPLY);
});
