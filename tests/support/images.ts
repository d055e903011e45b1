/**
 * Volumes in memory and images in files: from one to the other.
 *
 * @module
 */

import { MemoryDevice } from "../../bd/memory.ts";
import { Filesystem, format, type FormatOptions } from "../../fs/mod.ts";
import { assertClean, withTempDir } from "./tools.ts";

/** Block size and size of a volume, and how to format it. */
export interface VolumeShape extends FormatOptions {
  /** Size of a block, in bytes. */
  blockSize: number;
  /** Number of blocks. */
  blockCount: number;
}

/** A freshly formatted volume in memory. */
export function formatted(shape: VolumeShape): MemoryDevice {
  const { blockSize, blockCount, ...options } = shape;
  const device = new MemoryDevice(blockSize, blockCount);
  format(device, { blank: true, ...options });
  return device;
}

/** Writes a device's contents to a sparse file. */
export async function saveImage(
  device: MemoryDevice,
  path: string,
): Promise<void> {
  using file = await Deno.open(path, {
    write: true,
    create: true,
    truncate: true,
  });
  await file.truncate(device.blockCount * device.blockSize);
  for (const { position, bytes } of device.extents()) {
    await file.seek(position, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) {
      done += await file.write(bytes.subarray(done));
    }
  }
}

/** Reads an image into memory; its superblock says how large its blocks are. */
export async function loadImage(path: string): Promise<MemoryDevice> {
  using file = await Deno.open(path);
  const superblock = new Uint8Array(1024);
  await file.seek(1024, Deno.SeekMode.Start);
  await readFull(file, superblock);
  const blockSize = 1024 << superblock[24];
  const { size } = await file.stat();
  const blockCount = Math.floor(size / blockSize);
  const device = new MemoryDevice(blockSize, blockCount);
  const buffer = new Uint8Array(64 * blockSize);
  await file.seek(0, Deno.SeekMode.Start);
  for (let block = 0; block < blockCount; block += 64) {
    const count = Math.min(64, blockCount - block);
    const piece = buffer.subarray(0, count * blockSize);
    await readFull(file, piece);
    device.write(block, piece);
  }
  return device;
}

async function readFull(file: Deno.FsFile, into: Uint8Array): Promise<void> {
  for (let done = 0; done < into.length;) {
    const n = await file.read(into.subarray(done));
    if (n === null) throw new Error("Cannot read image: it ends too early");
    done += n;
  }
}

/** Asserts that `e2fsck -fn` finds no fault with a device's contents. */
export async function assertDeviceClean(
  device: MemoryDevice,
  when = "",
): Promise<void> {
  await withTempDir(async (dir) => {
    await saveImage(device, `${dir}/volume.img`);
    await assertClean(`${dir}/volume.img`, when);
  });
}

/** Opens an image file, calls `visit`, closes, and writes the file again. */
export async function editImage(
  path: string,
  visit: (fs: Filesystem) => void | Promise<void>,
): Promise<void> {
  const device = await loadImage(path);
  const fs = Filesystem.open(device);
  await visit(fs);
  await fs.close();
  await saveImage(device, path);
}
