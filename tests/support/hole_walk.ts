/**
 * A random walk over the calls that make and find holes: on two files of a
 * volume, and on shadows of them, which know each block that must be there.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type BlockDevice, DeviceError } from "../../bd/block_device.ts";
import { FaultyDevice } from "../../bd/faulty.ts";
import type { MemoryDevice } from "../../bd/memory.ts";
import { Filesystem, FsError, ROOT_INODE } from "../../fs/mod.ts";
import { assertDeviceClean, formatted } from "./images.ts";
import { Random } from "./random.ts";
import { ShadowFile } from "./shadow_file.ts";
import { anyOffset } from "./walk_arguments.ts";
import { seek } from "./walk_ranges.ts";

/** How to walk. */
export interface HoleWalkOptions {
  /** Replays the walk. */
  seed: number;
  /** Size of a block, in bytes. */
  blockSize: number;
  /** Number of blocks of the volume. */
  blockCount: number;
  /** Whether calls of the device fail at times. */
  faults?: boolean;
}

/** Steps between looks at everything, and between checks by e2fsck. */
const LOOK_INTERVAL = 50;
const CHECK_INTERVAL = 1000;
const ORDINARY = { uid: 1000, gid: 1000 };

/** A file, and what it is to be. */
interface Pair {
  readonly ino: number;
  readonly shadow: ShadowFile;
}

/** One call, ready to be made on both sides. */
interface Step {
  readonly text: string;
  readonly pair: Pair;
  /** Makes the call; returns what it does. */
  engine(): number;
  /** Does as much to the shadow as the engine says that it did. */
  shadow(done: number): void;
}

/** Walks `steps` steps; returns how often each outcome was seen. */
export async function holeWalk(
  options: HoleWalkOptions,
  steps: number,
): Promise<Map<string, number>> {
  const walk = new HoleWalk(options);
  try {
    for (let n = 1; n <= steps; n++) {
      walk.step();
      if (n % LOOK_INTERVAL === 0) walk.lookAtAll();
      if (n % CHECK_INTERVAL === 0) await walk.check();
    }
    await walk.check();
    return walk.outcomes;
  } catch (error) {
    const last = walk.log.slice(-15).join("\n");
    throw new Error(
      `HOLE_SEED=${options.seed} fails; the last steps:\n${last}`,
      { cause: error },
    );
  }
}

class HoleWalk {
  readonly log: string[] = [];
  readonly outcomes = new Map<string, number>();
  readonly #random: Random;
  readonly #blockSize: number;
  readonly #memory: MemoryDevice;
  readonly #device: FaultyDevice;
  readonly #fs: Filesystem;
  readonly #pairs: Pair[];
  /** Calls of the device until the next that fails. */
  #countdown = Infinity;

