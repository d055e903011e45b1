import assert from "node:assert/strict";
import { Decoder } from "cbor-x";
import { FrameWriter, InPlace } from "./frame_writer.ts";
import { checkWellFormed } from "./well_formed.ts";

const decoder = new Decoder({ useRecords: false });

/** Lets `write` fill a frame, and returns it without its prefix. */
function frameOf(write: (to: FrameWriter) => void, size = 70_000): Uint8Array {
  const writer = new FrameWriter(new Uint8Array(size));
  writer.begin(1);
  write(writer);
  assert.equal(writer.end(), 0);
  const bytes = writer.buffer.subarray(0, writer.length);
  assert.equal(
    new DataView(bytes.buffer, bytes.byteOffset).getUint32(0),
    bytes.length - 4,
  );
  return bytes.subarray(4);
}

function decoded(write: (to: FrameWriter) => void): unknown {
  const frame = frameOf(write);
  checkWellFormed(frame, 100_000);
  return decoder.decode(frame)[0];
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

Deno.test("FrameWriter writes integers as RFC 8949, appendix A, does", () => {
  const examples: [number, string][] = [
    [0, "00"],
    [23, "17"],
    [24, "1818"],
    [100, "1864"],
    [1000, "1903e8"],
    [1000000, "1a000f4240"],
    [1000000000000, "1b000000e8d4a51000"],
    [-1, "20"],
    [-10, "29"],
    [-100, "3863"],
    [-1000, "3903e7"],
  ];
  for (const [value, hex] of examples) {
    assert.equal(hexOf(frameOf((to) => to.int(value))), `81${hex}`);
  }
});

Deno.test("FrameWriter's integers decode to themselves at every width", () => {
  for (let bits = 0; bits <= 53; bits++) {
    for (const step of [-1, 0, 1]) {
      const value = 2 ** bits + step;
      if (!Number.isSafeInteger(value)) continue;
      assert.equal(
        BigInt(decoded((to) => to.int(value)) as number),
        BigInt(value),
      );
      assert.equal(
        BigInt(decoded((to) => to.int(-value)) as number),
        -BigInt(value),
      );
    }
  }
});

Deno.test("FrameWriter's strings decode to themselves at every width", () => {
  for (const length of [0, 1, 23, 24, 255, 256, 65535, 65536]) {
    const value = Uint8Array.from({ length }, (_, i) => i * 7);
    const found = decoded((to) => to.bytes(value)) as Uint8Array;
    assert.deepEqual(Uint8Array.from(found), value);
  }
  for (const text of ["", "ü水𐅑", "x".repeat(300)]) {
    assert.equal(decoded((to) => to.text(text)), text);
  }
});

Deno.test("FrameWriter's arrays decode to themselves at every width", () => {
  for (const length of [0, 1, 23, 24, 255, 256, 10_000]) {
    const found = decoded((to) => {
      to.array(length);
      for (let i = 0; i < length; i++) to.boolean(i % 2 === 0);
    });
    assert.deepEqual(found, Array.from({ length }, (_, i) => i % 2 === 0));
  }
  assert.equal(decoded((to) => to.null()), null);
});

Deno.test("FrameWriter makes bytes in place, and fewer than announced", () => {
  for (const maxLength of [0, 10, 24, 300, 65536]) {
    for (const length of [0, 10, 23, 24, 255, 256, 65536]) {
      if (length > maxLength) continue;
      const made = new InPlace(maxLength, (into) => {
        assert.equal(into.length, maxLength);
        for (let i = 0; i < length; i++) into[i] = i * 3;
        return length;
      });
      const found = decoded((to) => to.inPlace(made)) as Uint8Array;
      assert.deepEqual(
        Uint8Array.from(found),
        Uint8Array.from({ length }, (_, i) => i * 3),
      );
    }
  }
});

Deno.test("FrameWriter leaves out a frame that does not fit", () => {
  const writer = new FrameWriter(new Uint8Array(32));
  writer.begin(1);
  writer.int(1);
  assert.equal(writer.end(), 0);
  const { length } = writer;
  for (
    const write of [
      (): void => writer.bytes(new Uint8Array(40)),
      (): void => writer.inPlace(new InPlace(40, () => assert.fail("filled"))),
      (): void => writer.text("x".repeat(40)),
      (): void => {
        writer.array(40);
        for (let i = 0; i < 40; i++) writer.null();
      },
    ]
  ) {
    writer.begin(1);
    write();
    assert.ok(writer.end() >= length + 45);
    assert.equal(writer.length, length);
  }
  writer.begin(1);
  writer.int(2);
  assert.equal(writer.end(), 0);
  assert.equal(
    hexOf(writer.buffer.subarray(0, writer.length)),
    "00000002810100000002" + "8102",
  );
});

Deno.test("FrameWriter leaves out a frame beyond the peer's limit", () => {
  const writer = new FrameWriter(new Uint8Array(100));
  writer.begin(1);
  writer.bytes(new Uint8Array(20));
  assert.ok(writer.end(21) > 0);
  assert.equal(writer.length, 0);
  writer.begin(1);
  writer.bytes(new Uint8Array(19));
  assert.equal(writer.end(21), 0);
});
