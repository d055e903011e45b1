/**
 * A volume that a host has damaged goes on being used: what is not damaged can
 * be written, verifies from then on, and makes nothing good that was bad.
 *
 * @module
 */

import assert from "node:assert/strict";
import { DeviceError, IntegrityError } from "../../bd/block_device.ts";
import { Filesystem, FsError, Paths, ROOT_INODE } from "../../fs/mod.ts";
import { nodeNumbers } from "../support/at_rest.ts";
import { Host, type Patch, Prophet } from "../support/damage.ts";
import { makeOriginalScene } from "../support/original_scene.ts";
import { pagedLevels } from "../support/naive_tree.ts";
import { Random } from "../support/random.ts";
import { type Sight, tryReading } from "../support/reading.ts";
import { makeScene, present, type Scene } from "../support/scene.ts";
import { withTempDir } from "../support/tools.ts";
import { KEYED_DEVICES } from "../support/volumes.ts";

const HELLO = new Random(20).bytes(700);
const NEW = new Random(21).bytes(3000);
/** What is not as it was, because of what is written. */
const WRITTEN = ["/", "/hello", "/dir/hello again"];

/** The blocks that are needed for `path` and for nothing else. */
function blocksOf({ reading }: Scene, path: string): number[] {
  const [own, others] = [true, false].map((isOwn) =>
    reading.things.filter((thing) => (thing.path === path) === isOwn)
  );
  return [...own[0].needs].filter((block) => {
    return !others.some(({ needs }) => needs.has(block));
  });
}

/** The blocks in use that nobody needs to read: bitmaps, for example. */
function unreadBlocks(scene: Scene): number[] {
  const { opening, things } = scene.reading;
  const needed = [opening, ...things.map(({ needs }) => needs)];
  return present(scene).used.flatMap((isUsed, block) => {
    return isUsed && !needed.some((needs) => needs.has(block)) ? block : [];
  });
}

function flipBlock(scene: Scene, block: number): Patch {
  const at = block * scene.blockSize + 99;
  const byte = present(scene).files.get("image")![at];
  return { file: "image", at, bytes: Uint8Array.of(byte ^ 4) };
}

/** Flips a bit of the leaf of `block`. */
function flipLeaf(scene: Scene, block: number): Patch {
  const { tree, blockCount } = scene;
  const first = tree === "array" ? blockCount : 2 ** pagedLevels(blockCount);
  const [at] = [...nodeNumbers(tree!, blockCount)]
    .find(([, node]) => node === first + block)!;
  const byte = present(scene).files.get("tree")![at];
  return { file: "tree", at, bytes: Uint8Array.of(byte ^ 4) };
}

function damagesOf(scene: Scene): Map<string, Patch[]> {
  const flip = (block: number): Patch => flipBlock(scene, block);
  const plain = blocksOf(scene, "/dir/inner/plain");
  const unread = unreadBlocks(scene);
  const damages = new Map([
    ["a block of a file", [flip(plain[3])]],
    ["all blocks of a file", plain.map(flip)],
    ["the list of a directory's attributes", blocksOf(scene, "/dir").map(flip)],
    ["a link", blocksOf(scene, "/dir/long link").map(flip)],
    ["the map of a sparse file", blocksOf(scene, "/sparse").map(flip)],
    ...unread.slice(0, 6).map((block, i) => {
      return [`block ${i} of those nobody reads`, [flip(block)]];
    }) as [string, Patch[]][],
  ]);
  if (scene.tree) {
    damages.set("a leaf", [flipLeaf(scene, plain[3])]);
    damages.set("the last leaf", [flipLeaf(scene, scene.blockCount - 1)]);
  }
  return damages;
}

/** What an attempt to write has led to. */
interface Written {
  /** A file was overwritten. */
  hello: boolean;
  /** One was made. */
  made: boolean;
  /** And that was written, too. */
  filled: boolean;
  synced: boolean;
}

