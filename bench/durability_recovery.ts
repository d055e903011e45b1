/**
 * What recovery costs for each MiB of records that a crash has left.
 *
 * @module
 */

import {
  createVolume,
  type DeviceKind,
  openVolume,
  type Secret,
} from "../bd/volume/mod.ts";

const BLOCK = 4096;
/** Blocks of the volume, and of one commit. */
const BLOCKS = 1 << 18;
const COMMIT_BLOCKS = 256;
/** Less than half of the journal, after which a checkpoint is made. */
const COMMITS = 24;
const JOURNAL_BYTES = 64 << 20;

function ask(): Promise<Secret> {
  return Promise.resolve({
    kind: "keyfile",
    bytes: new Uint8Array(32).fill(7),
  });
}

/** Milliseconds that opening takes; the volume is closed again. */
async function open(path: string, readOnly: boolean): Promise<number> {
  const began = performance.now();
  const { device } = await openVolume(path, { secret: ask, readOnly });
  const ms = performance.now() - began;
  device.close();
  return ms;
}

/** What opening costs, in milliseconds, by who opens. */
export interface RecoveryCost {
  /** MiB of blocks in the records. */
  mebibytes: number;
  /** A reader, who has it in memory. */
  reader: number;
  /** A writer, who brings it to its place first. */
  writer: number;
  /** A writer who finds nothing to recover. */
  clean: number;
}

/** Measures recovery of blocks written at random places. */
export async function recoveryCost(device: DeviceKind): Promise<RecoveryCost> {
  const directory = Deno.makeTempDirSync({ prefix: "nextfs-bench-" });
  const path = `${directory}/volume`;
  try {
    await createVolume(path, {
      device,
      blockSize: BLOCK,
      blockCount: BLOCKS,
      secret: device === "std" ? undefined : await ask(),
      journalSize: JOURNAL_BYTES,
    });
    const volume = await openVolume(path, { secret: ask });
    const data = crypto.getRandomValues(new Uint8Array(BLOCK));
    for (let commit = 0; commit < COMMITS; commit++) {
      for (let i = 0; i < COMMIT_BLOCKS; i++) {
        volume.device.write(Math.floor(Math.random() * BLOCKS), data);
      }
      await volume.device.flush();
    }
    volume.device.close();
    const reader = await open(path, true);
    const writer = await open(path, false);
    const clean = await open(path, false);
    const mebibytes = COMMITS * COMMIT_BLOCKS * BLOCK / 2 ** 20;
    return { mebibytes, reader, writer, clean };
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}
