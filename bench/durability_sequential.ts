/**
 * A long file written from start to end in process: a volume with its journal
 * against the same layers over image and tree without one.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { BlockDevice } from "../bd/block_device.ts";
import { CryptDevice } from "../bd/crypt.ts";
import { openPagedVerity, pagedTreeBytes } from "../bd/open_verity.ts";
import { Slices } from "../bd/slices.ts";
import { HostFile, StdDevice } from "../bd/std.ts";
import {
  createVolume,
  type DeviceKind,
  openVolume,
  type Secret,
} from "../bd/volume/mod.ts";
import { Filesystem, format, ROOT_INODE } from "../fs/mod.ts";

const BLOCK = 4096;
const CHUNK = 1 << 20;

function secret(): Secret {
  return { kind: "keyfile", bytes: new Uint8Array(32).fill(7) };
}

/** A device that is made, and formatted, in an empty directory. */
type Make = (
  directory: string,
  device: DeviceKind,
  blocks: number,
) => Promise<BlockDevice>;

/** A volume of ours, with its journal. */
export const withJournal: Make = async (directory, device, blockCount) => {
  const path = `${directory}/volume`;
  const isKeyed = device !== "std";
  await createVolume(path, {
    device,
    blockSize: BLOCK,
    blockCount,
    secret: isKeyed ? secret() : undefined,
    fill: async ({ device }) => {
      format(device, { blank: true });
      await device.flush();
    },
  });
  const ask = isKeyed ? () => Promise.resolve(secret()) : undefined;
  return (await openVolume(path, { secret: ask })).device;
};

/** The same layers over files of the host, which are synced at a flush. */
export const withoutJournal: Make = async (directory, kind, blockCount) => {
  const create = (name: string, size: number): HostFile =>
    HostFile.open(`${directory}/${name}`, { create: size });
  const image = create("image", blockCount * BLOCK);
  let device: BlockDevice = new StdDevice(image, BLOCK);
  if (kind === "verity" || kind === "vericrypt") {
    const key = new Uint8Array(32).fill(1);
    const anchor = create("anchor", BLOCK);
    const root = new Uint8Array(32);
    device = openPagedVerity(
      device,
      create("tree", pagedTreeBytes(blockCount)),
      {
        ...{ leafKey: key, nodeKey: new Uint8Array(32).fill(2) },
        state: {
          algorithm: "sha256",
          blockSize: BLOCK,
          leafCount: blockCount,
          root,
        },
        publish: async ({ root }): Promise<void> => {
          anchor.writeAt(0, root);
          await anchor.sync();
        },
      },
    );
  }
  if (kind === "crypt" || kind === "vericrypt") {
    const key = new Uint8Array(64).map((_, i) => i);
    device = new CryptDevice(device, {
      ...{ cipher: "aes-256-xts", key, sparse: true },
    });
  }
  format(device, { blank: true });
  await device.flush();
  return device;
};

/** Writes a file of `bytes` and syncs it; resolves to the seconds of both. */
export async function writeLongFile(
  make: Make,
  device: DeviceKind,
  bytes: number,
): Promise<number> {
  const directory = Deno.makeTempDirSync({ prefix: "nextfs-bench-" });
  try {
    const blocks = Math.ceil(bytes / BLOCK * 1.1) + 8192;
    const fs = Filesystem.open(await make(directory, device, blocks));
    const ino = fs.create(ROOT_INODE, "long");
    const chunk = crypto.getRandomValues(new Uint8Array(65536));
    const data = Buffer.alloc(CHUNK, chunk);
    const slices = new Slices();
    const began = performance.now();
    for (let at = 0; at < bytes;) {
      for (let room = fs.room(); room; room = fs.room()) await room;
      at += fs.write(ino, at, data.subarray(0, Math.min(CHUNK, bytes - at)));
      // As between the requests of a client.
      await slices.pause();
    }
    await fs.sync();
    const seconds = (performance.now() - began) / 1000;
    await fs.close();
    return seconds;
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}
