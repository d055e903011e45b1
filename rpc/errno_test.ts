import assert from "node:assert/strict";
import { constants } from "node:os";
import { DeviceError, IntegrityError } from "../bd/block_device.ts";
import { CorruptError, FsError } from "../fs/errors.ts";
import { ERRNO_NUMBER, errnoName, statusOf } from "./errno.ts";
import { ProtocolError } from "./protocol_error.ts";

Deno.test("ERRNO_NUMBER has the numbers of this system, if it is Linux", {
  ignore: Deno.build.os !== "linux",
}, () => {
  const known = constants.errno as Record<string, number>;
  // Node's table lacks these two; the numbers are in asm-generic/errno.h.
  const system = { EUCLEAN: 117, ESHUTDOWN: 108, ...known };
  for (const [name, number] of Object.entries(ERRNO_NUMBER)) {
    assert.equal(number, (system as Record<string, number>)[name], name);
  }
});

Deno.test("errnoName() undoes the table, and is EIO for what it lacks", () => {
  for (const [name, number] of Object.entries(ERRNO_NUMBER)) {
    assert.equal(errnoName(number), name);
  }
  assert.equal(errnoName(4095), "EIO");
});

Deno.test("statusOf() knows the project's errors; the rest is EIO", () => {
  assert.equal(statusOf(new FsError("ENOENT")), 2);
  assert.equal(statusOf(new CorruptError("a rule")), 117);
  assert.equal(statusOf(new DeviceError("ENOSPC", "full")), 28);
  assert.equal(statusOf(new IntegrityError(1, "changed")), 5);
  assert.equal(statusOf(new ProtocolError("bad")), 71);
  assert.equal(statusOf(new TypeError("x is undefined")), 5);
  assert.equal(statusOf("thrown text"), 5);
});
