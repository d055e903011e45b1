/**
 * A volume with a past, of which a host has kept every file: from a moment at
 * which it was closed, over some at which it was open, to the present.
 *
 * What the host keeps is in memory; on the disk there are two directories, one
 * for each of the volume's two descriptors.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import {
  type AnchorPlace,
  type DeviceKind,
  KeyChange,
  type OpenedVolume,
  openVolume,
  type OpenVolumeOptions,
  type VolumeFile,
  type VolumeState,
} from "../../bd/volume/mod.ts";
import { Filesystem, format } from "../../fs/mod.ts";
import {
  type Contents,
  copyContents,
  Host,
  readAll,
} from "../crash/recording.ts";
import { overwrite, populate, type Sight, tryReading } from "./reading.ts";
import { ask, contents, copyDirectory, keyFile, newVolume } from "./volumes.ts";

/** Fill of the key file that opens the volume at all times. */
export const KEY = 1;
/** Fill of the one that opened it before the change of keys. */
export const REMOVED_KEY = 3;

/** What a volume is. */
export interface Setting {
  /** Kind of its device. */
  readonly device: DeviceKind;
  /** Where its anchor is; `none` for `std`. */
  readonly anchor: AnchorPlace;
}

/** Every device with every place for an anchor that it may have. */
export const SETTINGS: readonly Setting[] = [
  { device: "std", anchor: "none" },
  ...(["crypt", "verity", "vericrypt"] as const).flatMap((device) =>
    (["beside", "apart", "none"] as const).map((anchor) => ({ device, anchor }))
  ),
];

/** Whether the blocks of such a volume are verified. */
export function hasTree({ device }: Setting): boolean {
  return device === "verity" || device === "vericrypt";
}

/** A moment of which the host has a copy. */
export interface Moment {
  /** What had happened. */
  readonly name: string;
  /** Whether the host puts files back to it. */
  readonly isCopied: boolean;
  /** The directory with the descriptor of this moment. */
  readonly path: string;
  /** The other files; those that are the same are so by their identity. */
  readonly files: Contents;
  /** The state that was committed. */
  readonly state: VolumeState;
  /** All plaintext. */
  readonly plain: Uint8Array;
  /** What is seen of everything in the filesystem. */
  readonly sights: readonly Sight[];
}

/** From which moment each file is. */
export type Choice = ReadonlyMap<VolumeFile, Moment>;

/** How what the host has put together is opened. */
export type OpenChoice = Pick<OpenVolumeOptions, "readOnly" | "acceptRollback">;

/** See the module. */
export class History {
  private constructor(
    /** What the volume is. */
    readonly setting: Setting,
    /** Its files; the descriptor is one of them. */
    readonly names: readonly VolumeFile[],
    /** Every moment of which something may be left in the last files. */
    readonly known: readonly Moment[],
    /** Path of the anchor, if it is apart. */
    readonly anchorPath: string | undefined,
  ) {}

  /** Lets a volume in `dir` live through its history. */
  static async make(dir: string, setting: Setting): Promise<History> {
    const life = await Life.begin(dir, setting);
    await life.edit(2);
    life.keep("closed");
    const before = await life.mount();
    await before.change(3);
    life.remember("open, one commit earlier");
    await before.change(4);
    life.keep("open, with records in the journal");
    await before.volume.device.settle?.();
    life.keep("open, after a checkpoint");
    await before.fs.close();
    await life.changeKeys();
    life.remember("after a change of keys");
    await life.edit(5);
    life.remember("closed after that");
    const last = await life.mount();
    await last.change(6);
    life.keep("one commit before the kill");
    await last.change(7);
    life.keep("killed");
    await last.fs.close();
    life.keep("closed now");
    const names: VolumeFile[] = [...life.host.contents.keys(), "descriptor"];
    const moments = await life.moments();
    return new History(setting, names, moments, life.anchorPath);
  }

  /** Those that files are put back to, in order; the last is the present. */
  get moments(): readonly Moment[] {
    return this.known.filter(({ isCopied }) => isCopied);
  }

  /** The host with the files of `choice`, which keeps its own copy if asked. */
  host(choice: Choice, { copy }: { copy: boolean }): Host {
    const chosen = new Map<VolumeFile, Uint8Array>();
    for (const name of this.names) {
      const bytes = choice.get(name)!.files.get(name);
      if (bytes) chosen.set(name, bytes);
    }
    return new Host(copy ? copyContents(chosen) : chosen, { replay: false });
  }

