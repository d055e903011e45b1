import assert from "node:assert/strict";
import * as nodeCrypto from "node:crypto";
import { Random } from "../tests/support/random.ts";
import { type AesProvider, aesProvider } from "./aes.ts";
import { nativeAes } from "./aes_native.ts";

const PROVIDERS = [aesProvider("native"), aesProvider("portable")];

/** Results of one kind of cipher for many inputs, made by `provider`. */
function results(
  provider: AesProvider,
  kind: "encryptor" | "decryptor" | "chainer",
  seed: number,
): string[] {
  const random = new Random(seed);
  const cipher = provider[kind](random.bytes(32));
  const found: string[] = [];
  for (const units of [1, 2, 4, 5, 64, 1000, 8192]) {
    const input = random.bytes(units * 16);
    found.push(cipher.update(input, random.bytes(16)).toHex());
  }
  cipher.close();
  return found;
}

Deno.test("aesProvider() is the runtime's, and the portable one at will", () => {
  assert.equal(aesProvider().name, "native");
  assert.equal(aesProvider("native").name, "native");
  assert.equal(aesProvider("portable").name, "portable");
});

Deno.test("AES-256 gives the answers of FIPS 197, appendix C.3", () => {
  const key = new Uint8Array(32).map((_, i) => i);
  const plain = new Uint8Array(16).map((_, i) => i * 0x11);
  for (const provider of PROVIDERS) {
    const encryptor = provider.encryptor(key);
    const decryptor = provider.decryptor(key);
    const unit = encryptor.update(plain);
    assert.equal(unit.toHex(), "8ea2b7ca516745bfeafc49904b496089");
    assert.deepEqual(decryptor.update(unit).toHex(), plain.toHex());
    encryptor.close();
    decryptor.close();
  }
});

Deno.test("the native and the portable provider compute the same", () => {
  const seed = 0x1619;
  for (const kind of ["encryptor", "decryptor", "chainer"] as const) {
    const [native, portable] = PROVIDERS.map((provider) =>
      results(provider, kind, seed)
    );
    assert.deepEqual(native, portable, kind);
  }
});

Deno.test("a chain does not depend on the chain before", () => {
  for (const provider of PROVIDERS) {
    const chainer = provider.chainer(new Uint8Array(32).fill(7));
    const iv = new Uint8Array(16).fill(1);
    const first = chainer.update(new Uint8Array(64).fill(2), iv);
    chainer.update(new Uint8Array(32).fill(3), new Uint8Array(16).fill(4));
    const again = chainer.update(new Uint8Array(64).fill(2), iv);
    assert.equal(again.toHex(), first.toHex(), provider.name);
    chainer.close();
  }
});

Deno.test("a provider copies the key", () => {
  for (const provider of PROVIDERS) {
    const key = new Uint8Array(32).fill(5);
    const cipher = provider.encryptor(key);
    const before = cipher.update(new Uint8Array(16));
    key.fill(0);
    assert.deepEqual(cipher.update(new Uint8Array(16)), before);
    cipher.close();
  }
});

Deno.test("nativeAes() is null where the runtime's AES is no use", () => {
  const { createCipheriv, createDecipheriv } = nodeCrypto;
  const unknown = (): never => {
    throw new Error("Unknown cipher");
  };
  // A cipher object that gives out all but the last unit.
  const lagging = (...args: Parameters<typeof createDecipheriv>): unknown => {
    const cipher = createDecipheriv(...args);
    cipher.setAutoPadding = () => cipher;
    return cipher;
  };
  assert.ok(nativeAes(nodeCrypto));
  for (
    const module of [
      undefined,
      null,
      {},
      { createCipheriv: unknown, createDecipheriv: unknown },
      { createCipheriv, createDecipheriv: createCipheriv },
      { createCipheriv, createDecipheriv: lagging },
    ]
  ) {
    assert.equal(nativeAes(module), null);
  }
});
