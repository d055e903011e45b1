import assert from "node:assert/strict";
import { ProtocolError } from "./protocol_error.ts";
import { checkWellFormed, DEPTH_MAX, TEXT_MAX } from "./well_formed.ts";

// The examples of RFC 8949, appendix A, by what the wire makes of them.
const INSIDE = `
  00 01 0a 17 1818 1819 1864 1903e8 1a000f4240 1b000000e8d4a51000
  20 29 3863 3903e7 f4 f5 f6
  40 4401020304 60 6161 6449455446 62225c 62c3bc 63e6b0b4 64f0908591
  80 83010203 8301820203820405
  98190102030405060708090a0b0c0d0e0f101112131415161718181819
`;
const OUTSIDE: Record<string, string> = {
  "an integer beyond 2^53 - 1": "1bffffffffffffffff 3bffffffffffffffff",
  "a float": `
    f90000 f98000 f93c00 fb3ff199999999999a f93e00 f97bff fa47c35000 fa7f7fffff
    fb7e37e43c8800759c f90001 f90400 f9c400 fbc010666666666666 f97c00 f97e00
    f9fc00 fa7f800000 fa7fc00000 faff800000 fb7ff0000000000000
    fb7ff8000000000000 fbfff0000000000000`,
  "a simple value": "f7 f0 f818 f8ff",
  "a tag": `
    c249010000000000000000 c349010000000000000000
    c074323031332d30332d32315432303a30343a30305a c11a514b67b0
    c1fb41d452d9ec200000 d74401020304 d818456449455446
    d82076687474703a2f2f7777772e6578616d706c652e636f6d`,
  "a map": `
    a0 a201020304 a26161016162820203 826161a161626163
    a56161614161626142616361436164614461656145`,
  "an indefinite length": `
    5f42010243030405ff 7f657374726561646d696e67ff 9fff 9f018202039f0405ffff
    9f01820203820405ff 83018202039f0405ff 83019f0203ff820405
    9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff
    bf61610161629f0203ffff 826161bf61626163ff bf6346756ef563416d7421ff`,
  // What follows is not in the appendix.
  "a longer form than needed": `
    1817 190018 1900ff 1a0000ffff 1b00000000ffffffff 3817 3900ff 3a0000ffff
    5800 580161 590001ff 7800 9800 990001f6 9b0000000000000001f6`,
  "a reserved form": "1c 1d 1e 5c 9d fc fd fe ff",
  "an integer just beyond 2^53 - 1": "1b0020000000000000 3b001fffffffffffff",
  "a truncated item": `
    18 1903 1a000f42 1b000000e8d4a510 58 5903 4401020 440102 6261 83 8301 830102
    8301820203820 5affffffff 9affffffff 9b0010000000000000 1b`,
  "bytes behind the item": "0000 f600 80ff 410000",
  "text that is not UTF-8": "61ff 62c328 63e28228 64f0288cbc",
  "nothing at all": "",
};

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(
    hex.match(/../g) ?? [],
    (byte) => parseInt(byte, 16),
  );
}

function words(text: string): string[] {
  const found = text.split(/\s+/).filter((word) => word !== "");
  return found.length > 0 ? found : [""];
}

Deno.test("checkWellFormed() accepts RFC 8949's examples in the subset", () => {
  const examples = words(INSIDE);
  assert.equal(examples.length, 30);
  for (const hex of examples) checkWellFormed(bytesOf(hex), 64);
});

for (const [what, hexes] of Object.entries(OUTSIDE)) {
  Deno.test(`checkWellFormed() refuses ${what}`, () => {
    for (const hex of words(hexes)) {
      assert.throws(
        () => checkWellFormed(bytesOf(hex), 64),
        ProtocolError,
        hex,
      );
    }
  });
}

Deno.test("checkWellFormed() refuses every example cut short", () => {
  for (const hex of words(INSIDE)) {
    const whole = bytesOf(hex);
    for (let length = 0; length < whole.length; length++) {
      assert.throws(
        () => checkWellFormed(whole.subarray(0, length), 64),
        ProtocolError,
      );
    }
  }
});

Deno.test("checkWellFormed() bounds the depth", () => {
  const nested = (depth: number): Uint8Array =>
    new Uint8Array(depth + 1).fill(0x81, 0, depth);
  checkWellFormed(nested(DEPTH_MAX), 64);
  assert.throws(
    () => checkWellFormed(nested(DEPTH_MAX + 1), 64),
    /nested too deeply/,
  );
  assert.throws(
    () => checkWellFormed(nested(1_000_000), 64),
    /nested too deeply/,
  );
});

Deno.test("checkWellFormed() bounds the number of items", () => {
  const array = (count: number): Uint8Array =>
    Uint8Array.from([0x98, count, ...new Array(count).fill(0)]);
  checkWellFormed(array(63), 64);
  assert.throws(() => checkWellFormed(array(64), 64), /more than 64 items/);
});

Deno.test("checkWellFormed() bounds text, and accepts the longest", () => {
  const text = (length: number): Uint8Array =>
    Uint8Array.from([
      0x79,
      length >> 8,
      length & 255,
      ...new Array(length).fill(0x61),
    ]);
  checkWellFormed(text(TEXT_MAX), 64);
  assert.throws(() => checkWellFormed(text(TEXT_MAX + 1), 64), /too long/);
});

Deno.test("checkWellFormed() accepts the outermost integers", () => {
  checkWellFormed(bytesOf("1b001fffffffffffff"), 1);
  checkWellFormed(bytesOf("3b001ffffffffffffe"), 1);
});
