/**
 * Volumes as the code makes and changes them, verified by a reader in Python
 * that was written from docs/formats.md alone; and what it must refuse.
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { IntegrityError } from "../bd/block_device.ts";
import { ANCHOR_SLOTS } from "../bd/volume/anchor.ts";
import type { DeviceKind } from "../bd/volume/descriptor.ts";
import {
  KeyChange,
  type OpenedVolume,
  RollbackError,
  VolumeIntegrityError,
  WrongKeyError,
} from "../bd/volume/mod.ts";
import { Filesystem, format, ROOT_INODE } from "../fs/mod.ts";
import {
  EXAMPLE,
  exampleBlock,
  makeExample,
} from "./support/example_volume.ts";
import { testWith, withTempDir } from "./support/tools.ts";
import {
  type ReaderOptions,
  type Reading,
  readVolume,
  tryReading,
} from "./support/volume_reader.ts";
import {
  contents,
  FAST_SCRYPT,
  keyFile,
  newVolume,
  passphrase,
  withVolume,
} from "./support/volumes.ts";

const SHAPES: [DeviceKind, blockSize: number, blockCount: number][] = [
  ["std", 1024, 100],
  ["crypt", 4096, 64],
  ["verity", 2048, 65],
  ["vericrypt", 1024, 200],
  ["vericrypt", 4096, 70],
];

/** Writes a key file and a passphrase, and calls `visit`. */
async function withSecrets(
  visit: (dir: string, secrets: Record<string, ReaderOptions>) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    await Deno.writeFile(`${dir}/key`, keyFile(1).bytes);
    await Deno.writeFile(`${dir}/other`, keyFile(2).bytes);
    await Deno.writeTextFile(`${dir}/pass`, "a pass phrase\n");
    await visit(dir, {
      key: { keyfile: `${dir}/key` },
      other: { keyfile: `${dir}/other` },
      pass: { passfile: `${dir}/pass` },
    });
  });
}

const sha256 = (volume: OpenedVolume): string =>
  createHash("sha256").update(contents(volume)).digest("hex");

/** Makes an ext2 volume on the device, with something in it. */
async function fill(volume: OpenedVolume): Promise<void> {
  format(volume.device, { blank: true, inodeCount: 16 });
  const fs = Filesystem.open(volume.device);
  const file = fs.create(ROOT_INODE, "file");
  fs.write(file, 0, exampleBlock(1, 10_000));
  fs.write(file, 30_000, exampleBlock(2, 1000));
  await fs.close();
}

for (const [device, blockSize, blockCount] of SHAPES) {
  await testWith(
    ["python3"],
    `a ${device} volume with blocks of ${blockSize} verifies in Python`,
    () =>
      withSecrets(async (dir, secrets) => {
        const path = `${dir}/volume`;
        const shape = { blockSize, blockCount };
        await newVolume(path, device, { ...shape, fill });
        const first = await checkSame(path, secrets.key);
        await withVolume(path, async ({ device }) => {
          device.write(blockCount - 1, exampleBlock(7, blockSize));
          device.write(3, new Uint8Array(blockSize));
          await device.flush();
          device.write(3, exampleBlock(3, blockSize));
          await device.flush();
        });
        // What was not settled is in two records, in the journal alone.
        const second = await checkSame(path, secrets.key);
        assert.notEqual(second.plaintext, first.plaintext);
        assert.deepEqual([first.records, second.records], [0, 2]);
        if (device === "std") return;
        assert.notEqual(second.state!.epoch, first.state!.epoch);
        await addPassphrase(path);
        const third = await checkSame(path, secrets.pass);
        assert.equal(third.plaintext, second.plaintext);
        assert.equal(third.masterKey, second.masterKey);
      }),
  );
}

/** Compares what Python reads with what the code reads. */
async function checkSame(
  path: string,
  secret: ReaderOptions,
): Promise<Reading> {
  const reading = await readVolume(path, secret);
  await withVolume(path, (volume) => {
    assert.equal(reading.plaintext, sha256(volume));
  }, { readOnly: true });
  return reading;
}

