import assert from "node:assert/strict";
import { BadMessageError, decodeMessage } from "./codec.ts";
import { ProtocolError } from "./protocol_error.ts";
import { integer } from "./wire_types.ts";

Deno.test("decodeMessage() returns large integers as exact numbers", () => {
  const frame = Uint8Array.of(
    ...[0x85, 0x1b, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ...[0x18, 0x40, 0x3b, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe],
    ...[0x1b, 0, 0, 0, 1, 0, 0, 0, 0, 0x42, 7, 8],
  );
  const [id, code, ...items] = decodeMessage(frame, 16);
  const type = integer(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  const [negative, wide] = items.slice(0, 2).map((item) => type.read(item));
  const bytes = items[2];
  assert.equal(id, Number.MAX_SAFE_INTEGER);
  assert.equal(code, 64);
  assert.equal(negative, -Number.MAX_SAFE_INTEGER);
  assert.equal(wide, 2 ** 32);
  assert.deepEqual(Uint8Array.from(bytes as Uint8Array), Uint8Array.of(7, 8));
  assert.equal((bytes as Uint8Array).buffer, frame.buffer, "no copy is made");
});

Deno.test("decodeMessage() refuses what is no message", () => {
  for (const bytes of [[0x01], [0xf6], [0x80], [0x82, 0x20, 0], [0x61, 0x61]]) {
    assert.throws(
      () => decodeMessage(Uint8Array.from(bytes), 16),
      (error) =>
        error instanceof ProtocolError && !(error instanceof BadMessageError),
    );
  }
});

Deno.test("decodeMessage() keeps the id of a message without a code", () => {
  for (const bytes of [[0x81, 9], [0x82, 9, 0xf6], [0x82, 9, 0x20]]) {
    assert.throws(
      () => decodeMessage(Uint8Array.from(bytes), 16),
      (error) => error instanceof BadMessageError && error.id === 9,
    );
  }
});
