import { deepEqual, equal, throws } from "node:assert/strict";
import { childrenOf, DerError, readDer, TAG } from "./_der.ts";

/** An element of `length` bytes, the length in as many bytes as it takes. */
function element(tag: number, length: number): Uint8Array {
  const digits: number[] = [];
  for (let rest = length; rest > 0; rest = rest >>> 8) {
    digits.unshift(rest & 0xff);
  }
  const head = length < 0x80 ? [length] : [0x80 | digits.length, ...digits];
  return Uint8Array.of(tag, ...head, ...new Uint8Array(length));
}

Deno.test("readDer() reads elements of every length", () => {
  for (const length of [0, 1, 127, 128, 129, 255, 256, 65_535, 65_536]) {
    const bytes = element(TAG.sequence, length);
    const { tag, content, whole } = readDer(Uint8Array.of(...bytes, 1, 2));
    deepEqual([tag, content.length, whole], [TAG.sequence, length, bytes]);
    for (const end of [bytes.length - 1, 1, 0]) {
      if (end >= bytes.length) continue;
      throws(() => readDer(bytes.subarray(0, end)), DerError);
    }
  }
});

Deno.test("readDer() refuses forms that certificates do not have", () => {
  const forms = [
    [0x30, 0x80, 0, 0],
    [0x1f, 0x81, 0, 0],
    [0x30, 0x85, 0, 0, 0, 0, 1, 0],
    [0x30, 0xff, 0],
  ];
  for (const form of forms) {
    throws(() => readDer(Uint8Array.from(form)), DerError);
  }
});

Deno.test("childrenOf() counts, and looks at the tag", () => {
  const parent = readDer(Uint8Array.of(0x30, 5, 2, 1, 7, 5, 0));
  equal(childrenOf(parent, TAG.sequence).length, 2);
  equal(childrenOf(parent, TAG.sequence, 2)[0].content[0], 7);
  throws(() => childrenOf(parent, TAG.sequence, 3), DerError);
  throws(() => childrenOf(parent, TAG.set), DerError);
  const cut = readDer(Uint8Array.of(0x30, 3, 2, 2, 7));
  throws(() => childrenOf(cut, TAG.sequence), DerError);
});
