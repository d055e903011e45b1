/**
 * A host that changes whole files while nobody looks: it cuts them short and
 * makes them longer, removes them or puts others in their place, and does what
 * it can to the two slots of the anchor.
 *
 * @module
 */

import assert from "node:assert/strict";
import { IntegrityError } from "../../bd/block_device.ts";
import {
  decodeState,
  STATE_BYTES,
  type VolumeState,
} from "../../bd/journal/state.ts";
import { ANCHOR_BYTES, ANCHOR_SLOTS } from "../../bd/volume/anchor.ts";
import {
  NotAVolumeError,
  RollbackError,
  VolumeIntegrityError,
} from "../../bd/volume/mod.ts";
import { Host, isSame } from "../support/damage.ts";
import { LEGEND, readBlocks, readThings, Tallies } from "../support/examine.ts";
import { makeOriginalScene } from "../support/original_scene.ts";
import { Random } from "../support/random.ts";
import {
  type FileName,
  makeScene,
  present,
  type Scene,
} from "../support/scene.ts";
import { withTempDir } from "../support/tools.ts";
import { KEYED_DEVICES } from "../support/volumes.ts";

const NONE: ReadonlySet<number> = new Set();

/** `bytes`, cut short or with random bytes behind them. */
function resized(bytes: Uint8Array, by: number): Uint8Array {
  if (by <= 0) return bytes.slice(0, Math.max(0, bytes.length + by));
  const longer = new Uint8Array(bytes.length + by);
  longer.set(bytes);
  longer.set(new Random(by).bytes(by), bytes.length);
  return longer;
}

/** A host that replaces files, each time by some that must not open. */
class Replacer {
  readonly tallies = new Tallies();
  readonly #scene: Scene;
  readonly #host: Host;
  readonly #files: ReadonlyMap<FileName, Uint8Array>;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#host = new Host(scene);
    this.#files = present(scene).files;
  }

  /** Everything, to every file. */
  async replaceAll(): Promise<void> {
    for (const [name, bytes] of this.#files) {
      const { length } = bytes;
      for (const by of [1, 2, 16, 1000, 1024, 4096, length >> 1, length]) {
        await this.#refused("extended", name, resized(bytes, by));
        // The newline at the end of a descriptor means nothing.
        if (name === "descriptor" && by === 1) continue;
        await this.#refused("cut short", name, resized(bytes, -by));
      }
      for (const other of this.#files.keys()) {
        if (other === name) continue;
        await this.#refused("another file's", name, this.#files.get(other)!);
      }
      await this.#refused("missing", name, null);
    }
    await this.#extendTogether();
    this.#host.restore();
    this.tallies.print(this.#scene.name);
  }

  /** More blocks, hashes for them, and a descriptor that says so. */
  async #extendTogether(): Promise<void> {
    const { blockSize, blockCount } = this.#scene;
    for (const more of [1, 64, blockCount]) {
      const files = new Map(this.#files);
      const image = resized(files.get("image")!, more * blockSize);
      files.set("image", image);
      const tree = files.get("tree");
      const pages = Math.ceil(more / 64) * 4096;
      const nodes = this.#scene.tree === "pages" ? pages : 2 * more * 32;
      if (tree) files.set("tree", resized(tree, nodes));
      await this.#allRefused("all: extended", files);
      const descriptor = files.get("descriptor");
      if (!descriptor) continue;
      const journal = files.get("journal")!;
      files.set("journal", resized(journal, more * 4096));
      await this.#allRefused("all: extended", files);
      files.set("journal", journal);
      const text = new TextDecoder().decode(descriptor)
        .replace(/(?<="blockCount": )\d+/, String(blockCount + more));
      files.set("descriptor", new TextEncoder().encode(text));
      await this.#allRefused("all: extended, and blockCount", files);
    }
  }

  /**
   * The root of an original does not say how large the blocks are. An image
   * twice as long may have larger ones; then, no hash is right.
   */
  #hasOtherBlocks(files: ReadonlyMap<FileName, Uint8Array | null>): boolean {
    const { tree, blockSize, blockCount } = this.#scene;
    const size = (files.get("image")?.length ?? 0) / blockCount;
    return tree === "array" && size !== blockSize &&
      [1024, 2048, 4096].includes(size) &&
      files.get("tree") === this.#files.get("tree");
  }

  async #refused(
    way: string,
    name: FileName,
    bytes: Uint8Array | null,
  ): Promise<void> {
    const files = new Map<FileName, Uint8Array | null>(this.#files);
    await this.#allRefused(`${name}: ${way}`, files.set(name, bytes));
  }

  async #allRefused(
    row: string,
    files: ReadonlyMap<FileName, Uint8Array | null>,
  ): Promise<void> {
    this.#host.replace(files);
    const tally = this.tallies.row(row);
    tally.cases++;
    if (this.#hasOtherBlocks(files)) {
      const device = await this.#scene.open();
      for (let block = 0; block < device.blockCount; block++) {
        const into = new Uint8Array(device.blockSize);
        assert.throws(() => device.read(block, into), IntegrityError);
        tally.failed++;
      }
      device.close();
      return;
    }
    await assert.rejects(
      async () => await this.#scene.open(),
      (error) => isRefusal(error),
      row,
    );
    tally.refused++;
  }
}

/** One line that says what is wrong. */
function isRefusal(error: unknown): boolean {
  assert.ok(error instanceof Error);
  assert.match(error.message, /^[^\n]{20,400}$/);
  return error instanceof VolumeIntegrityError ||
    error instanceof IntegrityError || error instanceof NotAVolumeError ||
    // The image of an original's, or its tree.
    /^(Cannot open .*: )?No such file or directory/.test(error.message);
}

