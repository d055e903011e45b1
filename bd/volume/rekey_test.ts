import assert from "node:assert/strict";
import {
  ask,
  block,
  contents,
  copyDirectory,
  FAST_SCRYPT,
  KEYED_DEVICES,
  keyFile,
  names,
  newVolume,
  passphrase,
  withVolume,
  writeBlocks,
} from "../../tests/support/volumes.ts";
import { withTempDir } from "../../tests/support/tools.ts";
import { IntegrityError } from "../block_device.ts";
import { WrongKeyError } from "../keys/key_slot.ts";
import { KeyChange } from "./change_keys.ts";
import { parseDescriptor } from "./descriptor.ts";
import { rekeyVolume } from "./rekey.ts";
import type { OpenedVolume } from "./volume.ts";

/** Three mebibytes and a block, in runs of one; with holes. */
const BLOCK_COUNT = 3 * 1024 + 1;
const SEEDS = { 0: 1, 1: 2, 1023: 3, 1024: 4, 2500: 5, 3072: 6 };

type KeyedDevice = (typeof KEYED_DEVICES)[number];

/** Makes a volume with something in it, and visits its path. */
function withFilled(
  device: KeyedDevice,
  visit: (path: string, dir: string) => Promise<void>,
): Promise<void> {
  return withTempDir(async (dir) => {
    const path = `${dir}/v`;
    await newVolume(path, device, {
      blockCount: BLOCK_COUNT,
      slot: { label: "mine", id: 4, created: "2026-01-01T00:00:00Z" },
    });
    await withVolume(path, async (volume) => {
      await writeBlocks(volume, SEEDS);
      await volume.device.settle?.();
    });
    await visit(path, dir);
  });
}

function filesOf(device: KeyedDevice): string[] {
  return [
    "anchor",
    "image",
    "journal",
    ...device === "crypt" ? [] : ["tree"],
    "volume.json",
  ];
}

/** Asserts that the volume is whole and holds what was written. */
async function assertWhole(
  path: string,
  seeds: Record<number, number> = SEEDS,
): Promise<void> {
  const expected = new Uint8Array(BLOCK_COUNT * 1024);
  for (const [number, seed] of Object.entries(seeds)) {
    expected.set(block(seed), Number(number) * 1024);
  }
  await withVolume(path, (volume) => {
    assert.deepEqual(contents(volume), expected);
  });
}

async function read(path: string, file: string): Promise<string> {
  return (await Deno.readFile(`${path}/${file}`)).toHex();
}

/** Begins a rekey that ends in an error behind its first run. */
async function beginRekey(path: string, runs = 1): Promise<void> {
  const stop = new Error("stop");
  const progress = (): Promise<void> =>
    --runs > 0 ? Promise.resolve() : Promise.reject(stop);
  await assert.rejects(rekeyVolume(path, { secret: ask(1), progress }), stop);
}

