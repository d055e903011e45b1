/**
 * A host that puts something into the place of a volume's files that is no
 * file: links, pipes, sockets, devices, directories. Nothing is waited for,
 * nothing is written where a link leads, and the error says what it is about.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { BlockDevice } from "../../bd/block_device.ts";
import {
  inspectVolume,
  KeyChange,
  NotAVolumeError,
  openVolume,
  rekeyVolume,
  VolumeIntegrityError,
} from "../../bd/volume/mod.ts";
import { makeOriginalScene } from "../support/original_scene.ts";
import { must, run, withTempDir } from "../support/tools.ts";
import {
  ask,
  block,
  contents,
  copyDirectory,
  keyFile,
  names,
  newVolume,
  withVolume,
  writeBlocks,
} from "../support/volumes.ts";

/** Makes something at a path; what was there is at `good`. */
type Maker = (path: string, good: string) => unknown;

const KINDS: Record<string, Maker> = {
  "a link to what was there": (path, good) => Deno.symlink(good, path),
  "a link to a device": (path) => Deno.symlink("/dev/zero", path),
  "a link to nothing": (path) => Deno.symlink(`${path}.none`, path),
  "a link to itself": (path) => Deno.symlink(path, path),
  "a pipe": (path) => must("mkfifo", path),
  "a directory": (path) => Deno.mkdir(path),
  "a socket": (path) => Deno.listen({ transport: "unix", path }),
  // For the superuser only; others have one kind less.
  "a device": (path) => run("mknod", path, "c", "1", "5"),
};

/** Puts everything that is no file to `path`, one after another. */
async function eachKind(
  path: string,
  good: string,
  visit: (kind: string) => Promise<void>,
): Promise<void> {
  for (const [kind, make] of Object.entries(KINDS)) {
    const made = await make(path, good);
    const isThere = await Deno.lstat(path).then(() => true, () => false);
    assert.ok(isThere || kind === "a device", kind);
    if (isThere) await visit(kind);
    // A socket is there as long as somebody listens.
    if (kind === "a socket") (made as Deno.UnixListener).close();
    await Deno.remove(path).catch(() => {});
  }
}

/** Asserts that the volume is refused, in one line, whatever is asked of it. */
async function assertRefused(path: string, message: RegExp): Promise<void> {
  const isRefusal = (error: unknown): boolean => {
    assert.ok(error instanceof VolumeIntegrityError, String(error));
    assert.match(error.message, message);
    assert.ok(!error.message.includes("\n"));
    return true;
  };
  for (const readOnly of [true, false]) {
    const options = { secret: ask(1), readOnly };
    await assert.rejects(openVolume(path, options), isRefusal);
  }
}

/** Makes a volume with something in it, and visits its path. */
function withFilled(
  visit: (path: string, dir: string) => Promise<void>,
): Promise<void> {
  return withTempDir(async (dir) => {
    const path = `${dir}/v`;
    await newVolume(path, "vericrypt");
    await withVolume(path, (volume) => writeBlocks(volume, { 3: 1 }));
    await visit(path, dir);
  });
}

async function assertGood(path: string, fill = 1): Promise<void> {
  await withVolume(path, (volume) => {
    assert.deepEqual(contents(volume).subarray(3072, 4096), block(1));
  }, { secret: ask(fill) });
}

Deno.test("what is no regular file is refused, and never waited for", () =>
  withFilled(async (path, dir) => {
    const good = `${dir}/good`;
    for (const name of ["volume.json", "image", "tree", "anchor", "journal"]) {
      await Deno.rename(`${path}/${name}`, good);
      await eachKind(`${path}/${name}`, good, async () => {
        const message = new RegExp(`${name} is not a regular file$`);
        await assertRefused(path, message);
        if (name !== "volume.json") return;
        await assert.rejects(inspectVolume(path), message);
      });
      await Deno.rename(good, `${path}/${name}`);
    }
    await assertGood(path);
  }));

Deno.test("a replacement that is no directory is refused", () =>
  withFilled(async (path, dir) => {
    const good = `${dir}/good`;
    await copyDirectory(path, good);
    await eachKind(`${path}/rekeyed`, good, async (kind) => {
      if (kind === "a directory") return;
      await assertRefused(path, /v: its rekeyed is not a directory$/);
      await assert.rejects(
        KeyChange.open(path, ask(1)),
        VolumeIntegrityError,
      );
    });
    await assertGood(good);
    await assertGood(path);
  }));

