import assert from "node:assert/strict";
import { IntegrityError } from "../block_device.ts";
import { RollbackError } from "../journal/errors.ts";
import { WrongKeyError } from "../keys/key_slot.ts";
import {
  ask,
  block,
  contents,
  copyDirectory,
  KEYED_DEVICES,
  names,
  newVolume,
  withVolume,
  writeBlocks,
} from "../../tests/support/volumes.ts";
import { withTempDir } from "../../tests/support/tools.ts";
import { DEVICES } from "./descriptor.ts";
import { VolumeIntegrityError } from "./errors.ts";
import { openVolume } from "./volume.ts";

/** Ways to damage a file of a volume, and those of them that are no lengths. */
const LENGTHS: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  "is cut short by a byte": (bytes) => bytes.subarray(0, bytes.length - 1),
  "is cut short by half": (bytes) => bytes.subarray(0, bytes.length / 2),
  "is empty": () => new Uint8Array(),
  "is longer": (bytes) => {
    const longer = new Uint8Array(bytes.length + 4096);
    longer.set(bytes);
    return longer;
  },
};

for (const device of DEVICES) {
  Deno.test(`${device}: a file of the wrong length is refused, by its name`, () =>
    withTempDir(async (dir) => {
      const path = `${dir}/v`;
      await newVolume(path, device);
      for (const file of names(path).filter((name) => name !== "volume.json")) {
        const bytes = await Deno.readFile(`${path}/${file}`);
        for (const [how, change] of Object.entries(LENGTHS)) {
          await Deno.writeFile(`${path}/${file}`, change(bytes));
          await assert.rejects(
            openVolume(path, { secret: ask(1) }),
            (error) => {
              assert(error instanceof VolumeIntegrityError, `${file} ${how}`);
              const message = new RegExp(`its ${file} has \\d+ bytes`);
              assert.match(
                error.message,
                file === "anchor" ? /the anchor has \d+ bytes/ : message,
              );
              return true;
            },
          );
        }
        await Deno.remove(`${path}/${file}`);
        await assert.rejects(
          openVolume(path, { secret: ask(1) }),
          new RegExp(`its ${file} is missing$`),
        );
        await Deno.mkdir(`${path}/${file}`);
        await assert.rejects(
          openVolume(path, { secret: ask(1) }),
          new RegExp(`its ${file} is not a regular file$`),
        );
        await Deno.remove(`${path}/${file}`);
        await Deno.writeFile(`${path}/${file}`, bytes);
      }
      await withVolume(path, () => {});
    }));
}

for (const device of KEYED_DEVICES) {
  Deno.test(`${device}: files of another volume are refused`, () =>
    withTempDir(async (dir) => {
      for (const name of ["a", "b"]) await newVolume(`${dir}/${name}`, device);
      for (const file of ["anchor", "journal", "volume.json"]) {
        const what = file === "journal" ? "journal" : "anchor";
        await copyDirectory(`${dir}/a`, `${dir}/c`);
        await Deno.copyFile(`${dir}/b/${file}`, `${dir}/c/${file}`);
        await assert.rejects(
          openVolume(`${dir}/c`, { secret: ask(1) }),
          (error) => {
            assert(error instanceof VolumeIntegrityError);
            const message = new RegExp(`the ${what} is not authentic: `);
            assert.match(error.message, message);
            return true;
          },
        );
        await Deno.remove(`${dir}/c`, { recursive: true });
      }
    }));
}

/** Makes a volume `new`, and a copy `old` from before its last commit. */
async function makeTwoMoments(
  dir: string,
  device: (typeof KEYED_DEVICES)[number],
): Promise<void> {
  await newVolume(`${dir}/new`, device);
  for (const seed of [1, 3]) {
    await withVolume(`${dir}/new`, async (volume) => {
      await writeBlocks(volume, { 1: seed, 40: 2 });
      await volume.device.settle?.();
    });
    if (seed === 1) await copyDirectory(`${dir}/new`, `${dir}/old`);
  }
}

