import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import * as nodeCrypto from "node:crypto";
import { Random } from "../tests/support/random.ts";
import { type HmacVector, RFC_VECTORS, WYCHEPROOF } from "./_hmac_vectors.ts";
import {
  createBlockHash,
  createHmac,
  createPlainHash,
  DIGEST_BYTES,
  HASH_ALGORITHMS,
  type HashAlgorithm,
} from "./hmac.ts";

/** Lengths around the blocks of all hashes and the native code's threshold. */
const LENGTHS = [
  ...[0, 1, 20, 56, 112, 4095, 8192],
  ...[32, 64, 96, 120, 128, 192, 256, 448, 512, 576, 1024, 4096].flatMap(
    (length) => [length - 1, length, length + 1],
  ),
];

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

function check(algorithm: HashAlgorithm, vector: HmacVector): void {
  const { key, message, digest, name } = vector;
  assert.equal(hex(createHmac(algorithm, key).hash(message)), digest, name);
}

Deno.test("HMAC-SHA-256 passes Wycheproof's cases", () => {
  assert.equal(WYCHEPROOF.length, 33);
  for (const vector of WYCHEPROOF) check("sha256", vector);
});

Deno.test("every HMAC passes the cases of RFC 2202 or RFC 4231", () => {
  for (const algorithm of HASH_ALGORITHMS) {
    const vectors = RFC_VECTORS.filter(({ name }) => name === algorithm);
    assert.ok(vectors.length >= 6, algorithm);
    for (const vector of vectors) check(algorithm, vector);
  }
});

Deno.test("every HMAC equals the runtime's for keys and messages of any length", () => {
  const random = new Random(20260301);
  for (const algorithm of HASH_ALGORITHMS) {
    for (let keyLength = 0; keyLength <= 200; keyLength++) {
      const key = random.bytes(keyLength);
      const hmac = createHmac(algorithm, key);
      const message = random.bytes(random.pick(LENGTHS));
      const expected = nodeCrypto.createHmac(algorithm, key).update(message);
      assert.equal(hex(hmac.hash(message)), expected.digest("hex"));
    }
    // One key for all lengths, in any order: nothing of one call is left over.
    const key = random.bytes(47);
    const hmac = createHmac(algorithm, key);
    for (let i = 0; i < 300; i++) {
      const message = random.bytes(random.pick(LENGTHS));
      const expected = nodeCrypto.createHmac(algorithm, key).update(message);
      assert.equal(hex(hmac.hash(message)), expected.digest("hex"));
    }
  }
});

Deno.test("every plain hash equals the runtime's for messages of any length", () => {
  const random = new Random(20260302);
  for (const algorithm of HASH_ALGORITHMS) {
    const hash = createPlainHash(algorithm);
    for (const length of [...LENGTHS, ...LENGTHS.toReversed()]) {
      const message = random.bytes(length);
      const expected = nodeCrypto.createHash(algorithm).update(message);
      assert.equal(hex(hash.hash(message)), expected.digest("hex"));
    }
  }
});

Deno.test("a hash has the size that is announced, and without a key is plain", () => {
  const message = new TextEncoder().encode("abc");
  for (const algorithm of HASH_ALGORITHMS) {
    const size = DIGEST_BYTES[algorithm];
    const keyed = createBlockHash(algorithm, new Uint8Array(1));
    const plain = createBlockHash(algorithm, null);
    for (const hash of [keyed, plain]) {
      assert.equal(hash.digestSize, size);
      assert.equal(hash.hash(message).length, size);
    }
    const digest = nodeCrypto.createHash(algorithm).update(message);
    assert.equal(hex(plain.hash(message)), digest.digest("hex"));
    assert.notDeepEqual(keyed.hash(message), plain.hash(message));
  }
});

Deno.test("hashInto() writes the digest to its place and nothing else", () => {
  for (const algorithm of HASH_ALGORITHMS) {
    const size = DIGEST_BYTES[algorithm];
    const key = new Uint8Array(9);
    for (
      const hash of [createHmac(algorithm, key), createPlainHash(algorithm)]
    ) {
      for (const length of [64, 4096]) {
        const message = new Uint8Array(length).fill(length);
        const into = new Uint8Array(size + 10).fill(0xee);
        hash.hashInto(message, into, 5);
        assert.deepEqual(into.slice(5, 5 + size), hash.hash(message));
        assert.deepEqual(into.slice(0, 5), new Uint8Array(5).fill(0xee));
        assert.deepEqual(into.slice(5 + size), new Uint8Array(5).fill(0xee));
      }
    }
  }
});

Deno.test("a message may be a view, and may lie where the digest goes", () => {
  const hmac = createHmac("sha256", new Uint8Array(32).fill(4));
  for (const length of [64, 4096]) {
    const memory = new Random(length).bytes(length + 3);
    const view = memory.subarray(3);
    const expected = nodeCrypto.createHmac("sha256", Buffer.alloc(32, 4))
      .update(view.slice()).digest("hex");
    hmac.hashInto(view, memory, 3);
    assert.equal(hex(memory.subarray(3, 35)), expected);
  }
});

Deno.test("the key is copied, and gone once the hash was wiped", () => {
  const key = new Uint8Array(40).fill(8);
  const hmac = createHmac("sha256", key);
  const before = hex(hmac.hash(new Uint8Array(600)));
  key.fill(0);
  assert.equal(hex(hmac.hash(new Uint8Array(600))), before);
  hmac.wipe();
  assert.throws(() => hmac.hash(new Uint8Array(600)));
  assert.throws(() => hmac.hash(new Uint8Array(6)));
});
