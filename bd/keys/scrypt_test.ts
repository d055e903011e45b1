import { scrypt as nobleScrypt } from "@noble/hashes/scrypt.js";
import assert from "node:assert/strict";
import {
  calibrateScrypt,
  scrypt,
  SCRYPT_N_MAX,
  type ScryptParameters,
  scryptRefusal,
} from "./scrypt.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

// RFC 7914, section 12, of which the first 32 bytes: keys here are no longer.
const VECTORS: [string, string, ScryptParameters, string][] = [
  [
    "password",
    "NaCl",
    { n: 1024, r: 8, p: 16 },
    "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162",
  ],
  [
    "pleaseletmein",
    "SodiumChloride",
    { n: 16384, r: 8, p: 1 },
    "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2",
  ],
];

Deno.test("scrypt() gives the keys of RFC 7914", () => {
  for (const [passphrase, salt, parameters, expected] of VECTORS) {
    const key = scrypt(bytes(passphrase), bytes(salt), parameters);
    assert.equal(key.toHex(), expected);
  }
});

Deno.test("scrypt() agrees with an implementation in TypeScript", () => {
  const passphrase = crypto.getRandomValues(new Uint8Array(33));
  const salt = crypto.getRandomValues(new Uint8Array(32));
  for (const [n, r, p] of [[1024, 8, 1], [2048, 1, 3], [1024, 32, 2]]) {
    assert.deepEqual(
      scrypt(passphrase, salt, { n, r, p }),
      nobleScrypt(passphrase, salt, { N: n, r, p, dkLen: 32 }),
    );
  }
});

Deno.test("scrypt() refuses parameters out of bounds, at once", () => {
  const refused: [Partial<ScryptParameters>, RegExp][] = [
    [{ n: 512 }, /n is 512: not a power of two from 1024/],
    [{ n: 1025 }, /n is 1025/],
    [{ n: 0 }, /n is 0/],
    [{ n: -1024 }, /n is -1024/],
    [{ n: NaN }, /n is NaN/],
    [{ n: Infinity }, /n is Infinity/],
    [{ n: 2 ** 21 }, /2147483648 bytes of memory, more than 1 GiB/],
    [{ n: 2 ** 20, r: 9 }, /more than 1 GiB/],
    [{ n: 2 ** 52 }, /more than 1 GiB/],
    [{ r: 2 ** 40 }, /more than 1 GiB/],
    [{ n: 65536, r: 1 }, /n is 65536: with r 1, it has to be less than 65536/],
    [{ r: 0 }, /r is 0/],
    [{ r: 1.5 }, /r is 1\.5/],
    [{ p: 0 }, /p is 0/],
    [{ p: 17 }, /p is 17: not a number from 1 to 16/],
  ];
  for (const [change, message] of refused) {
    const parameters = { n: 1024, r: 8, p: 1, ...change };
    assert.match(scryptRefusal(parameters) ?? "accepted", message);
    assert.throws(() => scrypt(bytes("x"), bytes("y"), parameters), {
      name: "RangeError",
      message,
    });
  }
  assert.equal(scryptRefusal({ n: SCRYPT_N_MAX, r: 8, p: 1 }), null);
  const least = { n: 32768, r: 1, p: 1 };
  assert.equal(scrypt(bytes("x"), bytes("y"), least).length, 32);
});

Deno.test("calibrateScrypt() scales what it measures, within its bounds", () => {
  const cost = (measured: number): number =>
    Math.log2(calibrateScrypt(1000, () => measured).n);
  assert.deepEqual(
    [2000, 1000, 501, 500, 60, 20, 1, 0].map(cost),
    [14, 14, 14, 15, 18, 19, 20, 20],
  );
  const { n, r, p } = calibrateScrypt(1);
  assert.deepEqual([n, r, p], [2 ** 14, 8, 1]);
});