for (const device of KEYED_DEVICES) {
  Deno.test(`${device}: an older journal or anchor is refused`, () =>
    withTempDir(async (dir) => {
      await makeTwoMoments(dir, device);
      const cases: [string[], RegExp][] = [
        [["journal"], /at generation \d, the anchor says \d: rolled back, or/],
        [["anchor"], /says \d: the anchor was rolled back, or is that of ano/],
        [["image", "journal", "tree"], /: rolled back, or the wrong copy$/],
        [["image", "anchor", "tree"], /: the anchor was rolled back, or /],
      ];
      for (const [files, message] of cases) {
        await copyDirectory(`${dir}/new`, `${dir}/mixed`);
        for (const file of files) {
          if (file === "tree" && device === "crypt") continue;
          await Deno.copyFile(`${dir}/old/${file}`, `${dir}/mixed/${file}`);
        }
        for (const readOnly of [true, false]) {
          await assert.rejects(
            openVolume(`${dir}/mixed`, { secret: ask(1), readOnly }),
            (error) => {
              assert(error instanceof RollbackError, String(error));
              assert.match(error.message, message);
              return true;
            },
          );
        }
        await Deno.remove(`${dir}/mixed`, { recursive: true });
      }
    }));
}

for (const device of ["verity", "vericrypt"] as const) {
  Deno.test(`${device}: an older image or tree is found out`, () =>
    withTempDir(async (dir) => {
      const path = `${dir}/new`;
      await makeTwoMoments(dir, device);
      for (const file of ["image", "tree"]) {
        await copyDirectory(path, `${dir}/mixed`);
        await Deno.copyFile(`${dir}/old/${file}`, `${dir}/mixed/${file}`);
        await withVolume(`${dir}/mixed`, ({ device }) => {
          assert.throws(
            () => device.read(1, new Uint8Array(1024)),
            (error) => error instanceof IntegrityError && error.block === 1,
            file,
          );
        });
        await Deno.remove(`${dir}/mixed`, { recursive: true });
      }
    }));

  Deno.test(`${device}: an unused block is zeros, whatever the host has there`, () =>
    withTempDir(async (dir) => {
      const path = `${dir}/v`;
      await newVolume(path, device);
      await withVolume(path, async (volume) => {
        await writeBlocks(volume, { 1: 1 });
        await volume.device.settle?.();
      });
      using image = await Deno.open(`${path}/image`, { write: true });
      await image.seek(7 * 1024, Deno.SeekMode.Start);
      await image.write(block(9));
      await withVolume(path, (volume) => {
        const bytes = contents(volume);
        assert.deepEqual(bytes.subarray(1024, 2048), block(1));
        bytes.fill(0, 1024, 2048);
        assert(bytes.every((byte) => byte === 0));
      });
    }));
}

Deno.test("every changed byte of the descriptor is refused, in one line", () =>
  withTempDir(async (dir) => {
    const path = `${dir}/v`;
    await newVolume(path, "verity");
    const file = `${path}/volume.json`;
    const bytes = await Deno.readFile(file);
    const present = JSON.parse(new TextDecoder().decode(bytes));
    let kept = 0;
    for (let at = 0; at < bytes.length; at++) {
      await Deno.writeFile(file, bytes.with(at, bytes[at] ^ 1));
      try {
        await withVolume(path, ({ descriptor }) => {
          // A space of another kind is the same JSON.
          assert.deepEqual(descriptor, present);
          kept++;
        });
      } catch (error) {
        assert(
          error instanceof VolumeIntegrityError ||
            error instanceof WrongKeyError,
          `byte ${at}: ${error}`,
        );
        assert(!error.message.includes("\n"), error.message);
      }
    }
    assert(kept < 5, `${kept} changes make no difference`);
  }));

Deno.test("a changed byte of the anchor's only good state is refused", () =>
  withTempDir(async (dir) => {
    const path = `${dir}/v`;
    await newVolume(path, "verity");
    const file = `${path}/anchor`;
    const bytes = await Deno.readFile(file);
    // Generation 2, the first that is finished, is in the first slot; the other
    // is of the volume while it was made.
    for (let at = 0; at < 512; at += 3) {
      await Deno.writeFile(file, bytes.with(at, bytes[at] ^ 0x80));
      await assert.rejects(
        openVolume(path, { secret: ask(1) }),
        /that was never completed, put in the place of the volume$/,
      );
    }
    bytes[0] ^= 1;
    for (let at = 4096; at < 4096 + 512; at += 3) {
      await Deno.writeFile(file, bytes.with(at, bytes[at] ^ 0x80));
      await assert.rejects(
        openVolume(path, { secret: ask(1) }),
        /the anchor is not authentic/,
      );
    }
  }));