for (const device of KEYED_DEVICES) {
  Deno.test(`${device}: rekey changes every key and no content`, () =>
    withFilled(device, async (path) => {
      const before = parseDescriptor(
        await Deno.readFile(`${path}/volume.json`),
      );
      const stored = await read(path, "image");
      let bytes = 0;
      const progress = (count: number): Promise<void> => {
        bytes += count;
        return Promise.resolve();
      };
      await rekeyVolume(path, { secret: ask(1), progress });
      assert.deepEqual(names(path), filesOf(device));
      await assertWhole(path);
      const after = parseDescriptor(await Deno.readFile(`${path}/volume.json`));
      assert("keys" in before && "keys" in after);
      assert.notEqual(after.id, before.id);
      assert.equal(after.id[14], "8", "a UUID of version 8");
      const [{ id, label, created, salt }] = after.keys;
      assert.deepEqual([id, label, created], [
        4,
        "mine",
        before.keys[0].created,
      ]);
      assert.notEqual(salt, before.keys[0].salt);
      assert.equal(await read(path, "image") === stored, device === "verity");
      assert(bytes >= BLOCK_COUNT);
    }));

  Deno.test(`${device}: rekey goes on where it was cut short`, () =>
    withFilled(device, async (path) => {
      await beginRekey(path, 2);
      assert.deepEqual(names(path), [...filesOf(device), "rekey"].sort());
      await assertResumes(path);
      await assertWhole(path);
      assert.deepEqual(names(path), filesOf(device));
    }));

  Deno.test(`${device}: rekey begins again if the volume was changed since`, () =>
    withFilled(device, async (path) => {
      await beginRekey(path);
      await withVolume(path, (volume) => writeBlocks(volume, { 0: 9 }));
      const messages: string[] = [];
      const log = (message: string): unknown => messages.push(message);
      await rekeyVolume(path, { secret: ask(1), log });
      assert.match(messages.join("\n"), /begun again: .* changed since$/);
      await assertWhole(path, { ...SEEDS, 0: 9 });
    }));

  Deno.test(`${device}: rekey is completed from each step of its end`, () =>
    withFilled(device, async (path, dir) => {
      const whole = `${dir}/whole`;
      await copyDirectory(path, whole);
      await rekeyVolume(whole, { secret: ask(1) });
      const id = await read(whole, "volume.json");
      // The order of the moves, of which the first `moved` are done.
      const moves = ["image", "tree", "anchor", "journal", "volume.json"]
        .filter((name) => filesOf(device).includes(name));
      for (let moved = 0; moved <= moves.length; moved++) {
        for (const by of ["opening", "reading", "rekeying"]) {
          const at = `${dir}/${moved}-${by}`;
          await copyDirectory(path, at);
          await Deno.mkdir(`${at}/rekeyed`);
          for (const [i, name] of moves.entries()) {
            const place = i < moved ? at : `${at}/rekeyed`;
            await Deno.copyFile(`${whole}/${name}`, `${place}/${name}`);
          }
          if (by === "rekeying") await rekeyVolume(at, { secret: ask(1) });
          if (by === "reading") {
            await withVolume(at, () => {}, { readOnly: true });
          }
          await assertWhole(at);
          assert.equal(await read(at, "volume.json"), id);
          assert.deepEqual(names(at), filesOf(device));
        }
      }
    }));

  Deno.test(`${device}: a copy that is finished, and not yet renamed, is used`, () =>
    withFilled(device, async (path, dir) => {
      const whole = `${dir}/whole`;
      await copyDirectory(path, whole);
      await rekeyVolume(whole, { secret: ask(1) });
      const id = await read(whole, "volume.json");
      for (const lost of [[], ["journal"]]) {
        const at = `${dir}/without ${lost}`;
        await copyDirectory(path, at);
        await copyDirectory(whole, `${at}/rekey`);
        for (const name of lost) await Deno.remove(`${at}/rekey/${name}`);
        await withVolume(at, () => {}, { readOnly: true });
        const log = (message: string): never => assert.fail(message);
        await rekeyVolume(at, { secret: ask(1), log });
        assert.equal(await read(at, "volume.json"), id);
        assert.deepEqual(names(at), filesOf(device));
        await assertWhole(at);
      }
    }));

  Deno.test(`${device}: a copy that is not complete is no volume`, () =>
    withFilled(device, async (path) => {
      await beginRekey(path, 2);
      const refused = /it is a copy under a new master key that was never/;
      await assert.rejects(withVolume(`${path}/rekey`, () => {}), refused);
      // What it lacks would read as zeros, as what was never written does.
      await Deno.rename(`${path}/rekey`, `${path}/rekeyed`);
      await assert.rejects(withVolume(path, () => {}), refused);
      await assert.rejects(rekeyVolume(path, { secret: ask(1) }), refused);
    }));

  Deno.test(`${device}: a damaged copy is thrown away, and made again`, () =>
    withFilled(device, async (path, dir) => {
      await beginRekey(path, 2);
      const damages: [string, (at: string) => Promise<void>][] = [
        ["no descriptor", (at) => Deno.remove(`${at}/volume.json`)],
        ["no descriptor", (at) => Deno.writeTextFile(`${at}/volume.json`, "{")],
        ["no image", (at) => Deno.remove(`${at}/image`)],
        ["a short image", (at) => Deno.truncate(`${at}/image`, 99)],
        ["a lost anchor", (at) => Deno.truncate(`${at}/anchor`, 0)],
        ["another's key", async (at) => {
          await Deno.remove(at, { recursive: true });
          const options = { blockCount: BLOCK_COUNT, secret: keyFile(2) };
          await newVolume(at, device, options);
        }],
        ["another volume", async (at) => {
          await Deno.remove(at, { recursive: true });
          await newVolume(at, device, { blockCount: BLOCK_COUNT });
          await withVolume(at, (volume) => writeBlocks(volume, { 5: 5 }));
        }],
        ["a file", async (at) => {
          await Deno.remove(at, { recursive: true });
          await Deno.writeTextFile(at, "");
        }],
      ];
      for (const [name, damage] of damages) {
        const at = `${dir}/${name}`;
        await copyDirectory(path, at);
        await damage(`${at}/rekey`);
        const messages: string[] = [];
        const log = (message: string): unknown => messages.push(message);
        await rekeyVolume(at, { secret: ask(1), log });
        assert.match(messages.join("\n"), /of no use, and is begun again: /);
        await assertWhole(at);
        await Deno.remove(at, { recursive: true });
      }
    }));
}