await testWith(
  ["python3"],
  "volumes with their anchor apart, and with none, verify in Python",
  () =>
    withSecrets(async (dir, { key }) => {
      for (const anchor of ["apart", "none"] as const) {
        const path = `${dir}/${anchor}`;
        const elsewhere = anchor === "apart"
          ? { anchorPath: `${dir}/anchor` }
          : {};
        await newVolume(path, "vericrypt", { anchor, ...elsewhere });
        await withVolume(path, async ({ device }) => {
          for (const number of [3, 9]) {
            device.write(number, exampleBlock(number, 1024));
            await device.flush();
          }
        }, elsewhere);
        const options = { ...key, anchor: elsewhere.anchorPath };
        const reading = await readVolume(path, options);
        assert.equal(reading.records, 2);
        await withVolume(path, (volume) => {
          assert.equal(reading.plaintext, sha256(volume));
        }, { readOnly: true, ...elsewhere });
      }
    }),
);

async function addPassphrase(path: string): Promise<void> {
  using change = await KeyChange.open(path, () => Promise.resolve(keyFile(1)));
  await change.add(passphrase("a pass phrase"), { scrypt: FAST_SCRYPT });
}

await testWith(
  ["python3"],
  "Python and the code read the same of a replacement that was cut short",
  () =>
    withSecrets(async (dir, { other }) => {
      const path = `${dir}/volume`;
      const secret = keyFile(2);
      await newVolume(path, "vericrypt", { fill });
      await newVolume(`${dir}/next`, "vericrypt", { fill, secret });
      const expected = await readVolume(`${dir}/next`, other);
      await Deno.rename(`${dir}/next`, `${path}/rekeyed`);
      for (const moved of ["", "image", "tree", "anchor", "journal"]) {
        if (moved) {
          await Deno.rename(`${path}/rekeyed/${moved}`, `${path}/${moved}`);
        }
        assert.deepEqual(await readVolume(path, other), expected);
      }
      await withVolume(path, (volume) => {
        assert.equal(sha256(volume), expected.plaintext);
      }, { readOnly: true, secret: () => Promise.resolve(keyFile(2)) });
      assert.deepEqual(await readVolume(path, other), expected);
    }),
);

/** A change of the example's files, and what the reader says to it. */
type Damage = [what: string, change: (path: string) => void, says: RegExp];

function edit(
  path: string,
  change: (bytes: Uint8Array) => Uint8Array | void,
): void {
  const bytes = Deno.readFileSync(path);
  Deno.writeFileSync(path, change(bytes) ?? bytes);
}

/** Changes one bit of a file. */
const flip = (name: string, at: number) => (path: string): void =>
  edit(`${path}/${name}`, (bytes) => void (bytes[at] ^= 1));

/** Replaces a text in the descriptor. */
const replace = (from: string, to: string) => (path: string): void => {
  const text = Deno.readTextFileSync(`${path}/volume.json`);
  assert.ok(text.includes(from));
  Deno.writeTextFileSync(`${path}/volume.json`, text.replace(from, to));
};

const cut = (name: string) => (path: string): void =>
  edit(`${path}/${name}`, (bytes) => bytes.slice(0, -4096));

