/**
 * docs/formats.md: its test vectors are what the code makes, what the original
 * makes, and what a reader in Python computes that was written from it alone.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { CIPHER_KEY_BYTES, type CipherName, CryptDevice } from "../bd/crypt.ts";
import { DIGEST_BYTES, type HashAlgorithm } from "../bd/hmac.ts";
import { MemoryDevice } from "../bd/memory.ts";
import { MemoryFile } from "../bd/memory_file.ts";
import { buildTree } from "../bd/original/build_tree.ts";
import { deriveImageKey } from "../bd/original/open_original.ts";
import { originalTreeBytes } from "../bd/tree_builder.ts";
import {
  counting,
  EXAMPLE,
  exampleBlock,
  makeExample,
} from "./support/example_volume.ts";
import { FormatsDocument } from "./support/formats_document.ts";
import { original } from "./support/original.ts";
import { testWith, withTempDir } from "./support/tools.ts";
import { readVolume } from "./support/volume_reader.ts";

const sha256 = (bytes: Uint8Array): string =>
  createHash("sha256").update(bytes).digest("hex");

const vectors = (await FormatsDocument.load()).under("Test vectors");

await testWith(
  ["python3"],
  "encrypted blocks are as in formats.md",
  async () => {
    const rows = vectors.under("Blocks").table();
    assert.ok(rows.length > 5);
    const stored = await original(rows.map(([cipher, size, number]) => ({
      do: "block",
      cipher: cipher as CipherName,
      key: counting(0, CIPHER_KEY_BYTES[cipher as CipherName]).toHex(),
      number: Number(number),
      block: exampleBlock(Number(number), Number(size)).toHex(),
    })));
    for (const [i, row] of rows.entries()) {
      const [cipher, size, number, first, last, digest] = row;
      for (
        const bytes of [
          Uint8Array.fromHex(stored[i]),
          encrypted(cipher as CipherName, Number(number), Number(size)),
        ]
      ) {
        assert.equal(bytes.slice(0, 16).toHex(), first, row.join());
        assert.equal(bytes.slice(-16).toHex(), last, row.join());
        assert.equal(sha256(bytes), digest, row.join());
      }
    }
  },
);

/** What `CryptDevice` stores of a block, however high its number is. */
function encrypted(
  cipher: CipherName,
  number: number,
  blockSize: number,
): Uint8Array {
  const next = new MemoryDevice(blockSize, number + 1);
  const key = counting(0, CIPHER_KEY_BYTES[cipher]);
  const device = new CryptDevice(next, { cipher, key });
  device.write(number, exampleBlock(number, blockSize));
  const stored = new Uint8Array(blockSize);
  next.read(number, stored);
  device.close();
  return stored;
}

await testWith(
  ["python3"],
  "the key of a password is as in formats.md",
  () =>
    withTempDir(async (dir) => {
      const key = vectors.under("Passwords of the original").values()
        .get("pbkdf2");
      await Deno.writeFile(`${dir}/plain`, new Uint8Array(1024));
      for (const cipher of ["aes-256-xts", "aes-256-cbc"] as const) {
        const derived = deriveImageKey(
          new TextEncoder().encode("password"),
          cipher,
        );
        const [other] = await original([{
          do: "encrypt",
          from: `${dir}/plain`,
          to: `${dir}/stored`,
          cipher,
          blockSize: 1024,
          password: "password",
        }]);
        const expected = key!.slice(0, 2 * CIPHER_KEY_BYTES[cipher]);
        assert.equal(derived.toHex(), expected);
        assert.equal(other, expected);
      }
    }),
);

await testWith(
  ["python3"],
  "trees of volumes are as in formats.md",
  async () => {
    const rows = vectors.under("Trees of volumes").table();
    assert.ok(rows.length > 5);
    for (const [blocks, written, byteLength, root] of rows) {
      const numbers = written.split(", ").map(Number);
      const blockCount = Number(blocks);
      const shape = { device: "verity", blockCount, written: numbers } as const;
      await withTempDir(async (dir) => {
        const computed = await makeExample(`${dir}/volume`, shape);
        assert.equal(computed.toHex(), root, `${blocks} blocks`);
        const { size } = await Deno.stat(`${dir}/volume/tree`);
        assert.equal(size, Number(byteLength));
        const keyfile = `${dir}/key`;
        await Deno.writeFile(keyfile, EXAMPLE.keyFile);
        const reading = await readVolume(`${dir}/volume`, { keyfile });
        assert.equal(reading.state!.root, root);
        assert.equal(reading.leaves, numbers.length);
      });
    }
  },
);

await testWith(
  ["python3"],
  "trees of the original are as in formats.md",
  () =>
    withTempDir(async (dir) => {
      const rows = vectors.under("Trees of the original").table();
      assert.ok(rows.length > 5);
      for (const [hash, secret, leaves, byteLength, digest, root] of rows) {
        const algorithm = hash as HashAlgorithm;
        const key = secret === "none" ? null : secret;
        const leafCount = Number(leaves);
        const image = new MemoryDevice(1024, leafCount);
        for (let i = 0; i < leafCount; i++) {
          image.write(i, exampleBlock(i, 1024));
        }
        const all = new Uint8Array(1024 * leafCount);
        image.read(0, all);
        await Deno.writeFile(`${dir}/image`, all);
        const files = { image: `${dir}/image`, tree: `${dir}/tree` };
        const [other] = await original([
          { do: "tree", ...files, algorithm, blockSize: 1024, key },
        ]);
        const size = originalTreeBytes(leafCount, DIGEST_BYTES[algorithm]);
        const tree = new MemoryFile(size);
        const state = await buildTree(image, tree, {
          algorithm,
          key: key === null ? null : new TextEncoder().encode(key),
          workers: 0,
        });
        assert.equal(size, Number(byteLength));
        assert.equal(state.root.toHex(), root);
        assert.equal(other, root);
        assert.equal(sha256(tree.bytes), digest);
        assert.equal(sha256(await Deno.readFile(files.tree)), digest);
      }
    }),
);
