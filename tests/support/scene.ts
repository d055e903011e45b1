/**
 * Volumes with a past and a twin, and a host that has kept copies of it all.
 *
 * @module
 */

import type { BlockDevice } from "../../bd/block_device.ts";
import { KeyChange, openVolume } from "../../bd/volume/mod.ts";
import { Filesystem, format } from "../../fs/mod.ts";
import { overwrite, populate, type Reading, readWhole } from "./reading.ts";
import { ask, type KEYED_DEVICES, keyFile, newVolume } from "./volumes.ts";
import type { TreeKind } from "./verity.ts";

/** The files that a host has. */
export type FileName = "image" | "tree" | "descriptor" | "anchor" | "journal";
/** Their contents. */
export type Files = ReadonlyMap<FileName, Uint8Array>;

/** What a volume was at a moment. */
export interface Moment {
  /** What the host had then. */
  readonly files: Files;
  /** Numbers of its contents and its descriptor, to tell which are the same. */
  readonly contents: number;
  readonly descriptor: number;
  /** Its plaintext. */
  readonly plain: Uint8Array;
  /** Blocks that were ever written. */
  readonly used: readonly boolean[];
}

/** How a scene is opened. */
export interface OpenScene {
  /** To be written, too. */
  readonly writable?: boolean;
  /** Fill of the key file; 1 if absent. */
  readonly key?: number;
}

/** A volume or an image that the host has in its hands. */
export interface Scene {
  /** What it is, as `vericrypt, blocks of 1024`. */
  readonly name: string;
  /** Paths of the files. */
  readonly paths: ReadonlyMap<FileName, string>;
  /** Where the root is kept that is newer than the present one, if any. */
  readonly rootFile?: string;
  /** How its tree is laid out; null without one. */
  readonly tree: TreeKind | null;
  readonly isEncrypted: boolean;
  readonly blockSize: number;
  readonly blockCount: number;
  /** From the first to the present. */
  readonly moments: readonly Moment[];
  /** Another, with the same keys or passwords, of the same shape. */
  readonly twin: Moment;
  /** Everything that can be read. */
  readonly reading: Reading;
  /** Opens it with what the host has now. */
  open(options?: OpenScene): Promise<BlockDevice>;
}

/** What the host has at the end. */
export function present({ moments }: Pick<Scene, "moments">): Moment {
  return moments[moments.length - 1];
}

/** All plaintext of a device, which it closes. */
export function plaintext(device: BlockDevice): Uint8Array {
  const bytes = new Uint8Array(device.blockCount * device.blockSize);
  device.read(0, bytes);
  device.close();
  return bytes;
}

/** A device that has a key. */
export type KeyedDevice = (typeof KEYED_DEVICES)[number];

const NAMES: Readonly<Record<FileName, string>> = {
  image: "image",
  tree: "tree",
  descriptor: "volume.json",
  anchor: "anchor",
  journal: "journal",
};
/** Size of a volume of ours. */
const VOLUME_BYTES = 2 << 20;
const quiet = { log: (): void => {} };

/** Opens the volume in `path` as scenes are opened. */
async function openOurs(
  path: string,
  { writable = false, key = 1 }: OpenScene = {},
): Promise<BlockDevice> {
  const { device } = await openVolume(path, {
    readOnly: !writable,
    secret: ask(key),
    treeCache: 64 << 10,
    ...quiet,
  });
  return device;
}

async function makeVolume(
  path: string,
  device: KeyedDevice,
  blockSize: number,
  seed: number,
): Promise<void> {
  await newVolume(path, device, {
    blockSize,
    blockCount: VOLUME_BYTES / blockSize,
    secret: keyFile(3),
    fill: async (volume) => {
      format(volume.device, { inodeCount: 48, blank: true });
      const fs = Filesystem.open(volume.device);
      populate(fs, seed);
      await fs.close();
    },
  });
  using keys = await KeyChange.open(path, ask(3));
  await keys.add(keyFile(1), { label: "of every day" });
}

async function edit(path: string, seed: number): Promise<void> {
  const fs = Filesystem.open(await openOurs(path, { writable: true }));
  overwrite(fs, seed);
  await fs.close();
}

/** What the volume at `path` is at this moment. */
async function momentOf(
  path: string,
  paths: ReadonlyMap<FileName, string>,
  numbers: Pick<Moment, "contents" | "descriptor">,
): Promise<Moment> {
  return {
    ...numbers,
    files: new Map([...paths].map(([name, path]) => {
      return [name, Deno.readFileSync(path)];
    })),
    used: await usedBlocks(path),
    plain: plaintext(await openOurs(path)),
  };
}

/** Which blocks have a leaf, or without a tree, are not of zeros. */
async function usedBlocks(path: string): Promise<boolean[]> {
  const options = { readOnly: true, secret: ask(1) };
  const { verity, device } = await openVolume(path, options);
  const { blockSize, blockCount } = device;
  const image = Deno.readFileSync(`${path}/image`);
  const used = Array.from({ length: blockCount }, (_, block) => {
    if (verity) return verity.nextUsed(block) === block;
    const at = block * blockSize;
    return image.subarray(at, at + blockSize).some((byte) => byte !== 0);
  });
  device.close();
  return used;
}

function pathsOf(path: string, device: KeyedDevice): Map<FileName, string> {
  const names = Object.keys(NAMES) as FileName[];
  return new Map(
    names.filter((name) => name !== "tree" || device !== "crypt")
      .map((name) => [name, `${path}/${NAMES[name]}`]),
  );
}

/**
 * Makes a volume of ours in `dir`. Two key files open it at first, of 3s and
 * of 1s; the former is removed between the second moment and the third.
 */
export async function makeScene(
  dir: string,
  device: KeyedDevice,
  blockSize: number,
): Promise<Scene> {
  const path = `${dir}/${device}-${blockSize}`;
  const paths = pathsOf(path, device);
  await makeVolume(path, device, blockSize, 1);
  const moments = [await momentOf(path, paths, { contents: 0, descriptor: 0 })];
  const remember = async (
    contents: number,
    descriptor: number,
  ): Promise<void> => {
    moments.push(await momentOf(path, paths, { contents, descriptor }));
  };
  await edit(path, 2);
  await remember(1, 0);
  await removeFirstKey(path);
  await remember(1, 1);
  await edit(path, 3);
  await remember(2, 1);
  return {
    name: `${device}, blocks of ${blockSize}`,
    paths,
    tree: device === "crypt" ? null : "pages",
    isEncrypted: device !== "verity",
    blockSize,
    blockCount: VOLUME_BYTES / blockSize,
    moments,
    twin: await makeTwin(`${path}-twin`, device, blockSize),
    reading: await readWhole(() => openOurs(path)),
    open: (options) => openOurs(path, options),
  };
}

async function removeFirstKey(path: string): Promise<void> {
  using keys = await KeyChange.open(path, ask(1));
  await keys.remove(0);
}

/** Makes another volume, of the same shape and with the same keys. */
async function makeTwin(
  path: string,
  device: KeyedDevice,
  blockSize: number,
): Promise<Moment> {
  await makeVolume(path, device, blockSize, 4);
  await edit(path, 5);
  const numbers = { contents: 9, descriptor: 9 };
  return await momentOf(path, pathsOf(path, device), numbers);
}