/** Resumes a rekey, which must not begin again. */
async function assertResumes(path: string): Promise<void> {
  const log = (message: string): never => assert.fail(message);
  const id = (await Deno.readFile(`${path}/rekey/volume.json`)).toHex();
  await rekeyVolume(path, { secret: ask(1), log });
  assert.equal(await read(path, "volume.json"), id);
}

for (const device of ["verity", "vericrypt"] as const) {
  Deno.test(`${device}: a copy whose tree was changed is thrown away`, () =>
    withFilled(device, async (path) => {
      await beginRekey(path, 2);
      // An untouched tree is of zeros, and so is the root in the anchor.
      const tree = await Deno.readFile(`${path}/rekey/tree`);
      tree[64] ^= 1;
      await Deno.writeFile(`${path}/rekey/tree`, tree);
      const messages: string[] = [];
      const log = (message: string): unknown => messages.push(message);
      await rekeyVolume(path, { secret: ask(1), log });
      assert.match(messages.join("\n"), /begun again: Cannot trust block/);
      await assertWhole(path);
    }));

  Deno.test(`${device}: what the copy has durably is not read again`, () =>
    withFilled(device, async (path) => {
      await beginRekey(path);
      await withVolume(
        `${path}/rekey`,
        (copy) => writeBlocks(copy, { 0: 1, 1: 2 }),
        { copying: true },
      );
      let bytes = 0;
      const progress = (count: number): Promise<void> => {
        bytes += count;
        return Promise.resolve();
      };
      await rekeyVolume(path, { secret: ask(1), progress });
      // A run of a mebibyte from block 1023 on, and one from 2500 to the end.
      assert.equal(bytes, (1024 + BLOCK_COUNT - 2500) * 1024);
      await assertWhole(path);
    }));

  Deno.test(`${device}: a damaged volume is not copied`, () =>
    withFilled(device, async (path) => {
      const image = await Deno.readFile(`${path}/image`);
      image[1024 * 1024] ^= 1;
      await Deno.writeFile(`${path}/image`, image);
      await assert.rejects(
        rekeyVolume(path, { secret: ask(1) }),
        (error) => error instanceof IntegrityError && error.block === 1024,
      );
      assert(names(path).includes("rekey"));
      image[1024 * 1024] ^= 1;
      await Deno.writeFile(`${path}/image`, image);
      await assertResumes(path);
      await assertWhole(path);
    }));
}

Deno.test("crypt: what a crash left in the copy is compared, not trusted", () =>
  withFilled("crypt", async (path) => {
    await beginRekey(path, 2);
    // A torn block: it is not zeros, and not the copy either.
    const image = await Deno.readFile(`${path}/rekey/image`);
    image[1024 * 1023] ^= 1;
    image[1024 * 7] ^= 1;
    await Deno.writeFile(`${path}/rekey/image`, image);
    await assertResumes(path);
    await assertWhole(path);
  }));

Deno.test("other key slots are given up only if that was agreed to", () =>
  withFilled("vericrypt", async (path) => {
    {
      using keys = await KeyChange.open(path, ask(1));
      await keys.add(keyFile(2), {});
      await keys.add(passphrase("x"), { scrypt: FAST_SCRYPT });
    }
    await assert.rejects(
      rekeyVolume(path, { secret: ask(1) }),
      /has 2 more key slots, .*--only-this-key agrees to that$/,
    );
    const secret = (): Promise<ReturnType<typeof passphrase>> =>
      Promise.resolve(passphrase("x"));
    await rekeyVolume(path, { secret, onlyThisKey: true });
    await withVolume(path, ({ descriptor }: OpenedVolume) => {
      assert("keys" in descriptor);
      assert.deepEqual(descriptor.keys.map(({ scrypt }) => scrypt), [
        FAST_SCRYPT,
      ]);
    }, { secret });
    await assert.rejects(withVolume(path, () => {}), WrongKeyError);
  }));

Deno.test("rekey refuses a wrong key and a volume without one", () =>
  withTempDir(async (dir) => {
    await newVolume(`${dir}/v`, "crypt");
    await assert.rejects(
      rekeyVolume(`${dir}/v`, { secret: ask(2) }),
      WrongKeyError,
    );
    await newVolume(`${dir}/plain`, "std");
    await assert.rejects(
      rekeyVolume(`${dir}/plain`, { secret: ask(1) }),
      /has no key: its device is std$/,
    );
    assert.deepEqual(names(`${dir}/v`), filesOf("crypt"));
  }));

Deno.test("what a killed process was about to begin is removed", () =>
  withFilled("crypt", async (path) => {
    await Deno.mkdir(`${path}/rekey.partial-123`);
    await Deno.writeTextFile(`${path}/rekey.partial-123/image`, "");
    await rekeyVolume(path, { secret: ask(1) });
    assert.deepEqual(names(path), filesOf("crypt"));
  }));
