/**
 * A host that puts back old files of a volume or an image, or those of another
 * one, in every combination.
 *
 * @module
 */

import assert from "node:assert/strict";
import { IntegrityError } from "../../bd/block_device.ts";
import {
  RollbackError,
  VolumeIntegrityError,
  WrongKeyError,
} from "../../bd/volume/mod.ts";
import { Host, isSame } from "../support/damage.ts";
import {
  LEGEND,
  readBlocks,
  Tallies,
  type Tally,
  wrongBytes,
} from "../support/examine.ts";
import { makeOriginalScene } from "../support/original_scene.ts";
import {
  type FileName,
  makeScene,
  type Moment,
  plaintext,
  present,
  type Scene,
} from "../support/scene.ts";
import { withTempDir } from "../support/tools.ts";
import { KEYED_DEVICES } from "../support/volumes.ts";

/** What becomes of a mixture of files. */
type Fate =
  /** It does not open. */
  | "refused"
  /** It opens; these blocks cannot be read, and others are as in `plain`. */
  | { failing: ReadonlySet<number>; plain: Uint8Array }
  /** It opens, and all of it is noise. */
  | "noise";

const NONE: ReadonlySet<number> = new Set();

function allBlocks({ blockCount }: Scene): Set<number> {
  return new Set(Array.from({ length: blockCount }, (_, block) => block));
}

/**
 * What becomes of `scene` with files of these moments. The anchor names one
 * descriptor and one state of the journal, and its root stands for one tree,
 * which stands for one image.
 */
function foresee(scene: Scene, files: ReadonlyMap<FileName, Moment>): Fate {
  // Of an original, the root that is trusted is always the present one.
  const anchor = files.get("anchor") ?? present(scene);
  const descriptor = files.get("descriptor") ?? anchor;
  if (descriptor.descriptor !== anchor.descriptor) return "refused";
  // A moment is never a single record behind another: that one could be put
  // back, for nobody knows whether it was ever acknowledged.
  if ((files.get("journal") ?? anchor) !== anchor) return "refused";
  const tree = files.get("tree") ?? anchor;
  const image = files.get("image")!;
  if (!scene.tree) {
    const isOurs = (image === scene.twin) === (anchor === scene.twin);
    return isOurs ? { failing: NONE, plain: image.plain } : "noise";
  }
  if (tree.contents !== anchor.contents) {
    // Nothing below the root verifies.
    const failing = allBlocks(scene);
    return scene.tree === "array" ? "refused" : { failing, plain: tree.plain };
  }
  const failing = new Set<number>();
  const { blockSize } = scene;
  for (const [block, isUsed] of tree.used.entries()) {
    const [a, b] = [image, tree].map(({ files }) => {
      const at = block * blockSize;
      return files.get("image")!.subarray(at, at + blockSize);
    });
    if (isUsed && !isSame(a, b)) failing.add(block);
  }
  return { failing, plain: tree.plain };
}

/** All ways to choose one or more of `items`. */
function subsets<T>(items: readonly T[]): T[][] {
  return Array.from({ length: 2 ** items.length - 1 }, (_, i) => {
    return items.filter((_, j) => (i + 1) & 1 << j);
  });
}

/** A host that mixes files, and a summary of what came of it. */
class Mixer {
  readonly tallies = new Tallies();
  readonly summary: Map<string, string> = new Map();
  readonly #scene: Scene;
  readonly #host: Host;

  constructor(scene: Scene) {
    this.#scene = scene;
    this.#host = new Host(scene);
  }

  /** Puts every choice of files of `other` in the place of those of `base`. */
  async mix(name: string, base: Moment, other: Moment): Promise<void> {
    const names = [...this.#scene.paths.keys()];
    for (const chosen of subsets(names)) {
      const files = new Map(names.map((file) => {
        return [file, chosen.includes(file) ? other : base];
      }));
      this.#host.replace(
        new Map(
          names.map((file) => [file, files.get(file)!.files.get(file)!]),
        ),
      );
      const fate = foresee(this.#scene, files);
      const isAll = chosen.length === names.length;
      const row = isAll ? `${name}: all files` : `${name}: some of the files`;
      const text = await this.#check(fate, this.tallies.row(row));
      this.summary.set(`${name}: ${chosen.join(", ")}`, text);
      await this.#checkRemovedKey(fate, files.get("descriptor"));
    }
  }

  /** The key that was removed opens what has the old descriptor. */
  async #checkRemovedKey(fate: Fate, descriptor?: Moment): Promise<void> {
    if (!descriptor || fate === "refused") return;
    const opening = this.#scene.open({ key: 3 });
    if (descriptor.descriptor === 1) {
      await assert.rejects(opening, WrongKeyError);
    } else (await opening).close();
  }

  async #check(fate: Fate, tally: Tally): Promise<string> {
    const scene = this.#scene;
    tally.cases++;
    if (fate === "refused") {
      await assert.rejects(async () => await scene.open(), isDamage);
      tally.refused++;
      return "refused";
    }
    const device = await scene.open();
    if (fate === "noise") {
      tally.wrong += wrongBytes(plaintext(device), present(scene).plain);
      return "noise";
    }
    const { failing, plain } = fate;
    readBlocks(device, { failing, plain }, tally);
    device.close();
    if (failing.size === scene.blockCount) return "every block fails";
    if (failing.size > 0) return "blocks that differ fail";
    return plain === present(scene).plain ? "right" : "what it was then";
  }

  finish(): void {
    this.#host.restore();
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof VolumeIntegrityError ||
    error instanceof RollbackError ||
    error instanceof IntegrityError;
}

async function mixAll(scene: Scene): Promise<Mixer> {
  const mixer = new Mixer(scene);
  const now = present(scene);
  const [first, second, third] = scene.moments;
  if (scene.paths.has("descriptor")) {
    await mixer.mix("before a key was removed, and writes", now, second);
    await mixer.mix("before writes", now, third);
    // A key was removed, and nothing has been written since.
    await mixer.mix("before a key was removed", third, second);
  } else await mixer.mix("before writes", now, first);
  await mixer.mix("another volume with the same keys", now, scene.twin);
  mixer.finish();
  mixer.tallies.print(scene.name);
  assert.equal(scene.tree ? mixer.tallies.wrong : 0, 0);
  return mixer;
}

console.log(`The tables show: ${LEGEND}`);

Deno.test("files of another moment or volume fit together, or fail", () =>
  withTempDir(async (dir) => {
    const summaries: Map<string, string>[] = [];
    for (const device of KEYED_DEVICES) {
      const scene = await makeScene(dir, device, 1024);
      summaries.push((await mixAll(scene)).summary);
    }
    const original = await makeOriginalScene(dir, {
      cipher: "aes-256-xts",
      blockSize: 1024,
      blockCount: 128,
    });
    summaries.push((await mixAll(original)).summary);
    const names = new Set(summaries.flatMap((summary) => [...summary.keys()]));
    const line = (cells: string[]): void =>
      console.log(cells.map((cell, i) => cell.padEnd(i ? 26 : 86)).join(""));
    line(["what is put back", ...KEYED_DEVICES, "bdvericrypt"]);
    for (const name of names) {
      line([name, ...summaries.map((summary) => summary.get(name) ?? "-")]);
    }
  }));
