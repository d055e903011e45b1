/**
 * docs/formats.md: what its tables and its worked example say is what the code
 * makes, and what a reader in Python computes that was written from it alone.
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { createHmac, createPlainHash } from "../bd/hmac.ts";
import { CHECKPOINT_SLOTS, RING_START } from "../bd/journal/checkpoint.ts";
import { recordBytes } from "../bd/journal/record.ts";
import {
  encodeState,
  STATE_BYTES,
  STATE_FIELDS,
  STATE_MAGIC,
} from "../bd/journal/state.ts";
import type { Secret } from "../bd/keys/key_slot.ts";
import { uuidOf } from "../bd/uuid.ts";
import { canonicalJson } from "../bd/volume/canonical_json.ts";
import {
  ANCHOR_PLACES,
  descriptorDigest,
  DEVICES,
  JOURNAL_BYTES_MAX,
  JOURNAL_BYTES_MIN,
  type KeyedDescriptor,
} from "../bd/volume/descriptor.ts";
import { VOLUME_KEYS } from "../bd/volume/volume_keys.ts";
import {
  EXAMPLE,
  EXAMPLE_KEKS,
  EXAMPLE_KEYS,
  exampleBlock,
  exampleDescriptor,
  makeExample,
} from "./support/example_volume.ts";
import { FormatsDocument } from "./support/formats_document.ts";
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

Deno.test("formats.md has the fields of a state where the code has them", () => {
  const table = whole.under("States").table();
  assert.deepEqual(
    table.map(([at, size, name]) => [name, [Number(at), Number(size)]]),
    Object.entries(STATE_FIELDS),
  );
  // A field that is not of the purpose is zeros, and all others are not.
  const ones = (length: number): Uint8Array => new Uint8Array(length).fill(1);
  const full = Object.fromEntries(
    Object.entries(STATE_FIELDS).map(([name, [, size]]) => [
      name,
      /^(id|epoch|.*[dD]escriptor|chain|body)$/.test(name) ? ones(size) : 257,
    ]),
  );
  const kinds = Object.keys(STATE_MAGIC) as (keyof typeof STATE_MAGIC)[];
  for (const kind of kinds) {
    const state = { ...full, root: ones(64) } as never;
    const bytes = encodeState(kind, state, createPlainHash("sha256"));
    for (const [at, size, name, where] of table) {
      const field = bytes.subarray(Number(at), Number(at) + Number(size));
      const isThere = field.some((byte) => byte !== 0);
      assert.equal(
        isThere,
        where === "all" || where === kind,
        `${kind} ${name}`,
      );
    }
    const magic = whole.under("States").text;
    assert.ok(magic.includes(`${kind} \`${STATE_MAGIC[kind]}\``), kind);
  }
});

/** Where the parts of a record end that has so many blocks and nodes. */
function partEnds(counts: Record<string, number>): number[] {
  let end = 0;
  return whole.under("The journal").table().map(([, bytes]) => {
    const [, unit] = /^to a multiple of (\d+)$/.exec(bytes) ?? [];
    if (unit) return end = Math.ceil(end / Number(unit)) * Number(unit);
    const factors = bytes.split(" · ").map((one) => counts[one] ?? Number(one));
    return end += factors.reduce((a, b) => a * b);
  });
}

Deno.test("formats.md has the parts of a record as the code makes them", () => {
  for (const blockSize of [1024, 2048, 4096]) {
    for (const [blocks, nodes] of [[0, 0], [1, 0], [0, 1], [3, 40], [127, 8]]) {
      const format = { blockSize, nodeBytes: 32 } as never;
      const byteLength = recordBytes({ blocks, nodes }, format);
      assert.equal(partEnds({ blockSize, blocks, nodes }).at(-1), byteLength);
    }
  }
});

Deno.test("formats.md has the places and bounds of a journal", () => {
  const { text } = whole.under("The journal");
  const words = text.replaceAll(/\s+/g, " ");
  const [first, second] = CHECKPOINT_SLOTS;
  assert.ok(
    words.includes(
      `of ${STATE_BYTES} bytes, at the bytes ${first} and ${second}, and from byte ${RING_START} on`,
    ),
  );
  const fields = whole.under("The descriptor").table();
  const value = (field: string): string =>
    fields.find(([name]) => name === field)![1];
  const [least, most] = [JOURNAL_BYTES_MIN, JOURNAL_BYTES_MAX]
    .map((bytes) => bytes.toLocaleString("en"));
  assert.ok(value("journalSize").startsWith(`${least} to ${most}: `));
  for (const place of ANCHOR_PLACES) {
    assert.ok(value("anchor").includes(`"${place}"`));
  }
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
  for (
    const name of ["image", "leaf", "node", "descriptor", "journal"] as const
  ) {
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
    anchor.set(dump("anchor", 512), 4096);
    assert.deepEqual(await Deno.readFile(`${dir}/volume/anchor`), anchor);
    const journal = await Deno.readFile(`${dir}/volume/journal`);
    const checkpoint = dump("checkpoint", journal.length);
    assert.equal(Buffer.compare(journal, checkpoint), 0);
    const hmac = createHmac("sha256", EXAMPLE_KEYS.get("rekey"));
    const chain = new Uint8Array(32);
    const state = Uint8Array.of(...EXAMPLE.epoch, ...root, ...chain);
    const copy = uuidOf(hmac.hash(state), 8);
    assert.ok(example.text.includes(`\`${copy}\``), copy);
  }));