function succeeds(call: () => unknown): boolean {
  try {
    call();
    return true;
  } catch (error) {
    assert.ok(
      error instanceof DeviceError || error instanceof FsError,
      String(error),
    );
    return false;
  }
}

async function write(scene: Scene): Promise<Written> {
  const device = await scene.open({ writable: true });
  const fs = Filesystem.open(device, { atime: "noatime" });
  const paths = new Paths(fs);
  const hello = succeeds(() => fs.write(paths.resolve("/hello"), 0, HELLO));
  const made = succeeds(() => fs.create(ROOT_INODE, "new"));
  const filled = made &&
    succeeds(() => fs.write(paths.resolve("/new"), 0, NEW));
  const synced = await fs.sync().then(() => true, (error) => {
    assert.ok(error instanceof DeviceError);
    return false;
  });
  await fs.close();
  return { hello, made, filled, synced };
}

/** Asserts that what was written is there, and all that was not, as before. */
async function check(
  scene: Scene,
  { touched, written }: { touched: ReadonlySet<number>; written: Written },
): Promise<void> {
  const fs = Filesystem.open(await scene.open(), { readOnly: true });
  const paths = new Paths(fs);
  if (written.hello) assert.deepEqual(paths.readFile("/hello"), HELLO);
  const names = paths.readDir("/").map(({ name }) => {
    return new TextDecoder().decode(name);
  });
  assert.equal(names.includes("new"), written.made);
  if (written.made) {
    const contents = written.filled ? NEW : new Uint8Array();
    assert.deepEqual(paths.readFile("/new"), contents);
  }
  await fs.close();
  const sights = await tryReading(await scene.open());
  assert.ok(Array.isArray(sights), String(sights));
  checkOthers(scene, sights, touched);
}

function checkOthers(
  scene: Scene,
  sights: Sight[],
  touched: ReadonlySet<number>,
): void {
  for (const [i, { path, seen, needs }] of scene.reading.things.entries()) {
    const isTouched = [...needs].some((block) => touched.has(block));
    const sight: Sight = sights[i];
    if (isTouched && scene.tree) assert.ok(sight instanceof IntegrityError);
    if (isTouched || WRITTEN.includes(path)) continue;
    assert.equal(sight, seen, path);
  }
}

/** Damages, writes, looks, and puts all back, again and again. */
async function tryAll(scene: Scene): Promise<void> {
  const host = new Host(scene);
  const prophet = new Prophet(scene);
  let failed = 0;
  const damages = damagesOf(scene);
  for (const [name, patches] of damages) {
    host.patch(patches);
    const touched = scene.tree
      ? prophet.failing(patches)
      : new Set(patches.map(({ at }) => Math.floor(at / scene.blockSize)));
    const written = await write(scene);
    assert.deepEqual([name, written.hello, written.synced], [name, true, true]);
    if (!written.filled) failed++;
    await check(scene, { touched, written });
    host.restore();
    if (scene.rootFile) Deno.removeSync(scene.rootFile);
  }
  console.log(
    `${scene.name}: ${damages.size} damages; after each, a file was written, ` +
      `after ${damages.size - failed} one was made`,
  );
}

for (const device of KEYED_DEVICES) {
  for (const blockSize of [1024, 4096]) {
    Deno.test(`${device}, blocks of ${blockSize}: what is not damaged can be written`, () =>
      withTempDir(async (dir) => {
        await tryAll(await makeScene(dir, device, blockSize));
      }));
  }
}

for (const cipher of [null, "aes-256-xts"] as const) {
  const name = cipher ? "bdvericrypt" : "bdverity";
  Deno.test(`${name}: what is not damaged can be written`, () =>
    withTempDir(async (dir) => {
      const shape = { cipher, blockSize: 1024, blockCount: 200 };
      await tryAll(await makeOriginalScene(dir, shape));
    }));
}
