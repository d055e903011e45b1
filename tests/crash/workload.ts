/**
 * A workload: operations on a volume whose host is recorded, and on the model,
 * side by side, with the tree at each boundary put down in a history.
 *
 * @module
 */

import { DeviceError } from "../../bd/block_device.ts";
import type { OpenedVolume, VolumeFile } from "../../bd/volume/mod.ts";
import { type Filesystem, FsError } from "../../fs/mod.ts";
import { type Model, ModelError } from "../model.ts";
import { compareVolume } from "../support/compare.ts";
import type { Step } from "../support/walk_arguments.ts";
import { cloneModel } from "./clone_model.ts";
import { describeModel, treeDigest } from "./describe.ts";
import { FailingHost, type Fault } from "./faults.ts";
import { History } from "./history.ts";
import { type Contents, copyContents, Host } from "./recording.ts";
import type { Specimen } from "./specimen.ts";

/** A point from which workloads start. */
export interface Origin {
  /** What the files hold. */
  readonly contents: Contents;
  /** The tree that this is. */
  readonly model: Model;
}

/** What kind of host it is; one that works if nothing is said. */
export interface HostOptions {
  /** How it fails. */
  readonly fault?: Fault | null;
  /** Files whose syncs it reports as done, and does not do. */
  readonly lies?: readonly VolumeFile[];
}

/** How often an opening is tried on a host that fails. */
const OPENINGS_MAX = 60;

/** A workload in progress. */
export class Workload {
  /** The tree at each boundary. */
  readonly history = new History();
  /** Whose files are used, and whose log is kept. */
  readonly host: Host;
  /** What the tree should be. */
  model: Model;
  /** The host as it fails; null for one that does not. */
  readonly failing: FailingHost | null;
  /** Whether a commit has failed, and none has succeeded since. */
  isRefusing = false;
  readonly #specimen: Specimen;
  #volume!: OpenedVolume;
  #fs!: Filesystem;
  #digest = "";
  /** Commits that have been asked for, and are not over. */
  #syncs = 0;
  /** Models at the boundaries, for going back. */
  readonly #models: Model[] = [];

  private constructor(
    specimen: Specimen,
    { contents, model }: Origin,
    { fault = null, lies = [] }: HostOptions,
  ) {
    this.#specimen = specimen;
    this.host = new Host(copyContents(contents));
    this.host.lies = new Set(lies);
    this.failing = fault && new FailingHost(this.host, fault);
    this.model = cloneModel(model);
  }

  /** Opens the volume of `specimen` as it is at `origin`. */
  static async start(
    specimen: Specimen,
    origin: Origin,
    options: HostOptions = {},
  ): Promise<Workload> {
    const workload = new Workload(specimen, origin, options);
    workload.#note("start", 0);
    await workload.#open();
    return workload;
  }

  /** The filesystem, while it is open. */
  get fs(): Filesystem {
    return this.#fs;
  }

