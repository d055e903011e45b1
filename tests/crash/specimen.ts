/**
 * The small volumes that crash: on each of the four devices, with a key file,
 * so that a state costs milliseconds.
 *
 * @module
 */

import type { Secret } from "../../bd/keys/key_slot.ts";
import {
  createVolume,
  type DeviceKind,
  type OpenedVolume,
  openVolume,
  type OpenVolumeOptions,
  type VolumeFile,
} from "../../bd/volume/mod.ts";
import { Filesystem, format, type Timestamp } from "../../fs/mod.ts";
import type { Model } from "../model.ts";
import { importModel } from "../support/compare.ts";
import type { Tree } from "../support/tree.ts";
import { ask, keyFile } from "../support/volumes.ts";
import { describePlain } from "./describe.ts";
import { type Contents, copyContents, Host, readAll } from "./recording.ts";

/** When the history of every volume begins. */
export const START: Timestamp = { sec: 1_700_000_000, nsec: 0 };

/** What a volume is like. */
export interface Shape {
  /** Kind of its device. */
  readonly device: DeviceKind;
  /** Number of blocks of 1 KiB. */
  readonly blockCount: number;
  /** Size of an inode, in bytes. */
  readonly inodeSize: 128 | 256;
  /** Size of the engine's cache, in bytes. */
  readonly cacheSize: number;
  /** Where its anchor is, if it has a key; beside it if absent. */
  readonly anchor?: "beside" | "none";
  /** Whether large writes are made, so that the journal fills up. */
  readonly heavy?: boolean;
}

/** The shapes that are tried, on each device: small, for speed. */
export const SHAPES: readonly Omit<Shape, "device">[] = [
  { blockCount: 512, inodeSize: 128, cacheSize: 128 << 10 },
  { blockCount: 1024, inodeSize: 256, cacheSize: 1 << 20, heavy: true },
  { blockCount: 512, inodeSize: 256, cacheSize: 128 << 10, anchor: "none" },
  // Often full.
  { blockCount: 160, inodeSize: 128, cacheSize: 64 << 10 },
];

/** The smallest journal there is. */
const JOURNAL_BYTES = 1 << 20;

/** A volume in a directory of the disk, and what its files held when made. */
export class Specimen {
  private constructor(
    /** Its directory, whose descriptor and locks are used. */
    readonly path: string,
    /** What it is like. */
    readonly shape: Shape,
    /** What its other files held: an empty filesystem. */
    readonly contents: Contents,
  ) {}

  /** Makes a volume at `path` with an empty filesystem. */
  static async make(path: string, shape: Shape): Promise<Specimen> {
    const { device, blockCount, inodeSize, anchor } = shape;
    await createVolume(path, {
      ...{ device, blockSize: 1024, blockCount, journalSize: JOURNAL_BYTES },
      ...(device === "std" ? {} : { secret: keyFile(1), anchor }),
      fill: async (volume) => {
        format(volume.device, {
          ...{ blank: true, inodeSize, inodeCount: 64, now: START },
          uuid: new Uint8Array(16).fill(7),
          hashSeed: new Uint8Array(16).fill(9),
        });
        await volume.device.flush();
      },
    });
    const contents = new Map<VolumeFile, Uint8Array>();
    const volume = await openVolume(path, {
      secret: ask(1),
      readOnly: true,
      wrap: (file, name) => {
        contents.set(name, readAll(file));
        return file;
      },
    });
    volume.close();
    return new Specimen(path, shape, contents);
  }

  /** Opens the volume over what `host` stores. */
  async open(
    host: Pick<Host, "wrap">,
    options: OpenVolumeOptions = {},
  ): Promise<OpenedVolume> {
    const secret = (): Promise<Secret> => ask(1)();
    const { wrap } = host;
    const treeCache = 64 << 10;
    return await openVolume(this.path, { secret, treeCache, ...options, wrap });
  }

  /** Opens the filesystem on a volume of this shape. */
  mount(volume: OpenedVolume, now: () => Timestamp): Filesystem {
    let generation = 0;
    return Filesystem.open(volume.device, {
      cacheSize: this.shape.cacheSize,
      now,
      generation: () => ++generation,
    });
  }

  /** The tree that an open volume holds, without a change to it. */
  look({ device }: OpenedVolume): Tree {
    const bytes = new Uint8Array(device.blockCount * device.blockSize);
    device.read(0, bytes);
    return describePlain(bytes, device.blockSize);
  }

  /** The model of the empty filesystem, and the contents it describes. */
  async blank(): Promise<{ contents: Contents; model: Model }> {
    const host = new Host(copyContents(this.contents));
    const fs = this.mount(await this.open(host), () => START);
    const model = importModel(fs, START);
    await fs.close();
    return { contents: host.contents, model };
  }
}
