import assert from "node:assert/strict";
import { deriveKey } from "./derive.ts";

Deno.test("deriveKey() is HKDF-SHA-256: RFC 5869, test case 3", () => {
  const key = deriveKey(new Uint8Array(22).fill(0x0b), {
    salt: new Uint8Array(),
    label: "",
    byteLength: 42,
  });
  assert.equal(
    key.toHex(),
    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d" +
      "9d201395faa4b61a96c8",
  );
});

Deno.test("deriveKey() agrees with WebCrypto, label and salt included", async () => {
  for (const byteLength of [32, 64]) {
    const secret = crypto.getRandomValues(new Uint8Array(48));
    const salt = crypto.getRandomValues(new Uint8Array(16));
    const label = "nextfs/1 image";
    const base = await crypto.subtle.importKey("raw", secret, "HKDF", false, [
      "deriveBits",
    ]);
    const info = new TextEncoder().encode(label);
    const expected = await crypto.subtle.deriveBits(
      { name: "HKDF", hash: "SHA-256", salt, info },
      base,
      8 * byteLength,
    );
    assert.deepEqual(
      deriveKey(secret, { salt, label, byteLength }),
      new Uint8Array(expected),
    );
  }
});
