/**
 * docs/formats.md: what its tables and its worked example say is what the code
 * makes, and what a reader in Python computes that was written from it alone.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { CIPHER_KEY_BYTES, type CipherName, CryptDevice } from "../bd/crypt.ts";
import { createHmac, DIGEST_BYTES, type HashAlgorithm } from "../bd/hmac.ts";
import { MemoryDevice } from "../bd/memory.ts";
import { MemoryFile } from "../bd/memory_file.ts";
import { buildTree } from "../bd/original/build_tree.ts";
import { deriveImageKey } from "../bd/original/open_original.ts";
import { originalTreeBytes } from "../bd/tree_builder.ts";
import { uuidOf } from "../bd/uuid.ts";
import { ANCHOR_FIELDS } from "../bd/volume/anchor.ts";
import { canonicalJson } from "../bd/volume/canonical_json.ts";
import {
  descriptorDigest,
  DEVICES,
  type KeyedDescriptor,
} from "../bd/volume/descriptor.ts";
import { VOLUME_KEYS } from "../bd/volume/volume_keys.ts";
import {
  counting,
  EXAMPLE,
  EXAMPLE_KEKS,
  EXAMPLE_KEYS,
  exampleBlock,
  exampleDescriptor,
  makeExample,
} from "./support/example_volume.ts";
import { FormatsDocument } from "./support/formats_document.ts";
import { original } from "./support/original.ts";
import { testWith, withTempDir } from "./support/tools.ts";
import { readVolume } from "./support/volume_reader.ts";
import { contents, withVolume } from "./support/volumes.ts";

const whole = await FormatsDocument.load();
const example = whole.under("A worked example");
const values = example.values();
const passphrase = new TextEncoder().encode(EXAMPLE.passphrase);

const sha256 = (bytes: Uint8Array): string =>
  createHash("sha256").update(bytes).digest("hex");

/** What the document says of the path of block 77: node, page, slot, value. */
function path(): [number, number, number, string][] {
  const [lines] = example.code("text path");
  return lines.split("\n").map((line) => {
    const [node, page, slot, value] = line.trim().split(/ +/);
    return [Number(node), Number(page), Number(slot), value];
  });
}

/** The plaintext of the whole example. */
function plaintext(): Uint8Array {
  const { blockSize, blockCount, written } = EXAMPLE;
  const bytes = new Uint8Array(blockSize * blockCount);
  for (const i of written) bytes.set(exampleBlock(i, blockSize), i * blockSize);
  return bytes;
}

/** Calls `visit` with the example, and with files of both secrets. */
async function withExample(
  shape: Parameters<typeof makeExample>[1],
  visit: (dir: string, root: Uint8Array) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const root = await makeExample(`${dir}/volume`, shape);
    await Deno.writeFile(`${dir}/key`, EXAMPLE.keyFile);
    await Deno.writeTextFile(`${dir}/pass`, `${EXAMPLE.passphrase}\n`);
    await visit(dir, root);
  });
}

Deno.test("formats.md has the fields of an anchor where the code has them", () => {
  const table = whole.under("The anchor").table();
  assert.deepEqual(
    table.map(([at, size, name]) => [name, [Number(at), Number(size)]]),
    Object.entries(ANCHOR_FIELDS),
  );
});

Deno.test("formats.md has the keys that the code derives", () => {
  const table = whole.under("Keys").table();
  assert.deepEqual(
    table.map(([name, label, byteLength]) => [
      name,
      { label, byteLength: Number(byteLength) },
    ]),
    Object.entries(VOLUME_KEYS),
  );
});

Deno.test("the keys of the worked example are those the code derives", () => {
  const descriptor = exampleDescriptor({ device: "vericrypt" });
  const [first, second] = (descriptor as KeyedDescriptor).keys;
  const expected = {
    "key file": EXAMPLE.keyFile.toHex(),
    "salt 0": EXAMPLE.keyFileSalt.toHex(),
    "kek 0": EXAMPLE_KEKS.keyFile.toHex(),
    "wrapped 0": first.wrapped,
    "passphrase": passphrase.toHex(),
    "salt 1": EXAMPLE.passphraseSalt.toHex(),
    "kek 1": EXAMPLE_KEKS.passphrase.toHex(),
    "wrapped 1": second.wrapped,
    "master key": EXAMPLE.masterKey.toHex(),
  };
  for (const [name, value] of Object.entries(expected)) {
    assert.equal(values.get(name), value, name);
  }
  for (const name of ["image", "leaf", "node", "descriptor"] as const) {
    assert.equal(values.get(`${name} key`), EXAMPLE_KEYS.get(name).toHex());
  }
});

Deno.test("the descriptor of the worked example is the code's, to the byte", () => {
  const descriptor = exampleDescriptor({ device: "vericrypt" });
  const { mac, ...unsigned } = descriptor as KeyedDescriptor;
  const canonical = canonicalJson({ ...unsigned } as never);
  const [text] = example.code("text canonical");
  assert.equal(
    text.replaceAll("\n", ""),
    new TextDecoder().decode(canonical),
  );
  assert.equal(values.get("H(canonical form)"), sha256(canonical));
  assert.equal(values.get("mac"), mac);
  const digest = descriptorDigest(descriptor as KeyedDescriptor);
  assert.equal(values.get("digest"), digest.toHex());
  assert.ok(example.text.includes(`\`${descriptor.id}\``));
});

