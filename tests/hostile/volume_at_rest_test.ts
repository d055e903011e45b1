/**
 * A host that changes volumes and images while nobody looks: every block of
 * the image and every page of the tree, in every way, one after another.
 *
 * Whatever was done, a device that verifies gives what was written or fails
 * with EIO, and fails in no place but those that the damage touches; nothing
 * that is read through the filesystem is wrong by a byte. A device that only
 * encrypts gives what docs/security.md says that it does.
 *
 * @module
 */

import assert from "node:assert/strict";
import { IntegrityError } from "../../bd/block_device.ts";
import {
  blockDamages,
  type Damage,
  Host,
  imageBlocks,
  nodeDamages,
  Prophet,
  treePages,
} from "../support/damage.ts";
import {
  isZero,
  LEGEND,
  readBlocks,
  readNoise,
  readThings,
  Tallies,
} from "../support/examine.ts";
import { makeOriginalScene } from "../support/original_scene.ts";
import { makeScene, present, type Scene } from "../support/scene.ts";
import { withTempDir } from "../support/tools.ts";
import { KEYED_DEVICES } from "../support/volumes.ts";

/** A scene, the host that has it in its hands, and what has come of it. */
class Siege {
  readonly tallies = new Tallies();
  readonly scene: Scene;
  readonly host: Host;
  readonly #prophet: Prophet;

  constructor(scene: Scene) {
    this.scene = scene;
    this.host = new Host(scene);
    this.#prophet = new Prophet(scene);
  }

  /** Does each damage alone, opens what there is then, and reads all of it. */
  async inflict(damages: Iterable<Damage>): Promise<void> {
    for (const damage of damages) {
      this.host.patch(damage.patches);
      await this.#look(damage);
      this.host.unpatch(damage.patches);
    }
  }

  async #look({ row, patches }: Damage): Promise<void> {
    const { scene } = this;
    const tally = this.tallies.row(row);
    tally.cases++;
    const touched = this.#touched(patches);
    if (this.#isRefused(patches, touched)) {
      await assert.rejects(async () => await scene.open(), IntegrityError, row);
      tally.refused++;
      return;
    }
    const device = await scene.open();
    const end = this.#endOf(patches, tally.cases === 1);
    if (scene.tree) {
      const { plain } = present(scene);
      readBlocks(device, { failing: touched, plain, end }, tally);
    } else {
      const image = Deno.readFileSync(scene.paths.get("image")!);
      readNoise(scene, device, { touched, image, end }, tally);
    }
    await readThings(scene, device, { touched }, tally);
  }

  /**
   * How many blocks to read. Behind the last that is in use, a damage of the
   * image changes nothing: to have seen that once, for each row, is enough.
   */
  #endOf(patches: Damage["patches"], isFirst: boolean): number {
    const { blockCount, blockSize } = this.scene;
    if (isFirst || patches.some(({ file }) => file === "tree")) {
      return blockCount;
    }
    const touched = patches.map(({ at }) => at / blockSize);
    const last = Math.max(
      present(this.scene).used.lastIndexOf(true),
      ...touched,
    );
    return Math.min(blockCount, last + 10);
  }

  #touched(patches: Damage["patches"]): Set<number> {
    const { tree, blockSize } = this.scene;
    if (tree) return this.#prophet.failing(patches);
    return new Set(patches.map(({ at }) => at / blockSize));
  }

  /** An image of the original's opens if one of its outermost paths is good. */
  #isRefused(
    patches: Damage["patches"],
    touched: ReadonlySet<number>,
  ): boolean {
    const { tree, blockCount } = this.scene;
    return tree === "array" && patches[0].file === "tree" &&
      touched.has(0) && touched.has(blockCount - 1);
  }

  /** Damages blocks that were never written: one opening serves for all. */
  async inflictUnused(): Promise<void> {
    const { scene } = this;
    const device = await scene.open();
    const damages = blockDamages(scene, imageBlocks(scene, "unused"));
    for (const { row, patches } of damages) {
      this.host.patch(patches);
      const tally = this.tallies.row(row);
      tally.cases++;
      for (const { at, bytes } of patches) {
        const into = new Uint8Array(scene.blockSize);
        device.read(at / scene.blockSize, into);
        if (isZero(into)) tally.right++;
        else tally.wrong += into.length;
        assert.equal(isZero(into), scene.tree !== null || isZero(bytes));
      }
      this.host.unpatch(patches);
    }
    device.close();
  }

  /** Prints the table. */
  finish(): void {
    this.host.close();
    this.tallies.print(this.scene.name);
    if (this.scene.tree) assert.equal(this.tallies.wrong, 0);
  }
}

/** Pages of the tree of which each node is damaged alone. */
function isSearched({ tree, blockSize }: Scene): (page: number) => boolean {
  if (tree === "array") return () => true;
  // The top, and the page of the first 64 blocks; that of others is the same.
  return (page) => blockSize === 1024 && page < 2;
}

async function besiege(scene: Scene): Promise<void> {
  const siege = new Siege(scene);
  await siege.inflict(blockDamages(scene, imageBlocks(scene, "used")));
  await siege.inflictUnused();
  if (scene.tree) {
    await siege.inflict(blockDamages(scene, treePages(scene)));
    await siege.inflict(nodeDamages(scene, isSearched(scene)));
  }
  siege.finish();
}

console.log(`The tables show: ${LEGEND}`);

for (const blockSize of [1024, 4096]) {
  for (const device of KEYED_DEVICES) {
    Deno.test(`${device}, blocks of ${blockSize}: every block and page is damaged`, () =>
      withTempDir(async (dir) => {
        await besiege(await makeScene(dir, device, blockSize));
      }));
  }
}

const ORIGINALS = [
  { cipher: null, blockSize: 1024, blockCount: 150 },
  { cipher: "aes-256-xts", blockSize: 1024, blockCount: 128 },
  { cipher: "aes-256-cbc", blockSize: 4096, blockCount: 61 },
] as const;

for (const shape of ORIGINALS) {
  const { cipher, blockSize } = shape;
  const name = cipher === null ? "bdverity" : `bdvericrypt, ${cipher}`;
  Deno.test(`${name}, blocks of ${blockSize}: every block and page is damaged`, () =>
    withTempDir(async (dir) => {
      await besiege(await makeOriginalScene(dir, shape));
    }));
}
