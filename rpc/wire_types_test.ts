import assert from "node:assert/strict";
import { Decoder } from "cbor-x";
import { FrameWriter } from "./frame_writer.ts";
import { decodeMessage } from "./codec.ts";
import {
  boolean,
  bytes,
  integer,
  list,
  nullable,
  readFields,
  record,
  text,
  WireTypeError,
} from "./wire_types.ts";
import type { WireType } from "./wire_types.ts";
import { attributes, changes, name, path } from "./wire_values.ts";

const decoder = new Decoder({ useRecords: false });

/** What arrives when `value` is sent as a value of `type`. */
function sent<T>(type: WireType<T>, value: T): T {
  const writer = new FrameWriter(new Uint8Array(8192));
  writer.begin(3);
  writer.int(1);
  writer.int(0);
  type.write(writer, value);
  assert.equal(writer.end(), 0);
  const frame = writer.buffer.subarray(4, writer.length);
  assert.deepEqual(decoder.decode(frame).length, 3);
  return type.read(decodeMessage(frame, 1000)[2]);
}

/** Asserts that `type` refuses `values`, on both sides where it can. */
function refuses<T>(type: WireType<T>, values: readonly unknown[]): void {
  for (const value of values) {
    assert.throws(() => type.read(value), WireTypeError);
  }
}

Deno.test("integer() holds its bounds in both directions", () => {
  const type = integer(-2, 300);
  for (const value of [-2, 0, 300]) assert.equal(sent(type, value), value);
  refuses(type, [-3, 301, 1.5, NaN, "1", null, true, 301n, undefined, [1]]);
  assert.throws(() => sent(type, 301), WireTypeError);
});

Deno.test("bytes() holds its bounds in both directions", () => {
  const type = bytes(1, 4);
  assert.deepEqual(
    Uint8Array.from(sent(type, Uint8Array.of(1, 2))),
    Uint8Array.of(1, 2),
  );
  refuses(type, [new Uint8Array(0), new Uint8Array(5), "ab", [1], null, 1]);
  assert.throws(() => sent(type, new Uint8Array(5)), WireTypeError);
});

Deno.test("text(), boolean and nullable() refuse other types", () => {
  assert.equal(sent(text(5), "hallo"), "hallo");
  assert.equal(sent(text(6), "ééé"), "ééé");
  refuses(text(5), ["hallo!", "ééé", 1, null, new Uint8Array(1)]);
  assert.equal(sent(boolean, true), true);
  refuses(boolean, [0, 1, null, "true"]);
  assert.equal(sent(nullable(boolean), null), null);
  refuses(nullable(boolean), [0, undefined]);
});

Deno.test("list() and record() refuse other lengths and say where", () => {
  const pair = record("pair", { first: integer(0, 9), second: boolean });
  const pairs = list(pair, 2);
  const value = [{ first: 1, second: true }, { first: 2, second: false }];
  assert.deepEqual(sent(pairs, value), value);
  refuses(pairs, [[[1]], [[1, true, 2]], [[1, true], [1, true], [1, true]], 1]);
  assert.throws(
    () => readFields({ pairs }, ["pairs"], [[[1, true], [2, 3]]], 0),
    /^WireTypeError: pairs: second: expected bool$/,
  );
});

Deno.test("a name or path that is too long is ENAMETOOLONG", () => {
  for (const [type, most] of [[name, 255], [path, 4095]] as const) {
    type.read(new Uint8Array(most));
    assert.throws(
      () => type.read(new Uint8Array(most + 1)),
      (error) =>
        error instanceof WireTypeError && error.code === "ENAMETOOLONG",
    );
  }
});

Deno.test("a byte string that is refused is told its bounds", () => {
  for (
    const [type, given, message] of [
      [name, 0, /expected a byte string of 1 to 255 bytes$/],
      [name, 256, /expected a byte string of 1 to 255 bytes$/],
      [path, 4096, /expected a byte string of 0 to 4095 bytes$/],
      [bytes(16, 16), 15, /expected a byte string of 16 bytes$/],
    ] as const
  ) {
    assert.throws(() => type.read(new Uint8Array(given)), message);
  }
});

Deno.test("attributes arrive as they were sent, at their extremes", () => {
  const time = { sec: -Number.MAX_SAFE_INTEGER, nsec: 999_999_999 };
  const value = {
    ino: 0xffffffff,
    generation: 0xffffffff,
    mode: 0xffff,
    nlink: 65000,
    uid: 0xffffffff,
    gid: 0,
    rdev: { major: 4095, minor: 1048575 },
    size: Number.MAX_SAFE_INTEGER,
    blocks: 2 ** 40,
    atime: time,
    mtime: { sec: 0, nsec: 0 },
    ctime: { sec: 2 ** 34, nsec: 1 },
    birthtime: null,
    flags: 0x80000000,
  };
  assert.deepEqual(sent(attributes, value), value);
});

Deno.test("changes arrive with what was left out left out", () => {
  for (
    const value of [
      {},
      { mode: 0o644 },
      { size: 2 ** 40, atime: "now" as const, mtime: { sec: -1, nsec: 2 } },
      { uid: 0, gid: 0, flags: 0, ctime: { sec: 1, nsec: 0 } },
    ]
  ) {
    assert.deepEqual(sent(changes, value), value);
  }
});