  /** Opens what `host` has, with the descriptor in `path`. */
  async open(
    host: Pick<Host, "wrap">,
    path: string,
    { key = KEY, ...options }: OpenChoice & { key?: number } = {},
  ): Promise<OpenedVolume> {
    const { wrap } = host;
    return await openVolume(path, { ...this.#options(key), ...options, wrap });
  }

  #options(key: number): OpenVolumeOptions {
    const { anchorPath } = this;
    return {
      secret: ask(key),
      treeCache: 64 << 10,
      log: (): void => {},
      ...(anchorPath === undefined ? {} : { anchorPath }),
    };
  }
}

/** The life of the volume while its history is made. */
class Life {
  /** Where its descriptor is. */
  path: string;
  readonly #copies: Omit<Moment, "state" | "plain" | "sights">[] = [];

  private constructor(
    readonly setting: Setting,
    readonly host: Host,
    path: string,
    readonly anchorPath: string | undefined,
  ) {
    this.path = path;
  }

  static async begin(dir: string, setting: Setting): Promise<Life> {
    const { device, anchor } = setting;
    const path = `${dir}/${device}-${anchor}`;
    const anchorPath = anchor === "apart" ? `${path}-anchor` : undefined;
    const keyed = { secret: keyFile(REMOVED_KEY), anchor, anchorPath };
    await newVolume(path, device, {
      blockCount: 256,
      ...(device === "std" ? {} : keyed),
      fill: async ({ device }) => {
        format(device, { inodeCount: 32, blank: true });
        const fs = Filesystem.open(device);
        populate(fs, 1);
        await fs.close();
      },
    });
    const options = { anchorPath };
    if (device !== "std") {
      using keys = await KeyChange.open(path, ask(REMOVED_KEY), options);
      await keys.add(keyFile(KEY), {});
    }
    const files = new Map<VolumeFile, Uint8Array>();
    const volume = await openVolume(path, {
      ...options,
      secret: ask(KEY),
      readOnly: true,
      wrap: (file, name) => {
        files.set(name, readAll(file));
        return file;
      },
    });
    volume.close();
    const host = new Host(files, { replay: false });
    return new Life(setting, host, path, anchorPath);
  }

  async #open(
    { wrap }: Host,
    { path, readOnly }: { path: string; readOnly: boolean },
  ): Promise<OpenedVolume> {
    const { anchorPath } = this;
    const options = { anchorPath, readOnly, wrap };
    return await openVolume(path, { secret: ask(KEY), ...options });
  }

  async mount(): Promise<{
    volume: OpenedVolume;
    fs: Filesystem;
    change: (seed: number) => Promise<void>;
  }> {
    const { path, host } = this;
    const volume = await this.#open(host, { path, readOnly: false });
    const fs = Filesystem.open(volume.device);
    const change = async (seed: number): Promise<void> => {
      overwrite(fs, seed);
      await fs.sync();
    };
    return { volume, fs, change };
  }

  async edit(seed: number): Promise<void> {
    const { fs } = await this.mount();
    overwrite(fs, seed);
    await fs.close();
  }

  /** Removes a key; from then on there is another directory. */
  async changeKeys(): Promise<void> {
    if (this.setting.device === "std") return;
    const next = `${this.path}-next`;
    await copyDirectory(this.path, next);
    this.path = next;
    const { anchorPath, host: { wrap } } = this;
    const options = { anchorPath, wrap };
    using keys = await KeyChange.open(next, ask(KEY), options);
    await keys.remove(0);
  }

  /** Keeps what will be known of this moment, and nothing for the host. */
  remember(name: string): void {
    this.keep(name, { isCopied: false });
  }

  /** Keeps a copy of every file, as it is now. */
  keep(name: string, { isCopied = true } = {}): void {
    const files = new Map(this.host.contents);
    for (const [file, bytes] of files) {
      const same = this.#copies.map(({ files }) => files.get(file)!)
        .find((copy) => Buffer.compare(copy, bytes) === 0);
      files.set(file, same ?? bytes.slice());
    }
    const { path } = this;
    this.#copies.push({ name, isCopied, path, files });
  }

  /** What the copies are of; the volume must be closed. */
  async moments(): Promise<Moment[]> {
    const moments: Moment[] = [];
    for (const copy of this.#copies) {
      const look = (): Promise<OpenedVolume> => {
        const { path } = copy;
        const host = new Host(copy.files, { replay: false });
        return this.#open(host, { path, readOnly: true });
      };
      const volume = await look();
      const { state } = volume.keeper!;
      const plain = contents(volume);
      volume.close();
      const sights = await tryReading((await look()).device) as Sight[];
      moments.push({ ...copy, state, plain, sights });
    }
    return moments;
  }
}
