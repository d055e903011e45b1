/**
 * Copies of a volume that are used with the same anchor, in turn and at the
 * same time, and anchors that are another volume's.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ByteFile } from "../../bd/byte_file.ts";
import { MemoryFile } from "../../bd/memory_file.ts";
import {
  type OpenedVolume,
  openVolume,
  RollbackError,
  type VolumeFile,
  VolumeIntegrityError,
} from "../../bd/volume/mod.ts";
import { withTempDir } from "../support/tools.ts";
import {
  ask,
  block,
  contents,
  copyDirectory,
  KEYED_DEVICES,
  newVolume,
  withVolume,
  writeBlocks,
} from "../support/volumes.ts";

/** Makes a volume with its anchor apart, and a copy of its directory. */
async function makeCopies(
  dir: string,
  device: (typeof KEYED_DEVICES)[number],
): Promise<{ paths: [string, string]; anchorPath: string }> {
  const paths: [string, string] = [`${dir}/${device}`, `${dir}/${device}-copy`];
  const anchorPath = `${dir}/${device}-anchor`;
  await newVolume(paths[0], device, { anchor: "apart", anchorPath });
  await withVolume(paths[0], (one) => writeBlocks(one, { 1: 1 }), {
    anchorPath,
  });
  await copyDirectory(...paths);
  return { paths, anchorPath };
}

function firstBlocks(volume: OpenedVolume): Uint8Array {
  return contents(volume).slice(0, 4096);
}

for (const device of KEYED_DEVICES) {
  Deno.test(`${device}: of two copies in turn, the second is refused`, () =>
    withTempDir(async (dir) => {
      const { paths: [path, copy], anchorPath } = await makeCopies(dir, device);
      const at = { anchorPath };
      // As long as nobody stores anything, there is no first one.
      const looks: Uint8Array[] = [];
      for (const one of [path, copy, path]) {
        looks.push(await withVolume(one, firstBlocks, at));
      }
      assert.deepEqual(looks[1], looks[0]);
      await withVolume(copy, (one) => writeBlocks(one, { 2: 2 }), at);
      const kept = await withVolume(copy, firstBlocks, at);
      for (const readOnly of [true, false]) {
        const how = { ...at, readOnly };
        await assert.rejects(
          withVolume(path, () => {}, how),
          (error) => error instanceof RollbackError && error.isAcceptable,
        );
      }
      assert.deepEqual(await withVolume(copy, firstBlocks, at), kept);
      // Who has gone on can go on, and the other is accepted if it is meant.
      await withVolume(copy, (one) => writeBlocks(one, { 3: 3 }), at);
      const accepted = await acceptAt(path, anchorPath);
      assert.deepEqual(accepted, looks[0]);
      await assert.rejects(withVolume(copy, () => {}, at), RollbackError);
    }));
}

/** Accepts the volume as it is, at the generation that its refusal names. */
async function acceptAt(
  path: string,
  anchorPath: string,
): Promise<Uint8Array> {
  const error = await withVolume(path, () => null, { anchorPath })
    .catch((error) => error);
  const [, generation] = /is at generation (\d+)/.exec(String(error))!;
  const acceptRollback = Number(generation);
  return await withVolume(path, firstBlocks, { anchorPath, acceptRollback });
}

/**
 * Opens a volume on a host that has nothing but `anchor` in common with that of
 * others: a share, on which no lock is seen.
 */
async function openWith(
  path: string,
  anchorPath: string,
  anchor: ByteFile,
): Promise<OpenedVolume> {
  const wrap = (file: ByteFile, name: VolumeFile): ByteFile => {
    if (name !== "anchor") return file;
    file.close();
    return anchor;
  };
  return await openVolume(path, { secret: ask(1), anchorPath, wrap });
}

for (const device of KEYED_DEVICES) {
  Deno.test(`${device}: of two copies at the same time, one stores nothing`, () =>
    withTempDir(async (dir) => {
      const { paths: [path, copy], anchorPath } = await makeCopies(dir, device);
      const anchor = new MemoryFile(Deno.readFileSync(anchorPath));
      const first = await openWith(path, anchorPath, anchor);
      const second = await openWith(copy, anchorPath, anchor);
      await writeBlocks(first, { 2: 2 });
      for (const seed of [3, 4]) {
        // It is never told that it is done, however often it asks.
        await assert.rejects(writeBlocks(second, { 2: seed }), RollbackError);
      }
      await assert.rejects(second.device.flush(), RollbackError);
      await writeBlocks(first, { 3: 5 });
      const kept = firstBlocks(first);
      first.close();
      second.close();
      await assert.rejects(openWith(copy, anchorPath, anchor), RollbackError);
      const again = await openWith(path, anchorPath, anchor);
      assert.deepEqual(firstBlocks(again), kept);
      assert.deepEqual(kept.subarray(2048, 3072), block(2));
      again.close();
    }));

  Deno.test(`${device}: the anchor of another volume is refused`, () =>
    withTempDir(async (dir) => {
      const { paths: [path], anchorPath } = await makeCopies(dir, device);
      const other = `${dir}/other-anchor`;
      await newVolume(`${dir}/other`, device, {
        anchor: "apart",
        anchorPath: other,
      });
      const before = Deno.readFileSync(other);
      const { state } = await withVolume(path, (one) => one.keeper!, {
        anchorPath,
      });
      const accepts = [undefined, state.generation, state.generation + 1];
      for (const acceptRollback of accepts) {
        for (const readOnly of [true, false]) {
          const how = { anchorPath: other, acceptRollback, readOnly };
          await assert.rejects(
            withVolume(path, () => {}, how),
            (error) =>
              error instanceof VolumeIntegrityError &&
              /another volume/.test(error.message),
          );
        }
      }
      assert.deepEqual(Deno.readFileSync(other), before);
      await withVolume(path, () => {}, { anchorPath });
    }));
}
