/**
 * A host that changes what it stores while nobody looks: every block of the
 * image and every node and page of the tree, in every way, one after another.
 *
 * Whatever was done, a block reads as it was written or not at all; and no
 * block fails but those that the damage touches.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  type BlockDevice,
  DeviceError,
  IntegrityError,
} from "../../bd/block_device.ts";
import { MemoryDevice } from "../../bd/memory.ts";
import { MemoryFile } from "../../bd/memory_file.ts";
import {
  BLOCKS,
  bytesOf,
  type Damage,
  DEVICES,
  imageDamages,
  imageOf,
  makeScene,
  type Scene,
  SIZE,
  top,
  treeDamages,
  wholeDamages,
} from "../support/at_rest.ts";
import { hex } from "../support/naive_tree.ts";
import { Random } from "../support/random.ts";
import { VeritySpecimen } from "../support/verity.ts";

/** What came of the damages of one row. */
interface Tally {
  cases: number;
  refused: number;
  failing: number;
  right: number;
  wrong: number;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Reads everything, block by block and at once. */
function readAll(scene: Scene, device: BlockDevice, tally: Tally): number[] {
  const failing: number[] = [];
  for (let block = 0; block < BLOCKS; block++) {
    const into = new Uint8Array(SIZE);
    const expected = scene.plain.subarray(block * SIZE, (block + 1) * SIZE);
    try {
      device.read(block, into);
    } catch (error) {
      assert.ok(error instanceof IntegrityError, String(error));
      failing.push(block);
      continue;
    }
    if (isSame(into, expected)) tally.right++;
    else tally.wrong++;
  }
  tally.failing += failing.length;
  const whole = new Uint8Array(BLOCKS * SIZE);
  try {
    device.read(0, whole);
    assert.ok(isSame(whole, scene.plain));
    assert.equal(failing.length, 0);
  } catch (error) {
    assert.ok(error instanceof IntegrityError, String(error));
    assert.ok(failing.length > 0);
  }
  return failing;
}

/** Opens what the host has, and looks at all of it. */
function inflict(scene: Scene, damage: Damage, tally: Tally): void {
  const { kind, specimen } = scene;
  const image = imageOf(damage.stored.image);
  const tree = new MemoryFile(damage.stored.tree);
  tally.cases++;
  let device: BlockDevice;
  try {
    device = top(kind, specimen.open({ image, tree, state: damage.state }));
  } catch (error) {
    assert.ok(error instanceof IntegrityError, String(error));
    assert.equal(damage.failing, null, `${damage.row}: refused`);
    tally.refused++;
    return;
  }
  assert.notEqual(damage.failing, null, `${damage.row}: opened`);
  assert.deepEqual(readAll(scene, device, tally), damage.failing, damage.row);
  device.close();
}

/**
 * Writes a block. If that is refused nothing has changed; else what is then
 * published is what the device was meant to hold, with that block.
 */
async function writeOver(
  scene: Scene,
  damage: Damage,
  random: Random,
): Promise<void> {
  const image = imageOf(damage.stored.image);
  const tree = new MemoryFile(damage.stored.tree.slice());
  const specimen = scene.specimen.fork({ image, tree });
  const device = specimen.open();
  const block = random.below(BLOCKS);
  const bytes = random.bytes(SIZE);
  try {
    device.write(block, bytes);
  } catch (error) {
    assert.ok(error instanceof IntegrityError, String(error));
    assert.throws(() => device.admitWrite(block), IntegrityError);
    await device.flush();
    assert.deepEqual(specimen.published, []);
    assert.ok(isSame(tree.bytes, damage.stored.tree));
    const before = bytesOf(imageOf(damage.stored.image));
    assert.ok(isSame(bytesOf(image), before));
    return;
  }
  specimen.note(block, bytes);
  await device.flush();
  assert.equal(hex(specimen.state.root), hex(specimen.root()), damage.row);
}

function report(name: string, tallies: Map<string, Tally>): void {
  const row = (...cells: (string | number)[]): string =>
    cells.map((cell, i) => {
      return i === 0 ? String(cell).padEnd(34) : String(cell).padStart(9);
    }).join("");
  console.log(row(name, "cases", "refused", "fail", "right", "wrong"));
  for (const [name, tally] of tallies) {
    const { cases, refused, failing, right, wrong } = tally;
    console.log(row(`  ${name}`, cases, refused, failing, right, wrong));
  }
}

for (const kind of DEVICES) {
  Deno.test(`${kind.name}: no damage at rest makes a wrong byte`, async () => {
    const scene = await makeScene(kind);
    const random = new Random(5);
    const tallies = new Map<string, Tally>();
    const damages = [imageDamages, treeDamages, wholeDamages];
    for (const damage of damages.flatMap((list) => [...list(scene)])) {
      let tally = tallies.get(damage.row);
      if (!tally) {
        tally = { cases: 0, refused: 0, failing: 0, right: 0, wrong: 0 };
        tallies.set(damage.row, tally);
      }
      inflict(scene, damage, tally);
      if (damage.failing !== null) await writeOver(scene, damage, random);
    }
    report(`${kind.name}: blocks that`, tallies);
    for (const [row, { wrong }] of tallies) assert.equal(wrong, 0, row);
  });
}

/** Opens the tree and image of `specimen` as if it had `count` leaves. */
function openAs(
  specimen: VeritySpecimen,
  count: number,
): { device: BlockDevice; shift: number } {
  // Every old leaf keeps its node, and so becomes the leaf of another block.
  const shift = count - BLOCKS;
  const image = new MemoryDevice(SIZE, count);
  for (let block = 0; block < count; block++) {
    const moved = block + shift;
    if (moved < 0 || moved >= BLOCKS) continue;
    image.write(block, specimen.expected(moved));
  }
  const tree = new MemoryFile(
    new Random(count).bytes((2 * count - 1) * specimen.state.root.length),
  );
  tree.bytes.set(specimen.tree.bytes.subarray(0, tree.size));
  const state = { ...specimen.state, leafCount: count };
  return { device: specimen.open({ image, tree, state }), shift };
}

Deno.test("a false leaf count shows at the first block or the last leaf", async () => {
  for (const plain of [false, true]) {
    const specimen = new VeritySpecimen({
      kind: "array",
      blocks: BLOCKS,
      plain,
    });
    const bytes = new Random(6).bytes(BLOCKS * SIZE);
    const writer = specimen.open();
    writer.write(0, bytes);
    specimen.note(0, bytes);
    await writer.flush();
    let misread = 0;
    for (let count = 1; count < 4 * BLOCKS; count++) {
      if (count === BLOCKS) continue;
      const { device, shift } = openAs(specimen, count);
      assert.throws(() => {
        device.read(0, new Uint8Array(SIZE));
        device.admitWrite!(count - 1);
      }, IntegrityError);
      const into = new Uint8Array(SIZE);
      try {
        device.read(1, into);
        assert.deepEqual(into, specimen.expected(1 + shift));
        misread++;
      } catch (error) {
        if (!(error instanceof DeviceError)) throw error;
      }
    }
    // That is why a root means nothing without its leaf count.
    assert.ok(misread > 10, `${misread} misread`);
  }
});