  /**
   * Does one operation on both sides. A full volume excuses it, and a host
   * that fails: it has changed nothing then.
   */
  async step(step: Step): Promise<void> {
    const begun = this.host.log.length;
    for (let room; (room = this.#fs.room()) !== null;) await room;
    this.model.now = { sec: this.model.now.sec + 1, nsec: 0 };
    const failures = this.failing?.failed ?? 0;
    const actual = attempt(() => step.engine(this.#fs));
    const hasFailed = (this.failing?.failed ?? 0) > failures;
    if (!this.#isExcused(actual.error, hasFailed)) {
      const expected = attempt(() => step.model(this.model, actual.value));
      if (actual.error || expected.error) {
        checkRefusal(step, actual.error, expected.error);
      }
    }
    // A read goes through though its time of access cannot be stored.
    if (hasFailed || this.isRefusing) this.#takeAccessTimes(step);
    this.#note(step.text, begun);
  }

  /**
   * Commits; the history takes note when that has returned. It rejects if the
   * commit does.
   */
  async sync(): Promise<void> {
    const { history } = this;
    const boundary = history.latest;
    this.#syncs++;
    try {
      await this.#fs.sync();
    } catch (error) {
      this.isRefusing = true;
      throw error;
    } finally {
      this.#syncs--;
    }
    this.isRefusing = false;
    history.synced(boundary, this.host.log.length);
  }

  /** Compares the whole tree, and files that are open without a name. */
  compare(): void {
    this.whileItWorks(() => compareVolume(this.#fs, this.model));
    this.#note("look at everything", this.host.log.length);
  }

  /** Closes files and volume. */
  async close(): Promise<void> {
    const begun = this.host.log.length;
    this.model.crash();
    this.#note("close", begun);
    const boundary = this.history.latest;
    await this.#fs.close();
    this.history.synced(boundary, this.host.log.length);
  }

  /** Closes everything and opens it again. */
  async reopen(): Promise<void> {
    await this.close();
    await this.#open();
  }

  /**
   * Ends the process at once, and starts another: what was written can be read,
   * but no more of it is durable than before.
   */
  async kill(): Promise<void> {
    this.end();
    const begun = this.host.log.length;
    const { history } = this;
    await this.#open();
    const at = this.host.log.length;
    const tree = this.#specimen.look(this.#volume);
    const back = history.match(treeDigest(tree), begun);
    if (back < 0) {
      throw new Error(
        "killed and opened again, " + history.complaint(tree, begun),
      );
    }
    const { now } = this.model;
    this.model = cloneModel(this.#models[back]);
    this.model.crash();
    this.model.now = now;
    history.wentBack(back, at);
    this.#note(`kill, and find boundary ${back}`, begun, true);
    this.isRefusing = false;
  }

  /** Ends the process at once, for good. */
  end(): void {
    this.host.killProcess();
    try {
      this.#volume.close();
    } catch {
      // It may say that the process is gone, and it is.
    }
  }

  /** Calls `look` while the host works. */
  whileItWorks(look: () => void): void {
    const { failing } = this;
    if (failing) failing.isPaused = true;
    try {
      look();
    } finally {
      if (failing) failing.isPaused = false;
    }
  }

  /** Opens it; a host that fails now may work the next time. */
  async #open(): Promise<void> {
    for (let n = 1;; n++) {
      const failures = this.failing?.failed ?? 0;
      try {
        this.#volume = await this.#specimen.open(this.failing ?? this.host);
        try {
          this.#fs = this.#specimen.mount(this.#volume, () => this.model.now);
          return;
        } catch (error) {
          this.#volume.close();
          throw error;
        }
      } catch (error) {
        const hasFailed = (this.failing?.failed ?? 0) > failures;
        if (!hasFailed || n === OPENINGS_MAX) throw error;
      }
    }
  }

  /** Whether an operation need not have succeeded. */
  #isExcused(error: unknown, hasFailed: boolean): boolean {
    if (error instanceof FsError) {
      if (error.code === "ENOSPC") return true;
      // A commit may just have failed, and not have been told of yet.
      const mayRefuse = this.isRefusing ||
        this.#syncs > 0 && (this.failing?.failed ?? 0) > 0;
      return error.code === "EROFS" && mayRefuse;
    }
    return hasFailed && error instanceof DeviceError &&
      error.code === this.failing?.code;
  }

  #takeAccessTimes({ touched }: Step): void {
    this.whileItWorks(() => {
      for (const ino of touched) {
        const node = this.model.nodes.get(ino);
        if (node) node.atime = this.#fs.getattr(ino).atime;
      }
    });
  }

  /** Puts the present tree into the history, unless it is as it was. */
  #note(text: string, begun: number, always = false): void {
    const hasBirthtimes = this.#specimen.shape.inodeSize > 128;
    const tree = describeModel(this.model, hasBirthtimes);
    const digest = treeDigest(tree);
    if (digest === this.#digest && !always) return;
    this.#digest = digest;
    this.history.add(text, tree, begun);
    this.#models.push(cloneModel(this.model));
  }
}

interface Attempt {
  readonly value?: unknown;
  readonly error?: unknown;
}

function attempt(fn: () => unknown): Attempt {
  try {
    return { value: fn() };
  } catch (error) {
    return { error };
  }
}

/** Throws unless both sides have refused a step, for the same reason. */
function checkRefusal(step: Step, actual: unknown, expected: unknown): void {
  if (actual instanceof FsError && expected instanceof ModelError) {
    if (expected.codes.includes(actual.code)) return;
  }
  throw new Error(
    `${step.text}: the engine says ${actual}, the model ${expected}`,
    { cause: actual ?? expected },
  );
}
