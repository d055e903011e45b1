/**
 * Images encrypted by OpenSSL, in Node: read by bd-crypt, and written again to
 * the same bytes.
 */

import assert from "node:assert/strict";
import {
  type BlockDevice,
  CIPHER_KEY_BYTES,
  type CipherName,
  CryptDevice,
  HostFile,
  MemoryDevice,
  StdDevice,
} from "../bd/mod.ts";
import { Random } from "./support/random.ts";
import { must, testWith, withTempDir } from "./support/tools.ts";

/** Size of an image, in bytes: more than bd-crypt has memory for at once. */
const IMAGE_BYTES = 3 << 17;

/** An image to encrypt. */
interface Image {
  cipher: CipherName;
  blockSize: number;
  /** Number of its first block. */
  first: number;
  key: string;
}

/** Encrypts the file PLAIN to PLAIN.0, PLAIN.1, … for each image of a list. */
const SCRIPT = `
const { createCipheriv } = require("node:crypto");
const { readFileSync, writeFileSync } = require("node:fs");
const [path, images] = process.argv.slice(1);
const plain = readFileSync(path);
JSON.parse(images).forEach(({ cipher, blockSize, first, key }, index) => {
  const blocks = [];
  for (let at = 0; at < plain.length; at += blockSize) {
    const iv = Buffer.alloc(16);
    iv.writeBigUInt64LE(BigInt(first) + BigInt(at / blockSize));
    const object = createCipheriv(cipher, Buffer.from(key, "hex"), iv);
    object.setAutoPadding(false);
    blocks.push(object.update(plain.subarray(at, at + blockSize)));
    blocks.push(object.final());
  }
  writeFileSync(path + "." + index, Buffer.concat(blocks));
});
`;

const random = new Random(0x55e1);
const IMAGES: Image[] = [];
for (const cipher of Object.keys(CIPHER_KEY_BYTES) as CipherName[]) {
  for (const blockSize of [1024, 2048, 4096]) {
    for (const first of [0, 2 ** 32 - 50, 2 ** 52 + 2 ** 33 + 11]) {
      const key = random.bytes(CIPHER_KEY_BYTES[cipher]).toHex();
      IMAGES.push({ cipher, blockSize, first, key });
    }
  }
}

/** The stored bytes of an image, at its block numbers. */
function storedAs(image: Image, bytes: Uint8Array): MemoryDevice {
  const { blockSize, first } = image;
  const store = new MemoryDevice(blockSize, first + bytes.length / blockSize);
  store.write(first, bytes);
  return store;
}

function readRun(device: BlockDevice, first: number): Uint8Array {
  const into = new Uint8Array(IMAGE_BYTES);
  device.read(first, into);
  return into;
}

await testWith(["node"], "bd-crypt and OpenSSL encrypt alike", async (t) => {
  await withTempDir(async (dir) => {
    const path = `${dir}/plain`;
    const plain = random.bytes(IMAGE_BYTES);
    await Deno.writeFile(path, plain);
    await must("node", "-e", SCRIPT, path, JSON.stringify(IMAGES));
    for (const [index, image] of IMAGES.entries()) {
      const { cipher, blockSize, first } = image;
      await t.step(`${cipher}, ${blockSize} bytes, from ${first}`, () => {
        const bytes = Deno.readFileSync(`${path}.${index}`);
        const key = Uint8Array.fromHex(image.key);
        for (const provider of ["native", "portable"] as const) {
          const store = storedAs(image, bytes);
          const device = new CryptDevice(store, { cipher, key, provider });
          assert.deepEqual(readRun(device, first), plain);
          const into = new Uint8Array(blockSize);
          device.read(first + 7, into);
          const at = 7 * blockSize;
          assert.deepEqual(into, plain.slice(at, at + blockSize));
          store.write(first, new Uint8Array(IMAGE_BYTES));
          device.write(first, plain);
          assert.deepEqual(readRun(store, first), bytes);
          device.close();
        }
      });
    }
  });
});

await testWith(
  ["node"],
  "bd-crypt makes OpenSSL's image of a host file",
  async () => {
    await withTempDir(async (dir) => {
      const path = `${dir}/plain`;
      const plain = random.bytes(IMAGE_BYTES);
      await Deno.writeFile(path, plain);
      const images = IMAGES.filter(({ first }) => first === 0);
      await must("node", "-e", SCRIPT, path, JSON.stringify(images));
      for (const [index, { cipher, blockSize, key }] of images.entries()) {
        const own = `${dir}/own.${index}`;
        const file = HostFile.open(own, { create: IMAGE_BYTES });
        const device = new CryptDevice(new StdDevice(file, blockSize), {
          cipher,
          key: Uint8Array.fromHex(key),
        });
        device.write(0, plain);
        assert.deepEqual(readRun(device, 0), plain);
        await device.flush();
        device.close();
        assert.deepEqual(
          await Deno.readFile(own),
          await Deno.readFile(`${path}.${index}`),
        );
      }
    });
  },
);
