import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { OpenedVolume } from "../bd/volume/volume.ts";
import { runRekey } from "./support/rekey_process.ts";
import { withTempDir } from "./support/tools.ts";
import {
  block,
  KEYED_DEVICES,
  names,
  newVolume,
  withVolume,
} from "./support/volumes.ts";

/** 16 MiB, of which every other MiB has data. */
const BLOCK_COUNT = 4096;
const PIECE_BLOCKS = 256;
const FLUSH_BYTES = 2 << 20;
/** Runs of a MiB after which the process is killed, each time it is run. */
const KILLS_AFTER = [1, 2, 3, 2, 1, 3];

const CONTENTS = new Uint8Array(BLOCK_COUNT * 4096);
for (let i = 0; i < BLOCK_COUNT; i++) {
  const isHole = Math.floor(i / PIECE_BLOCKS) % 2 === 1;
  if (!isHole) CONTENTS.set(block(i % 16, 4096), i * 4096);
}

async function fill({ device }: OpenedVolume): Promise<void> {
  const size = PIECE_BLOCKS * 4096;
  for (let at = 0; at < CONTENTS.length; at += 2 * size) {
    device.write(at / 4096, CONTENTS.subarray(at, at + size));
  }
  await device.flush();
}

function assertFilled({ device }: OpenedVolume): void {
  const bytes = new Uint8Array(CONTENTS.length);
  device.read(0, bytes);
  assert(Buffer.compare(bytes, CONTENTS) === 0);
}

async function idOf(path: string): Promise<string> {
  return JSON.parse(await Deno.readTextFile(`${path}/volume.json`)).id;
}

for (const device of KEYED_DEVICES) {
  Deno.test(`${device}: a rekey may be killed at any point`, () =>
    withTempDir(async (dir) => {
      const path = `${dir}/v`;
      const options = { blockSize: 4096, blockCount: BLOCK_COUNT, fill };
      await newVolume(path, device, options);
      const id = await idOf(path);
      let kills = 0;
      for (const steps of [...KILLS_AFTER, Infinity]) {
        if (await runRekey(path, FLUSH_BYTES, { steps })) {
          kills++;
          // A reader leaves it as it is, so that the next run goes on with it.
          await withVolume(path, assertFilled, { readOnly: true });
        } else if (await idOf(path) !== id) break;
      }
      assert(kills >= 3, `it was killed ${kills} times`);
      assert.notEqual(await idOf(path), id);
      assert(!names(path).some((name) => name.startsWith("rekey")));
      await withVolume(path, assertFilled);
    }));
}
