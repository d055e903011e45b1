import assert from "node:assert/strict";
import {
  IEEE_1619,
  IEEE_1619_KEY,
  WYCHEPROOF_XTS,
} from "../tests/support/cipher_vectors.ts";
import { Random } from "../tests/support/random.ts";
import { aesProvider } from "./aes.ts";
import { RUN_BYTES_MAX } from "./block_mode.ts";
import { XtsCipher, XtsMode } from "./xts.ts";
import { ScalarMasks, type XtsMasks } from "./xts_masks.ts";
import { simdMasks } from "./xts_simd.ts";

const PROVIDERS = [aesProvider("native"), aesProvider("portable")];
const hex = (text: string): Uint8Array => Uint8Array.fromHex(text);
const KEY = new Random(1619).bytes(64);

/** Encrypts one block, and sees that it is decrypted again. */
function encryptOne(
  provider: typeof PROVIDERS[number],
  key: string,
  tweak: string,
  plain: Uint8Array,
): string {
  const xts = new XtsCipher({
    provider,
    key: hex(key),
    blockSize: plain.length,
    tweakCount: 1,
  });
  xts.tweaks.set(hex(tweak));
  xts.encryptTweaks(0, 1);
  xts.data.set(plain);
  xts.encrypt(0, 1);
  const cipher = xts.data.slice(0, plain.length);
  xts.decrypt(0, 1);
  assert.deepEqual(xts.data.slice(0, plain.length), plain);
  xts.close();
  return cipher.toHex();
}

Deno.test("XTS gives the answers of Wycheproof", () => {
  for (const provider of PROVIDERS) {
    for (const { id, key, tweak, plain, cipher } of WYCHEPROOF_XTS) {
      const found = encryptOne(provider, key, tweak, hex(plain));
      assert.equal(found, cipher, `${provider.name}, ${id}`);
    }
  }
});

Deno.test("XTS gives the answers of IEEE 1619, annex B", () => {
  const plain = new Uint8Array(512).map((_, i) => i);
  for (const provider of PROVIDERS) {
    for (const { id, tweak, first, last } of IEEE_1619) {
      const cipher = encryptOne(provider, IEEE_1619_KEY, tweak, plain);
      const ends = [cipher.slice(0, 64), cipher.slice(-32)];
      assert.deepEqual(ends, [first, last], `${provider.name}, vector ${id}`);
    }
  }
});

Deno.test("XTS refuses a key of two equal halves", () => {
  for (const provider of PROVIDERS) {
    const key = new Uint8Array(64).fill(9);
    const options = { provider, key, blockSize: 1024 };
    assert.throws(() => new XtsMode(options), {
      name: "DeviceError",
      code: "EINVAL",
      message: /both halves of it are the same/,
    });
    key[63] ^= 1;
    new XtsMode(options).close();
  }
});

Deno.test("the masks on vectors equal those in plain JavaScript", () => {
  const random = new Random(128);
  for (const blockSize of [16, 48, 512, 1024, 2048, 4096]) {
    const size = { blockSize, tweakCount: 160 };
    const simd = simdMasks(size);
    assert.ok(simd, "this runtime has vectors");
    const scalar = new ScalarMasks(size);
    const both: XtsMasks[] = [simd, scalar];
    for (const masks of both) assert.equal(masks.data.byteOffset % 4, 0);
    const longest = Math.min(128, RUN_BYTES_MAX / blockSize);
    for (const [first, count] of [[0, 1], [7, 3], [32, longest]]) {
      const tweaks = random.bytes(size.tweakCount * 16);
      const data = random.bytes(RUN_BYTES_MAX);
      for (const masks of both) {
        masks.tweaks.set(tweaks);
        masks.data.set(data);
        masks.apply(first, count);
      }
      assert.deepEqual(simd.data, scalar.data);
      assert.deepEqual(simd.tweaks, tweaks);
      for (const masks of both) masks.repeat(count);
      assert.deepEqual(simd.data, data);
      assert.deepEqual(scalar.data, data);
    }
    for (const masks of both) {
      masks.wipe();
      assert.ok(masks.data.every((byte) => byte === 0));
      assert.ok(masks.tweaks.every((byte) => byte === 0));
    }
  }
});

Deno.test("XtsMode keeps tweaks apart, whatever it did before", () => {
  const blockSize = 1024;
  const [provider] = PROVIDERS;
  const mode = new XtsMode({ provider, key: KEY, blockSize });
  const random = new Random(53);
  // Blocks that share slots, that lie around the last slot, and the last
  // blocks that there can be.
  const slots = 8192 * 8;
  const places = [0, 5, slots - 9, slots, 3 * slots - 1, 2 ** 32 - 3, 2 ** 40];
  places.push(Number.MAX_SAFE_INTEGER - 200);
  for (let turn = 0; turn < 150; turn++) {
    const block = random.pick(places) + random.below(40);
    const count = 1 + random.below(random.chance(0.5) ? 2 : 128);
    const plain = random.bytes(count * blockSize);
    mode.data.set(plain);
    mode.encrypt(block, count);
    const cipher = mode.data.slice(0, plain.length);
    for (const i of [0, random.below(count), count - 1]) {
      const one = new XtsMode({ provider, key: KEY, blockSize });
      const at = i * blockSize;
      one.data.set(cipher.subarray(at, at + blockSize));
      one.decrypt(block + i, 1);
      assert.deepEqual(
        one.data.subarray(0, blockSize),
        plain.subarray(at, at + blockSize),
        `block ${block + i}`,
      );
      one.close();
    }
  }
  mode.close();
  assert.ok(mode.data.every((byte) => byte === 0));
});