/** What the code block `mark` shows of `byteLength` bytes, by their places. */
function dump(mark: string, byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  for (const line of example.code(`text ${mark}`)[0].split("\n")) {
    const [at, hexadecimal] = line.trim().split(" ");
    bytes.set(Uint8Array.fromHex(hexadecimal), Number(at));
  }
  return bytes;
}

Deno.test("the record of the worked example is the code's, to the byte", () =>
  withExample(
    { device: "vericrypt", hasRecord: true },
    async (dir, root) => {
      const { blockSize, next } = EXAMPLE;
      const journal = await Deno.readFile(`${dir}/volume/journal`);
      const record = journal.subarray(RING_START);
      assert.deepEqual(record.slice(0, 1024), dump("record", 1024));
      const anchor = await Deno.readFile(`${dir}/volume/anchor`);
      assert.deepEqual(anchor.slice(0, 512), dump("next anchor", 512));
      assert.deepEqual(anchor.slice(4096, 4608), dump("anchor", 512));
      assert.equal(values.get("root of state 4"), root.toHex());
      // What is behind the head, taken apart by the table of the parts.
      const ends = partEnds({ blockSize, blocks: 1, nodes: 12 });
      const [numbers, , places, , values_, nodes, , end] = ends;
      const view = new DataView(record.buffer, record.byteOffset);
      const image = await Deno.readFile(`${dir}/volume/image`);
      const tree = await Deno.readFile(`${dir}/volume/tree`);
      assert.equal(view.getUint32(numbers, true), next);
      image.set(record.subarray(values_, nodes), next * blockSize);
      for (let i = 0; i < 12; i++) {
        const place = Number(view.getBigUint64(places + 8 * i, true));
        const at = nodes + 32 * i;
        tree.set(record.subarray(at, at + 32), 32 * place);
      }
      assert.ok(record.subarray(end).every((byte) => byte === 0));
      // To open it for writing puts what is committed in its place.
      await withVolume(`${dir}/volume`, () => {}, { secret: exampleKey });
      const files: [string, Uint8Array][] = [["image", image], ["tree", tree]];
      for (const [name, expected] of files) {
        const found = await Deno.readFile(`${dir}/volume/${name}`);
        assert.equal(Buffer.compare(found, expected), 0, name);
      }
    },
  ));

/** Digests of the files of a volume, by their names. */
async function digestsOf(path: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const name of ["volume.json", "image", "tree", "anchor", "journal"]) {
    const file = await Deno.readFile(`${path}/${name}`).catch(() => null);
    if (file) found.set(name, sha256(file));
  }
  return found;
}

/** Gives the key file of the example. */
function exampleKey(): Promise<Secret> {
  return Promise.resolve({ kind: "keyfile", bytes: EXAMPLE.keyFile.slice() });
}

for (const device of DEVICES) {
  const digests = (section: FormatsDocument): Map<string, string> =>
    new Map(
      section.table().filter(([name]) => name === device)
        .map(([, file, digest]) => [file, digest]),
    );
  const files = digests(example);
  const later = digests(example.under("One commit later"));

  Deno.test(`the example as ${device} has the files that formats.md says`, () =>
    withExample({ device }, async (dir) => {
      assert.deepEqual(await digestsOf(`${dir}/volume`), files);
      await withVolume(`${dir}/volume`, (volume) => {
        assert.deepEqual(contents(volume), plaintext());
      }, { readOnly: true, secret: exampleKey });
    }));

  Deno.test(`one commit later, ${device} has the files that formats.md says`, () =>
    withExample({ device, hasRecord: true }, async (dir) => {
      const expected = new Map([...files, ...later]);
      const plain = expected.get("plaintext");
      expected.delete("plaintext");
      assert.deepEqual(await digestsOf(`${dir}/volume`), expected);
      await withVolume(`${dir}/volume`, (volume) => {
        assert.equal(sha256(contents(volume)), plain);
      }, { readOnly: true, secret: exampleKey });
    }));

  await testWith(
    ["python3"],
    `a reader written from formats.md alone reads the record of ${device}`,
    () =>
      withExample({ device, hasRecord: true }, async (dir, root) => {
        const keyfile = `${dir}/key`;
        const reading = await readVolume(`${dir}/volume`, { keyfile });
        assert.equal(reading.plaintext, later.get("plaintext"));
        assert.equal(reading.records, 1);
        assert.equal(reading.state!.root, root.toHex());
        assert.equal(reading.state!.generation, EXAMPLE.generation + 1);
      }),
  );

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
          assert.equal(reading.records, 0);
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
  assert.equal(reading.state!.descriptor, values.get("digest"));
  assert.equal(reading.state!.root, values.get("root"));
  assert.equal(reading.state!.generation, EXAMPLE.generation);
  assert.equal(reading.leaves, EXAMPLE.written.length);
  const nodes = reading.path!.flatMap((one) => [
    [one.node, one.page, one.slot, one.value],
    [one.node ^ 1, one.page, one.slot ^ 1, one.sibling],
  ]);
  assert.deepEqual(nodes, path());
}
