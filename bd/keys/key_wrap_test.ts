import assert from "node:assert/strict";
import { unwrapKey, wrapKey } from "./key_wrap.ts";

// RFC 3394, section 4.6: 256 bits of key data with a 256-bit KEK.
const KEK = Uint8Array.from({ length: 32 }, (_, i) => i);
const KEY = Uint8Array.fromHex(
  "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
);
const WRAPPED = Uint8Array.fromHex(
  "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326" +
    "cbc7f0e71a99f43bfb988b9b7a02dd21",
);

Deno.test("wrapKey() gives the ciphertext of RFC 3394, section 4.6", () => {
  assert.deepEqual(wrapKey(KEK, KEY), WRAPPED);
  assert.deepEqual(unwrapKey(KEK, WRAPPED), KEY);
});

Deno.test("unwrapKey() notices every changed bit and a wrong key", () => {
  for (let bit = 0; bit < 8 * WRAPPED.length; bit++) {
    const changed = WRAPPED.slice();
    changed[bit >> 3] ^= 1 << (bit & 7);
    assert.equal(unwrapKey(KEK, changed), null, `bit ${bit}`);
  }
  assert.equal(unwrapKey(KEK.map((byte) => byte ^ 1), WRAPPED), null);
});

Deno.test("unwrapKey() takes nothing that is too short or uneven", () => {
  for (const length of [0, 8, 16, 39, 41]) {
    assert.equal(unwrapKey(KEK, new Uint8Array(length)), null, `${length}`);
  }
});
