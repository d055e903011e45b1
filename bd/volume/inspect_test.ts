import assert from "node:assert/strict";
import { withTempDir } from "../../tests/support/tools.ts";
import {
  ask,
  newVolume,
  withVolume,
  writeBlocks,
} from "../../tests/support/volumes.ts";
import { WrongKeyError } from "../keys/key_slot.ts";
import { DEVICES } from "./descriptor.ts";
import { VolumeIntegrityError } from "./errors.ts";
import { inspectVolume } from "./inspect.ts";

const COMPARED = ["generation", "root", "chain", "descriptor", "id"] as const;

for (const device of DEVICES) {
  Deno.test(`${device}: a volume is looked at while it is open elsewhere`, () =>
    withTempDir(async (dir) => {
      const path = `${dir}/v`;
      await newVolume(path, device);
      await withVolume(path, async (volume) => {
        await writeBlocks(volume, { 1: 1 });
        const info = await inspectVolume(path);
        assert.deepEqual(info.descriptor, volume.descriptor);
        assert.equal(info.anchor === null, device === "std");
        for (const name of COMPARED) {
          const { state } = volume.keeper!;
          if (info.anchor) assert.deepEqual(info.anchor[name], state[name]);
        }
        assert.deepEqual(
          [info.isAuthentic, info.rekey, info.slots.length],
          [false, "none", device === "std" ? 0 : 1],
        );
        assert.equal(info.files.image?.size, 64 * 1024);
        assert.equal(info.files.journal?.size, 1 << 20);
        assert.equal(info.files.tree !== undefined, volume.verity !== null);
        if (device === "std") {
          await assert.rejects(inspectVolume(path, ask(1)), /has no key, but/);
        } else {
          assert.equal((await inspectVolume(path, ask(1))).isAuthentic, true);
        }
      });
    }));
}

Deno.test("what a key does not vouch for is shown without one, and not with", () =>
  withTempDir(async (dir) => {
    const path = `${dir}/v`;
    await newVolume(path, "crypt");
    await assert.rejects(inspectVolume(path, ask(2)), WrongKeyError);
    const anchor = await Deno.readFile(`${path}/anchor`);
    for (const at of [0, 4096]) anchor[at + 100] ^= 1;
    await Deno.writeFile(`${path}/anchor`, anchor);
    assert.equal((await inspectVolume(path)).anchor?.generation, 2);
    await assert.rejects(inspectVolume(path, ask(1)), VolumeIntegrityError);
    await Deno.remove(`${path}/anchor`);
    const { anchor: state, files } = await inspectVolume(path);
    assert.deepEqual([state, files.anchor], [null, null]);
    await assert.rejects(inspectVolume(path, ask(1)), VolumeIntegrityError);
  }));

Deno.test("the stage of a rekey is told, and the files are found", () =>
  withTempDir(async (dir) => {
    const path = `${dir}/v`;
    await newVolume(path, "crypt");
    await newVolume(`${path}/rekey`, "crypt", { blockCount: 65 });
    const begun = await inspectVolume(path, ask(1));
    assert.deepEqual([begun.rekey, begun.descriptor.blockCount], ["begun", 64]);
    await Deno.rename(`${path}/rekey`, `${path}/rekeyed`);
    await Deno.rename(`${path}/rekeyed/image`, `${path}/image`);
    const committed = await inspectVolume(path, ask(1));
    assert.deepEqual(
      [committed.rekey, committed.descriptor.blockCount],
      ["committed", 65],
    );
    assert.equal(committed.files.image?.size, 65 * 1024);
  }));
