import assert from "node:assert/strict";
import { SP_800_38A_CBC } from "../tests/support/cipher_vectors.ts";
import { Random } from "../tests/support/random.ts";
import { aesProvider } from "./aes.ts";
import { putBlockNumber } from "./block_mode.ts";
import { CbcMode } from "./cbc.ts";

const PROVIDERS = [aesProvider("native"), aesProvider("portable")];

/** The initialization vector of a block. */
function ivOf(block: number): Uint8Array {
  const iv = new Uint8Array(16);
  putBlockNumber(block, new DataView(iv.buffer), 0);
  return iv;
}

Deno.test("putBlockNumber() writes 53 bits, little-endian", () => {
  assert.equal(ivOf(1).toHex(), "01000000000000000000000000000000");
  assert.equal(ivOf(0xfedcba98).toHex(), "98badcfe000000000000000000000000");
  assert.equal(ivOf(2 ** 32).toHex(), "00000000010000000000000000000000");
  assert.equal(
    ivOf(Number.MAX_SAFE_INTEGER).toHex(),
    "ffffffffffff1f000000000000000000",
  );
});

Deno.test("CBC gives the answers of NIST SP 800-38A", () => {
  const [key, iv, plain] = [
    SP_800_38A_CBC.key,
    SP_800_38A_CBC.iv,
    SP_800_38A_CBC.plain,
  ].map((text) => Uint8Array.fromHex(text));
  const block = 2 ** 40 + 77;
  // The vector's initialization vector is no block number: the difference goes
  // into the first unit of the plaintext, where it comes to the same.
  const own = ivOf(block);
  for (let i = 0; i < 16; i++) plain[i] ^= iv[i] ^ own[i];
  for (const provider of PROVIDERS) {
    const mode = new CbcMode({ provider, key, blockSize: plain.length });
    mode.data.set(plain);
    mode.encrypt(block, 1);
    const cipher = mode.data.slice(0, plain.length);
    assert.equal(cipher.toHex(), SP_800_38A_CBC.cipher, provider.name);
    mode.decrypt(block, 1);
    assert.deepEqual(mode.data.slice(0, plain.length), plain);
    mode.close();
  }
});

Deno.test("CBC encrypts every block of a run by itself", () => {
  const key = new Random(38).bytes(32);
  const blockSize = 1024;
  const count = 9;
  const first = 2 ** 32 - 4;
  const plain = new Random(39).bytes(count * blockSize);
  for (const provider of PROVIDERS) {
    const mode = new CbcMode({ provider, key, blockSize });
    mode.data.set(plain);
    mode.encrypt(first, count);
    const run = mode.data.slice(0, plain.length);
    for (let i = count - 1; i >= 0; i--) {
      const at = i * blockSize;
      mode.data.set(plain.subarray(at, at + blockSize));
      mode.encrypt(first + i, 1);
      assert.deepEqual(
        mode.data.slice(0, blockSize),
        run.slice(at, at + blockSize),
      );
    }
    mode.data.set(run);
    mode.decrypt(first, count);
    assert.deepEqual(mode.data.slice(0, plain.length), plain);
    mode.close();
    assert.ok(mode.data.every((byte) => byte === 0));
  }
});