const DAMAGES: Damage[] = [
  ["a bit of a block", flip("image", 77 * 1024), /block 77/],
  ["a bit of a leaf", flip("tree", 2 * 4096 + 77 * 32), /below node 2086/],
  ["a bit of the top pair", flip("tree", 2 * 32), /below node 1$/m],
  ["an unwritten leaf", flip("tree", 4096 + 65 * 32), /below node 2048/],
  ["a shorter image", cut("image"), /image has another size/],
  ["a shorter tree", cut("tree"), /tree has another size/],
  ["a shorter anchor", cut("anchor"), /anchor has another size/],
  ["a bit of the root", flip("anchor", ANCHOR_SLOTS[1] + 64), /not authentic/],
  ["a bit of an anchor's MAC", flip("anchor", 4096 + 511), /not authentic/],
  ["a bit between the fields", flip("anchor", 4096 + 300), /not authentic/],
  ["another label", replace("example", "exampIe"), /not authentic/],
  ["another device", replace('"vericrypt"', '"verity"'), /not authentic/],
  ["no tree", replace('"vericrypt"', '"crypt"'), /not authentic/],
  ["another size", replace('Count": 100', 'Count": 99'), /not authentic/],
  ["a newer format", replace('"nextfs": 2', '"nextfs": 3'), /nextfs is out/],
  ["an older format", replace('"nextfs": 2', '"nextfs": 1'), /other fields/],
  ["one more field", replace('"nextfs"', '"x": 1, "nextfs"'), /other fields/],
  ["scrypt's n", replace('"n": 1024', '"n": 1025'), /n is out of bounds/],
  ["scrypt's r", replace('"r": 8', '"r": 2000000'), /r is out of bounds/],
  ["another wrapped key", replace('"wrapped": "a', '"wrapped": "b'), /no key/],
  ["another salt", replace('"salt": "2', '"salt": "3'), /no key slot/],
];

/** A bit of the record, which begins behind the checkpoints. */
const flipRecord = (at: number): Damage[1] => flip("journal", 8192 + at);

/** The same, if there is a record, that of state 4. */
const RECORD_DAMAGES: Damage[] = [
  ["a bit of the checkpoint", flip("journal", 100), /journal is not authentic/],
  ["a bit of its state", flipRecord(70), /rolled back: another generation/],
  ["a bit of its MAC", flipRecord(511), /rolled back: another generation/],
  ["a bit of its numbers", flipRecord(512), /rolled back/],
  ["a bit of its padding", flipRecord(1000), /rolled back/],
  ["a bit of its block", flipRecord(1024), /rolled back/],
  ["a bit of its last node", flipRecord(2431), /rolled back/],
  ["a shorter journal", cut("journal"), /journal has another size/],
  ["a bit of a block", flip("image", 77 * 1024), /block 77/],
  ["a bit of a leaf", flip("tree", 2 * 4096 + 77 * 32), /below node 2086/],
];

/** Reads all blocks by the code, by the key file of the example. */
async function readAll(path: string): Promise<void> {
  await withVolume(path, contents, {
    readOnly: true,
    secret: () =>
      Promise.resolve({ kind: "keyfile", bytes: EXAMPLE.keyFile.slice() }),
  });
}

/** Whether an error says what it is to say of damage or of a wrong key. */
function isRefusal(error: unknown): boolean {
  return error instanceof IntegrityError ||
    error instanceof VolumeIntegrityError || error instanceof WrongKeyError ||
    error instanceof RollbackError;
}

await testWith(
  ["python3"],
  "the code and the reader in Python refuse what formats.md does not allow",
  () =>
    withTempDir(async (dir) => {
      await Deno.writeFile(`${dir}/key`, EXAMPLE.keyFile);
      const settled = DAMAGES.map((damage) => ({ damage, hasRecord: false }));
      const others = RECORD_DAMAGES.map((damage) => ({
        damage,
        hasRecord: true,
      }));
      for (const [i, one] of [...settled, ...others].entries()) {
        const [what, change, says] = one.damage;
        const path = `${dir}/${i}`;
        await makeExample(path, {
          device: "vericrypt",
          hasRecord: one.hasRecord,
        });
        change(path);
        const outcome = await tryReading(path, { keyfile: `${dir}/key` });
        assert.equal(outcome.code, 1, `${what}: ${outcome.stdout}`);
        assert.match(outcome.stderr, /^volume_reader: [^\n]*\n$/, what);
        assert.match(outcome.stderr, says, what);
        await assert.rejects(readAll(path), isRefusal, what);
      }
    }),
);
