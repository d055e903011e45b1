import assert from "node:assert/strict";
import {
  ask,
  block,
  contents,
  copyDirectory,
  FAST_SCRYPT,
  keyFile,
  newVolume,
  passphrase,
  withVolume,
  writeBlocks,
} from "../../tests/support/volumes.ts";
import { withTempDir } from "../../tests/support/tools.ts";
import { WrongKeyError } from "../keys/key_slot.ts";
import { InUseError } from "../std.ts";
import { openKeeper } from "./assemble.ts";
import { KeyChange } from "./change_keys.ts";
import {
  descriptorDigest,
  type KeyedDescriptor,
  parseDescriptor,
} from "./descriptor.ts";
import { KeySlotError, VolumeIntegrityError } from "./errors.ts";
import { VolumeDirectory } from "./directory.ts";
import { unlock } from "./unlock.ts";
import { openVolume } from "./volume.ts";

/** Makes a volume with something in it, and visits its path. */
function withNewVolume(
  visit: (path: string, dir: string) => Promise<void>,
): Promise<void> {
  return withTempDir(async (dir) => {
    await newVolume(`${dir}/v`, "vericrypt", { slot: { label: "first" } });
    await withVolume(`${dir}/v`, (v) => writeBlocks(v, { 3: 1 }));
    await visit(`${dir}/v`, dir);
  });
}

/** Whether the key file of `fill`s opens the volume, with what is in it. */
async function opens(path: string, fill: number): Promise<boolean> {
  try {
    await withVolume(path, (volume) => {
      assert.deepEqual(contents(volume).subarray(3072, 4096), block(1));
    }, { secret: ask(fill) });
    return true;
  } catch (error) {
    if (error instanceof WrongKeyError) return false;
    throw error;
  }
}

async function change<T>(
  path: string,
  fill: number,
  action: (change: KeyChange) => Promise<T>,
): Promise<T> {
  using keys = await KeyChange.open(path, ask(fill));
  return await action(keys);
}

function descriptorOf(path: string): KeyedDescriptor {
  const bytes = Deno.readFileSync(`${path}/volume.json`);
  return parseDescriptor(bytes) as KeyedDescriptor;
}

Deno.test("slots are added under the first free number, and removed", () =>
  withNewVolume(async (path) => {
    const ids = await change(path, 1, async (keys) => {
      const added = [];
      for (const fill of [2, 3]) added.push(await keys.add(keyFile(fill), {}));
      await keys.remove(1);
      const secret = passphrase("x");
      const options = { label: "Anna", scrypt: FAST_SCRYPT };
      added.push(await keys.add(secret, options));
      assert(secret.bytes.every((byte) => byte === 0), "it is overwritten");
      return added.map(({ id }) => id);
    });
    assert.deepEqual(ids, [1, 2, 1]);
    const slots = descriptorOf(path).keys;
    assert.deepEqual(
      slots.map(({ id, kind, label }) => [id, kind, label]),
      [[0, "keyfile", "first"], [1, "passphrase", "Anna"], [
        2,
        "keyfile",
        undefined,
      ]],
    );
    assert.deepEqual(
      [await opens(path, 1), await opens(path, 2), await opens(path, 3)],
      [true, false, true],
    );
  }));

Deno.test("a slot is replaced under its number and label", () =>
  withNewVolume(async (path) => {
    await change(path, 1, (keys) => keys.add(keyFile(2), {}));
    const before = descriptorOf(path).keys;
    await change(path, 1, (keys) => keys.replace(keyFile(3), {}));
    const after = descriptorOf(path).keys;
    assert.deepEqual([after[0].id, after[0].label], [0, "first"]);
    assert.notEqual(after[0].salt, before[0].salt);
    assert.deepEqual(after[1], before[1]);
    assert.deepEqual(
      [await opens(path, 1), await opens(path, 2), await opens(path, 3)],
      [false, true, true],
    );
  }));

Deno.test("the slot that opened it may go, but never the last", () =>
  withNewVolume(async (path) => {
    await change(path, 1, async (keys) => {
      await assert.rejects(keys.remove(0), /slot 0 is the last/);
      await assert.rejects(keys.remove(5), /no key slot 5; there are: 0$/);
      await keys.add(keyFile(2), {});
      await keys.remove(0);
      await assert.rejects(keys.remove(1), KeySlotError);
    });
    assert.deepEqual([await opens(path, 1), await opens(path, 2)], [
      false,
      true,
    ]);
  }));