console.log(`The tables show: ${LEGEND}`);

Deno.test("a file that is cut, extended, missing or another's is refused", () =>
  withTempDir(async (dir) => {
    for (const device of KEYED_DEVICES) {
      const scene = await makeScene(dir, device, 4096);
      await new Replacer(scene).replaceAll();
    }
    for (const cipher of [null, "aes-256-xts"] as const) {
      const shape = { cipher, blockSize: 1024, blockCount: 128 };
      await new Replacer(await makeOriginalScene(dir, shape)).replaceAll();
    }
  }));

/** The two slots of an anchor. */
type Slots = readonly [Uint8Array, Uint8Array];

function slotsOf(anchor: Uint8Array): Slots {
  const [a, b] = ANCHOR_SLOTS.map((at) => {
    return anchor.slice(at, at + STATE_BYTES);
  });
  return [a, b];
}

/** A host that puts anything into the anchor. */
class Forger {
  readonly tallies = new Tallies();
  readonly #scene: Scene;
  readonly #host: Host;
  /** Slots that the volume has signed at some time. */
  readonly #genuine: Uint8Array[];

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#host = new Host(scene);
    this.#genuine = scene.moments.flatMap(({ files }) => [
      ...slotsOf(files.get("anchor")!),
    ]);
  }

  /** The state that counts, if there is one. */
  #stateOf(slots: Slots): VolumeState | null {
    let latest: VolumeState | null = null;
    for (const [i, slot] of slots.entries()) {
      if (!this.#genuine.some((one) => isSame(one, slot))) continue;
      const state = decodeState("anchor", slot, { mac: null })!;
      if (state.generation % 2 !== i) continue;
      if (latest && latest.generation > state.generation) continue;
      latest = state;
    }
    return latest;
  }

  /** Everything, to both slots. */
  async forgeAll(step: number): Promise<void> {
    const { scene, now, twin } = this.#materials();
    for (let at = 0; at < STATE_BYTES; at += step) {
      for (const i of [0, 1]) {
        await this.#put("a slot: a bit flipped", this.#flipped(now, at, [i]));
      }
      await this.#put("both: a bit flipped", this.#flipped(now, at, [0, 1]));
    }
    const zeros = new Uint8Array(STATE_BYTES);
    const others: [string, Slots][] = [
      ["zeroed", [zeros, zeros]],
      ["the other", [now[1], now[0]]],
      ["the twin's", twin],
      ...scene.moments.slice(0, -1).flatMap(({ files }) => {
        const [a, b] = slotsOf(files.get("anchor")!);
        return [["an old copy", [a, b]], ["an old copy of the other", [b, a]]];
      }) as [string, Slots][],
    ];
    for (const [way, [a, b]] of others) {
      await this.#put(`a slot: ${way}`, [a, now[1]]);
      await this.#put(`a slot: ${way}`, [now[0], b]);
      await this.#put(`both: ${way}`, [a, b]);
    }
    await this.#putBetween();
    this.#host.restore();
    this.tallies.print(scene.name);
  }

  #materials(): { scene: Scene; now: Slots; twin: Slots } {
    const scene = this.#scene;
    const [now, twin] = [present(scene), scene.twin]
      .map(({ files }) => slotsOf(files.get("anchor")!));
    return { scene, now, twin };
  }

  #flipped([a, b]: Slots, at: number, which: number[]): Slots {
    const [first, second] = [a, b].map((slot, i) => {
      const bytes = slot.slice();
      if (which.includes(i)) bytes[at] ^= 1 << at % 8;
      return bytes;
    });
    return [first, second];
  }

  async #put(row: string, slots: Slots): Promise<void> {
    const patches = slots.map((bytes, i) => {
      return { file: "anchor", at: ANCHOR_SLOTS[i], bytes } as const;
    });
    this.#host.patch(patches);
    await this.#look(row, this.#stateOf(slots));
    this.#host.unpatch(patches);
  }

  /** What is not in a slot is not looked at. */
  async #putBetween(): Promise<void> {
    for (const at of [512, 1000, 4095, 4608, ANCHOR_BYTES - 1]) {
      const patch = { file: "anchor", at, bytes: Uint8Array.of(1) } as const;
      this.#host.patch([patch]);
      const state = this.#stateOf(this.#materials().now);
      await this.#look("between the slots: a bit flipped", state);
      this.#host.unpatch([patch]);
    }
  }

  async #look(row: string, state: VolumeState | null): Promise<void> {
    const scene = this.#scene;
    const tally = this.tallies.row(row);
    tally.cases++;
    const now = this.#stateOf(this.#materials().now)!;
    if (state?.generation !== now.generation) {
      // The journal knows that there was a later one.
      await assert.rejects(scene.open(), (error) => {
        return state
          ? error instanceof RollbackError
          : error instanceof VolumeIntegrityError;
      }, row);
      tally.refused++;
      return;
    }
    const device = await scene.open();
    const { plain } = present(scene);
    readBlocks(device, { failing: NONE, plain }, tally);
    await readThings(scene, device, { touched: NONE }, tally);
  }
}

Deno.test("a slot of the anchor that was forged does not count", () =>
  withTempDir(async (dir) => {
    for (const device of KEYED_DEVICES) {
      const scene = await makeScene(dir, device, 4096);
      await new Forger(scene).forgeAll(device === "vericrypt" ? 1 : 8);
    }
  }));
