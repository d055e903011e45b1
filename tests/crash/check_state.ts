/**
 * What becomes of one crash state: it is opened, which recovers it, and what
 * is there then is judged.
 *
 * @module
 */

import type { OpenedVolume, VolumeFile } from "../../bd/volume/mod.ts";
import { settledView } from "../../fs/mod.ts";
import type { Judge, Verdict } from "./judge.ts";
import { Host } from "./recording.ts";
import { START } from "./specimen.ts";
import type { Specimen } from "./specimen.ts";

/** What recovery has made of a state. */
export interface Recovery extends Verdict {
  /** The host, with the log of all that the recovery wrote. */
  readonly host: Host;
}

/** How a state is looked at. */
interface RecoverOptions {
  /** Says where the state is from. */
  readonly from: string;
  /** Whether the log of the recovery is to be replayed; true if absent. */
  readonly replay?: boolean;
}

/** Opens states of one specimen. */
export class Recoverer {
  readonly #specimen: Specimen;
  readonly #judge: Judge;
  #plain: Uint8Array | null = null;

  /** Makes one whose plaintexts `judge` looks at. */
  constructor(specimen: Specimen, judge: Judge) {
    this.#specimen = specimen;
    this.#judge = judge;
  }

  /**
   * Opens the volume over `files`, which it changes; closes it, and opens it
   * again for reading: nothing is left to be done then, and every block
   * verifies. Throws what is wrong.
   */
  async recover(
    files: ReadonlyMap<VolumeFile, Uint8Array>,
    { from, replay }: RecoverOptions,
  ): Promise<Recovery> {
    const host = new Host(files, { replay });
    const volume = await this.#specimen.open(host);
    try {
      const fs = this.#specimen.mount(volume, () => START);
      await fs.close();
    } finally {
      volume.close();
    }
    const calls = host.log.length;
    const plain = await this.#read(host, (volume) => this.#all(volume));
    const verdict = await this.#judge.judge(plain, from);
    if (host.log.length !== calls) {
      throw new Error("to open it for reading has changed it");
    }
    return { ...verdict, host };
  }

  /**
   * What a reader sees of `files`, before any recovery: what a writer will
   * have made of it. Throws if that is a change to the files.
   */
  async view(
    files: ReadonlyMap<VolumeFile, Uint8Array>,
    { from }: RecoverOptions,
  ): Promise<Verdict> {
    const host = new Host(files, { replay: false });
    const plain = await this.#read(host, async (volume) => {
      const { device } = volume;
      const settled = await settledView(device);
      return this.#all({ device: settled ?? device });
    });
    if (host.log.length > 0) throw new Error("to look at it has changed it");
    return await this.#judge.judge(plain, `${from}, seen by a reader`);
  }

  async #read(
    host: Host,
    visit: (volume: OpenedVolume) => Promise<Uint8Array> | Uint8Array,
  ): Promise<Uint8Array> {
    const volume = await this.#specimen.open(host, { readOnly: true });
    try {
      return await visit(volume);
    } finally {
      volume.close();
    }
  }

  /** Every block; each verifies, if there is a hash tree. Valid until next. */
  #all({ device }: Pick<OpenedVolume, "device">): Uint8Array {
    const size = device.blockCount * device.blockSize;
    this.#plain ??= new Uint8Array(size);
    device.read(0, this.#plain);
    return this.#plain;
  }
}