Deno.test("a change of keys writes over nothing that a link leads to", () =>
  withFilled(async (path, dir) => {
    const victim = `${dir}/victim`;
    await Deno.writeTextFile(victim, "precious");
    const add = async (fill: number): Promise<void> => {
      using keys = await KeyChange.open(path, ask(1));
      await keys.add(keyFile(fill), {});
    };
    const next = `${path}/volume.json.next`;
    let fill = 2;
    await eachKind(next, victim, async (kind) => {
      await add(fill);
      assert.equal(await Deno.readTextFile(victim), "precious", kind);
      const { isFile, isSymlink } = await Deno.lstat(`${path}/volume.json`);
      assert.deepEqual([isFile, isSymlink], [true, false], kind);
      await assertGood(path, fill++);
    });
    // What has something in it is left alone; the volume stays what it was.
    await Deno.mkdir(next);
    await Deno.writeTextFile(`${next}/x`, "");
    await assert.rejects(add(fill), /not empty/);
    await assertGood(path);
    await Deno.remove(next, { recursive: true });
    await add(fill);
    await assertGood(path, fill);
  }));

Deno.test("a copy under a new master key is made where it belongs", () =>
  withFilled(async (path, dir) => {
    const good = `${dir}/good`;
    await copyDirectory(path, good);
    await eachKind(`${path}/rekey`, good, async (kind) => {
      await rekeyVolume(path, { secret: ask(1) });
      const files = ["anchor", "image", "journal", "tree", "volume.json"];
      assert.deepEqual(names(path), files, kind);
      await assertGood(path);
    });
    await assertGood(good);
  }));

Deno.test("half a copy under a new master key is no volume", () =>
  withTempDir(async (dir) => {
    const blockCount = 4096;
    for (const device of ["crypt", "verity", "vericrypt"] as const) {
      const path = `${dir}/${device}`;
      await newVolume(path, device, { blockCount });
      const seeds = { 0: 1, 1500: 2, 4000: 3 };
      await withVolume(path, (volume) => writeBlocks(volume, seeds));
      let runs = 0;
      const stop = new Error("stop");
      const rekeying = rekeyVolume(path, {
        secret: ask(1),
        flushBytes: 1,
        progress: () => runs++ < 1 ? Promise.resolve() : Promise.reject(stop),
      });
      await assert.rejects(rekeying, stop);
      await copyDirectory(`${path}/rekey`, `${dir}/half`);
      // As if it were complete, as a volume of its own, and file by file.
      const places = [`${path}-1`, `${dir}/half`, `${path}-2`];
      await copyDirectory(path, places[0]);
      await Deno.rename(`${places[0]}/rekey`, `${places[0]}/rekeyed`);
      await copyDirectory(path, places[2]);
      for (const name of names(`${dir}/half`)) {
        await Deno.copyFile(`${dir}/half/${name}`, `${places[2]}/${name}`);
      }
      for (const place of places) {
        await assertRefused(
          place,
          /a copy under a new master key that was nev/,
        );
      }
      await assert.rejects(
        KeyChange.open(places[0], ask(1)),
        VolumeIntegrityError,
      );
      await assert.rejects(
        rekeyVolume(places[0], { secret: ask(1) }),
        VolumeIntegrityError,
      );
      await Deno.remove(`${dir}/half`, { recursive: true });
      // Whoever goes on with it makes a volume of it.
      await rekeyVolume(path, { secret: ask(1) });
      await withVolume(path, (volume) => {
        const bytes = contents(volume);
        for (const [number, seed] of Object.entries(seeds)) {
          const at = Number(number) * 1024;
          assert.deepEqual(bytes.subarray(at, at + 1024), block(seed));
        }
      });
    }
  }));

Deno.test("image and tree of an original's may be linked, and no more", () =>
  withTempDir(async (dir) => {
    const shape = { cipher: null, blockSize: 1024, blockCount: 128 };
    const scene = await makeOriginalScene(dir, shape);
    for (const path of scene.paths.values()) {
      const good = `${path}.good`;
      await Deno.rename(path, good);
      await eachKind(path, good, async (kind) => {
        const opening = async (): Promise<BlockDevice> => await scene.open();
        if (kind === "a link to what was there") (await opening()).close();
        else {
          await assert.rejects(
            opening,
            /not a regular file|No such file|symbolic links/,
          );
        }
      });
      await Deno.rename(good, path);
    }
  }));

Deno.test("a place where nothing is, or no directory, holds no volume", () =>
  withTempDir(async (dir) => {
    await eachKind(`${dir}/x`, `${dir}/y`, async (kind) => {
      await assert.rejects(
        openVolume(`${dir}/x`, { secret: ask(1) }),
        (error) => {
          if (error instanceof NotAVolumeError) return true;
          return kind === "a link to itself" &&
            /Cannot open .*x: Too many levels of/.test(String(error));
        },
        kind,
      );
    });
  }));
