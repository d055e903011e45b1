/**
 * A host that changes the key slots of a volume: it adds some, takes them from
 * other descriptors, and makes scrypt cost little, or more than there is.
 *
 * @module
 */

import assert from "node:assert/strict";
import { KeyChange, openVolume } from "../../bd/volume/mod.ts";
import { Refusals } from "../support/refusals.ts";
import { makeScene, present } from "../support/scene.ts";
import { withTempDir } from "../support/tools.ts";
import {
  FAST_SCRYPT,
  keyFile,
  newVolume,
  passphrase,
  withVolume,
} from "../support/volumes.ts";

Deno.test("slots are neither added, nor exchanged, nor put in another order", () =>
  withTempDir(async (dir) => {
    const scene = await makeScene(dir, "crypt", 4096);
    const path = scene.paths.get("descriptor")!;
    const [now, twin, old] = [
      present(scene).files,
      scene.twin.files,
      scene.moments[0].files,
    ].map((files) => {
      const bytes = files.get("descriptor")!;
      return JSON.parse(new TextDecoder().decode(bytes));
    });
    const [slot] = now.keys;
    const [removed] = old.keys;
    const [, other] = twin.keys;
    const refusals = new Refusals();
    const lists = [
      [removed, slot],
      [slot, slot],
      [slot, { ...slot, id: 2 }],
      [{ ...slot, id: 0 }],
      [other],
      [{ ...other, id: 0 }, slot],
      [slot, { ...other, id: 2 }],
      [{ ...slot, salt: removed.salt }],
      [{ ...slot, wrapped: removed.wrapped }],
      [{ ...slot, wrapped: removed.wrapped, salt: removed.salt }],
      [{ ...slot, wrapped: other.wrapped, salt: other.salt }],
      [{ ...slot, kind: "passphrase", scrypt: FAST_SCRYPT }],
      [{ ...slot, scrypt: FAST_SCRYPT }],
      [{ ...slot, label: undefined }],
      [],
      Array.from({ length: 16 }, (_, id) => ({ ...slot, id })),
      Array.from({ length: 17 }, (_, id) => ({ ...slot, id })),
    ];
    for (const [i, keys] of lists.entries()) {
      Deno.writeTextFileSync(path, JSON.stringify({ ...now, keys }));
      await assert.rejects(
        scene.open(),
        (error) => refusals.note(error, `list ${i}`),
        `list ${i}`,
      );
    }
    refusals.print("lists of slots");
    Deno.writeTextFileSync(path, JSON.stringify({ ...now, keys: [slot] }));
    (await scene.open()).close();
  }));

Deno.test("parameters of scrypt are refused before they cost anything", () =>
  withTempDir(async (dir) => {
    const path = `${dir}/v`;
    const secret = passphrase("secret");
    await newVolume(path, "crypt", {
      secret,
      slot: { scrypt: { n: 2048, r: 8, p: 1 } },
    });
    {
      using keys = await KeyChange.open(
        path,
        () => Promise.resolve(passphrase("secret")),
      );
      await keys.add(keyFile(1), {});
    }
    const file = `${path}/volume.json`;
    const text = Deno.readTextFileSync(file);
    const refusals = new Refusals();
    const rss = Deno.memoryUsage().rss;
    const cases: [number | string, number | string, number | string][] = [
      [1024, 8, 1],
      [4096, 8, 1],
      [2048, 4, 1],
      [2048, 8, 2],
      [2048, 8, 16],
      [512, 8, 1],
      [1, 8, 1],
      [2047, 8, 1],
      [2 ** 21, 8, 1],
      [2 ** 20, 9, 1],
      [2 ** 30, 1, 1],
      [2 ** 52, 8, 1],
      ["1e300", 8, 1],
      [2048, 2 ** 31, 1],
      [2048, "9007199254740991", 1],
      [65_536, 1, 1],
      [2048, 0, 1],
      [2048, 8, 17],
      [2048, 8, 2 ** 31],
      [2048, 8, "1e400"],
      [2048, 8, 0],
    ];
    const began = performance.now();
    for (const [n, r, p] of cases) {
      const changed = text.replace('"n": 2048', `"n": ${n}`)
        .replace('"r": 8', `"r": ${r}`).replace('"p": 1', `"p": ${p}`);
      Deno.writeTextFileSync(file, changed);
      // By the passphrase and, beside it, by the key file.
      for (const secret of [passphrase("secret"), keyFile(1)]) {
        const opening = openVolume(path, {
          readOnly: true,
          secret: () => Promise.resolve(secret),
        });
        const what = `n ${n}, r ${r}, p ${p}`;
        await assert.rejects(
          opening,
          (error) => refusals.note(error, what),
          what,
        );
      }
    }
    const ms = Math.round(performance.now() - began);
    const grown = Math.round((Deno.memoryUsage().rss - rss) / 2 ** 20);
    refusals.print(`scrypt parameters, in ${ms} ms, ${grown} MiB`);
    assert.ok(ms < 10_000 && grown < 300);
    Deno.writeTextFileSync(file, text);
    await withVolume(path, () => {}, { readOnly: true });
  }));