Deno.test("sixteen slots are enough", () =>
  withNewVolume((path) =>
    change(path, 1, async (keys) => {
      for (let id = 1; id < 16; id++) await keys.add(keyFile(2), {});
      await assert.rejects(keys.add(keyFile(2), {}), /All 16 key slots are/);
      assert.equal(keys.slots.length, 16);
    })
  ));

Deno.test("keys are changed by one who has the volume alone, and a key", () =>
  withNewVolume(async (path, dir) => {
    await assert.rejects(KeyChange.open(path, ask(2)), WrongKeyError);
    await withVolume(path, async () => {
      await assert.rejects(KeyChange.open(path, ask(1)), InUseError);
    }, { readOnly: true });
    await newVolume(`${dir}/plain`, "std");
    await assert.rejects(
      KeyChange.open(`${dir}/plain`, ask(1)),
      /has no key: its device is std$/,
    );
  }));

Deno.test("a descriptor from before a change is refused", () =>
  withNewVolume(async (path) => {
    await change(path, 1, (keys) => keys.add(keyFile(2), {}));
    const old = await Deno.readFile(`${path}/volume.json`);
    await change(path, 1, (keys) => keys.remove(1));
    const present = await Deno.readFile(`${path}/volume.json`);
    await Deno.writeFile(`${path}/volume.json`, old);
    for (const fill of [1, 2]) {
      await assert.rejects(openVolume(path, { secret: ask(fill) }), (error) => {
        assert(error instanceof VolumeIntegrityError);
        assert.match(error.message, /an old copy was put back$/);
        return true;
      });
    }
    // Nor by an anchor of which one slot is lost.
    const anchor = await Deno.readFile(`${path}/anchor`);
    for (const at of [0, 4096]) {
      await Deno.writeFile(`${path}/anchor`, anchor.with(at, 0));
      await assert.rejects(openVolume(path, { secret: ask(2) }), /old copy/);
    }
    await Deno.writeFile(`${path}/anchor`, anchor);
    await Deno.writeFile(`${path}/volume.json`, present);
    assert.equal(await opens(path, 1), true);
  }));

/** Stores that `next` is about to replace the descriptor. */
async function announce(path: string, next: Uint8Array): Promise<void> {
  const descriptor = descriptorOf(path);
  using unlocked = unlock(descriptor, keyFile(1));
  const directory = VolumeDirectory.open(path, { exclusive: true });
  const keeper = await openKeeper(directory, { descriptor, unlocked }, {});
  await keeper!.commit({
    nextDescriptor: descriptorDigest(parseDescriptor(next) as KeyedDescriptor),
  });
  keeper!.close();
  directory.close();
}

Deno.test("a change that is cut short leaves the old slots or the new ones", () =>
  withNewVolume(async (path, dir) => {
    await copyDirectory(path, `${dir}/after`);
    await change(`${dir}/after`, 1, (keys) => keys.replace(keyFile(2), {}));
    const next = await Deno.readFile(`${dir}/after/volume.json`);
    const states: [string, boolean, (at: string) => Promise<void>][] = [
      ["announced", false, () => Promise.resolve()],
      ["half written", false, async (at) => {
        await Deno.writeFile(`${at}/volume.json.next`, next.subarray(0, 99));
      }],
      ["written", false, async (at) => {
        await Deno.writeFile(`${at}/volume.json.next`, next);
      }],
      ["renamed", true, async (at) => {
        await Deno.writeFile(`${at}/volume.json`, next);
      }],
    ];
    for (const [name, isNew, make] of states) {
      const at = `${dir}/${name}`;
      await copyDirectory(path, at);
      await announce(at, next);
      await make(at);
      const [present, gone] = isNew ? [2, 1] : [1, 2];
      // Reading decides nothing; writing does, and then there is no way back.
      await withVolume(at, () => {}, { readOnly: true, secret: ask(present) });
      assert.equal(await opens(at, gone), false, name);
      assert.equal(await opens(at, present), true, name);
      const other = isNew ? `${path}/volume.json` : `${dir}/after/volume.json`;
      await copyDirectory(at, `${at}-back`);
      await Deno.copyFile(other, `${at}-back/volume.json`);
      await assert.rejects(
        openVolume(`${at}-back`, { secret: ask(gone) }),
        VolumeIntegrityError,
        name,
      );
      // And the change can be made again.
      await change(at, present, (keys) => keys.replace(keyFile(4), {}));
      assert.equal(await opens(at, 4), true, name);
    }
  }));
