/**
 * A random walk: the same operations on a volume and on the model.
 *
 * After each step the result and every file it touched are compared; at
 * intervals the whole tree, and e2fsck has its say. With faults on, calls of
 * the device fail now and then: an operation that fails must have changed
 * nothing, so the model does not hear of it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type BlockDevice, DeviceError } from "../../bd/block_device.ts";
import { FaultyDevice } from "../../bd/faulty.ts";
import { Filesystem, format, FsError } from "../../fs/mod.ts";
import { type Model, ModelError } from "../model.ts";
import { compareNode, compareVolume, importModel } from "./compare.ts";
import { type DeviceStack, StackStore, STD_STACK } from "./device_stacks.ts";
import { saveImage, type VolumeShape } from "./images.ts";
import { Random } from "./random.ts";
import { assertClean, run, withTempDir } from "./tools.ts";
import { anyDirectory, type Step } from "./walk_arguments.ts";
import { chooseInLarge } from "./walk_large.ts";
import { chooseStep } from "./walk_steps.ts";

/** How to walk. */
export interface WalkOptions {
  /** Replays the walk. */
  seed: number;
  /** The volume. */
  shape: VolumeShape;
  /** The device; plain blocks if absent. */
  stack?: DeviceStack;
  /** Size of the engine's cache, in bytes. */
  cacheSize?: number;
  /** Whether calls of the host's, below all layers, fail. */
  faults?: boolean;
}

/** Steps between comparisons of the whole tree. */
const COMPARE_INTERVAL = 150;
/** Steps from one stay in a single directory to the next. */
const PHASE_STEPS = 1500;
/** Steps between checks by e2fsck, each followed by a reopening. */
const CHECK_INTERVAL = 600;

/** Walks `steps` steps; an error tells seed, step and the last operations. */
export async function walk(options: WalkOptions, steps: number): Promise<Walk> {
  const walker = new Walk(options);
  try {
    for (let n = 1; n <= steps; n++) {
      await walker.step();
      if (n % COMPARE_INTERVAL === 0) walker.compareAll();
      if (n % CHECK_INTERVAL === 0) await walker.check();
    }
    await walker.check();
    return walker;
  } catch (error) {
    throw new Error(
      `walk with WALK_SEED=${options.seed} fails after ` +
        `${walker.log.length} steps; the last ones:\n` +
        walker.log.slice(-25).join("\n"),
      { cause: error },
    );
  } finally {
    walker.close();
  }
}

/** A walk in progress. */
export class Walk {
  /** What was done so far, one line a step. */
  readonly log: string[] = [];
  /** How often each outcome was seen: errno names, and "ok". */
  readonly outcomes = new Map<string, number>();
  readonly #options: WalkOptions;
  readonly #random: Random;
  readonly #nanoseconds: boolean;
  #store: StackStore;
  #host!: FaultyDevice;
  #device!: BlockDevice;
  #fs!: Filesystem;
  #model: Model;
  #crashed = false;
  /** The directory that the walk stays in at times. */
  #large = 0;
  /** Whether device calls may fail now. */
  #live = false;
  /** Device calls until the next fault. */
  #countdown = 0;
  /** Consecutive calls that fail then. */
  #burst = 0;

  /** Formats a volume and imports what is on it into the model. */
  constructor(options: WalkOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#nanoseconds = options.shape.inodeSize !== 128 &&
      options.shape.revision !== 0;
    const now = { sec: 1_700_000_000, nsec: 0 };
    const { stack = STD_STACK, shape: { blockSize, blockCount, ...shape } } =
      options;
    this.#store = StackStore.create(stack, { blockSize, blockCount });
    this.#open(() => this.#model?.now ?? now, (device) => {
      format(device, { blank: this.#store.isBlank, ...shape, now });
    });
    this.#model = importModel(this.#fs, now);
    this.#model.storesXattrs = options.shape.revision !== 0;
  }