  constructor({ seed, blockSize, blockCount, faults }: HoleWalkOptions) {
    this.#random = new Random(seed);
    this.#blockSize = blockSize;
    this.#memory = formatted({ blockSize, blockCount });
    this.#device = new FaultyDevice(this.#memory);
    const cacheSize = 48 * blockSize;
    this.#fs = Filesystem.open(this.#device as BlockDevice, { cacheSize });
    if (faults) {
      this.#device.rule = ({ kind }) =>
        kind !== "flush" && --this.#countdown < 0 ? "EIO" : null;
    }
    this.#pairs = ["a", "b"].map((name) => ({
      ino: this.#fs.create(ROOT_INODE, name),
      shadow: new ShadowFile(blockSize),
    }));
  }

  step(): void {
    const random = this.#random;
    const step = this.#choose();
    const free = this.#fs.statfs().blocksFree;
    // A failing device fails for as long as one call.
    if (random.chance(0.3)) this.#countdown = random.below(6);
    let outcome = "ok";
    try {
      step.shadow(step.engine());
    } catch (error) {
      if (!(error instanceof FsError || error instanceof DeviceError)) {
        throw error;
      }
      outcome = error.code;
    }
    this.#countdown = Infinity;
    this.log.push(`${this.log.length + 1} ${step.text} → ${outcome}`);
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
    const expected = ["ok", "ENOSPC", ...this.#device.rule ? ["EIO"] : []];
    assert.ok(expected.includes(outcome), outcome);
    if (outcome !== "ok") assert.equal(this.#fs.statfs().blocksFree, free);
    this.#lookAt(step.pair);
    this.#seekIn(random.pick(this.#pairs));
  }

  /** Compares every byte, and every boundary of a hole. */
  lookAtAll(): void {
    for (const { ino, shadow } of this.#pairs) {
      for (const index of shadow.blocks.keys()) {
        this.#compare({ ino, shadow }, index * this.#blockSize);
      }
      let hole = false;
      for (let at = 0, next = 0; at < shadow.size; at = next, hole = !hole) {
        const expected = shadow.seek(at, hole);
        assert.equal(seek(this.#fs, ino, at, hole), expected);
        next = expected ?? shadow.size;
      }
    }
  }

  /** Syncs, and lets e2fsck judge. */
  async check(): Promise<void> {
    await this.#fs.sync();
    // The volume is marked as being written to; that is no damage.
    await assertDeviceClean(this.#memory, "after sync");
  }

  /** What stat(2) tells, and some bytes. */
  #lookAt({ ino, shadow }: Pair): void {
    const { size, blocks } = this.#fs.getattr(ino);
    assert.deepEqual(
      { size, blocks },
      { size: shadow.size, blocks: shadow.sectors },
    );
    this.#compare({ ino, shadow }, anyOffset(this.#random, this.#blockSize));
  }

  #compare({ ino, shadow }: Pair, offset: number): void {
    const into = new Uint8Array(this.#blockSize);
    const bytes = into.subarray(0, this.#fs.read(ino, offset, into));
    const expected = shadow.read(offset, into.length);
    assert.ok(Buffer.compare(bytes, expected) === 0, `bytes at ${offset}`);
  }

  #seekIn({ ino, shadow }: Pair): void {
    const offset = anyOffset(this.#random, this.#blockSize);
    const hole = this.#random.chance(0.5);
    const expected = shadow.seek(offset, hole);
    const text = `seek ${ino} ${offset} ${hole ? "hole" : "data"}`;
    assert.equal(seek(this.#fs, ino, offset, hole), expected, text);
  }

  #choose(): Step {
    const kind = this.#random.below(100);
    if (kind < 30) return this.#write();
    if (kind < 35) return this.#resize();
    if (kind < 55) return this.#fill(false);
    if (kind < 65) return this.#fill(true);
    if (kind < 80) return this.#punch();
    return this.#copy();
  }

  #write(): Step {
    const { pair, offset } = this.#place();
    const data = this.#random.bytes(this.#length(6));
    return {
      text: `write ${pair.ino} ${offset} +${data.length}`,
      pair,
      engine: () => this.#fs.write(pair.ino, offset, data, this.#caller()),
      shadow: (done) => pair.shadow.write(offset, data.subarray(0, done)),
    };
  }

  #resize(): Step {
    const { pair, offset } = this.#place();
    const size = this.#random.chance(0.1) ? 0 : offset;
    return {
      text: `resize ${pair.ino} ${size}`,
      pair,
      engine: () => this.#fs.setattr(pair.ino, { size }).size,
      shadow: () => pair.shadow.resize(size),
    };
  }

  #fill(zeroRange: boolean): Step {
    const { pair, offset } = this.#place();
    const { shadow, ino } = pair;
    const room = Math.ceil(shadow.size / this.#blockSize) * this.#blockSize -
      offset;
    const keepSize = room > 0 && this.#random.chance(0.5);
    const most = keepSize ? room : Infinity;
    const length = Math.min(1 + this.#length(60), most);
    const options = { offset, length, keepSize, zeroRange };
    return {
      text: `allocate ${ino} ${JSON.stringify(options)}`,
      pair,
      engine: () => this.#fs.allocate(ino, options, this.#caller()),
      shadow: (done) => {
        assert.ok(done > 0 && done <= length);
        if (zeroRange) shadow.zero(offset, done, keepSize);
        else shadow.fill(offset, done, keepSize);
      },
    };
  }

  #punch(): Step {
    const { pair, offset } = this.#place();
    const length = this.#random.chance(0.02)
      ? 2 ** 30
      : 1 + this.#length(this.#random.chance(0.8) ? 6 : 400);
    const options = { offset, length, keepSize: true, punchHole: true };
    return {
      text: `punch ${pair.ino} ${offset} +${length}`,
      pair,
      engine: () => this.#fs.allocate(pair.ino, options),
      shadow: (done) => {
        assert.equal(done, length);
        pair.shadow.punch(offset, length);
      },
    };
  }

  #copy(): Step {
    const { pair: source, offset } = this.#place();
    const { pair, offset: other } = this.#place();
    // Holes are kept however the two places lie; often they lie alike.
    const isAligned = this.#random.chance(0.5);
    const toOffset = other - other % this.#blockSize +
      (isAligned ? offset : other) % this.#blockSize;
    const fits = source === pair ? Math.abs(offset - toOffset) : Infinity;
    const length = Math.min(this.#length(40), fits);
    const range = { fromOffset: offset, toOffset, length };
    return {
      text: `copy ${source.ino} to ${pair.ino} ${JSON.stringify(range)}`,
      pair,
      engine: () => {
        const numbers = { from: source.ino, to: pair.ino };
        return this.#fs.copyRange({ ...numbers, ...range }, this.#caller());
      },
      shadow: (done) => {
        const most = Math.min(length, source.shadow.size - offset);
        assert.ok(most <= 0 ? done === 0 : done > 0 && done <= most);
        pair.shadow.copy(source.shadow, { ...range, length: done });
      },
    };
  }

  #place(): { pair: Pair; offset: number } {
    const offset = anyOffset(this.#random, this.#blockSize);
    return { pair: this.#random.pick(this.#pairs), offset };
  }

  /** Bytes of at most so many blocks, often whole ones. */
  #length(blocks: number): number {
    const length = this.#random.below(blocks * this.#blockSize);
    const isWhole = this.#random.chance(0.3);
    return isWhole ? length - length % this.#blockSize : length;
  }

  #caller(): { uid: number; gid: number } | undefined {
    return this.#random.chance(0.5) ? ORDINARY : undefined;
  }
}