Deno.test("the files of the worked example are the code's, to the byte", () =>
  withExample({ device: "vericrypt" }, async (dir, root) => {
    const [json] = example.code("json");
    const text = await Deno.readTextFile(`${dir}/volume/volume.json`);
    assert.equal(text, `${json}\n`);
    const image = await Deno.readFile(`${dir}/volume/image`);
    const stored = image.subarray(77 * 1024, 78 * 1024);
    const plain = exampleBlock(77, 1024);
    assert.equal(values.get("plaintext begin"), plain.slice(0, 32).toHex());
    assert.equal(values.get("plaintext end"), plain.slice(-32).toHex());
    assert.equal(values.get("stored begin"), stored.slice(0, 32).toHex());
    assert.equal(values.get("stored end"), stored.slice(-32).toHex());
    assert.equal(values.get("H(stored)"), sha256(stored));
    const tree = await Deno.readFile(`${dir}/volume/tree`);
    for (const [node, page, slot, value] of path()) {
      const at = 4096 * page + 32 * slot;
      assert.equal(tree.slice(at, at + 32).toHex(), value, `node ${node}`);
    }
    assert.equal(values.get("root"), root.toHex());
    const anchor = new Uint8Array(8192);
    for (const line of example.code("text anchor")[0].split("\n")) {
      const [at, bytes] = line.trim().split(" ");
      anchor.set(Uint8Array.fromHex(bytes), 4096 + Number(at));
    }
    assert.deepEqual(await Deno.readFile(`${dir}/volume/anchor`), anchor);
    const hmac = createHmac("sha256", EXAMPLE_KEYS.get("rekey"));
    const copy = uuidOf(hmac.hash(Uint8Array.of(...EXAMPLE.epoch, ...root)), 8);
    assert.ok(example.text.includes(`\`${copy}\``), copy);
  }));

for (const device of DEVICES) {
  const files = new Map(
    example.table().filter(([name]) => name === device)
      .map(([, file, digest]) => [file, digest]),
  );

  Deno.test(`the example as ${device} has the files that formats.md says`, () =>
    withExample({ device }, async (dir) => {
      const found = new Map<string, string>();
      for (const name of ["volume.json", "image", "tree", "anchor"]) {
        const file = await Deno.readFile(`${dir}/volume/${name}`)
          .catch(() => null);
        if (file) found.set(name, sha256(file));
      }
      assert.deepEqual(found, files);
      await withVolume(`${dir}/volume`, (volume) => {
        assert.deepEqual(contents(volume), plaintext());
      }, {
        secret: () =>
          Promise.resolve({ kind: "keyfile", bytes: EXAMPLE.keyFile.slice() }),
      });
    }));

  await testWith(
    ["python3"],
    `a reader written from formats.md alone reads the example as ${device}`,
    () =>
      withExample({ device }, async (dir) => {
        for (const slot of [0, 1]) {
          const reading = await readVolume(`${dir}/volume`, {
            ...(slot === 0
              ? { keyfile: `${dir}/key` }
              : { passfile: `${dir}/pass` }),
            leaf: 77,
          });
          assert.equal(reading.plaintext, sha256(plaintext()));
          if (device !== "std") assert.equal(reading.slot, slot);
          if (device === "vericrypt") checkReading(reading);
        }
      }),
  );
}

/** Asserts that all that was derived is what the document says. */
function checkReading(reading: Awaited<ReturnType<typeof readVolume>>): void {
  assert.equal(reading.kek, values.get(`kek ${reading.slot}`));
  assert.equal(reading.masterKey, values.get("master key"));
  for (const [name, key] of Object.entries(reading.keys!)) {
    assert.equal(key, values.get(`${name} key`), name);
  }
  assert.equal(reading.mac, values.get("mac"));
  assert.equal(reading.anchor!.descriptor, values.get("digest"));
  assert.equal(reading.anchor!.root, values.get("root"));
  assert.equal(reading.anchor!.generation, EXAMPLE.generation);
  assert.equal(reading.leaves, EXAMPLE.written.length);
  const nodes = reading.path!.flatMap((one) => [
    [one.node, one.page, one.slot, one.value],
    [one.node ^ 1, one.page, one.slot ^ 1, one.sibling],
  ]);
  assert.deepEqual(nodes, path());
}

const vectors = whole.under("Test vectors");

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
      await withExample(shape, async (dir, computed) => {
        assert.equal(computed.toHex(), root, `${blocks} blocks`);
        const { size } = await Deno.stat(`${dir}/volume/tree`);
        assert.equal(size, Number(byteLength));
        const keyfile = `${dir}/key`;
        const reading = await readVolume(`${dir}/volume`, { keyfile });
        assert.equal(reading.anchor!.root, root);
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