  /** Does one random operation on both sides and compares. */
  async step(): Promise<void> {
    this.#tick();
    if (this.#random.chance(0.01)) return await this.#sync();
    const step = this.#choose();
    this.log.push(`${this.log.length + 1} ${step.text}`);
    const faultsBefore = this.#host.faults;
    this.#live = this.#options.faults ?? false;
    const actual = attempt(() => step.engine(this.#fs));
    this.#live = false;
    const faulted = this.#host.faults > faultsBefore;
    const outcome = actual.code ?? "ok";
    this.log[this.log.length - 1] += ` → ${outcome}${faulted ? " !" : ""}`;
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);

    const excused = this.#isFault(actual.error, faulted) ||
      actual.code === "ENOSPC" && this.#isFull(step);
    if (!excused) this.#compareOutcome(step, actual);
    else if (step.happensAnyway) step.model(this.#model, actual.value);
    for (const ino of step.touched) {
      // A read goes through though its time of access cannot be stored.
      const lenient = faulted && step.reads === true;
      compareNode(this.#fs, this.#model, ino, { lenient });
    }
    if (excused && this.#random.chance(0.2)) this.compareAll();
  }

  /** One step in three, for a time, is made in one and the same directory. */
  #choose(): Step {
    const limits = {
      nanoseconds: this.#nanoseconds,
      blockSize: this.#options.shape.blockSize,
    };
    const phase = this.log.length % PHASE_STEPS;
    if (phase === 0) this.#large = anyDirectory(this.#random, this.#model);
    return phase < PHASE_STEPS / 3 && this.#random.chance(0.9)
      ? chooseInLarge(this.#random, this.#model, this.#large)
      : chooseStep(this.#random, this.#model, limits);
  }

  /** Compares the whole tree, and the files that only live on as open. */
  compareAll(): void {
    this.#tick();
    compareVolume(this.#fs, this.#model);
  }

  /**
   * Lets e2fsck judge what is on the device after a sync, then closes and
   * reopens, or reopens as after a crash, and compares everything.
   */
  async check(): Promise<void> {
    await this.#fs.sync();
    await withTempDir((dir) => this.#judge(`${dir}/walk.img`));
    if (this.#random.chance(0.5)) {
      this.log.push("crash");
      this.#crashed = true;
      this.#store = this.#store.copy();
      this.close();
      this.#model.crash();
    } else {
      this.log.push("close");
      for (const node of [...this.#model.nodes.values()]) {
        while (node.opens > 0) {
          this.#model.release(node.ino);
          this.#fs.release(node.ino);
        }
      }
      await this.#fs.close();
      this.#store = this.#store.copy();
      await withTempDir(async (dir) => {
        await this.#savePlain(`${dir}/walk.img`);
        await assertClean(`${dir}/walk.img`, "after close");
      });
    }
    this.#open(() => this.#model.now);
    this.compareAll();
  }

  /** Gives up the device; no step can be done any more. */
  close(): void {
    this.#device.close();
  }

  async #judge(image: string): Promise<void> {
    await this.#savePlain(image);
    if (this.#model.orphans().length > 0) {
      // The list of orphans is no damage, but -n may not clear it.
      const { code, stdout } = await run("e2fsck", "-fp", image);
      assert.ok(code <= 1, `e2fsck -fp exits ${code}\n${stdout}`);
      // On a full volume e2fsck 1.47 damages directories it fails to index.
      if (stdout.includes("Failed to optimize directory")) return;
    }
    await assertClean(image, "after sync");
  }

  /** Writes the plaintext to a file; all of it verifies, if it can. */
  async #savePlain(path: string): Promise<void> {
    // What a failing host has half written, and is free since, does not.
    const { faults: skipBad } = this.#options;
    await saveImage(this.#store.plain({ skipBad }), path);
  }

  #open(
    now: () => Model["now"],
    prepare: (device: BlockDevice) => void = () => {},
  ): void {
    this.#device = this.#store.open((image) => {
      this.#host = new FaultyDevice(image);
      // A failed flush is final; that is tested by itself.
      this.#host.rule = ({ kind }) => kind === "flush" ? null : this.#fault();
      return this.#host;
    });
    prepare(this.#device);
    this.#fs = Filesystem.open(this.#device, {
      cacheSize: this.#options.cacheSize,
      now,
    });
    // Only a checker makes a volume clean again that a crash left open.
    const expected = this.#crashed ? [/not closed cleanly/] : [];
    assert.equal(this.#fs.warnings.length, expected.length);
    expected.forEach((text, i) => assert.match(this.#fs.warnings[i], text));
  }

  #fault(): "EIO" | null {
    if (!this.#live || --this.#countdown > 0) return null;
    if (--this.#burst > 0) return "EIO";
    this.#countdown = 1 + this.#random.below(40);
    this.#burst = 1 + this.#random.below(3);
    return "EIO";
  }

  /** Time goes on: mostly a little, now and then by more than a day. */
  #tick(): void {
    const step = this.#random.chance(0.01) ? 100_000 : this.#random.below(60);
    this.#model.now = {
      sec: this.#model.now.sec + step,
      nsec: this.#nanoseconds ? this.#random.below(1e9) : 0,
    };
  }

  async #sync(): Promise<void> {
    this.#live = this.#options.faults ?? false;
    const outcome = await this.#fs.sync().then(() => null, (error) => error);
    this.#live = false;
    this.log.push(`${this.log.length + 1} sync → ${outcome?.code ?? "ok"}`);
    if (outcome === null) return;
    assert.ok(this.#options.faults && outcome instanceof DeviceError, outcome);
  }

  #isFault(error: unknown, faulted: boolean): boolean {
    return faulted && error instanceof DeviceError && error.code === "EIO";
  }

  /** Whether the volume really may have no room for a step. */
  #isFull(step: Step): boolean {
    const { blocksFree, inodesFree } = this.#fs.statfs();
    return step.blocks > blocksFree || !!step.makesInode && inodesFree === 0;
  }

  #compareOutcome(step: Step, actual: Attempt): void {
    const expected = attempt(() => step.model(this.#model, actual.value));
    if (expected.error instanceof ModelError) {
      const { codes } = expected.error;
      if (actual.error instanceof FsError && codes.includes(actual.code!)) {
        return;
      }
      throw new Error(
        `${step.text}: expected ${codes.join(" or ")}, got ${shown(actual)}`,
        { cause: actual.error },
      );
    }
    if (expected.error) throw expected.error;
    if (actual.error) {
      throw new Error(`${step.text}: got ${shown(actual)}, expected success`, {
        cause: actual.error,
      });
    }
    if (expected.value !== undefined) {
      assert.deepEqual(actual.value, expected.value, step.text);
    }
  }
}

interface Attempt {
  value?: unknown;
  error?: unknown;
  code?: string;
}

function attempt(fn: () => unknown): Attempt {
  try {
    return { value: fn() };
  } catch (error) {
    return { error, code: (error as FsError).code ?? String(error) };
  }
}

const shown = ({ error, code, value }: Attempt): string =>
  error ? `${code} (${(error as Error).message})` : `success: ${value}`;
